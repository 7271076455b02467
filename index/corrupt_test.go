package index_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/index"
	"parley/sparse"
)

// small is an index with every kind of content, encoder files included.
func small(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "index")
	b, err := index.Create(dir, index.Options{Vocabulary: 6, Fingerprint: "fp", Encoder: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Discard()
	for _, err := range []error{
		b.Add("b", "title", "text", sparse.Vector{Terms: []uint32{1, 2, 5}, Weights: []float32{1, 2, 3}}),
		b.Add("a", "", "", sparse.Vector{}),
		b.Add("c", "", "more", sparse.Vector{Terms: []uint32{2}, Weights: []float32{.1}}),
		os.WriteFile(filepath.Join(b.Dir(), index.EncoderDir, "vocab.txt"), []byte("[UNK]\n"), 0o666),
		b.Commit(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// files returns the content of all files below dir.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	content := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// use calls everything that could go out of bounds and returns what it read.
func use(ix *index.Index) (all []any) {
	for term := range uint32(ix.Vocabulary() + 2) {
		passages, impacts := ix.Postings(term)
		all = append(all, ix.DF(term))
		for i, p := range passages {
			all = append(all, ix.ID(int(p)), impacts[i])
		}
	}
	for i := range ix.N() {
		v := ix.Vector(i, sparse.Vector{})
		if err := v.Validate(ix.Vocabulary()); err != nil {
			panic(err)
		}
		_, found := ix.Lookup(ix.ID(i))
		all = append(all, v, ix.Passage(i), found)
	}
	return append(all, ix.Scale(), ix.Encoder(), ix.Fingerprint())
}

// TestFlippedBits flips a bit in each byte of each file: Open must name the
// file, or the flip must not matter (white space of the manifest).
func TestFlippedBits(t *testing.T) {
	dir := small(t)
	want := use(open(t, dir))
	for path, content := range files(t, dir) {
		for at := range content {
			bit := 8*at + at%8
			damaged := bytes.Clone(content)
			damaged[bit/8] ^= 1 << (bit % 8)
			write(t, path, damaged)
			ix, err := index.Open(dir)
			if err == nil {
				if got := use(ix); filepath.Base(path) != "index.json" || !equal(got, want) {
					t.Errorf("%s: bit %d flipped, and the index opens as %v", path, bit, got)
				}
				ix.Close()
				continue
			}
			if e := new(index.CorruptError); errors.As(err, &e) && e.Path != path || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: bit %d flipped: %v", path, bit, err)
			}
		}
		write(t, path, content)
	}
}

func TestEveryTruncation(t *testing.T) {
	dir := small(t)
	for path, content := range files(t, dir) {
		for n := range len(content) {
			write(t, path, content[:n])
			ix, err := index.Open(dir)
			if err == nil && n == len(content)-1 && filepath.Base(path) == "index.json" { // its last line end
				ix.Close()
				continue
			}
			if e := new(index.CorruptError); !errors.As(err, &e) || e.Path != path || e.Offset > int64(n) {
				t.Errorf("%s cut to %d of %d bytes: %v", path, n, len(content), err)
			}
		}
		write(t, path, append(bytes.Clone(content), '!'))
		if _, err := index.Open(dir); !errors.As(err, new(*index.CorruptError)) {
			t.Errorf("%s with a byte too many: %v", path, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := index.Open(dir); err == nil || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("without %s: %v", path, err)
		}
		write(t, path, content)
	}
	open(t, dir)
}

// TestErrors has the sentences that people read.
func TestErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(dir string)
		want   string
	}{
		{
			"not an index", func(dir string) { os.Remove(filepath.Join(dir, "index.json")) },
			"DIR is no index: it has no index.json; build one with parley index",
		},
		{
			"other version", func(dir string) { replace(t, dir, "index.json", `"version": 1`, `"version": 7`) },
			"DIR/index.json: the index has format version 7, this program reads version 1: build the index again with this program",
		},
		{
			"other format", func(dir string) { replace(t, dir, "index.json", `parley index`, `parsley inde`) },
			`DIR/index.json: damaged at byte 0: it describes a "parsley inde", not a parley index: build the index again or restore it from a copy`,
		},
		{
			"manifest changed", func(dir string) { replace(t, dir, "index.json", `"passages": 3`, `"passages": 2`) },
			"DIR/index.json: damaged at byte 0: its content has checksum CHECKSUM, not the recorded CHECKSUM: build the index again or restore it from a copy",
		},
		{
			"bad magic", func(dir string) { replace(t, dir, "postings", "PRLYPOST", "PRLYPAST") },
			`DIR/postings: damaged at byte 0: it begins with "PRLYPAST", not with "PRLYPOST": build the index again or restore it from a copy`,
		},
		{
			"flipped", func(dir string) { replace(t, dir, "passages", "title", "tilte") },
			"DIR/passages: damaged at byte 0: the 124 bytes from there do not have the recorded checksum: build the index again or restore it from a copy",
		},
		{
			"encoder", func(dir string) { replace(t, dir, "encoder/vocab.txt", "UNK", "UNC") },
			"DIR/encoder/vocab.txt: damaged at byte 0: the 6 bytes from there do not have the recorded checksum: build the index again or restore it from a copy",
		},
	} {
		dir := small(t)
		test.damage(dir)
		_, err := index.Open(dir)
		if err == nil {
			t.Errorf("%s: no error", test.name)
			continue
		}
		got := checksums.ReplaceAllString(strings.ReplaceAll(err.Error(), dir, "DIR"), "CHECKSUM")
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

// TestForgedErrors has damage under checksums that are right.
func TestForgedErrors(t *testing.T) {
	for _, test := range []struct{ name, file, from, to, want string }{
		{"one id twice", "passages", "btitletextac", "btitletextab", "DIR/passages: damaged at byte 120: the ids of passages 0 and 2 are not in order"},
		{"a file's version", "forward", "PRLYFORW\x01", "PRLYFORW\x02", "DIR/forward: damaged at byte 8: it has format version 2, not 1 as the manifest says"},
	} {
		dir := small(t)
		replace(t, dir, test.file, test.from, test.to)
		if err := index.SealAgain(dir, nil); err != nil {
			t.Fatal(err)
		}
		_, err := index.Open(dir)
		if want := strings.ReplaceAll(test.want, "DIR", dir); err == nil || !strings.HasPrefix(err.Error(), want+": build the index again") {
			t.Errorf("%s:\n got %v\nwant %s", test.name, err, want)
		}
	}
}

// replace changes a file of an index.
func replace(t testing.TB, dir, name, from, to string) {
	t.Helper()
	path := filepath.Join(dir, name)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(content, []byte(from), []byte(to), 1)
	if bytes.Equal(changed, content) {
		t.Fatalf("%s has no %q", path, from)
	}
	write(t, path, changed)
}

// FuzzOpen damages the files and the counts of an index whose checksums are
// right: Open must refuse it or return an index that works.
func FuzzOpen(f *testing.F) {
	dir := small(f)
	content := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		return data
	}
	postings, forward, passages := content("postings"), content("forward"), content("passages")
	f.Add(postings, forward, passages, 3, 6, 4, 16, float32(.01))
	f.Add(postings, forward, passages, 2, 6, 4, 16, float32(.01))
	f.Add(postings, forward, passages, -1, math.MaxInt, math.MaxInt/8, -1, float32(-1))
	for i := range 200 { // one byte of each file at a time
		damaged := [][]byte{bytes.Clone(postings), bytes.Clone(forward), bytes.Clone(passages)}
		file := damaged[i%3]
		file[(i*37)%len(file)] ^= byte(1 << (i % 8))
		f.Add(damaged[0], damaged[1], damaged[2], 3, 6, 4, 16, float32(.01))
	}
	manifest := content("index.json")
	f.Fuzz(func(t *testing.T, postings, forward, passages []byte, n, v, p, b int, scale float32) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "index.json"), manifest)
		write(t, filepath.Join(dir, "postings"), postings)
		write(t, filepath.Join(dir, "forward"), forward)
		write(t, filepath.Join(dir, "passages"), passages)
		err := index.SealAgain(dir, func(m *index.Manifest) {
			*m.Passages, *m.Vocabulary, *m.Postings, *m.TextBytes, *m.Scale = n, v, p, b, scale
		})
		if err != nil {
			t.Skip(err) // a scale that JSON cannot hold
		}
		ix, err := index.Open(dir)
		if err != nil {
			if !errors.As(err, new(*index.CorruptError)) {
				t.Errorf("not a CorruptError: %v", err)
			}
			return
		}
		defer ix.Close()
		use(ix)
	})
}
