package study

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// prepared returns the workbench of a plan in a folder.
func prepared(t *testing.T, text, dir string) *workbench {
	t.Helper()
	if err := claim(dir); err != nil {
		t.Fatal(err)
	}
	w, err := prepare(context.Background(), mustPlan(t, text), dir, testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.close() })
	return w
}

// TestTestedOnWhatIsTrained: a test whose conversations are trained on is warned of.
func TestTestedOnWhatIsTrained(t *testing.T) {
	for turns, warned := range map[string]bool{"one-b": false, "one-a": true} {
		w := prepared(t, replaced(t, small, "turns: one-b", "turns: "+turns), filepath.Join(t.TempDir(), "study"))
		found := false
		for _, warning := range w.facts.Warnings {
			found = found || warning.Where == "test half" && strings.Contains(warning.Text, "have the id of one that is trained on")
		}
		if found != warned {
			t.Errorf("tested with %s: %v", turns, w.facts.Warnings)
		}
	}
}

// TestDataThatChange: what was made of a collection is made again when the
// collection changes, and only then; its trials have other keys.
func TestDataThatChange(t *testing.T) {
	data, dir := t.TempDir(), filepath.Join(t.TempDir(), "study")
	for _, name := range []string{"one", "two"} {
		if err := os.CopyFS(filepath.Join(data, name), os.DirFS(filepath.Join(testWorld(t), name))); err != nil {
			t.Fatal(err)
		}
	}
	vocabulary, err := os.ReadFile(filepath.Join(testWorld(t), "vocab.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "vocab.txt"), vocabulary, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := claim(dir); err != nil {
		t.Fatal(err)
	}
	again := func() (facts, os.FileInfo) {
		o := testOptions(t)
		o.Data = data
		w, err := prepare(context.Background(), mustPlan(t, small), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, "indexes", "two", "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		return w.facts, info
	}
	first, made := again()
	same, kept := again()
	if first.Train != same.Train || first.Tests["alone"] != same.Tests["alone"] || !os.SameFile(made, kept) {
		t.Error("nothing has changed, and something was made again")
	}
	f, err := os.OpenFile(filepath.Join(data, "two", "corpus.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"id": "new", "title": "", "text": "One passage more."}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	changed, remade := again()
	if os.SameFile(made, remade) || changed.Tests["alone"] == first.Tests["alone"] {
		t.Error("a passage came to the collection, and its index and test are those of before")
	}
	if changed.Train != first.Train || changed.Tests["half"] != first.Tests["half"] {
		t.Error("what does not use the collection has changed with it")
	}
}
