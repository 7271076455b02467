package main

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"parley/dialog"
	"parley/encoder"
	"parley/index"
	"parley/internal/durable"
	"parley/internal/questions"
	"parley/search"
	"parley/trec"
)

// searching says what is searched, and how.
type searching struct {
	index      string
	collection string
	mode       string
	encoder    string
	turns      string
	k, workers int
	unseen     bool
	keep       pruneFlags
	tag        string
	output     string
}

func newSearchCommand(io streams) *cobra.Command {
	var o searching
	cmd := &cobra.Command{
		Use:   "search --index INDEX --collection DIR --query MODE -o RUN",
		Short: "Search an index for the turns of a collection",
		Long: `Searches an index for each turn of a collection and writes a TREC run, and
beside it RUN.cost.json: what each query cost.

The query mode says which text of the conversation is the query: last (the
question alone), questions (with all earlier ones), history (with the answers
too), rewrite (the human rewrite) or rewrite:NAME (another rewriter's). The text
is encoded by what encoded the index, or by a trained model: --encoder MODEL,
which reads the history unless told otherwise. Turns that have no such rewrite
are left out and counted.

Searched are the turns that have judgements, or all of them where the collection
has no judgements or with --turns all. Results are exact, ties in the order of
the index.

A query can be pruned beyond what its model says: by --query-value-per-cost
terms go that bring a smaller share of the query's weight than of the postings,
and so on. parley model prune writes a model that prunes by itself.

RUN.cost.json has for each turn the number of its query's terms (l0), the
postings of those terms, and the microseconds that encoding and searching took
on one processor; and over all turns mean_l0, flops (Σ of df/N over a query's
terms, in the mean), p50_us, p95_us and p99_us.`,
		Example: `  parley search --index mine.index --collection data/mine --query history -o history.run
  parley search --index mine.index --collection data/mine --encoder student -o student.run
  parley search --index mine.index --collection data/mine --encoder student --query-value-per-cost .5 -o cheap.run
  parley search --index mine.index --collection data/mine --query rewrite:t5 --unseen --k 100 -o t5.run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), io) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.index, "index", "", "folder of the index")
	flags.StringVar(&o.collection, "collection", "", "folder of the collection whose turns are searched")
	flags.StringVar(&o.mode, "query", "", "query mode: last, questions, history, rewrite or rewrite:NAME (default history with --encoder)")
	flags.StringVar(&o.encoder, "encoder", "", "folder of a model, or of an index, that encodes the queries (default: what encoded the index)")
	flags.StringVar(&o.turns, "turns", "", "judged or all turns (default judged, where there are judgements)")
	flags.IntVar(&o.k, "k", 1000, "passages to return for each turn")
	flags.IntVar(&o.workers, "workers", 0, "turns are searched by so many at once (default: one for each processor)")
	flags.BoolVar(&o.unseen, "unseen", false, "leave out passages that repeat an earlier answer of the conversation, unless judged for the turn")
	o.keep.bind(cmd, "query-", "a query")
	flags.StringVar(&o.tag, "tag", "", "name of the system in the run (default: encoder and mode)")
	flags.StringVarP(&o.output, "output", "o", "", "file of the run; its costs go to the same name with .cost.json")
	for _, required := range []string{"index", "collection", "output"} {
		_ = cmd.MarkFlagRequired(required)
	}
	return cmd
}

// queryMode returns the query mode and checks the other settings.
func (o *searching) queryMode() (dialog.Mode, error) {
	if err := o.keep.check(); err != nil {
		return dialog.Mode{}, err
	}
	switch {
	case o.k < 1:
		return dialog.Mode{}, usagef("--k %d: at least one passage must be asked for", o.k)
	case o.workers < 0:
		return dialog.Mode{}, usagef("--workers %d: it cannot be negative", o.workers)
	case o.turns != "" && o.turns != "judged" && o.turns != "all":
		return dialog.Mode{}, usagef("--turns %s: use judged or all", o.turns)
	case o.tag != "" && trec.CheckID(o.tag) != nil:
		return dialog.Mode{}, usagef("--tag %q: %w", o.tag, trec.CheckID(o.tag))
	case o.mode == "" && o.encoder == "":
		return dialog.Mode{}, usagef("--query says what is asked: last, questions, history, rewrite or rewrite:NAME")
	case o.mode == "":
		return dialog.HistoryMode, nil
	}
	mode, err := dialog.ParseMode(o.mode)
	if err != nil {
		return mode, usageError{err}
	}
	return mode, nil
}

func (o *searching) run(ctx context.Context, io streams) error {
	mode, err := o.queryMode()
	if err != nil {
		return err
	}
	if err := resolveModels(&o.encoder); err != nil {
		return err
	}
	ix, err := index.Open(o.index)
	if err != nil {
		return err
	}
	defer ix.Close()
	enc, err := openEncoderWith(o.encoder, ix, encoder.Options{Query: o.keep.side()})
	if err != nil {
		return err
	}
	asked, err := o.ask(io, mode)
	if err != nil {
		return err
	}
	if o.unseen {
		asked.FindRepeats(ix)
	}
	if o.tag == "" {
		o.tag = enc.Kind() + "-" + mode.String()
	}
	return o.write(ctx, io, ix, enc, asked)
}

// encoderFolder returns the model folder that is meant by dir: the encoder's, if
// dir is an index.
func encoderFolder(dir string) string {
	if isIndex(dir) {
		return filepath.Join(dir, index.EncoderDir)
	}
	return dir
}

// openEncoder opens the model folder or the encoder of the index dir, or that of
// ix where dir is empty, and makes sure that it speaks the language of ix.
func openEncoder(dir string, ix *index.Index) (encoder.Encoder, error) {
	return openEncoderWith(dir, ix, encoder.Options{})
}

// openEncoderWith does what openEncoder does, the encoder changed as options say.
func openEncoderWith(dir string, ix *index.Index, options encoder.Options) (encoder.Encoder, error) {
	own := dir == ""
	if own {
		dir = ix.EncoderPath()
	}
	dir = encoderFolder(dir)
	enc, err := encoder.OpenWith(dir, ix, options)
	switch {
	case err != nil:
		return nil, err
	case enc.Vocabulary().Fingerprint() == ix.Fingerprint():
		return enc, nil
	case own:
		return nil, fmt.Errorf("the index %s was not built over the vocabulary of its own encoder: build it again", ix.Path())
	}
	return nil, fmt.Errorf("the encoder %s has another vocabulary than the index %s, so that its terms mean other words: "+
		"use an encoder trained over this index, or build the index with that vocabulary (--vocab)", dir, ix.Path())
}

// found is the answer to a question, and what it cost.
type found struct {
	hits []trec.Hit
	cost turnCost
}

// write searches for the questions and writes the run and its costs.
func (o *searching) write(ctx context.Context, io streams, ix *index.Index, enc encoder.Encoder, asked *questions.List) error {
	file, err := durable.Create(o.output)
	if err != nil {
		return err
	}
	defer file.Discard()
	run, err := trec.NewRunWriter(file, o.tag)
	if err != nil {
		return err
	}
	p := io.progress("search", int64(len(asked.Questions)), "turns")
	defer p.Done()
	var costs costs
	for found, err := range o.search(ctx, ix, enc, asked) {
		if err != nil {
			return err
		}
		if err := run.WriteTopic(found.cost.ID, found.hits); err != nil {
			return err
		}
		costs.Turns = append(costs.Turns, found.cost)
		p.Add(1)
	}
	if err := run.Flush(); err != nil {
		return err
	}
	costs.summarise(ix.N())
	p.Note(costs.String())
	if err := costs.write(o.output + ".cost.json"); err != nil {
		return err
	}
	return file.Commit()
}

// search yields what is found for each question, in their order.
func (o *searching) search(ctx context.Context, ix *index.Index, enc encoder.Encoder, asked *questions.List) iter.Seq2[found, error] {
	workers := o.workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	searcher := search.New(ix, search.Options{Workers: 1})
	each := func(yield func(*questions.Question, error) bool) {
		for i := range asked.Questions {
			if !yield(&asked.Questions[i], ctx.Err()) {
				return
			}
		}
	}
	return ordered(each, workers, 1, func(_ int, q *questions.Question) found {
		skip := asked.Skip(q, ix)
		start := time.Now()
		vector := enc.Query(q.Context)
		hits := searcher.Search(vector, o.k, skip)
		elapsed := time.Since(start)
		f := found{cost: turnCost{q.Turn().ID, vector.Quantise().Len(), searcher.Postings(vector), elapsed.Microseconds()}}
		for _, hit := range hits {
			f.hits = append(f.hits, trec.Hit{Passage: ix.ID(hit.Passage), Score: hit.Score})
		}
		return f
	})
}
