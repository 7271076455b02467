package index_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"parley/index"
	"parley/sparse"
)

var checksums = regexp.MustCompile("[0-9a-f]{16}")

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

// TestBuffer builds the same index with posting lists made in one pass and in
// many: the bytes must be the same.
func TestBuffer(t *testing.T) {
	const vocabulary = 50
	var folders []map[string][]byte
	for _, buffer := range []int{1, 70, 1 << 20} {
		dir := filepath.Join(t.TempDir(), "index")
		b, err := index.Create(dir, index.Options{Vocabulary: vocabulary})
		if err != nil {
			t.Fatal(err)
		}
		b.SetBuffer(buffer)
		r := rand.New(rand.NewPCG(1, 2))
		for i := range 300 {
			weights := map[uint32]float32{}
			for range r.IntN(10) {
				weights[r.Uint32N(vocabulary)] = r.Float32()
			}
			if err := b.Add(fmt.Sprint(i), "", "", sparse.FromMap(weights)); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
		content := map[string][]byte{}
		for path, data := range files(t, dir) {
			content[filepath.Base(path)] = data
		}
		open(t, dir)
		folders = append(folders, content)
	}
	if len(folders[0]) != 4 || !equal(folders[0], folders[1]) || !equal(folders[1], folders[2]) {
		t.Error("the bytes of an index depend on the buffer it was made with")
	}
}

func TestAddRefuses(t *testing.T) {
	b, err := index.Create(filepath.Join(t.TempDir(), "index"), index.Options{Vocabulary: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Discard()
	if err := b.Add("p1", "", "", sparse.Vector{}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		id     string
		vector sparse.Vector
		want   string
	}{
		{"p1", sparse.Vector{}, `duplicate passage id "p1" (passages 1 and 2): give each passage its own id`},
		{"", sparse.Vector{}, "passage 2 has no id"},
		{"p2", sparse.Vector{Terms: []uint32{10}, Weights: []float32{1}}, `passage "p2": sparse vector: term 10 is outside the vocabulary of 10`},
	} {
		if err := b.Add(test.id, "", "", test.vector); err == nil || err.Error() != test.want {
			t.Errorf("%v, want %s", err, test.want)
		}
	}
	if err := b.Add("p2", "", "", sparse.Vector{}); err != nil {
		t.Errorf("after refusals nothing is taken: %v", err)
	}
	if b.N() != 2 {
		t.Errorf("%d passages, want 2", b.N())
	}
}

// TestReplace builds over what is there: an index only by a complete one, and
// nothing else ever.
func TestReplace(t *testing.T) {
	dir := small(t)
	before := files(t, dir)
	b, err := index.Create(dir, index.Options{Vocabulary: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err == nil || !strings.HasSuffix(err.Error(), "it has no passages") {
		t.Errorf("an index without passages: %v", err)
	}
	if !equal(files(t, dir), before) {
		t.Error("a failed build changed the index")
	}

	b, err = index.Create(dir, index.Options{Vocabulary: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Add("x", "", "", sparse.Vector{}), b.Commit()); err != nil {
		t.Fatal(err)
	}
	if b.Add("y", "", "", sparse.Vector{}) == nil || b.Commit() == nil {
		t.Error("a committed index takes more")
	}
	if ix := open(t, dir); ix.N() != 1 || ix.Scale() != 1 || ix.Size() != 0 {
		t.Errorf("the new index has %d passages, %d postings, scale %v", ix.N(), ix.Size(), ix.Scale())
	}

	foreign := t.TempDir()
	write(t, filepath.Join(foreign, "thesis.txt"), []byte("years of work"))
	if _, err := index.Create(foreign, index.Options{Vocabulary: 10}); err == nil || index.CanCreate(foreign) == nil {
		t.Error("a folder with other files is taken")
	}
	if err := index.CanCreate(dir); err != nil {
		t.Errorf("an index cannot be replaced: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestVocabularySize(t *testing.T) {
	for _, v := range []int64{-1, 0, 1 << 33} {
		if _, err := index.Create(filepath.Join(t.TempDir(), "index"), index.Options{Vocabulary: int(v)}); err == nil {
			t.Errorf("a vocabulary of %d is taken", v)
		}
	}
}

// TestWriteError has a build fail for good once a file cannot be written.
func TestWriteError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	b, err := index.Create(dir, index.Options{Vocabulary: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Add("p", "", "", sparse.Vector{}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.Dir()); err != nil {
		t.Fatal(err)
	}
	err = b.Commit()
	if err == nil || !strings.HasPrefix(err.Error(), "cannot write the index "+dir+": ") || strings.Contains(err.Error(), "partial") {
		t.Errorf("the files are gone, and Commit says: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a failed build left a folder")
	}
}
