package encoder

import (
	"fmt"

	"parley/sparse"
)

// Passage is a passage to be encoded.
type Passage struct{ Title, Text string }

// PassageEncoder encodes passages too. It is safe for concurrent use.
type PassageEncoder interface {
	Encoder
	// Passage returns the vector of a passage.
	Passage(title, text string) sparse.Vector
	// Passages returns the vectors of passages, each the same as Passage
	// returns. It works in the calling goroutine alone.
	Passages([]Passage) []sparse.Vector
	// ExplainPassage returns the vector of Passage and where it comes from.
	ExplainPassage(title, text string) Explanation
	// PassageIdentity is a checksum over all that decides the vectors of passages.
	// Vectors of two identities do not belong into one index.
	PassageIdentity() string
	// Notes say what had to be assumed of the model, a sentence each.
	Notes() []string
	// Save writes the encoder as a model folder's files into dir, which exists
	// and is empty: what Open makes of it encodes alike.
	Save(dir string) error
}

// OpenPassages opens a model folder whose encoder encodes passages, changed as o
// says. It knows no index: queries that weigh terms by an index's statistics
// weigh nothing.
func OpenPassages(dir string, o Options) (PassageEncoder, error) {
	e, err := OpenWith(dir, unknown{}, o)
	if err != nil {
		return nil, err
	}
	p, ok := e.(PassageEncoder)
	if !ok {
		return nil, fmt.Errorf("%s: an encoder of kind %s encodes queries only: name one that encodes passages too, of kind bm25 or splade", dir, e.Kind())
	}
	return p, nil
}

// unknown are the statistics of no index.
type unknown struct{}

func (unknown) N() int        { return 0 }
func (unknown) DF(uint32) int { return 0 }

// each encodes passages one by one.
func each(passages []Passage, encode func(title, text string) sparse.Vector) []sparse.Vector {
	vectors := make([]sparse.Vector, len(passages))
	for i, p := range passages {
		vectors[i] = encode(p.Title, p.Text)
	}
	return vectors
}
