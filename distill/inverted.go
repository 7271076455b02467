package distill

import (
	"parley/distill/objective"
	"parley/sparse"
)

// inverted are the passages by their terms, so that all of them are scored in
// the time that a query's postings take, whatever the number of candidates. Its
// scores are those of a [table], bit for bit: each sum has the same summands in
// the same order. So are its gradients where the candidates are in ascending
// order; else sums over candidates are rounded in another order.
type inverted struct {
	ends     []int     // [V] of the terms' postings
	passages []uint32  // [postings] ascending within a term
	weights  []float32 // [postings]
	norms    []float64 // [N] the squared lengths of the vectors, or nothing
	rooms    []room    // [workers]
}

// room is a number for each passage, for one goroutine to work with.
type room struct {
	student, teacher []float64 // [N] scores; then of student the gradient
}

// worthInverting tells whether k candidates of n passages are scored faster
// through postings, whose number grows with n, than one by one. An epoch over
// 30,820 turns of QReCC and CANARD with 2,443 passages of 58 terms took, in
// seconds of a core one by one and through postings, .82 and .63 at k = 64, 1.8
// and .9 at 256, 4.6 and 1.8 at 1,000, 10.5 and 3.4 with all of them (the feature
// student; parley train on plans with window and full).
func worthInverting(k, n int) bool { return k >= max(64, n/32) }

func newInverted(p Passages, vocabulary, workers int, norms bool) *inverted {
	x := &inverted{ends: make([]int, vocabulary), rooms: make([]room, workers)}
	for i := range x.rooms {
		x.rooms[i] = room{make([]float64, p.N()), make([]float64, p.N())}
	}
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

// score scores the candidates by t's vector and by the teacher's.
func (x *inverted) score(t *objective.Turn, teacher sparse.Vector, candidates []uint32, worker int) {
	room := &x.rooms[worker]
	clear(room.student)
	clear(room.teacher)
	x.add(room.student, t.Query)
	x.add(room.teacher, teacher)
	for c, passage := range candidates {
		t.Scores[c], t.Teacher[c] = room.student[passage], room.teacher[passage]
		if len(x.norms) > 0 {
			t.Norms = append(t.Norms, x.norms[passage])
		}
	}
}

// chain adds to the gradient of t's weights what comes through the scores of the
// candidates.
func (x *inverted) chain(t *objective.Turn, candidates []uint32, worker int) {
	byScore := x.rooms[worker].student
	clear(byScore)
	for c, passage := range candidates {
		byScore[passage] = t.ScoreGradient[c]
	}
	x.backward(t.Query, byScore, t.WeightGradient)
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

// backward adds to the gradient of q's weights what comes through the scores of
// all passages, whose gradient is byScore.
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
