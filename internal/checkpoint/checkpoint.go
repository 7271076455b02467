// Package checkpoint reads and writes transformer encoders as the field keeps
// them: folders of Hugging Face transformers, with the modules of
// sentence-transformers where there are any.
//
//	config.json                   sizes and functions of the network
//	model.safetensors             its weights; or shards, with model.safetensors.index.json
//	vocab.txt, tokenizer.json     its vocabulary
//	tokenizer_config.json, …      how text is folded, the longest input
//	modules.json, 1_SpladePooling how logits become a sparse vector
//	router_config.json            separate encoders of queries and passages
//
// Its guarantee: what Open returns is what the reference implementations make of
// the same folder. A setting or a tensor that would change the result, and that
// Parley does not have, is refused by name, as is what is missing or misshapen;
// what had to be assumed is said in Notes. What Write writes, they load.
//
// It runs no network, and reads no weights but safetensors.
package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"parley/internal/bert"
	"parley/internal/mapping"
	"parley/internal/safetensors"
	"parley/internal/wordpiece"
)

// The files of a folder.
const (
	ConfigFile     = "config.json"
	WeightsFile    = "model.safetensors"
	ShardsFile     = WeightsFile + ".index.json"
	VocabularyFile = "vocab.txt"
	TokenizerFile  = "tokenizer.json"
	SettingsFile   = "tokenizer_config.json"
	SpecialsFile   = "special_tokens_map.json"
	ModulesFile    = "modules.json"
	SentencesFile  = "config_sentence_transformers.json"
	ReadmeFile     = "README.md"
)

// Folder is an opened folder.
type Folder struct {
	Path    string
	Passage *Side // the encoder of passages
	Query   *Side // the encoder of queries: the same as Passage, unless the folder has two
	// MostTerms is how many of a vector's terms are kept, the heaviest; 0: all.
	MostTerms int
	Notes     []string // what had to be assumed, a sentence each

	files []string // of the modules, that were read
}

// Side is an encoder of queries or of passages.
type Side struct {
	Path       string
	Config     bert.Config // of the network, if Static is nil
	Vocabulary *wordpiece.Vocabulary
	// HasHead tells whether the weights have the head that Config names. Where
	// they have none, Source makes up a masked-LM head, tied to the embeddings.
	HasHead bool
	// MaxQuery and MaxPassage are the tokens of the longest input, special ones
	// included.
	MaxQuery, MaxPassage int
	// Static holds a weight for each term [V], and there is no network: the
	// vector of a text has the weights of the terms that occur in it. Special
	// tokens are not added to the text. Nil for a network.
	Static []float32

	weights *weights
	notes   []string
	files   []string // that were read or mapped
}

// Is tells whether the folder dir is of the kind that Open reads, whole or not:
// one with a config.json of transformers, or with modules of
// sentence-transformers.
func Is(dir string) bool {
	if isFile(filepath.Join(dir, ModulesFile)) {
		return true
	}
	members, err := readObject(filepath.Join(dir, ConfigFile))
	return err == nil && members["model_type"] != nil
}

// Open opens the folder dir. Its weights are mapped until Close.
func Open(dir string) (*Folder, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is a file, where the folder of a model is due", dir)
	}
	if err != nil {
		return nil, err
	}
	f := &Folder{Path: dir}
	if err := f.open(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close gives the mapped weights back.
func (f *Folder) Close() error {
	var errs []error
	for _, s := range []*Side{f.Passage, f.Query} {
		if s != nil && s.weights != nil {
			errs = append(errs, s.weights.file.Close())
		}
	}
	return errors.Join(errs...)
}

// Source returns the weights of the network by the names of Config.Tensors, as
// float32. They may be the memory of mapped files: nobody may write to them, and
// they are gone after Close. Nil where there is no network.
func (s *Side) Source() bert.Source {
	if s.weights == nil {
		return nil
	}
	return s.weights
}

// Tensors returns what the weight files of the side hold.
func (s *Side) Tensors() []safetensors.Info {
	if s.weights == nil {
		return nil
	}
	return s.weights.file.Tensors()
}

// Files returns the paths of the files that were read or mapped, slashed, relative
// to the folder, sorted.
func (f *Folder) Files() []string {
	files := slices.Concat(f.files, f.Passage.files, f.Query.files)
	for i, path := range files {
		if relative, err := filepath.Rel(f.Path, path); err == nil {
			files[i] = filepath.ToSlash(relative)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// present returns those of the paths that are files.
func present(paths ...string) []string {
	return slices.DeleteFunc(paths, func(path string) bool { return !isFile(path) })
}

// readFile returns the content of the file at path, which must be a regular one.
func readFile(path string) ([]byte, error) {
	m, err := mapping.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	data := append([]byte{}, m.Data...)
	return data, m.Close()
}

// isFile tells whether there is a regular file at path.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
