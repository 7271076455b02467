package distill

import (
	"parley/distill/objective"
	"parley/sparse"
)

// inverted are the passages by their terms, so that all of them are scored in
// the time that a query's postings take. It has the results of the scores and
// gradients of a [table] over all passages in order, bit for bit: each sum has
// the same summands in the same order.
type inverted struct {
	ends     []int     // [V] of the terms' postings
	passages []uint32  // [postings] ascending within a term
	weights  []float32 // [postings]
	norms    []float64 // [passages] the squared lengths of their vectors, or nothing
}

func newInverted(p Passages, vocabulary int, norms bool) *inverted {
	x := &inverted{ends: make([]int, vocabulary)}
	var v sparse.Vector
	all := 0
	for i := range p.N() {
		v = p.Vector(i, v)
		for _, term := range v.Terms {
			x.ends[term]++
		}
		all += v.Len()
		if norms {
			x.norms = append(x.norms, sparse.Dot(v, v))
		}
	}
	sum := 0
	for term, count := range x.ends {
		x.ends[term], sum = sum, sum+count
	}
	x.passages, x.weights = make([]uint32, all), make([]float32, all)
	for i := range p.N() {
		v = p.Vector(i, v)
		for j, term := range v.Terms {
			at := x.ends[term]
			x.passages[at], x.weights[at] = uint32(i), v.Weights[j]
			x.ends[term]++
		}
	}
	return x
}

// postings returns who has a term, and how much of it.
func (x *inverted) postings(term uint32) (passages []uint32, weights []float32) {
	from, to := 0, x.ends[term]
	if term > 0 {
		from = x.ends[term-1]
	}
	return x.passages[from:to], x.weights[from:to]
}

// score scores all passages by t's vector and by the teacher's.
func (x *inverted) score(t *objective.Turn, teacher sparse.Vector) {
	x.add(t.Scores, t.Query)
	x.add(t.Teacher, teacher)
	t.Norms = append(t.Norms, x.norms...)
}

// add adds the scores by q.
func (x *inverted) add(scores []float64, q sparse.Vector) {
	for j, term := range q.Terms {
		w := float64(q.Weights[j])
		passages, weights := x.postings(term)
		for i, passage := range passages {
			scores[passage] += w * float64(weights[i])
		}
	}
}

// backward adds to the gradient of q's weights what comes through the scores,
// whose gradient is byScore.
func (x *inverted) backward(q sparse.Vector, byScore []float64, gradient []float32) {
	for j, term := range q.Terms {
		g := gradient[j]
		passages, weights := x.postings(term)
		for i, passage := range passages {
			g += float32(byScore[passage]) * weights[i]
		}
		gradient[j] = g
	}
}
