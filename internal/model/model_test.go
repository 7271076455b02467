package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"parley/dialog"
	"parley/internal/lexical"
	"parley/internal/safetensors"
	"parley/internal/wordpiece"
)

// write writes the folder dir of an encoder of BM25, or of a network of the
// given sizes.
func write(t testing.TB, dir string, network *lexical.Config) *wordpiece.Vocabulary {
	t.Helper()
	vocab, err := wordpiece.NewVocabulary([]string{"[UNK]", "[SEP]", "a", "b"}, wordpiece.Options{Cased: true, Accents: wordpiece.AccentsStripped})
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Kind: KindBM25, Budget: dialog.Budget{Answer: 3, Total: 9}, BM25: &BM25{K1: .9, B: .4, AverageLength: 1. / 3}}
	var weights []safetensors.Tensor
	if network != nil {
		config.Kind, config.BM25, config.Lexical = KindLexical, nil, network
		weights = lexical.New(*network, vocab.Len(), []uint32{2}, 1).Tensors()
	}
	counts := Counts{Passages: 7, Having: []int32{0, 0, 5, 2}}
	if err := Write(dir, config, vocab, counts, weights); err != nil {
		t.Fatal(err)
	}
	return vocab
}

var mlp = lexical.Config{Dim: 2, Hidden: 3}

func TestOpenIsWrite(t *testing.T) {
	for _, network := range []*lexical.Config{nil, {}, &mlp} {
		dir := t.TempDir()
		vocab := write(t, dir, network)
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
		if want := (dialog.Budget{Answer: 3, Total: 9}); f.Config.Budget != want || !reflect.DeepEqual(f.Config.Lexical, network) {
			t.Errorf("config %+v", f.Config)
		}
		if want := (&BM25{.9, .4, 1. / 3}); network == nil && !reflect.DeepEqual(f.Config.BM25, want) {
			t.Errorf("BM25 %+v, want %+v", f.Config.BM25, want)
		}
		if network != nil {
			if w, err := f.Weights.F32("bias", 1); err != nil || w.F32[0] != 1 {
				t.Errorf("weights %v, %v", w, err)
			}
		}
	}
}

// edit changes the text of a file.
func edit(name string, change func(string) string) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(change(string(data))), 0o666)
	}
}

func replace(from, to string) func(string) string {
	return func(s string) string { return strings.Replace(s, from, to, 1) }
}

// forge changes a configuration and puts all checksums right.
func forge(change func(c *Config)) func(dir string) error {
	return func(dir string) error {
		data, err := os.ReadFile(filepath.Join(dir, ConfigFile))
		if err != nil {
			return err
		}
		var c Config
		if err := json.Unmarshal(data, &c); err != nil {
			return err
		}
		for name, sum := range map[string]*string{VocabularyFile: &c.VocabularySum, WeightsFile: &c.WeightsSum} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			*sum = digest(data)
		}
		change(&c)
		text, err := c.sealed()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, ConfigFile), text, 0o666)
	}
}

// both does one damage after the other.
func both(first, second func(dir string) error) func(dir string) error {
	return func(dir string) error { return errors.Join(first(dir), second(dir)) }
}

// TestRefuses damages a folder in every way and wants a sentence that names the
// file.
func TestRefuses(t *testing.T) {
	cut := func(s string) string { return s[:len(s)-1] }
	unsealed := func(s string) string {
		before, _, _ := strings.Cut(s, ",\n  \"config_sha256\"")
		return before + "}"
	}
	same := func(*Config) {}
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
		"more after end":  {edit(ConfigFile, func(s string) string { return s + "{}" }), "after top-level value"},
		"other budget":    {edit(ConfigFile, replace(`"tokens": 9`, `"tokens": 8`)), "config.json is damaged or edited"},
		"other casing":    {edit(ConfigFile, replace(`"cased": true`, `"cased": false`)), "config.json is damaged or edited"},
		"no checksum":     {edit(ConfigFile, unsealed), "config.json is damaged or edited"},
		"other checksum":  {edit(ConfigFile, replace(`"weights_sha256": "`, `"weights_sha256": "0`)), "config.json is damaged or edited"},
		"cut weights":     {edit(WeightsFile, cut), "model.safetensors is damaged"},
		"flipped bit":     {edit(WeightsFile, func(s string) string { return cut(s) + string(s[len(s)-1]^1) }), "model.safetensors is damaged"},
		"emptied weights": {edit(WeightsFile, func(string) string { return "" }), "model.safetensors is damaged"},
		"other words":     {edit(VocabularyFile, replace("a\nb\n", "b\na\n")), "vocab.txt is damaged"},

		"forged: cut weights":  {both(edit(WeightsFile, cut), forge(same)), "model.safetensors is not a whole weight file"},
		"forged: fewer words":  {both(edit(VocabularyFile, replace("b\n", "")), forge(same)), `tensor "df" has shape [4] where [3] is due`},
		"forged: word twice":   {both(edit(VocabularyFile, replace("b\n", "a\n")), forge(same)), "vocab.txt:4: duplicate token"},
		"forged: kind":         {forge(func(c *Config) { c.Kind = "splade" }), `kind "splade", which this program does not know`},
		"forged: no kind":      {forge(func(c *Config) { c.Kind = "" }), `kind "", which`},
		"forged: no settings":  {forge(func(c *Config) { c.Lexical = nil }), `has not the settings of kind "lexical"`},
		"forged: two settings": {forge(func(c *Config) { c.BM25 = &BM25{} }), `has not the settings of kind "lexical"`},
		"forged: features":     {forge(func(c *Config) { c.Features++ }), "version 2 of the features, where this program has version 1; train again"},
		"forged: no features":  {forge(func(c *Config) { c.Features = 0 }), "version 0 of the features"},
		"forged: passages":     {forge(func(c *Config) { c.Passages = -1 }), "counts -1 passages"},
		"forged: few passages": {forge(func(c *Config) { c.Passages = 4 }), "says that 5 of 4 passages have term 2"},
		"forged: no network":   {forge(func(c *Config) { c.Lexical = &lexical.Config{} }), `has the tensor "embed", for which config.json has no use`},
		"forged: negative df": {
			both(edit(WeightsFile, replace("\x05\x00\x00\x00", "\xff\xff\xff\xff")), forge(same)), "says that -1 of 7 passages have term 2",
		},
		"forged: other kind": {
			forge(func(c *Config) { c.Kind, c.Lexical, c.BM25 = KindBM25, nil, &BM25{} }), `has the tensor "additive"`,
		},
	} {
		dir := t.TempDir()
		write(t, dir, &mlp)
		if err := test.damage(dir); err != nil {
			t.Fatal(err)
		}
		if f, err := Open(dir); err == nil || f != nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

// TestConfigComesLast says that a folder that could not be written whole has no
// configuration, so that it is none.
func TestConfigComesLast(t *testing.T) {
	for _, blocked := range []string{VocabularyFile, WeightsFile} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, blocked), 0o777); err != nil {
			t.Fatal(err)
		}
		vocab, err := wordpiece.NewVocabulary([]string{"[UNK]"}, wordpiece.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(dir, Config{Kind: KindBM25, BM25: &BM25{}}, vocab, Counts{Having: []int32{0}}, nil); err == nil {
			t.Errorf("%s was written over a folder", blocked)
		}
		if _, err := os.Stat(filepath.Join(dir, ConfigFile)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s there is a configuration: %v", blocked, err)
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
