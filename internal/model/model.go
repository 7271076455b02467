// Package model reads and writes model folders.
//
//	config.json        what kind of encoder it is, its sizes, how it reads text, the checksums of all three
//	vocab.txt          its vocabulary
//	model.safetensors  its weights, and the passage counts of the collection it was made from
//
// A model of kind splade is another folder: a checkpoint as the field keeps them
// (internal/checkpoint), with parley.json beside it for what its own files do not
// say: lengths, pruning, checksums. OpenSplade reads it.
//
// Its guarantee: what Open returns is whole: of a version and a kind that are
// known, its configuration, vocabulary and weights those that were written, with
// no tensor missing that its kind needs, and none besides.
//
// It runs no network.
package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"parley/dialog"
	"parley/internal/durable"
	"parley/internal/input"
	"parley/internal/lexical"
	"parley/internal/prune"
	"parley/internal/safetensors"
	"parley/internal/wordpiece"
)

// The files of a model folder.
const (
	ConfigFile     = "config.json"
	VocabularyFile = "vocab.txt"
	WeightsFile    = "model.safetensors"
)

// Version is the version of the folder's layout.
const Version = 1

// Kinds of encoder.
const (
	KindBM25    = "bm25"
	KindLexical = "lexical"
	KindSplade  = "splade" // see OpenSplade
)

// Config is the content of config.json.
type Config struct {
	Version   int               `json:"parley_model"`
	Kind      string            `json:"kind"`
	Tokenizer wordpiece.Options `json:"tokenizer"`
	Budget    dialog.Budget     `json:"context"`
	Passages  int               `json:"passages"` // N of the counts
	BM25      *BM25             `json:"bm25,omitempty"`
	Lexical   *lexical.Config   `json:"lexical,omitempty"`
	Features  int               `json:"features,omitempty"` // lexical: the version of the features that it weighs
	Prune     *prune.Rule       `json:"prune,omitempty"`    // lexical: which terms of a query are kept; nil: all

	// Checksums, in hexadecimal.
	VocabularySum string `json:"vocabulary_sha256"`
	WeightsSum    string `json:"weights_sha256"`
	ConfigSum     string `json:"config_sha256"` // of config.json as Write writes it, with this one empty
}

// BM25 are the parameters of the BM25 encoder.
type BM25 struct {
	K1            float64 `json:"k1"`
	B             float64 `json:"b"`
	AverageLength float64 `json:"average_length"` // content tokens of a passage
}

// Folder is the content of a model folder.
type Folder struct {
	Path       string
	Config     Config
	Vocabulary *wordpiece.Vocabulary
	Weights    *safetensors.File
	Counts     Counts
}

// Counts are the passage counts of the collection that a model was made from.
type Counts struct {
	Passages int
	Having   []int32 // by term id: passages that have the term
}

// N returns the number of passages.
func (c Counts) N() int { return c.Passages }

// DF returns the number of passages that have term.
func (c Counts) DF(term uint32) int {
	if int(term) >= len(c.Having) {
		return 0
	}
	return int(c.Having[term])
}

const countsTensor = "df"

// Write writes a model folder's files into dir, which exists, config.json last.
// It fills in what of c follows from the rest. Callers that need the folder whole
// or not at all stage it with durable.CreateDir.
func Write(dir string, c Config, vocab *wordpiece.Vocabulary, counts Counts, tensors []safetensors.Tensor) error {
	tensors = append([]safetensors.Tensor{{Name: countsTensor, Shape: []int{len(counts.Having)}, I32: counts.Having}}, tensors...)
	var weights, words bytes.Buffer
	if err := safetensors.Write(&weights, tensors, map[string]string{"format": "parley"}); err != nil {
		return err
	}
	if err := vocab.Write(&words); err != nil {
		return err
	}
	c.Version, c.Passages, c.Tokenizer = Version, counts.Passages, vocab.Options()
	if c.Features = 0; c.Kind == KindLexical {
		c.Features = input.FeatureVersion
	}
	c.VocabularySum, c.WeightsSum = digest(words.Bytes()), digest(weights.Bytes())
	config, err := c.sealed()
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		data []byte
	}{{VocabularyFile, words.Bytes()}, {WeightsFile, weights.Bytes()}, {ConfigFile, config}} {
		if err := durable.WriteFile(filepath.Join(dir, file.name), file.data); err != nil {
			return err
		}
	}
	return nil
}

// sealed returns the text of c, its own checksum filled in.
func (c Config) sealed() ([]byte, error) {
	sum, err := c.sum()
	if err != nil {
		return nil, err
	}
	c.ConfigSum = sum
	return c.text()
}

// sum returns the checksum of c.
func (c Config) sum() (string, error) {
	c.ConfigSum = ""
	text, err := c.text()
	return digest(text), err
}

func (c Config) text() ([]byte, error) {
	text, err := json.MarshalIndent(c, "", "  ")
	return append(text, '\n'), err
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Open reads the model folder at path.
func Open(path string) (*Folder, error) {
	f := &Folder{Path: path}
	if err := f.readConfig(); err != nil {
		return nil, err
	}
	if err := f.readVocabulary(); err != nil {
		return nil, err
	}
	if err := f.readWeights(); err != nil {
		return nil, err
	}
	return f, nil
}

// Copy writes the model with another rule of pruning into dir, which is empty:
// its other files stay what they were.
func (f *Folder) Copy(dir string, rule prune.Rule) error {
	c := f.Config
	if c.Prune = nil; rule != (prune.Rule{}) {
		c.Prune = &rule
	}
	if err := c.check(); err != nil {
		return fmt.Errorf("%s %w", filepath.Join(f.Path, ConfigFile), err)
	}
	for _, name := range []string{VocabularyFile, WeightsFile} {
		if err := copyFile(filepath.Join(f.Path, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	config, err := c.sealed()
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, ConfigFile), config)
}

func (f *Folder) readConfig() error {
	path := filepath.Join(f.Path, ConfigFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s is no model folder: %w", f.Path, err)
	}
	f.Config, err = parseConfig(data, path)
	return err
}

// parseConfig reads the content of the config.json at path.
func parseConfig(data []byte, path string) (c Config, err error) {
	var version struct {
		Version int `json:"parley_model"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return c, fmt.Errorf("%s is not valid: %w; train or index again", path, err)
	}
	if version.Version != Version {
		return c, fmt.Errorf("%s has model version %d where this program reads version %d; train or index again", path, version.Version, Version)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return c, fmt.Errorf("%s is not valid: %w; train or index again", path, err)
	}
	if sum, err := c.sum(); err != nil || sum != c.ConfigSum {
		return c, fmt.Errorf("%s is damaged or edited: its checksum is not the one that it says; train or index again", path)
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s %w", path, err)
	}
	return c, nil
}

// check says what a configuration cannot be, whoever wrote it.
func (c Config) check() error {
	switch {
	case c.Kind != KindBM25 && c.Kind != KindLexical:
		return fmt.Errorf("says kind %q, which this program does not know; train or index again", c.Kind)
	case (c.BM25 != nil) != (c.Kind == KindBM25) || (c.Lexical != nil) != (c.Kind == KindLexical):
		return fmt.Errorf("has not the settings of kind %q, and no others; train or index again", c.Kind)
	case c.Kind == KindLexical && c.Features != input.FeatureVersion:
		return fmt.Errorf("is of a model that weighs version %d of the features, where this program has version %d; train again", c.Features, input.FeatureVersion)
	case c.Passages < 0:
		return fmt.Errorf("counts %d passages; train or index again", c.Passages)
	case c.Prune != nil && c.Kind != KindLexical:
		return fmt.Errorf("prunes queries of kind %q, which are the terms that were said; train or index again", c.Kind)
	case c.Prune != nil && c.Prune.Check() != nil:
		return fmt.Errorf("says %w", c.Prune.Check())
	}
	return nil
}

func (f *Folder) readVocabulary() error {
	data, path, err := f.read(VocabularyFile, f.Config.VocabularySum)
	if err != nil {
		return err
	}
	vocab, err := wordpiece.ReadVocabulary(bytes.NewReader(data), path)
	if err != nil {
		return err
	}
	f.Vocabulary = vocab.With(f.Config.Tokenizer)
	return nil
}

func (f *Folder) readWeights() error {
	data, path, err := f.read(WeightsFile, f.Config.WeightsSum)
	if err != nil {
		return err
	}
	if f.Weights, err = safetensors.Parse(data, path); err != nil {
		return err
	}
	known := []string{countsTensor}
	if c := f.Config.Lexical; c != nil {
		known = append(known, c.TensorNames()...)
	}
	for _, name := range f.Weights.Names() {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s has the tensor %q, for which %s has no use; train or index again", path, name, ConfigFile)
		}
	}
	return f.readCounts(path)
}

func (f *Folder) readCounts(path string) error {
	df, err := f.Weights.I32(countsTensor, f.Vocabulary.Len())
	if err != nil {
		return err
	}
	f.Counts = Counts{Passages: f.Config.Passages, Having: df.I32}
	for id, n := range df.I32 {
		if n < 0 || int(n) > f.Counts.Passages {
			return fmt.Errorf("%s says that %d of %d passages have term %d; train or index again", path, n, f.Counts.Passages, id)
		}
	}
	return nil
}

// read returns the content and the path of a file of the folder, whose checksum
// must be sum.
func (f *Folder) read(name, sum string) (data []byte, path string, err error) {
	path = filepath.Join(f.Path, name)
	if data, err = os.ReadFile(path); err != nil {
		return nil, path, fmt.Errorf("%s is no model folder: %w", f.Path, err)
	}
	if digest(data) != sum {
		return nil, path, fmt.Errorf("%s is damaged: its checksum is not that of %s; train or index again", path, ConfigFile)
	}
	return data, path, nil
}
