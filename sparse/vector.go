// Package sparse holds sparse vectors over a vocabulary.
//
// Its guarantee: a [Vector] that passes [Vector.Validate] has strictly
// increasing term ids and positive, finite weights, and every function here
// that makes a vector makes such a one.
//
// It knows nothing of text, of indexes, or of how weights came to be.
package sparse

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Vector is a sparse vector: Weights[i] is the weight of term Terms[i].
// Terms are strictly increasing and weights are positive and finite. The zero
// Vector is the empty vector.
type Vector struct {
	Terms   []uint32
	Weights []float32
}

// FromMap returns the vector with the given weights; weights that are not
// positive are left out, and infinite ones become the largest finite weight.
func FromMap(weights map[uint32]float32) Vector {
	v := Vector{Terms: make([]uint32, 0, len(weights)), Weights: make([]float32, 0, len(weights))}
	for term, w := range weights {
		if w > 0 {
			v.Terms = append(v.Terms, term)
		}
	}
	slices.Sort(v.Terms)
	for _, term := range v.Terms {
		v.Weights = append(v.Weights, min(weights[term], math.MaxFloat32))
	}
	return v
}

// Bag returns the binary vector of ids: weight 1 for every distinct id.
func Bag(ids []uint32) Vector {
	terms := slices.Clone(ids)
	slices.Sort(terms)
	terms = slices.Compact(terms)
	weights := make([]float32, len(terms))
	for i := range weights {
		weights[i] = 1
	}
	return Vector{Terms: terms, Weights: weights}
}

// Len returns L0, the number of terms.
func (v Vector) Len() int { return len(v.Terms) }

// Validate reports the first violation of what Vector promises, or a term id
// that is not below vocabulary.
func (v Vector) Validate(vocabulary int) error {
	if len(v.Terms) != len(v.Weights) {
		return fmt.Errorf("sparse vector has %d terms but %d weights", len(v.Terms), len(v.Weights))
	}
	for i, term := range v.Terms {
		switch w := float64(v.Weights[i]); {
		case i > 0 && term <= v.Terms[i-1]:
			return fmt.Errorf("sparse vector: term %d follows term %d, terms must increase", term, v.Terms[i-1])
		case int64(term) >= int64(vocabulary):
			return fmt.Errorf("sparse vector: term %d is outside the vocabulary of %d", term, vocabulary)
		case !(w > 0) || math.IsInf(w, 0):
			return fmt.Errorf("sparse vector: weight %v of term %d is not positive and finite", w, term)
		}
	}
	return nil
}

// Weight returns the weight of term, 0 if the vector lacks it.
func (v Vector) Weight(term uint32) float32 {
	if i, ok := slices.BinarySearch(v.Terms, term); ok {
		return v.Weights[i]
	}
	return 0
}

// L1 returns the sum of the weights.
func (v Vector) L1() float64 {
	sum := 0.0
	for _, w := range v.Weights {
		sum += float64(w)
	}
	return sum
}

// Dot returns the inner product of a and b, summed in double precision over
// ascending term ids.
func Dot(a, b Vector) float64 {
	if len(a.Terms) > len(b.Terms) {
		a, b = b, a
	}
	sum, j := 0.0, 0
	for i, term := range a.Terms {
		for j < len(b.Terms) && b.Terms[j] < term {
			j++
		}
		if j == len(b.Terms) {
			break
		}
		if b.Terms[j] == term {
			sum += float64(a.Weights[i]) * float64(b.Weights[j])
		}
	}
	return sum
}

// Mean returns the component-wise mean of vectors, a missing term counting 0.
// The mean of no vectors is empty.
func Mean(vectors ...Vector) Vector {
	sums := map[uint32]float64{}
	for _, v := range vectors {
		for i, term := range v.Terms {
			sums[term] += float64(v.Weights[i])
		}
	}
	mean := make(map[uint32]float32, len(sums))
	for term, s := range sums {
		mean[term] = float32(s / float64(len(vectors)))
	}
	return FromMap(mean)
}

// TopK returns the k heaviest terms of v (ties to the lower term id), again in
// term order.
func (v Vector) TopK(k int) Vector {
	if k >= v.Len() {
		return v
	}
	order := v.byWeight()[:max(k, 0)]
	slices.Sort(order)
	top := Vector{Terms: make([]uint32, 0, len(order)), Weights: make([]float32, 0, len(order))}
	for _, i := range order {
		top.Terms = append(top.Terms, v.Terms[i])
		top.Weights = append(top.Weights, v.Weights[i])
	}
	return top
}

// Entry is one term of a vector with its weight.
type Entry struct {
	Term   uint32
	Weight float32
}

// Ranked returns the entries of v by falling weight, ties to the lower term id.
func (v Vector) Ranked() []Entry {
	ranked := make([]Entry, 0, v.Len())
	for _, i := range v.byWeight() {
		ranked = append(ranked, Entry{v.Terms[i], v.Weights[i]})
	}
	return ranked
}

// byWeight returns the positions of v's entries by falling weight.
func (v Vector) byWeight() []int {
	order := make([]int, v.Len())
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(v.Weights[b], v.Weights[a]), cmp.Compare(v.Terms[a], v.Terms[b]))
	})
	return order
}
