package study

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"parley/collection"
	"parley/encoder"
	"parley/index"
	"parley/internal/wordpiece"
	"parley/search"
	"parley/sparse"
	"parley/trec"
)

// openIndexes opens the indexes that the plan searches, made where they are
// missing.
func (w *workbench) openIndexes(ctx context.Context) error {
	for _, name := range w.plan.searched() {
		path, err := w.indexOf(ctx, name)
		if err != nil {
			return err
		}
		opened, err := openIndex(path)
		if err != nil {
			return err
		}
		w.searched[name] = opened
	}
	trained := w.searched[w.plan.Train.Passages]
	for _, t := range w.plan.Tests {
		if w.searched[t.Passages].index.Fingerprint() != trained.index.Fingerprint() {
			return fmt.Errorf("test %q: the index of %s has another vocabulary than that of %s, which is trained on, so that its terms mean other words: build them with one encoder",
				t.Name, t.Passages, w.plan.Train.Passages)
		}
	}
	return nil
}

// openIndex opens an index and what searches it.
func openIndex(path string) (*searched, error) {
	ix, err := index.Open(path)
	if err != nil {
		return nil, err
	}
	own, err := encoder.Open(ix.EncoderPath(), ix)
	if err == nil && own.Vocabulary().Fingerprint() != ix.Fingerprint() {
		err = fmt.Errorf("the index %s was not built over the vocabulary of its own encoder: build it again", path)
	}
	if err != nil {
		return nil, errors.Join(err, ix.Close())
	}
	h := newSum()
	if err := addFile(h, path, "index.json"); err != nil { // it has the checksums of the others
		return nil, errors.Join(err, ix.Close())
	}
	return &searched{ix, own, search.New(ix, search.Options{Workers: 1}), h.hex()}, nil
}

// indexOf returns the path of the index of a collection's passages.
func (w *workbench) indexOf(ctx context.Context, name string) (string, error) {
	h := w.collections[name]
	if name == h.plan.Name && h.plan.Index != "" {
		return w.at(h.plan.Index), nil
	}
	path := within(w.dir, indexesDir, name)
	sign := path + ".json"
	made, err := w.indexOrigin(h)
	if err != nil || made.fresh(sign) {
		return path, err
	}
	enc, err := w.passageEncoder(ctx, h.opened)
	if err != nil {
		return "", err
	}
	if err := buildIndex(ctx, path, h.opened, enc, w.workers); err != nil {
		return "", err
	}
	return path, writeJSON(sign, made)
}

// indexOrigin says what an index is made of.
func (w *workbench) indexOrigin(h *held) (o origin, err error) {
	if o.Of, err = filesSum(h.opened.Dir()); err != nil {
		return o, err
	}
	e := w.plan.Encoder
	if e.From != "" {
		o.Encoder, err = folderSum(w.at(e.From))
		return o, err
	}
	sum := newSum()
	fmt.Fprintln(sum, "bm25", fingerprint(e.options()))
	err = addFile(sum, filepath.Dir(w.at(e.Vocab)), filepath.Base(e.Vocab))
	o.Encoder = sum.hex()
	return o, err
}

// options returns the parameters of BM25.
func (e EncoderPlan) options() encoder.BM25Options {
	given := func(x *float64) float64 {
		switch {
		case x == nil:
			return 0
		case *x == 0:
			return -1 // as the encoder's options write it
		}
		return *x
	}
	return encoder.BM25Options{K1: given(e.K1), B: given(e.B)}
}

// passageEncoder opens the encoder of the plan; of BM25, counts the collection.
func (w *workbench) passageEncoder(ctx context.Context, c *collection.Collection) (encoder.PassageEncoder, error) {
	if from := w.plan.Encoder.From; from != "" {
		path := w.at(from)
		if info, err := os.Stat(filepath.Join(path, index.EncoderDir)); err == nil && info.IsDir() {
			path = filepath.Join(path, index.EncoderDir) // of an index
		}
		return encoder.OpenPassages(path, encoder.Options{})
	}
	vocabulary, err := wordpiece.OpenVocabulary(w.at(w.plan.Encoder.Vocab))
	if err != nil {
		return nil, err
	}
	counter, err := encoder.NewBM25Counter(wordpiece.New(vocabulary))
	if err != nil {
		return nil, err
	}
	for passage, err := range c.Passages() {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		counter.Add(passage.Title, passage.Text)
	}
	return counter.BM25(w.plan.Encoder.options()), nil
}

// chunk is how many passages are encoded before the next are read.
const chunk = 512

// buildIndex writes the index of a collection's passages.
func buildIndex(ctx context.Context, path string, c *collection.Collection, enc encoder.PassageEncoder, workers int) error {
	b, err := index.Create(path, index.Options{Vocabulary: enc.Vocabulary().Len(), Fingerprint: enc.Vocabulary().Fingerprint(), Encoder: enc.Describe()})
	if err != nil {
		return err
	}
	defer b.Discard()
	if err := enc.Save(filepath.Join(b.Dir(), index.EncoderDir)); err != nil {
		return b.Fail(err)
	}
	for passages, err := range chunks(c.Passages(), chunk) {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		vectors := encodeAll(enc, passages, workers)
		for i, p := range passages {
			if err := trec.CheckID(p.ID); err != nil {
				return fmt.Errorf("%s: passage %d: the id %q cannot stand in a run: %w", c.Dir(), b.N()+1, p.ID, err)
			}
			if err := b.Add(p.ID, p.Title, p.Text, vectors[i]); err != nil {
				return fmt.Errorf("%s: %w; parley collection check names the lines", c.Dir(), err)
			}
		}
	}
	if b.N() == 0 {
		return fmt.Errorf("%s: the corpus is empty: there is nothing to search", c.Dir())
	}
	return b.Commit()
}

// chunks yields passages in slices of up to n, which are written over.
func chunks(passages iter.Seq2[collection.Passage, error], n int) iter.Seq2[[]collection.Passage, error] {
	return func(yield func([]collection.Passage, error) bool) {
		var some []collection.Passage
		for p, err := range passages {
			if err != nil {
				yield(nil, err)
				return
			}
			if some = append(some, p); len(some) == n {
				if !yield(some, nil) {
					return
				}
				some = some[:0]
			}
		}
		if len(some) > 0 {
			yield(some, nil)
		}
	}
}

// batch is how many passages a worker encodes at a time.
const batch = 16

func encodeAll(enc encoder.PassageEncoder, passages []collection.Passage, workers int) []sparse.Vector {
	texts := make([]encoder.Passage, len(passages))
	for i, p := range passages {
		texts[i] = encoder.Passage{Title: p.Title, Text: p.Text}
	}
	vectors := make([]sparse.Vector, len(passages))
	parallel(workers, (len(texts)+batch-1)/batch, func(i int) {
		from, to := i*batch, min((i+1)*batch, len(texts))
		copy(vectors[from:to], enc.Passages(texts[from:to]))
	})
	return vectors
}

// parallel calls do for every i below n, up to workers at once.
func parallel(workers, n int, do func(i int)) {
	next := make(chan int)
	var all sync.WaitGroup
	for range min(workers, n) {
		all.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
}
