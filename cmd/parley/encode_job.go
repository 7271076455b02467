package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"

	"parley/dialog"
	"parley/encoder"
	"parley/index"
	"parley/internal/durable"
	"parley/internal/vectors"
	"parley/sparse"
)

// text is what is encoded: a passage, or a turn's context.
type text struct {
	id      string
	passage encoder.Passage
	context dialog.Context
	source  uint64
}

// texts are all texts that are encoded, in this run and in those of other shards.
type texts struct {
	of    string // as vectors.Header says it
	unit  string // for progress
	total int
	all   iter.Seq2[text, error]
}

// corpusTexts returns the passages of a corpus, counted; where unique is true
// each must have an id of its own.
func corpusTexts(io streams, corpus corpus, unique bool) (texts, error) {
	p := io.progress("count", -1, "passages")
	defer p.Done()
	t, first := texts{of: vectors.Passages, unit: "passages", all: corpus.encodable()}, map[string]int{}
	for passage, err := range corpus.passages() {
		if err != nil {
			return texts{}, err
		}
		if unique {
			if n, twice := first[passage.ID]; twice {
				return texts{}, fmt.Errorf("%s: %w %q (passages %d and %d): give each passage its own id; parley collection check DIR names the lines",
					corpus.names(), index.ErrDuplicate, passage.ID, n, t.total+1)
			}
			first[strings.Clone(passage.ID)] = t.total + 1
		}
		p.Add(1)
		t.total++
	}
	return t, nil
}

// header says what the vectors of a part of the texts are that an encoder of the
// given identity makes.
func (t texts) header(enc encoder.Encoder, identity string, p part) vectors.Header {
	first, last := p.span(t.total)
	return vectors.Header{
		Of: t.of, Vocabulary: enc.Vocabulary().Len(), Fingerprint: enc.Vocabulary().Fingerprint(),
		Encoder: enc.Describe(), Identity: identity, First: first, Count: last - first, Total: t.total,
	}
}

// encodingJob encodes texts into a file of vectors.
type encodingJob struct {
	texts   texts
	header  vectors.Header
	encode  func([]text) []sparse.Vector // safe for concurrent use
	workers int
	restart bool
	path    string
}

// file writes the file, unless it is there, whole and of these texts.
func (j encodingJob) file(ctx context.Context, io streams) error {
	if !j.restart && j.found() {
		fmt.Fprintf(io.err, "%s is there, whole and of the same encoder and texts\n", j.path)
		return nil
	}
	w, err := j.run(ctx, io)
	if err != nil {
		return err
	}
	defer w.Close()
	return w.Commit()
}

// run encodes the texts, going on with what an interrupted run left. What it
// returns has all of them: to be committed, or read and discarded.
func (j encodingJob) run(ctx context.Context, io streams) (*vectors.Writer, error) {
	if j.restart {
		if err := os.Remove(j.path + durable.PartialSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	w, err := vectors.Create(j.path, j.header)
	if err != nil {
		return nil, err
	}
	if err := j.write(ctx, io, w); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// found tells whether the file is there, whole and of these texts.
func (j encodingJob) found() bool {
	file, err := vectors.OpenWhole(j.path, j.header)
	if file == nil || err != nil {
		return false // it will be replaced
	}
	defer file.Close()
	for _, err := range matched(j.mine(), file.All(), j.path) {
		if err != nil {
			return false
		}
	}
	return true
}

// mine yields the texts of the file.
func (j encodingJob) mine() iter.Seq2[text, error] {
	return func(yield func(text, error) bool) {
		i := 0
		for t, err := range j.texts.all {
			if err != nil {
				yield(t, err)
				return
			}
			if i == j.header.First+j.header.Count || i >= j.header.First && !yield(t, nil) {
				return
			}
			i++
		}
	}
}

// textChunk is the number of texts that a worker takes at a time: enough to share
// the reading of a network's weights, and few enough that an interruption does not
// wait for long and that the workers end together.
const textChunk = 8

// write encodes the texts that are not there yet.
func (j encodingJob) write(ctx context.Context, io streams, w *vectors.Writer) error {
	kept := w.N()
	if kept > 0 {
		fmt.Fprintf(io.err, "%d of %d are there from an interrupted run\n", kept, j.header.Count)
	}
	p := io.progress("encode", int64(j.header.Count-kept), j.texts.unit)
	defer p.Done()
	left := func(yield func(text, error) bool) {
		rest := behind(j.mine(), w.Kept(kept), kept, w.Partial())
		for t, err := range rest {
			if interrupted := ctx.Err(); err == nil && interrupted != nil {
				err = interrupted
			}
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
	encode := func(_ int, chunk []text) []vectors.Record {
		records := make([]vectors.Record, len(chunk))
		for i, v := range j.encode(chunk) {
			records[i] = vectors.Record{ID: chunk[i].id, Source: chunk[i].source, Vector: v}
		}
		return records
	}
	for records, err := range ordered(gathered(left, textChunk), j.workers, 1, encode) {
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := r.Vector.Validate(j.header.Vocabulary); err != nil {
				return fmt.Errorf("the model makes no vector of %q: %w; train it again, or take another", r.ID, err)
			}
			if err := w.Add(r); err != nil {
				return err
			}
			p.Add(1)
		}
	}
	return nil
}

// gathered yields the items of seq n at a time, then its error.
func gathered[A any](seq iter.Seq2[A, error], n int) iter.Seq2[[]A, error] {
	return func(yield func([]A, error) bool) {
		var chunk []A
		for a, err := range seq {
			if err != nil {
				if len(chunk) == 0 || yield(chunk, nil) {
					yield(nil, err)
				}
				return
			}
			if chunk = append(chunk, a); len(chunk) == n {
				if !yield(chunk, nil) {
					return
				}
				chunk = nil
			}
		}
		if len(chunk) > 0 {
			yield(chunk, nil)
		}
	}
}

// pair is a text with its vector.
type pair struct {
	text
	vector sparse.Vector
}

// matched yields the texts with the records of a file of their vectors, which
// must be of the same texts in the same order.
func matched(all iter.Seq2[text, error], records iter.Seq2[vectors.Record, error], path string) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		next, stop := iter.Pull2(records)
		defer stop()
		for t, err := range all {
			if err != nil {
				yield(pair{}, err)
				return
			}
			r, err, ok := next()
			if err == nil {
				err = sameText(t, r, ok, path)
			}
			if !yield(pair{t, r.Vector}, err) || err != nil {
				return
			}
		}
		if r, err, ok := next(); ok {
			if err == nil {
				err = fmt.Errorf("%s has a vector of %q, which the collections do not have: encode them again", path, r.ID)
			}
			yield(pair{}, err)
		}
	}
}

// sameText tells that r, unless it is missing, is not the record of t.
func sameText(t text, r vectors.Record, ok bool, path string) error {
	switch {
	case !ok:
		return fmt.Errorf("%s has no vector of %q, which the collections have: encode them again", path, t.id)
	case r.ID != t.id:
		return fmt.Errorf("%s has a vector of %q where the collections have %q: name the collections that were encoded, in the same order, or encode them again", path, r.ID, t.id)
	case r.Source != t.source:
		return fmt.Errorf("%s has a vector of another text of %q than the collections have: encode them again", path, t.id)
	}
	return nil
}

// behind yields the texts behind the first n, which must be those of the kept
// records.
func behind(all iter.Seq2[text, error], kept iter.Seq2[vectors.Record, error], n int, path string) iter.Seq2[text, error] {
	return func(yield func(text, error) bool) {
		next, stop := iter.Pull2(kept)
		defer stop()
		i := 0
		for t, err := range all {
			if err == nil && i < n {
				r, keptErr, ok := next()
				if err = keptErr; err == nil {
					err = sameText(t, r, ok, path)
				}
				if err != nil {
					err = fmt.Errorf("%w; --restart drops what the interrupted run left", err)
				}
			}
			i++
			if err == nil && i <= n {
				continue
			}
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
}
