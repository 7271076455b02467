package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"parley/collection"
	"parley/encoder"
	"parley/index"
	"parley/internal/model"
	"parley/internal/wordpiece"
	"parley/sparse"
	"parley/trec"
)

// indexing says what is indexed, and how.
type indexing struct {
	collections []string
	encoder     string
	vectors     []string // files or folders of vectors, encoded before
	side        sideFlags
	queries     string // model folder of queries, or IDF
	querySide   sideFlags
	restart     bool
	vocabulary  string // path of a vocabulary file or an index; "" trains one
	cased       bool
	size        int // of a trained vocabulary; 0 means its default
	k1, b       float64
	workers     int
	output      string
}

func newIndexCommand(io streams) *cobra.Command {
	var o indexing
	cmd := &cobra.Command{
		Use:   "index --collection DIR[,DIR...] -o INDEX",
		Short: "Build an index of the passages of collections",
		Long: `Encodes the passages of one or more collections as sparse vectors and writes an
index of them, with the encoder and its vocabulary inside: search and training
need nothing else. The index appears whole or not at all, and an index that is
there is only replaced by a complete one.

The encoder bm25 gives each WordPiece of a passage its BM25 weight. Its
vocabulary is read from a vocab.txt or tokenizer.json, borrowed from another
index, or trained from the passages where --vocab is not given. Models and
indexes work together only over the same vocabulary.

--encoder MODEL names the folder of a model instead, such as a SPLADE checkpoint
in Hugging Face's layout, or an index, whose encoder is taken. Vectors go to
INDEX.vectors.partial as they come: a run that was interrupted, even killed, is
taken up from there by the same command. Where parley encode made them before,
--vectors names their files, or a folder with them, and nothing is encoded. How
queries are encoded is a part of the index too: --query-encoder idf weighs their
terms by rareness alone, so that no network runs when searching.`,
		Example: `  parley index --collection data/mine -o mine.index
  parley index --collection data/mine,data/more --vocab vocab.txt -o both.index
  parley index --collection data/new --vocab mine.index -o new.index
  parley index --collection data/mine --encoder splade -o splade.index
  parley index --collection data/mine --encoder splade --query-encoder idf -o fast.index
  parley index --collection data/mine --encoder splade --vectors shards/ -o splade.index
  parley index stats mine.index`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(cmd.Flags().Changed); err != nil {
				return err
			}
			if o.encoder != model.KindBM25 {
				return o.runModel(cmd.Context(), io)
			}
			return o.run(cmd.Context(), io)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.collections, "collection", nil, "folders of collections, whose passages are indexed in this order")
	flags.StringVar(&o.encoder, "encoder", model.KindBM25, "what makes the vectors: bm25, or the folder of a model or an index")
	flags.StringSliceVar(&o.vectors, "vectors", nil, "files or folders that parley encode wrote with the model, in any order (default: encode now)")
	o.side.bind(cmd, "", "a passage")
	flags.StringVar(&o.queries, "query-encoder", "", "splade: folder of another model for queries, or idf: a term weighs how rare it is, and no network runs (default: as the model says)")
	o.querySide.bind(cmd, "query-", "a query")
	flags.StringVar(&o.vocabulary, "vocab", "", "vocab.txt, tokenizer.json or index whose vocabulary is used (default: train one)")
	flags.BoolVar(&o.cased, "cased", false, "keep capital letters and accents; a tokenizer.json or an index says so itself")
	flags.IntVar(&o.size, "vocab-size", 0, "at most so many tokens in a trained vocabulary (default 30522)")
	flags.Float64Var(&o.k1, "k1", encoder.DefaultK1, "BM25: how slowly repeated terms saturate, at least 0")
	flags.Float64Var(&o.b, "b", encoder.DefaultB, "BM25: how much long passages pay, from 0 to 1")
	flags.IntVar(&o.workers, "workers", 0, "passages are encoded by so many at once (default: one for each processor)")
	flags.BoolVar(&o.restart, "restart", false, "with a model: drop what an interrupted run left")
	flags.StringVarP(&o.output, "output", "o", "", "folder of the index")
	for _, required := range []string{"collection", "output"} {
		_ = cmd.MarkFlagRequired(required)
	}
	cmd.AddCommand(newIndexStatsCommand(io))
	return cmd
}

// modelFlags and bm25Flags are for the one way to encode and not the other.
var (
	modelFlags = []string{
		"vectors", "restart", "max-length", "top-k", "threshold",
		"query-encoder", "query-max-length", "query-top-k", "query-threshold", "query-mass", "query-value-per-cost", "mass", "value-per-cost",
	}
	bm25Flags = []string{"vocab", "cased", "vocab-size", "k1", "b"}
)

func (o *indexing) check(given func(flag string) bool) error {
	for _, flag := range modelFlags {
		if o.encoder == model.KindBM25 && given(flag) {
			return usagef("--%s is for passages that a model encodes: name its folder with --encoder", flag)
		}
	}
	for _, flag := range bm25Flags {
		if o.encoder != model.KindBM25 && given(flag) {
			return usagef("--%s is for --encoder bm25: a model says itself how it encodes", flag)
		}
	}
	for _, side := range []*sideFlags{&o.side, &o.querySide} {
		if err := side.check(); err != nil {
			return err
		}
	}
	switch {
	case o.side.rule.ValuePerCost != 0:
		return usagef("--value-per-cost is for queries: what a term of a passage costs is known once they are indexed; take --query-value-per-cost")
	case !(o.k1 >= 0) || math.IsInf(o.k1, 0):
		return usagef("--k1 %v: it must be 0 or more", o.k1)
	case !(o.b >= 0 && o.b <= 1):
		return usagef("--b %v: it must be from 0 to 1", o.b)
	case o.workers < 0:
		return usagef("--workers %d: it cannot be negative", o.workers)
	case o.size < 0:
		return usagef("--vocab-size %d: it cannot be negative", o.size)
	case o.size > 0 && o.vocabulary != "":
		return usagef("--vocab-size is for a vocabulary that is trained, without --vocab")
	}
	if o.workers == 0 {
		o.workers = runtime.GOMAXPROCS(0)
	}
	return checkCased(o.vocabulary, o.cased)
}

// run reads the collections twice, to count and to encode, and once more
// before where a vocabulary is trained.
func (o *indexing) run(ctx context.Context, io streams) error {
	corpus, err := openCorpus(ctx, o.collections)
	if err != nil {
		return err
	}
	if err := index.CanCreate(o.output); err != nil {
		return err
	}
	vocabulary, err := o.openVocabulary(io, corpus)
	if err != nil {
		return err
	}
	bm25, n, err := o.count(io, corpus, vocabulary)
	if err != nil {
		return err
	}
	b, err := index.Create(o.output, index.Options{
		Vocabulary: vocabulary.Len(), Fingerprint: vocabulary.Fingerprint(),
		Encoder: fmt.Sprintf("%s k1=%v b=%v", o.encoder, o.k1, o.b),
	})
	if err != nil {
		return err
	}
	defer b.Discard()
	if err := bm25.Save(filepath.Join(b.Dir(), index.EncoderDir)); err != nil {
		return b.Fail(err)
	}
	if err := o.add(io, b, corpus, bm25, n); err != nil {
		return err
	}
	return b.Commit()
}

// openVocabulary reads, borrows or trains the vocabulary.
func (o *indexing) openVocabulary(io streams, corpus corpus) (*wordpiece.Vocabulary, error) {
	if o.vocabulary != "" {
		v, err := openVocabulary(o.vocabulary, o.cased)
		if err != nil {
			return nil, err
		}
		return v, checkKept(v, o.vocabulary)
	}
	p := io.progress("train vocabulary", -1, "passages")
	defer p.Done()
	options := wordpiece.Options{Cased: o.cased}
	return wordpiece.Train(corpus.texts(p), wordpiece.TrainOptions{Size: o.size, Options: options})
}

// count counts the terms of the corpus and its passages.
func (o *indexing) count(io streams, corpus corpus, vocabulary *wordpiece.Vocabulary) (*encoder.BM25, int64, error) {
	tokenizer := wordpiece.New(vocabulary)
	counters := make([]*encoder.BM25Counter, o.workers)
	for i := range counters {
		var err error
		if counters[i], err = encoder.NewBM25Counter(tokenizer); err != nil {
			return nil, 0, err
		}
	}
	p, n := io.progress("count terms", -1, "passages"), int64(0)
	defer p.Done()
	for _, err := range ordered(corpus.passages(), o.workers, passageChunk, func(worker int, passage collection.Passage) struct{} {
		counters[worker].Add(passage.Title, passage.Text)
		return struct{}{}
	}) {
		if err != nil {
			return nil, 0, err
		}
		p.Add(1)
		n++
	}
	for _, other := range counters[1:] {
		counters[0].Merge(other)
	}
	return counters[0].BM25(encoder.BM25Options{K1: orNegative(o.k1), B: orNegative(o.b)}), n, nil
}

// passageChunk is the number of passages that a worker takes at a time.
const passageChunk = 64

// orNegative writes 0 as the encoder's options do, where 0 is the default.
func orNegative(x float64) float64 {
	if x == 0 {
		return -1
	}
	return x
}

// encoded is a passage with its vector.
type encoded struct {
	collection.Passage
	vector sparse.Vector
}

// add encodes the n passages of the corpus and adds them to b.
func (o *indexing) add(io streams, b *index.Builder, corpus corpus, bm25 *encoder.BM25, n int64) error {
	p := io.progress("index", n, "passages")
	defer p.Done()
	for passage, err := range ordered(corpus.passages(), o.workers, passageChunk, func(_ int, passage collection.Passage) encoded {
		return encoded{passage, bm25.Passage(passage.Title, passage.Text)}
	}) {
		if err != nil {
			return err
		}
		if err := trec.CheckID(passage.ID); err != nil {
			return fmt.Errorf("passage %d: the id %q cannot stand in a run: %w", b.N()+1, passage.ID, err)
		}
		err := b.Add(passage.ID, passage.Title, passage.Text, passage.vector)
		if errors.Is(err, index.ErrDuplicate) {
			return fmt.Errorf("%s: %w; parley collection check DIR names the lines", strings.Join(o.collections, ", "), err)
		}
		if err != nil {
			return err
		}
		p.Add(1)
	}
	return nil
}

// corpus is the passages of several collections, one after the other.
type corpus struct {
	ctx         context.Context
	collections []*collection.Collection
}

// openCorpus opens collections, none of which may be without passages.
func openCorpus(ctx context.Context, dirs []string) (corpus, error) {
	c := corpus{ctx: ctx}
	for _, dir := range dirs {
		opened, err := collection.Open(dir)
		if err != nil {
			return corpus{}, err
		}
		empty := true
		for _, err := range opened.Passages() {
			if err != nil {
				return corpus{}, err
			}
			empty = false
			break
		}
		if empty {
			return corpus{}, fmt.Errorf("%s: the corpus is empty: there is nothing to index; leave this collection out", dir)
		}
		c.collections = append(c.collections, opened)
	}
	return c, nil
}

// names lists the folders of the collections.
func (c corpus) names() string {
	var dirs []string
	for _, each := range c.collections {
		dirs = append(dirs, each.Dir())
	}
	return strings.Join(dirs, ", ")
}

// passages yields all passages until the command is interrupted.
func (c corpus) passages() iter.Seq2[collection.Passage, error] {
	return func(yield func(collection.Passage, error) bool) {
		for _, each := range c.collections {
			for passage, err := range each.Passages() {
				if interrupted := c.ctx.Err(); interrupted != nil {
					yield(collection.Passage{}, interrupted)
					return
				}
				if !yield(passage, err) {
					return
				}
			}
		}
	}
}

// encodable yields all passages as texts to encode.
func (c corpus) encodable() iter.Seq2[text, error] {
	return func(yield func(text, error) bool) {
		for passage, err := range c.passages() {
			if !yield(passageText(passage), err) {
				return
			}
		}
	}
}

// texts yields the titles and texts of all passages.
func (c corpus) texts(p *progress) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for passage, err := range c.passages() {
			if !yield(passage.Title, err) || err == nil && !yield(passage.Text, nil) {
				return
			}
			p.Add(1)
		}
	}
}
