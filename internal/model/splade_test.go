package model

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"parley/dialog"
	"parley/internal/bert"
	"parley/internal/checkpoint"
	"parley/internal/f32"
	"parley/internal/prune"
	"parley/internal/wordpiece"
)

// writeCheckpoint writes the folder of a small fresh network.
func writeCheckpoint(t testing.TB, dir string, o wordpiece.Options) {
	t.Helper()
	vocabulary, err := wordpiece.NewVocabulary(strings.Fields("[PAD] [UNK] [CLS] [SEP] [MASK] a b c"), o)
	if err != nil {
		t.Fatal(err)
	}
	c := bert.Config{
		Family: bert.BERT, Vocabulary: vocabulary.Len(), Hidden: 4, Layers: 1, Heads: 1, Inner: 4, Positions: 16, Types: 2,
		Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU,
	}
	if err := checkpoint.Write(dir, checkpoint.Writing{Passage: checkpoint.Part{Config: c, Vocabulary: vocabulary, Parameters: bert.New(c, 1).Parameters()}}); err != nil {
		t.Fatal(err)
	}
}

func mustOpenSplade(t testing.TB, path, queries string) *Checkpoints {
	t.Helper()
	c, err := OpenSplade(path, queries)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestSpladeFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	writeCheckpoint(t, dir, wordpiece.Options{Cased: true})
	plain := mustOpenSplade(t, dir, "")
	if plain.Query != plain.Passage || !IsSplade(dir) || len(plain.Notes) == 0 || !strings.Contains(plain.Notes[0], SpladeFile) {
		t.Errorf("a checkpoint alone: %+v", plain)
	}
	want := Splade{
		Query: SpladeQuery{Weights: IDF, Budget: dialog.Budget{Answer: -1, Total: 9}, SpladeSide: SpladeSide{Pooling: "sum"}},
		Passage: SpladePassage{
			Tokens:     11,
			SpladeSide: SpladeSide{Saturation: "double-log", Rule: prune.Rule{TopK: 3, Threshold: .25}},
		},
	}
	if err := SealSplade(dir, want); err != nil {
		t.Fatal(err)
	}
	sealed := mustOpenSplade(t, dir, "")
	want.Version = SpladeVersion
	if !reflect.DeepEqual(sealed.Settings, want) {
		t.Errorf("settings %+v, want %+v", sealed.Settings, want)
	}
	if q, p := sealed.Query.Config.Head, sealed.Passage.Config.Head; q.Pooling != bert.Sum || q.Saturation != bert.Log1p || p.Pooling != bert.Max || p.Saturation != bert.DoubleLog {
		t.Errorf("heads %+v and %+v", q, p)
	}
	if !reflect.DeepEqual(sealed.PassageSums(), plain.PassageSums()) || len(sealed.PassageSums()) < 3 {
		t.Error("the settings are a part of the checkpoint")
	}
}

// TestLinkedFolder says that a link to a folder is that folder: so does the hub's
// cache keep models.
func TestLinkedFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	writeCheckpoint(t, dir, wordpiece.Options{})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip("no links here:", err)
	}
	if got, want := mustOpenSplade(t, link, "").PassageSums(), mustOpenSplade(t, dir, "").PassageSums(); !reflect.DeepEqual(got, want) {
		t.Errorf("through a link it has %d files, and %d without", len(got), len(want))
	}
	copied := t.TempDir()
	if err := mustOpenSplade(t, link, "").Copy(copied, Splade{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(filepath.Join(copied, checkpoint.WeightsFile)); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the copy has no weights of its own: %v", err)
	}
}

// TestCopy says what of a folder is copied: what makes up the checkpoint, not the
// same weights for other programs.
func TestCopy(t *testing.T) {
	dir, other := filepath.Join(t.TempDir(), "model"), filepath.Join(t.TempDir(), "other")
	writeCheckpoint(t, dir, wordpiece.Options{})
	writeCheckpoint(t, other, wordpiece.Options{})
	for _, name := range []string{"pytorch_model.bin", "onnx/model.onnx", ".cache/huggingface/x.json", "deep/er/x.json"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, queries := range []string{"", other} {
		copied := t.TempDir()
		if err := mustOpenSplade(t, dir, queries).Copy(copied, Splade{}); err != nil {
			t.Fatal(err)
		}
		prefix := ""
		if queries != "" {
			prefix = "passage"
		}
		for name, want := range map[string]bool{"config.json": true, "model.safetensors": true, "modules.json": true, "pytorch_model.bin": false, "onnx": false, ".cache": false, "deep/er": false} {
			if _, err := os.Stat(filepath.Join(copied, prefix, name)); (err == nil) != want {
				t.Errorf("copied %s: %v, want %v", name, err == nil, want)
			}
		}
		back := mustOpenSplade(t, copied, "")
		if (back.Query != back.Passage) != (queries != "") {
			t.Error("the copy has another number of checkpoints")
		}
	}
}

func TestTwoVocabularies(t *testing.T) {
	dir, other := filepath.Join(t.TempDir(), "model"), filepath.Join(t.TempDir(), "other")
	writeCheckpoint(t, dir, wordpiece.Options{})
	writeCheckpoint(t, other, wordpiece.Options{Cased: true})
	if _, err := OpenSplade(dir, other); err == nil || !strings.Contains(err.Error(), "have different vocabularies") {
		t.Errorf("error %v", err)
	}
}

// FuzzParseSplade reads any parley.json, as it stands and without its checksum:
// what is taken can be written, and reads back the same.
func FuzzParseSplade(f *testing.F) {
	f.Add([]byte(`{"parley_splade": 1, "query": {"weights": "idf", "context": {"tokens": 9}}, "passage": {"tokens": 9, "top_k": 2, "threshold": 0.5}}`))
	f.Add([]byte(`{"parley_splade": 1, "query": {"folder": "query", "pooling": "sum"}, "passage": {"saturation": "double-log"}, "sha256": {"a": "b"}}`))
	f.Add([]byte(`{"parley_splade": 1, "splade_sha256": "0"}`))
	f.Add([]byte(`{"parley_splade": 1, "passage": {"threshold": -1e308}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSplade(data, SpladeFile)
		if err != nil {
			if strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), SpladeFile) {
				t.Errorf("error %q", err)
			}
			return
		}
		s.Sum = ""
		text, err := s.text()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := parseSplade(text, SpladeFile)
		if err != nil || !reflect.DeepEqual(again, s) && (len(s.Files) > 0 || len(again.Files) > 0) {
			t.Errorf("read %+v, then %+v (%v)", s, again, err)
		}
	})
}
