package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"parley/collection"
	"parley/index"
	"parley/internal/durable"
	"parley/internal/model"
	"parley/internal/wordpiece"
)

func newVocabCommand(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "vocab",
		Short: "Make vocabularies",
		Long: `A vocabulary is the list of the tokens that texts are cut into; their numbers are
the terms of sparse vectors. An index and its encoders share one vocabulary.`,
	}
	cmd.AddCommand(newVocabTrainCommand(io))
	return cmd
}

// vocabTraining is the command line of vocab train.
type vocabTraining struct {
	collections, texts []string
	options            wordpiece.TrainOptions
	output             string
}

func newVocabTrainCommand(io streams) *cobra.Command {
	var v vocabTraining
	cmd := &cobra.Command{
		Use:   "train (--collection DIR[,DIR...] | --text FILE...) -o vocab.txt",
		Short: "Train a WordPiece vocabulary from passages or texts",
		Long: `Train reads the passages of collections, or plain text files, and writes a
vocabulary in BERT's format: the special tokens, the characters, and then the
words and parts of words that were frequent, one a line. The same texts give
the same vocabulary, in whatever order and on however many processors.`,
		Example: `  parley vocab train --collection data -o vocab.txt
  parley vocab train --text notes.txt,letters.txt --size 8000 --min-count 5 -o vocab.txt
  parley vocab train --text names.txt --cased -o vocab.txt`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd.Context(), io) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&v.collections, "collection", nil, "train from the passages of the collections in `DIR[,DIR...]`")
	flags.StringSliceVar(&v.texts, "text", nil, "train from the lines of the UTF-8 text files `FILE[,FILE...]`; - is standard input")
	flags.IntVar(&v.options.Size, "size", 30522, "write at most `N` tokens")
	flags.IntVar(&v.options.MinCount, "min-count", 2, "join tokens only if they meet at least `N` times")
	flags.BoolVar(&v.options.Options.Cased, "cased", false, "keep capital letters and accents; use the vocabulary with --cased too")
	flags.StringVarP(&v.output, "output", "o", "", "write the vocabulary to `FILE`")
	cmd.MarkFlagsOneRequired("collection", "text")
	cmd.MarkFlagsMutuallyExclusive("collection", "text")
	_ = cmd.MarkFlagRequired("output") // fails only if there is no such flag
	return cmd
}

func (v *vocabTraining) run(ctx context.Context, io streams) error {
	if v.options.Size < wordpiece.SmallestSize {
		return usagef("--size %d: a vocabulary takes at least %d tokens", v.options.Size, wordpiece.SmallestSize)
	}
	if v.options.MinCount < 1 {
		return usagef("--min-count %d: a count is at least 1", v.options.MinCount)
	}
	out, err := durable.Create(v.output)
	if err != nil {
		return err
	}
	defer out.Discard()
	vocabulary, err := wordpiece.Train(v.read(ctx, io), v.options)
	if err != nil {
		return err
	}
	if err := vocabulary.Write(out); err != nil {
		return err
	}
	if err := out.Commit(); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s: %d tokens\n", v.output, vocabulary.Len())
	return nil
}

// read yields the texts to train from, until ctx is cancelled.
func (v *vocabTraining) read(ctx context.Context, io streams) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		progress := io.progress("Reading texts", -1, "texts")
		for text, err := range v.sources(io) {
			if err == nil {
				err = ctx.Err()
			}
			if !yield(text, err) || err != nil {
				return
			}
			progress.Add(1)
		}
		progress.Done()
	}
}

// sources yields what is in the collections and the text files, one after the
// other.
func (v *vocabTraining) sources(io streams) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, dir := range v.collections {
			if !all(passageTexts(dir), yield) {
				return
			}
		}
		for _, path := range v.texts {
			if !all(fileTexts(path, io), yield) {
				return
			}
		}
	}
}

// all yields what texts yields, and reports whether more is wanted.
func all(texts iter.Seq2[string, error], yield func(string, error) bool) bool {
	for text, err := range texts {
		if !yield(text, err) || err != nil {
			return false
		}
	}
	return true
}

// passageTexts yields the title and text of every passage of a collection.
func passageTexts(dir string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		c, err := collection.Open(dir)
		if err != nil {
			yield("", err)
			return
		}
		for passage, err := range c.Passages() {
			if !yield(passage.Title+"\n"+passage.Text, err) {
				return
			}
		}
	}
}

// fileTexts yields the lines of a text file, or of standard input for -.
func fileTexts(path string, io streams) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in, name := io.in, "standard input"
		if path != "-" {
			f, err := os.Open(path)
			if err != nil {
				yield("", err)
				return
			}
			defer f.Close()
			in, name = f, path
		}
		for line, err := range textLines(in, name) {
			if !yield(string(line), err) {
				return
			}
		}
	}
}

// openVocabulary opens the vocabulary of the index or the model at path, or the
// vocabulary file there. Of a file that does not say whether capital letters
// and accents are kept, cased does.
func openVocabulary(path string, cased bool) (*wordpiece.Vocabulary, error) {
	switch {
	case checkCased(path, cased) != nil:
		return nil, checkCased(path, cased)
	case isIndex(path):
		return indexVocabulary(path)
	case isModel(path):
		return modelVocabulary(path)
	}
	v, err := wordpiece.OpenVocabulary(path)
	if err == nil && cased {
		v = v.With(wordpiece.Options{Cased: true})
	}
	return v, err
}

// checkCased refuses the flag --cased where the vocabulary at path says itself
// how text is folded.
func checkCased(path string, cased bool) error {
	if cased && (isIndex(path) || isModel(path) || filepath.Ext(path) == ".json") {
		return usagef("--cased: %s says itself how text is folded", path)
	}
	return nil
}

// checkKept refuses the vocabulary read from path where an index cannot keep
// it: it keeps a vocab.txt.
func checkKept(v *wordpiece.Vocabulary, path string) error {
	if v.Write(io.Discard) == nil {
		return nil
	}
	return fmt.Errorf("the added tokens of %s are not just the special tokens of BERT, and an index cannot keep others: "+
		"name the vocab.txt that belongs to it, or leave --vocab out to have one trained", path)
}

// isIndex tells whether the folder path holds an index, whole or not.
func isIndex(path string) bool {
	_, err := os.Stat(filepath.Join(path, "index.json"))
	return path != "" && err == nil
}

// isModel tells whether the folder path holds a model of this program, not one
// of others that share the name of its description.
func isModel(path string) bool {
	var config struct {
		Version *int `json:"parley_model"`
	}
	data, err := os.ReadFile(filepath.Join(path, model.ConfigFile))
	return err == nil && json.Unmarshal(data, &config) == nil && config.Version != nil
}

func indexVocabulary(path string) (*wordpiece.Vocabulary, error) {
	ix, err := index.Open(path)
	if err != nil {
		return nil, err
	}
	defer ix.Close()
	return modelVocabulary(ix.EncoderPath())
}

func modelVocabulary(path string) (*wordpiece.Vocabulary, error) {
	if model.IsSplade(path) {
		checkpoints, err := model.OpenSplade(path, "")
		if err != nil {
			return nil, err
		}
		return checkpoints.Query.Vocabulary, checkpoints.Close()
	}
	folder, err := model.Open(path)
	if err != nil {
		return nil, err
	}
	return folder.Vocabulary, nil
}
