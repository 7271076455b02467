package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"parley/encoder"
	"parley/index"
	"parley/internal/vectors"
)

// runModel builds an index of what a model makes of the passages. It encodes
// them into a file beside the output, which an interrupted run leaves to the
// next one, or takes them from files where they were encoded before.
func (o *indexing) runModel(ctx context.Context, io streams) error {
	if err := resolveModels(&o.encoder, &o.queries); err != nil {
		return err
	}
	corpus, err := openCorpus(ctx, o.collections)
	if err != nil {
		return err
	}
	if err := index.CanCreate(o.output); err != nil {
		return err
	}
	enc, err := o.openModel()
	if err != nil {
		return err
	}
	tellNotes(io, enc)
	texts, err := corpusTexts(io, corpus, true)
	if err != nil {
		return err
	}
	if len(o.vectors) > 0 {
		shards, err := openShards(o.vectors, texts.header(enc, enc.PassageIdentity(), part{1, 1}))
		if err != nil {
			return err
		}
		defer shards.close()
		return o.build(io, enc, texts, shards.all(), shards.name())
	}
	job := encodingJob{
		texts: texts, header: texts.header(enc, enc.PassageIdentity(), part{1, 1}), encode: passageEncode(enc),
		workers: o.workers, restart: o.restart, path: filepath.Clean(o.output) + ".vectors",
	}
	w, err := job.run(ctx, io)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := o.build(io, enc, texts, w.All(), w.Partial()); err != nil {
		return err
	}
	w.Discard()
	return nil
}

// openModel opens the encoder for passages in a model folder or an index.
func (o *indexing) openModel() (encoder.PassageEncoder, error) {
	return encoder.OpenPassages(encoderFolder(o.encoder), encoder.Options{
		Passage: o.side.side(), Query: o.querySide.side(), Queries: encoderFolder(o.queries),
	})
}

// build writes the index of the texts with the vectors of a file, or of several,
// that go by the given name.
func (o *indexing) build(io streams, enc encoder.PassageEncoder, texts texts, records iter.Seq2[vectors.Record, error], name string) error {
	b, err := index.Create(o.output, index.Options{
		Vocabulary: enc.Vocabulary().Len(), Fingerprint: enc.Vocabulary().Fingerprint(), Encoder: o.describe(enc),
	})
	if err != nil {
		return err
	}
	defer b.Discard()
	if err := enc.Save(filepath.Join(b.Dir(), index.EncoderDir)); err != nil {
		return b.Fail(err)
	}
	p := io.progress("index", int64(texts.total), texts.unit)
	defer p.Done()
	for pair, err := range matched(texts.all, records, name) {
		if err == nil {
			err = b.Add(pair.id, pair.passage.Title, pair.passage.Text, pair.vector)
		}
		if err != nil {
			return err
		}
		p.Add(1)
	}
	return b.Commit()
}

// describe says what encodes passages and, where that was chosen, queries.
func (o *indexing) describe(enc encoder.PassageEncoder) string {
	switch o.queries {
	case "":
		return enc.Describe()
	case encoder.IDF:
		return enc.Describe() + ", queries by idf"
	}
	return enc.Describe() + ", queries by another model"
}

// shards are files that together hold the vectors of all passages.
type shards []*vectors.File

// openShards opens files of vectors, or all in folders, which must be those of
// the whole that h describes, in any order.
func openShards(paths []string, h vectors.Header) (s shards, err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(path, "*.vectors")); err != nil || len(files) == 0 {
				return s, fmt.Errorf("the folder %s has no files that end in .vectors: name what parley encode wrote", path)
			}
		}
		for _, file := range files {
			f, err := vectors.Open(file)
			if err != nil {
				return s, err
			}
			s = append(s, f)
		}
	}
	slices.SortStableFunc(s, func(a, b *vectors.File) int { // an empty one goes before that which begins at the same place
		return cmp.Or(cmp.Compare(a.Header().First, b.Header().First), cmp.Compare(a.Header().Count, b.Header().Count))
	})
	return s, s.check(h)
}

// check tells what keeps the shards from being the whole that h describes.
func (s shards) check(h vectors.Header) error {
	next := 0
	for _, f := range s {
		has := f.Header()
		switch {
		case has.Of != h.Of:
			return fmt.Errorf("%s has vectors of %s, not of %s", f.Path(), has.Of, h.Of)
		case has.Fingerprint != h.Fingerprint || has.Identity != h.Identity:
			return fmt.Errorf("%s was encoded by another encoder or with other settings (%s) than are named here (%s): "+
				"name the same model, and the same --max-length, --top-k and --threshold", f.Path(), has.Encoder, h.Encoder)
		case has.Total != h.Total:
			return fmt.Errorf("%s is of %d passages in all, and the collections have %d: name the collections that were encoded, or encode again", f.Path(), has.Total, h.Total)
		case has.First > next:
			return fmt.Errorf("there are no vectors of the passages %d to %d: name all shards", next+1, has.First)
		case has.First < next:
			return fmt.Errorf("%s has vectors of passages that another file has too, from passage %d on: name each shard once", f.Path(), has.First+1)
		}
		next += has.Count
	}
	if next != h.Total {
		return fmt.Errorf("there are no vectors of the passages %d to %d: name all shards", next+1, h.Total)
	}
	return nil
}

// all yields the records of all shards.
func (s shards) all() iter.Seq2[vectors.Record, error] {
	return func(yield func(vectors.Record, error) bool) {
		for _, f := range s {
			for r, err := range f.All() {
				if !yield(r, err) {
					return
				}
			}
		}
	}
}

// name names the shards in errors.
func (s shards) name() string {
	if len(s) == 1 {
		return s[0].Path()
	}
	return fmt.Sprintf("%s and %d more", s[0].Path(), len(s)-1)
}

func (s shards) close() {
	for _, f := range s {
		_ = f.Close()
	}
}
