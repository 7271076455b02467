package main

import (
	"context"
	"fmt"
	"strings"

	"parley/collection"
	"parley/dialog"
	"parley/encoder"
	"parley/index"
	"parley/internal/vectors"
	"parley/sparse"
)

// texts returns what is encoded: the passages of the collections, or their turns
// in the given mode.
func (o *encoding) texts(ctx context.Context, io streams, mode dialog.Mode) (texts, error) {
	if o.queries == "" {
		corpus, err := openCorpus(ctx, o.collections)
		if err != nil {
			return texts{}, err
		}
		return corpusTexts(io, corpus, false)
	}
	return queryTexts(io, o.collections, mode)
}

// queryTexts returns the turns of all conversations in a mode, and tells how
// many lack the rewrite that is asked for.
func queryTexts(io streams, collections []string, mode dialog.Mode) (texts, error) {
	var list []text
	lacking := 0
	for _, dir := range collections {
		c, err := collection.Open(dir)
		if err != nil {
			return texts{}, err
		}
		for conversation, err := range c.Conversations() {
			if err != nil {
				return texts{}, err
			}
			for i, turn := range conversation.Turns {
				if context, ok := mode.Context(conversation, i); ok {
					list = append(list, text{id: turn.ID, context: context, source: contextSource(turn.ID, context)})
				} else {
					lacking++
				}
			}
		}
	}
	if lacking > 0 {
		fmt.Fprintf(io.err, "left out %d of %d turns: they have no %s\n", lacking, lacking+len(list), mode)
	}
	if len(list) == 0 {
		return texts{}, fmt.Errorf("%s: there is no turn to encode by %s", strings.Join(collections, ", "), mode)
	}
	all := func(yield func(text, error) bool) {
		for _, t := range list {
			if !yield(t, nil) {
				return
			}
		}
	}
	return texts{of: "queries " + mode.String(), unit: "turns", total: len(list), all: all}, nil
}

// contextSource returns the checksum of a turn's context, see
// docs/vectors-format.md.
func contextSource(id string, c dialog.Context) uint64 {
	parts := []string{id}
	for _, u := range c {
		role := "q"
		if u.Role == dialog.Answer {
			role = "a"
		}
		parts = append(parts, role, u.Text)
	}
	return vectors.Source(parts...)
}

// passageText returns a passage as a text to encode.
func passageText(p collection.Passage) text {
	return text{id: p.ID, passage: encoder.Passage{Title: p.Title, Text: p.Text}, source: vectors.Source(p.ID, p.Title, p.Text)}
}

// textEncoder encodes either side's texts.
type textEncoder struct {
	encoder.Encoder
	identity string // of what encodes this side
	encode   func([]text) []sparse.Vector
}

// open opens the encoder for passages or for queries.
func (o *encoding) open(io streams) (textEncoder, error) {
	dir, stats := o.encoder, encoder.Statistics(nil)
	if isIndex(dir) {
		ix, err := index.Open(dir)
		if err != nil {
			return textEncoder{}, err
		}
		dir, stats = ix.EncoderPath(), ix
	}
	if o.queries == "" {
		enc, err := encoder.OpenPassages(dir, encoder.Options{Passage: o.side.side()})
		if err != nil {
			return textEncoder{}, err
		}
		tellNotes(io, enc)
		return textEncoder{enc, enc.PassageIdentity(), passageEncode(enc)}, nil
	}
	enc, err := encoder.OpenWith(dir, stats, encoder.Options{Query: o.side.side()})
	if err != nil {
		return textEncoder{}, err
	}
	return textEncoder{enc, enc.Identity(), func(chunk []text) []sparse.Vector {
		all := make([]sparse.Vector, len(chunk))
		for i, t := range chunk {
			all[i] = enc.Query(t.context)
		}
		return all
	}}, nil
}

// passageEncode returns how enc encodes passages.
func passageEncode(enc encoder.PassageEncoder) func([]text) []sparse.Vector {
	return func(chunk []text) []sparse.Vector {
		passages := make([]encoder.Passage, len(chunk))
		for i, t := range chunk {
			passages[i] = t.passage
		}
		return enc.Passages(passages)
	}
}

// tellNotes tells what had to be assumed of a model.
func tellNotes(io streams, enc encoder.PassageEncoder) {
	if io.quiet != nil && *io.quiet {
		return
	}
	for _, note := range enc.Notes() {
		fmt.Fprintf(io.err, "note: %s\n", note)
	}
}
