// Package encoder turns text into sparse vectors: a passage's text, or a
// conversation's context.
//
// Its guarantee: an encoder reads text exactly as it did when it was trained,
// and the same input gives the same vector, whatever else runs beside it.
//
// It trains nothing and searches nothing.
package encoder

import (
	"fmt"

	"parley/dialog"
	"parley/internal/input"
	"parley/internal/model"
	"parley/internal/wordpiece"
	"parley/sparse"
)

// Encoder encodes queries. It is safe for concurrent use.
type Encoder interface {
	// Query returns the vector of a conversation's context.
	Query(dialog.Context) sparse.Vector
	// ExplainQuery returns the vector of Query and where it comes from.
	ExplainQuery(dialog.Context) Explanation
	// Vocabulary returns the vocabulary of the vectors' terms.
	Vocabulary() *wordpiece.Vocabulary
	// Kind returns the kind of the encoder: bm25, lexical or splade.
	Kind() string
	// Describe says in a line, for people, what encodes.
	Describe() string
	// Identity is a checksum over all that decides the vectors of queries but the
	// statistics that the encoder was opened with: its weights, its vocabulary and
	// its settings.
	Identity() string
}

// Statistics are counts of the passages that are searched: their number N, and
// for a term the number DF of passages that have it. An index has them.
type Statistics = input.Statistics

// Open opens the model folder dir. Where the encoder looks at how rare a term
// is, it asks stats, the searched index; nil stands for the model's own counts,
// those of the collection that it was made from.
func Open(dir string, stats Statistics) (Encoder, error) { return OpenWith(dir, stats, Options{}) }

// OpenWith opens the model folder dir as Open does, changed as o says.
func OpenWith(dir string, stats Statistics, o Options) (Encoder, error) {
	if model.IsSplade(dir) {
		return openSplade(dir, stats, o)
	}
	folder, err := model.Open(dir)
	if err != nil {
		return nil, err
	}
	if stats == nil {
		stats = folder.Counts
	}
	reader, err := input.NewReader(wordpiece.New(folder.Vocabulary), folder.Config.Budget)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	rule, err := o.queryRule(dir, folder.Config.Kind, folder.Config.Prune)
	if err != nil {
		return nil, err
	}
	if folder.Config.Kind == model.KindBM25 {
		return &BM25{reader: reader, parameters: *folder.Config.BM25, counts: folder.Counts, keep: rule, searched: stats}, nil
	}
	return openLexical(folder, reader, stats, rule)
}
