package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"parley/internal/checkpoint"
	"parley/internal/model"
	"parley/internal/prune"
	"parley/internal/table"
	"parley/internal/wordpiece"
)

// modelInspect is the command line of model inspect.
type modelInspect struct{ json, checksums bool }

func newModelInspectCommand(io streams) *cobra.Command {
	var o modelInspect
	cmd := &cobra.Command{
		Use:   "inspect FOLDER",
		Short: "Show what a model is, and whether Parley reads it",
		Long: `Shows the encoders in FOLDER: their family, sizes and heads, how text becomes
tokens, the longest inputs, the files, and what had to be assumed. FOLDER is one
of transformers or sentence-transformers, or a model that Parley made. What keeps
Parley from reading it is told, and the exit code is 1.`,
		Example: `  parley model inspect models/splade
  parley model inspect models/splade --checksums
  parley model inspect models/splade --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return o.run(io, args[0]) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "write JSON for programs")
	cmd.Flags().BoolVar(&o.checksums, "checksums", false, "read all of the files: print their SHA-256, and check that all weights are finite")
	return cmd
}

// inspection is what is known of a model folder.
type inspection struct {
	Path      string              `json:"path"`
	Kind      string              `json:"kind"` // splade, bm25 or lexical; empty where it cannot be read
	Encoders  []inspectedEncoder  `json:"encoders"`
	Tokenizer *inspectedTokenizer `json:"tokenizer"`
	Notes     []string            `json:"notes"`
	Problem   string              `json:"problem,omitempty"`
	Files     []inspectedFile     `json:"files"`
}

// inspectedEncoder is what is known of an encoder.
type inspectedEncoder struct {
	Side       string         `json:"side"` // both, queries or passages
	Family     string         `json:"family"`
	Layers     int            `json:"layers,omitempty"`
	Hidden     int            `json:"hidden,omitempty"`
	Heads      int            `json:"attention_heads,omitempty"`
	Inner      int            `json:"inner,omitempty"`
	Positions  int            `json:"positions,omitempty"`
	Activation string         `json:"activation,omitempty"`
	Parameters int            `json:"parameters"`
	Stored     map[string]int `json:"stored_tensors,omitempty"` // by type
	Head       string         `json:"head,omitempty"`
	MadeUp     bool           `json:"head_made_up,omitempty"`
	Decoder    string         `json:"decoder,omitempty"` // tied or own
	Pooling    string         `json:"pooling,omitempty"`
	Saturation string         `json:"saturation,omitempty"`
	MaxQuery   int            `json:"max_query_tokens,omitempty"`
	MaxPassage int            `json:"max_passage_tokens,omitempty"`
	prune.Rule                // what is kept of a vector
}

// inspectedTokenizer is what is known of a tokenizer.
type inspectedTokenizer struct {
	Tokens      int               `json:"tokens"`
	Options     wordpiece.Options `json:"options"`
	Fingerprint string            `json:"fingerprint"`
}

// inspectedFile is what is known of a file.
type inspectedFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"`
}

func (o *modelInspect) run(io streams, path string) error {
	if err := resolveModels(&path); err != nil {
		return err
	}
	x := &inspection{Path: path, Encoders: []inspectedEncoder{}, Notes: []string{}}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%s is a file: name the folder of a model", path)
	}
	if !isModel(path) && !model.IsSplade(path) {
		return fmt.Errorf("%s is no folder of a model: it has neither a config.json of Parley or transformers nor a modules.json", path)
	}
	var err error
	if x.Files, err = o.files(path); err != nil {
		return err
	}
	problem := o.look(x)
	if problem != nil {
		x.Problem = problem.Error()
	}
	if err := x.write(io, o.json); err != nil {
		return err
	}
	return problem
}

// look fills x in, and tells what keeps the model from being read.
func (o *modelInspect) look(x *inspection) error {
	if isModel(x.Path) {
		return x.ofParley()
	}
	return x.ofTransformers(o.checksums)
}

// ofTransformers fills x in from a folder of transformers, with Parley's settings
// if it has them; whole: every weight is looked at.
func (x *inspection) ofTransformers(whole bool) (err error) {
	c, err := model.OpenSplade(x.Path, "")
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, c.Close()) }()
	x.Kind, x.Notes = model.KindSplade, append(x.Notes, c.Notes...)
	x.Tokenizer = inspectTokenizer(c.Passage.Vocabulary)
	query, passage := inspectSide(c.Query, c.Settings.Query.Rule), inspectSide(c.Passage, c.Settings.Passage.Rule)
	query.Side, query.MaxPassage = "queries", 0
	passage.Side, passage.MaxQuery = "passages", 0
	x.Encoders = append(x.Encoders, query, passage)
	if c.Query == c.Passage && c.Settings.Query.Rule == c.Settings.Passage.Rule {
		passage.Side, passage.MaxQuery = "both", query.MaxQuery
		x.Encoders = []inspectedEncoder{passage}
	}
	if whole {
		return cmp.Or(readAll(c.Passage), readAll(c.Query))
	}
	return nil
}

// readAll reads all weights of a side, which tells of any that is not finite.
func readAll(s *checkpoint.Side) error {
	if s.Static != nil {
		return nil
	}
	for _, t := range s.Config.Tensors() {
		if _, err := s.Source().F32(t.Name, t.Shape...); err != nil {
			return err
		}
	}
	return nil
}

func inspectTokenizer(v *wordpiece.Vocabulary) *inspectedTokenizer {
	return &inspectedTokenizer{Tokens: v.Len(), Options: v.Options(), Fingerprint: v.Fingerprint()}
}

func inspectSide(s *checkpoint.Side, keep prune.Rule) inspectedEncoder {
	e := inspectedEncoder{Family: "fixed weights", Parameters: len(s.Static), Rule: keep}
	if s.Static != nil {
		return e
	}
	e.MaxQuery, e.MaxPassage = s.MaxQuery, s.MaxPassage
	c := s.Config
	e.Family, e.Layers, e.Hidden, e.Heads, e.Inner, e.Positions = c.Family.String(), c.Layers, c.Hidden, c.Heads, c.Inner, c.Positions
	e.Activation, e.Head, e.MadeUp = c.Activation.String(), c.Head.Kind.String(), !s.HasHead
	e.Pooling, e.Saturation, e.Decoder = c.Head.Pooling.String(), c.Head.Saturation.String(), "tied"
	if c.Untied {
		e.Decoder = "own"
	}
	for _, t := range c.Tensors() {
		n := 1
		for _, d := range t.Shape {
			n *= d
		}
		e.Parameters += n
	}
	e.Stored = map[string]int{}
	for _, info := range s.Tensors() {
		e.Stored[info.DType]++
	}
	return e
}

// ofParley fills x in from a folder of Parley's own.
func (x *inspection) ofParley() error {
	folder, err := model.Open(x.Path)
	if err != nil {
		return err
	}
	x.Kind, x.Tokenizer = folder.Config.Kind, inspectTokenizer(folder.Vocabulary)
	e := inspectedEncoder{Side: "both", Family: x.Kind, Stored: map[string]int{}}
	if c := folder.Config.Lexical; c != nil {
		e.Side, e.Hidden = "queries", c.Hidden
	}
	if folder.Config.Prune != nil {
		e.Rule = *folder.Config.Prune
	}
	for _, info := range folder.Weights.Tensors() {
		e.Stored[info.DType]++
		if info.DType == "F32" {
			e.Parameters += info.Bytes / 4
		}
	}
	x.Encoders = append(x.Encoders, e)
	x.Notes = append(x.Notes, fmt.Sprintf("made from a collection of %d passages", folder.Config.Passages))
	return nil
}

// deepest is how many folders a model's files may lie deep.
const deepest = 2

// files returns the files of the folder dir in the order of their names; hidden
// ones are none of the model's.
func (o *modelInspect) files(dir string) ([]inspectedFile, error) {
	files := []inspectedFile{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if strings.HasPrefix(entry.Name(), ".") || strings.Count(filepath.ToSlash(name), "/") >= deepest-1 {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := os.Stat(path) // of what a link leads to: the hub's cache is made of them
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		f := inspectedFile{Name: filepath.ToSlash(name), Bytes: info.Size()}
		if o.checksums {
			f.SHA256, err = checksumOf(path)
		}
		files = append(files, f)
		return err
	})
	return files, err
}

// checksumOf returns the SHA-256 of the file at path, in hexadecimal.
func checksumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// write writes x as tables, or as JSON.
func (x *inspection) write(io streams, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(io.out)
		out.SetIndent("", "  ")
		return out.Encode(x)
	}
	format := tableFormat(io.out)
	if len(x.Encoders) > 0 {
		t := table.New("", append([]string{"what"}, x.sides()...)...)
		x.rows(t)
		for _, note := range x.Notes {
			t.Note("note: " + note)
		}
		if err := t.Write(io.out, format); err != nil {
			return err
		}
		fmt.Fprintln(io.out)
	}
	header := []string{"file", "bytes"}
	if len(x.Files) > 0 && x.Files[0].SHA256 != "" {
		header = append(header, "sha256")
	}
	t := table.New("", header...)
	for _, f := range x.Files {
		cells := []table.Cell{table.Text(f.Name), table.Int(f.Bytes)}
		if f.SHA256 != "" {
			cells = append(cells, table.Text(f.SHA256))
		}
		t.Row(cells...)
	}
	return t.Write(io.out, format)
}

// sides returns the heads of the encoders' columns.
func (x *inspection) sides() []string {
	var names []string
	for _, e := range x.Encoders {
		names = append(names, map[string]string{"both": "queries and passages"}[e.Side]+strings.TrimPrefix(e.Side, "both"))
	}
	return names
}

// rows adds what is known of the encoders, leaving out what none has.
func (x *inspection) rows(t *table.Table) {
	row := func(name string, of func(e inspectedEncoder) string) {
		cells := []table.Cell{table.Text(name)}
		known := false
		for _, e := range x.Encoders {
			value := of(e)
			known = known || value != ""
			cells = append(cells, table.Text(value))
		}
		if known {
			t.Row(cells...)
		}
	}
	number := func(of func(e inspectedEncoder) int) func(e inspectedEncoder) string {
		return func(e inspectedEncoder) string {
			if n := of(e); n > 0 {
				return strconv.Itoa(n)
			}
			return ""
		}
	}
	real := func(of func(e inspectedEncoder) float64) func(e inspectedEncoder) string {
		return func(e inspectedEncoder) string {
			if x := of(e); x > 0 {
				return strconv.FormatFloat(x, 'g', -1, 64)
			}
			return ""
		}
	}
	row("family", func(e inspectedEncoder) string { return e.Family })
	row("layers", number(func(e inspectedEncoder) int { return e.Layers }))
	row("hidden size", number(func(e inspectedEncoder) int { return e.Hidden }))
	row("attention heads", number(func(e inspectedEncoder) int { return e.Heads }))
	row("inner size", number(func(e inspectedEncoder) int { return e.Inner }))
	row("positions", number(func(e inspectedEncoder) int { return e.Positions }))
	row("activation", func(e inspectedEncoder) string { return e.Activation })
	row("parameters", number(func(e inspectedEncoder) int { return e.Parameters }))
	row("stored tensors", inspectedEncoder.stored)
	row("head", inspectedEncoder.head)
	row("pooling", func(e inspectedEncoder) string { return e.Pooling })
	row("saturation", func(e inspectedEncoder) string { return e.Saturation })
	row("longest query", number(func(e inspectedEncoder) int { return e.MaxQuery }))
	row("longest passage", number(func(e inspectedEncoder) int { return e.MaxPassage }))
	row("top k", number(func(e inspectedEncoder) int { return e.TopK }))
	row("threshold", real(func(e inspectedEncoder) float64 { return e.Threshold }))
	row("mass", real(func(e inspectedEncoder) float64 { return e.Mass }))
	row("value per cost", real(func(e inspectedEncoder) float64 { return e.ValuePerCost }))
	row("vocabulary", func(inspectedEncoder) string { return x.Tokenizer.described() })
}

// stored tells of which types the stored tensors are.
func (e inspectedEncoder) stored() string {
	var parts []string
	for dtype, n := range e.Stored {
		parts = append(parts, fmt.Sprintf("%d %s", n, dtype))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// head tells which head the encoder has.
func (e inspectedEncoder) head() string {
	switch {
	case e.MadeUp:
		return e.Head + ", made up"
	case e.Head == "masked-lm":
		return e.Head + ", decoder " + map[string]string{"tied": "tied to the embeddings", "own": "of its own"}[e.Decoder]
	}
	return e.Head
}

// described tells how many tokens there are and how text is folded.
func (k *inspectedTokenizer) described() string {
	parts := []string{fmt.Sprintf("%d tokens", k.Tokens), "uncased"}
	if k.Options.Cased {
		parts[1] = "cased"
	}
	switch k.Options.Accents {
	case wordpiece.AccentsStripped:
		parts = append(parts, "accents stripped")
	case wordpiece.AccentsKept:
		parts = append(parts, "accents kept")
	}
	if k.Options.JoinIdeographs {
		parts = append(parts, "ideographs joined")
	}
	if k.Options.KeepControls {
		parts = append(parts, "controls kept")
	}
	return strings.Join(parts, ", ")
}
