package measure

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parley/sparse"
)

// TestCostsEqualDefinition counts FLOPS as its formula says: over all terms,
// the share of queries with it times the share of passages with it.
func TestCostsEqualDefinition(t *testing.T) {
	const vocabulary, passages = 20, 50
	rapid.Check(t, func(t *rapid.T) {
		df := rapid.SliceOfN(rapid.IntRange(0, passages), vocabulary, vocabulary).Draw(t, "df")
		sets := rapid.SliceOfN(rapid.SliceOfDistinct(rapid.Uint32Range(0, vocabulary-1), rapid.ID), 1, 8).Draw(t, "queries")
		var queries []sparse.Vector
		for _, terms := range sets {
			slices.Sort(terms)
			weights := make([]float32, len(terms))
			for i := range weights {
				weights[i] = 1
			}
			queries = append(queries, sparse.Vector{Terms: terms, Weights: weights})
		}
		got := CostsOf(slices.Values(queries), func(term uint32) int { return df[term] }, passages)

		flops, l0 := 0.0, 0.0
		for j := range uint32(vocabulary) {
			with := 0.0
			for _, q := range queries {
				if slices.Contains(q.Terms, j) {
					with++
				}
			}
			share := with / float64(len(queries))
			flops += share * float64(df[j]) / passages
			l0 += share
		}
		if math.Abs(got.FLOPS-flops) > 1e-12 || math.Abs(got.L0-l0) > 1e-12 ||
			math.Abs(got.Postings-flops*passages) > 1e-9 || got.Queries != len(queries) {
			t.Errorf("%+v; by definition FLOPS %v, L0 %v", got, flops, l0)
		}
	})
}

func TestCostsOfNothing(t *testing.T) {
	if got := CostsOf(slices.Values([]sparse.Vector(nil)), nil, 0); got != (Costs{}) {
		t.Errorf("%+v", got)
	}
}
