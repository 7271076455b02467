package search

import (
	"cmp"
	"slices"

	"parley/sparse"
)

// Contribution is what one term adds to a passage's score.
type Contribution struct {
	Term   uint32
	Weight uint16  // of the query, in steps
	Impact uint8   // of the passage
	Score  float64 // their product in the unit of scores, see Score
}

// Explain returns what makes up the score of passage for q: the terms that they
// share, largest contribution first, ties to the lower term. Their weights
// times impacts add up to the passage's sum.
func (s *Searcher) Explain(q sparse.Vector, passage int) []Contribution {
	quantised := q.Quantise()
	terms, impacts := s.index.Forward(passage)
	var shared []Contribution
	for i, term := range quantised.Terms {
		at, ok := slices.BinarySearch(terms, term)
		if !ok {
			continue
		}
		weight, impact := quantised.Weights[i], impacts[at]
		score := Score(uint64(weight)*uint64(impact), quantised.Step, s.index.Scale())
		shared = append(shared, Contribution{term, weight, impact, score})
	}
	slices.SortStableFunc(shared, func(a, b Contribution) int { return cmp.Compare(b.Score, a.Score) })
	return shared
}
