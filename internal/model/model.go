// Package model reads and writes model folders.
//
//	config.json        what kind of encoder it is, its sizes, how it reads text, the checksum of its weights
//	vocab.txt          its vocabulary
//	model.safetensors  its weights, and the passage counts of the collection it was made from
//
// Its guarantee: what Open returns is whole: of a version that is known, its
// weights those that were written.
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

	"parley/dialog"
	"parley/internal/durable"
	"parley/internal/lexical"
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
	Weights   string            `json:"weights_sha256"`
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

// Write writes a model folder's files into dir, which exists. Callers that need
// the folder whole or not at all stage it with durable.CreateDir.
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
	c.Weights = digest(weights.Bytes())
	config, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		VocabularyFile: words.Bytes(),
		WeightsFile:    weights.Bytes(),
		ConfigFile:     append(config, '\n'),
	} {
		if err := durable.WriteFile(filepath.Join(dir, name), data); err != nil {
			return err
		}
	}
	return nil
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
	return f, f.readWeights()
}

func (f *Folder) readConfig() error {
	path := filepath.Join(f.Path, ConfigFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s is no model folder: %w", f.Path, err)
	}
	var version struct {
		Version int `json:"parley_model"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return fmt.Errorf("%s is not valid: %w; train or index again", path, err)
	}
	if version.Version != Version {
		return fmt.Errorf("%s has model version %d where this program reads version %d; train or index again", path, version.Version, Version)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f.Config); err != nil {
		return fmt.Errorf("%s is not valid: %w; train or index again", path, err)
	}
	return nil
}

func (f *Folder) readVocabulary() error {
	path := filepath.Join(f.Path, VocabularyFile)
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s is no model folder: %w", f.Path, err)
	}
	defer file.Close()
	vocab, err := wordpiece.ReadVocabulary(file, path)
	if err != nil {
		return err
	}
	f.Vocabulary = vocab.With(f.Config.Tokenizer)
	return nil
}

func (f *Folder) readWeights() error {
	path := filepath.Join(f.Path, WeightsFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s is no model folder: %w", f.Path, err)
	}
	if digest(data) != f.Config.Weights {
		return fmt.Errorf("%s is damaged: its checksum is not that of %s; train or index again", path, ConfigFile)
	}
	if f.Weights, err = safetensors.Parse(data, path); err != nil {
		return err
	}
	df, err := f.Weights.I32(countsTensor, f.Vocabulary.Len())
	f.Counts = Counts{Passages: f.Config.Passages, Having: df.I32}
	return err
}
