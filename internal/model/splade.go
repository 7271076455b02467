package model

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"parley/dialog"
	"parley/internal/bert"
	"parley/internal/checkpoint"
	"parley/internal/durable"
	"parley/internal/prune"
)

// SpladeFile holds what Parley knows of a checkpoint besides what its own files
// say. A checkpoint without it is an encoder too, with the defaults.
const SpladeFile = "parley.json"

// SpladeVersion is the version of SpladeFile.
const SpladeVersion = 1

// IDF says of queries that a term of the context weighs its inverse document
// frequency in the searched index, so that no network runs.
const IDF = "idf"

// Splade is the content of SpladeFile. The zero value stands for the defaults.
type Splade struct {
	Version int           `json:"parley_splade"`
	Query   SpladeQuery   `json:"query"`
	Passage SpladePassage `json:"passage"`

	// Files are the SHA-256 of the folder's other files, by their slashed paths;
	// none are compared where there are none. Sum is that of this file as
	// SealSplade writes it, with Sum empty.
	Files map[string]string `json:"sha256,omitempty"`
	Sum   string            `json:"splade_sha256,omitempty"`
}

// SpladeSide is what can be said of either side.
type SpladeSide struct {
	Folder     string `json:"folder,omitempty"`     // subfolder of the side's checkpoint; empty: the folder itself
	Pooling    string `json:"pooling,omitempty"`    // max or sum; empty: as the checkpoint says
	Saturation string `json:"saturation,omitempty"` // log1p, double-log or linear; empty: as the checkpoint says
	prune.Rule
}

// SpladeQuery says how queries are encoded.
type SpladeQuery struct {
	SpladeSide
	Weights string        `json:"weights,omitempty"` // IDF; empty: as the checkpoint says
	Budget  dialog.Budget `json:"context"`           // special tokens count; a total of 0: 256, or as many as the checkpoint can
}

// SpladePassage says how passages are encoded.
type SpladePassage struct {
	SpladeSide
	Tokens int `json:"tokens,omitempty"` // most tokens, special ones included; 0: 256, or as many as the checkpoint can
}

// SealSplade writes SpladeFile into dir, where all other files of the model
// folder lie, with their checksums.
func SealSplade(dir string, s Splade) error {
	s.Version, s.Files, s.Sum = SpladeVersion, map[string]string{}, ""
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == SpladeFile {
			return err
		}
		s.Files[filepath.ToSlash(name)], err = digestFile(path)
		return err
	})
	if err != nil {
		return err
	}
	text, err := s.text()
	if err != nil {
		return err
	}
	s.Sum = digest(text)
	if text, err = s.text(); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, SpladeFile), text)
}

func (s Splade) text() ([]byte, error) {
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

// parseSplade reads the content of the SpladeFile at path.
func parseSplade(data []byte, path string) (s Splade, err error) {
	if err := json.Unmarshal(data, &struct {
		Version *int `json:"parley_splade"`
	}{&s.Version}); err != nil {
		return s, fmt.Errorf("%s is not valid: %w; write it anew, or remove it for the defaults", path, err)
	}
	if s.Version != SpladeVersion {
		return s, fmt.Errorf("%s has version %d where this program reads version %d; train again, or write it anew", path, s.Version, SpladeVersion)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return s, fmt.Errorf("%s is not valid: %w; write it anew, or remove it for the defaults", path, err)
	}
	if s.Sum != "" {
		sealed := s
		sealed.Sum = ""
		if text, err := sealed.text(); err != nil || digest(text) != s.Sum {
			return s, fmt.Errorf("%s is damaged or edited: its checksum is not the one that it says; remove the checksum %q to keep what was edited", path, "splade_sha256")
		}
	}
	if err := s.check(); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// check says what the settings cannot be.
func (s Splade) check() error {
	switch {
	case s.Query.Weights != "" && s.Query.Weights != IDF:
		return fmt.Errorf("weights %q of queries are not known: write %s, or leave them out", s.Query.Weights, IDF)
	case s.Passage.Tokens < 0:
		return fmt.Errorf("passages of %d tokens are not possible", s.Passage.Tokens)
	}
	return cmp.Or(s.Query.check(), s.Passage.check(), checkPassageRule(s.Passage.Rule))
}

// checkPassageRule refuses what cannot be said of passages.
func checkPassageRule(r prune.Rule) error {
	if r.ValuePerCost != 0 {
		return errors.New("a value_per_cost of passages is not possible: what a term costs is known once they are indexed; take mass, threshold or top_k")
	}
	return nil
}

func (s SpladeSide) check() error {
	switch {
	case !slices.Contains([]string{"", bert.Max.String(), bert.Sum.String()}, s.Pooling):
		return fmt.Errorf("pooling %q is not known: write %s or %s", s.Pooling, bert.Max, bert.Sum)
	case !slices.Contains([]string{"", bert.Log1p.String(), bert.DoubleLog.String(), bert.Linear.String()}, s.Saturation):
		return fmt.Errorf("saturation %q is not known: write %s, %s or %s", s.Saturation, bert.Log1p, bert.DoubleLog, bert.Linear)
	case s.Folder != "" && !filepath.IsLocal(filepath.FromSlash(s.Folder)):
		return fmt.Errorf("the folder %q is not a part of the model: name a subfolder", s.Folder)
	}
	return s.Rule.Check()
}

// head returns h with the side's pooling and saturation.
func (s SpladeSide) head(h bert.Head) bert.Head {
	for _, p := range []bert.Pooling{bert.Max, bert.Sum} {
		if s.Pooling == p.String() {
			h.Pooling = p
		}
	}
	for _, f := range []bert.Saturation{bert.Log1p, bert.DoubleLog, bert.Linear} {
		if s.Saturation == f.String() {
			h.Saturation = f
		}
	}
	return h
}

// Checkpoints is an open model of kind splade.
type Checkpoints struct {
	Settings Splade
	Query    *checkpoint.Side // the same as Passage where one model encodes both
	Passage  *checkpoint.Side
	Notes    []string // what was assumed, a sentence each

	parts []*part
}

// IsSplade tells whether the folder path is a model of kind splade: a
// checkpoint, or a folder with SpladeFile.
func IsSplade(path string) bool {
	if _, err := os.Stat(filepath.Join(path, SpladeFile)); err == nil {
		return true
	}
	return checkpoint.Is(path)
}

// OpenSplade opens the model folder path, of kind splade; with the queries' model
// of another such folder where queries is not empty.
func OpenSplade(path, queries string) (*Checkpoints, error) {
	c := &Checkpoints{}
	if err := c.load(path, queries); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close releases the weights.
func (c *Checkpoints) Close() error {
	var errs []error
	for _, p := range c.parts {
		errs = append(errs, p.folder.Close())
	}
	return errors.Join(errs...)
}

func (c *Checkpoints) load(path, queries string) error {
	passages, err := c.readSettings(path)
	if err != nil {
		return err
	}
	asked, of := passages, path
	if queries != "" {
		if asked, err = c.readSettings(queries); err != nil {
			return err
		}
		of = queries
	}
	c.Settings = Splade{Version: SpladeVersion, Query: asked.Query, Passage: passages.Passage}
	passage, err := c.openPart(path, c.Settings.Passage.Folder, passages.Files)
	if err != nil {
		return err
	}
	query, err := c.openPart(of, c.Settings.Query.Folder, asked.Files)
	if err != nil {
		return err
	}
	c.Passage, c.Query = passage.folder.Passage, query.folder.Query
	if passages.Version == 0 {
		c.Settings.Passage.TopK = passage.folder.MostTerms
	}
	if asked.Version == 0 {
		c.Settings.Query.TopK = query.folder.MostTerms
	}
	if a, b := c.Query.Vocabulary.Fingerprint(), c.Passage.Vocabulary.Fingerprint(); a != b {
		return fmt.Errorf("the models of queries (%s) and of passages (%s) have different vocabularies: take two of the same", c.Query.Path, c.Passage.Path)
	}
	return c.setHeads()
}

// setHeads makes both heads pool and saturate as the settings say.
func (c *Checkpoints) setHeads() error {
	query, passage := c.Settings.Query.head(c.Query.Config.Head), c.Settings.Passage.head(c.Passage.Config.Head)
	if c.Query == c.Passage && !(query.Pooling == passage.Pooling && query.Saturation == passage.Saturation) {
		side := *c.Query // of the same weights
		c.Query = &side
	}
	c.Query.Config.Head, c.Passage.Config.Head = query, passage
	return nil
}

// readSettings reads the SpladeFile of the folder dir. Version is 0 where there
// is none.
func (c *Checkpoints) readSettings(dir string) (Splade, error) {
	path := filepath.Join(dir, SpladeFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		c.Notes = append(c.Notes, fmt.Sprintf("%s has no %s: texts are read up to 256 tokens, or as many as the checkpoint can", dir, SpladeFile))
		return Splade{}, nil
	}
	if err != nil {
		return Splade{}, err
	}
	return parseSplade(data, path)
}

// part is a checkpoint of the model.
type part struct {
	path   string // of its folder
	folder *checkpoint.Folder
	files  []string // of the checkpoint, slashed paths from path
	sums   []string // their SHA-256
}

// openPart opens the checkpoint in the folder name of dir, if it is not open yet,
// and holds its files against the checksums want, by their paths from dir.
func (c *Checkpoints) openPart(dir, name string, want map[string]string) (*part, error) {
	p := &part{path: filepath.Join(dir, filepath.FromSlash(name))}
	for _, open := range c.parts {
		if open.path == p.path {
			return open, nil
		}
	}
	var err error
	if p.folder, err = checkpoint.Open(p.path); err != nil {
		return nil, err
	}
	c.parts = append(c.parts, p)
	c.Notes = append(c.Notes, p.folder.Notes...)
	p.files = p.folder.Files()
	for _, file := range p.files {
		full := filepath.Join(p.path, filepath.FromSlash(file))
		sum, err := digestFile(full)
		if err != nil {
			return nil, err
		}
		if due, known := want[filepath.ToSlash(filepath.Join(name, file))]; known && due != sum {
			return nil, fmt.Errorf("%s is damaged or was replaced: its checksum is not that of %s; train or fetch the model again, or remove %[2]s", full, SpladeFile)
		}
		p.sums = append(p.sums, sum)
	}
	return p, nil
}

// PassageSums and QuerySums return the SHA-256 of the files of a side's
// checkpoint.
func (c *Checkpoints) PassageSums() []string { return c.parts[0].sums }

// QuerySums is PassageSums of the other side.
func (c *Checkpoints) QuerySums() []string { return c.parts[len(c.parts)-1].sums }

// Copy writes the model with the settings s into dir, which is empty: its
// checkpoints, each in a folder of its own if there are two, and SpladeFile.
func (c *Checkpoints) Copy(dir string, s Splade) error {
	s.Passage.Folder, s.Query.Folder = "", ""
	if len(c.parts) > 1 {
		s.Passage.Folder, s.Query.Folder = "passage", "query"
	}
	for i, p := range c.parts {
		to := filepath.Join(dir, []string{s.Passage.Folder, s.Query.Folder}[i])
		for _, file := range p.files {
			if err := copyFile(filepath.Join(p.path, filepath.FromSlash(file)), filepath.Join(to, filepath.FromSlash(file))); err != nil {
				return err
			}
		}
	}
	return SealSplade(dir, s)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := durable.Create(to)
	if err != nil {
		return err
	}
	defer out.Discard()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Commit()
}

// digestFile returns the SHA-256 of a file, in hexadecimal.
func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
