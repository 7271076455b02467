package model

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"parley/dialog"
	"parley/internal/safetensors"
	"parley/internal/wordpiece"
)

func write(t testing.TB, dir string) *wordpiece.Vocabulary {
	t.Helper()
	vocab, err := wordpiece.NewVocabulary([]string{"[UNK]", "[SEP]", "a", "b"}, wordpiece.Options{Cased: true})
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Kind: KindBM25, Budget: dialog.Budget{Answer: 3, Total: 9}, BM25: &BM25{K1: .9, B: .4, AverageLength: 2.5}}
	counts := Counts{Passages: 7, Having: []int32{0, 0, 5, 2}}
	weights := []safetensors.Tensor{{Name: "w", Shape: []int{2}, F32: []float32{1, -1}}}
	if err := Write(dir, config, vocab, counts, weights); err != nil {
		t.Fatal(err)
	}
	return vocab
}

func TestOpenIsWrite(t *testing.T) {
	dir := t.TempDir()
	vocab := write(t, dir)
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if f.Vocabulary.Fingerprint() != vocab.Fingerprint() || !f.Vocabulary.Options().Cased {
		t.Error("the vocabulary read back is another")
	}
	if f.Counts.N() != 7 || f.Counts.DF(2) != 5 || f.Counts.DF(99) != 0 {
		t.Errorf("counts %+v", f.Counts)
	}
	if want := (dialog.Budget{Answer: 3, Total: 9}); f.Config.Budget != want || !reflect.DeepEqual(f.Config.BM25, &BM25{.9, .4, 2.5}) {
		t.Errorf("config %+v", f.Config)
	}
	if w, err := f.Weights.F32("w", 2); err != nil || w.F32[1] != -1 {
		t.Errorf("weights %v, %v", w, err)
	}
}

// TestRefuses damages a folder in every way and wants a sentence that names the
// file.
func TestRefuses(t *testing.T) {
	edit := func(name string, change func(string) string) func(string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(change(string(data))), 0o666)
		}
	}
	replace := func(from, to string) func(string) string {
		return func(s string) string { return strings.Replace(s, from, to, 1) }
	}
	for name, test := range map[string]struct {
		damage func(dir string) error
		want   string
	}{
		"no config":       {func(dir string) error { return os.Remove(filepath.Join(dir, ConfigFile)) }, "is no model folder"},
		"no vocabulary":   {func(dir string) error { return os.Remove(filepath.Join(dir, VocabularyFile)) }, "is no model folder"},
		"no weights":      {func(dir string) error { return os.Remove(filepath.Join(dir, WeightsFile)) }, "is no model folder"},
		"cut config":      {edit(ConfigFile, func(s string) string { return s[:len(s)/2] }), "config.json is not valid"},
		"other version":   {edit(ConfigFile, replace(`"parley_model": 1`, `"parley_model": 2`)), "model version 2"},
		"someone else's":  {edit(ConfigFile, func(string) string { return `{"architectures":["BertForMaskedLM"]}` }), "model version 0"},
		"unknown key":     {edit(ConfigFile, replace(`"kind"`, `"kine": 1, "kind"`)), "kine"},
		"cut weights":     {edit(WeightsFile, func(s string) string { return s[:len(s)-1] }), "model.safetensors is damaged"},
		"flipped bit":     {edit(WeightsFile, func(s string) string { return s[:len(s)-1] + string(s[len(s)-1]^1) }), "model.safetensors is damaged"},
		"fewer words":     {edit(VocabularyFile, replace("b\n", "")), "df"},
		"more after end":  {edit(ConfigFile, func(s string) string { return s + "{}" }), "after top-level value"},
		"emptied weights": {edit(WeightsFile, func(string) string { return "" }), "model.safetensors is damaged"},
	} {
		dir := t.TempDir()
		write(t, dir)
		if err := test.damage(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	vocab, _ := wordpiece.NewVocabulary([]string{"[UNK]", "[SEP]", "a"}, wordpiece.Options{})
	if err := Write(dir, Config{Kind: KindBM25, BM25: &BM25{K1: .9}}, vocab, Counts{Passages: 1, Having: []int32{0, 0, 1}}, nil); err != nil {
		fmt.Println(err)
		return
	}
	folder, err := Open(dir)
	fmt.Println(folder.Config.Kind, folder.Counts.DF(2), err)
	// Output: bm25 1 <nil>
}
