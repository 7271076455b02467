package checkpoint

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"parley/internal/wordpiece"
)

// reference unpacks what testdata/reference.py made, and returns its folders.
func reference(t *testing.T) []string {
	t.Helper()
	archive, err := zip.OpenReader("testdata/reference.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	dir := t.TempDir()
	if err := os.CopyFS(dir, archive); err != nil {
		t.Fatal(err)
	}
	folders, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(folders) < 6 {
		t.Fatalf("%d folders, %v", len(folders), err)
	}
	return folders
}

// expected is what sentence-transformers makes of a folder and some texts.
type expected struct {
	Texts           []string
	Query, Document []map[string]float64
}

// TestReference compares the vectors of checkpoints that transformers and
// sentence-transformers wrote with those that they give; and writes the
// checkpoints anew, which changes nothing.
func TestReference(t *testing.T) {
	for _, path := range reference(t) {
		var want expected
		text, err := os.ReadFile(filepath.Join(path, "expected.json"))
		if err := errors.Join(err, json.Unmarshal(text, &want)); err != nil {
			t.Fatal(err)
		}
		f := open(t, path)
		compareWith(t, f, want)
		w, err := f.Writing()
		if err != nil {
			t.Fatal(err)
		}
		again := filepath.Join(t.TempDir(), "again")
		if err := Write(again, w); err != nil {
			t.Fatal(err)
		}
		compareWith(t, open(t, again), want)
	}
}

func compareWith(t *testing.T, f *Folder, want expected) {
	t.Helper()
	for i, text := range want.Texts {
		compareVectors(t, f.Path+": query "+text, encode(t, f.Query, text), want.Query[i])
		compareVectors(t, f.Path+": document "+text, encode(t, f.Passage, text), want.Document[i])
	}
}

// encode returns what the side makes of the text.
func encode(t *testing.T, s *Side, text string) map[string]float32 {
	t.Helper()
	ids := wordpiece.New(s.Vocabulary).Append(nil, text)
	if s.Static == nil {
		ids = ids[:min(len(ids), s.MaxPassage-2)]
		return vector(t, s, append(slices.Insert(names(s, ids), 0, wordpiece.Start), wordpiece.Separator)...)
	}
	weights := map[string]float32{}
	for _, id := range ids[:min(len(ids), s.MaxQuery)] {
		weights[s.Vocabulary.Token(id)] = s.Static[id]
	}
	return weights
}

func names(s *Side, ids []uint32) []string {
	var tokens []string
	for _, id := range ids {
		tokens = append(tokens, s.Vocabulary.Token(id))
	}
	return tokens
}

// compareVectors demands that two vectors are equal within 1e-4, relative to what
// is above 1.
func compareVectors(t *testing.T, what string, got map[string]float32, want map[string]float64) {
	t.Helper()
	for token, weight := range want {
		if math.Abs(float64(got[token])-weight) > 1e-4*max(1, weight) {
			t.Errorf("%s: %s weighs %v, where %v is due", what, token, got[token], weight)
		}
	}
	for token, weight := range got {
		if _, ok := want[token]; !ok && weight > 1e-4 {
			t.Errorf("%s: %s weighs %v, where it is not there", what, token, weight)
		}
	}
}
