package encoder

import (
	"slices"

	"parley/dialog"
	"parley/internal/lexical"
	"parley/internal/prune"
	"parley/sparse"
)

// Explanation says what an encoder made of a text.
type Explanation struct {
	Tokens []uint32      // the text as the encoder read it
	Vector sparse.Vector // what it made of it
	// Places holds for each term of Vector the place in Tokens that the term owes
	// its weight to: of the token at which its logit is highest (under sum pooling
	// the one with the largest share), or of the occurrence that weighs most; the
	// first of several.
	Places []int32
}

// occurrences returns for each term of v the first place where it stands in
// tokens, all of whose terms do.
func occurrences(tokens []uint32, v sparse.Vector) []int32 {
	places := make([]int32, v.Len())
	for i, term := range v.Terms {
		places[i] = int32(slices.Index(tokens, term))
	}
	return places
}

// pruned returns what keep leaves of an explanation.
func pruned(e Explanation, keep prune.Rule, stats Statistics) Explanation {
	v, places := e.Vector, e.Places
	e.Vector, e.Places = keep.Apply(v, stats), nil
	i := 0
	for _, term := range e.Vector.Terms {
		for v.Terms[i] != term {
			i++
		}
		e.Places = append(e.Places, places[i])
	}
	return e
}

// ExplainQuery returns how Query comes about.
func (b *BM25) ExplainQuery(c dialog.Context) Explanation {
	e := Explanation{Tokens: b.reader.Context(c).IDs, Vector: b.Query(c)}
	e.Places = occurrences(e.Tokens, e.Vector)
	return e
}

// ExplainPassage returns how Passage comes about.
func (b *BM25) ExplainPassage(title, text string) Explanation {
	e := Explanation{Tokens: b.reader.AppendPassage(nil, title, text), Vector: b.Passage(title, text)}
	e.Places = occurrences(e.Tokens, e.Vector)
	return e
}

func (s *student) ExplainQuery(c dialog.Context) Explanation {
	in := s.reader.Context(c)
	e := Explanation{Tokens: in.IDs}
	e.Vector, e.Places = s.net.Explain(lexical.Input{Context: in, Terms: s.reader.Terms(in, s.stats)})
	return pruned(e, s.keep, s.stats)
}
