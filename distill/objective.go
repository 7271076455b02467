package distill

import (
	"math"
	"slices"

	"parley/sparse"
)

// Batch is what the terms of an objective look at: some turns, the student's
// vectors and scores, the teacher's scores.
type Batch struct {
	Turns []Turn
	// Of is the number of turns that means are taken over: those of a whole
	// batch of which Turns are a part. 0 stands for the number of Turns.
	Of int

	student, teacher []float64 // [K] room for logarithms
}

// turns returns the number of turns that means are taken over.
func (b *Batch) turns() float64 {
	if b.Of > 0 {
		return float64(b.Of)
	}
	return float64(len(b.Turns))
}

// Turn is one turn of a batch. Terms add to ScoreGradient and WeightGradient;
// what lies between the two, that a score is the inner product of Query and a
// passage, is the trainer's to add.
type Turn struct {
	Query          sparse.Vector // the student's vector q, L0 terms
	WeightGradient []float32     // [L0] ∂loss/∂q_j
	Cost           []float32     // [L0] df_j/N: the share of the passages that term j touches
	Scores         []float64     // [K] the student's scores of the candidates
	Teacher        []float64     // [≤K] the teacher's, of the first candidates
	ScoreGradient  []float64     // [K] ∂loss/∂score
	Positive       int           // the candidate that is to be first; below 0 for none
}

// reset makes t the turn of the query q with k candidates, everything about it
// 0, in the storage that t has.
func (t *Turn) reset(q sparse.Vector, k int) {
	t.Query, t.Positive = q, -1
	t.WeightGradient, t.Cost = zeroed(t.WeightGradient, q.Len()), zeroed(t.Cost, q.Len())
	t.Scores, t.Teacher, t.ScoreGradient = zeroed(t.Scores, k), zeroed(t.Teacher, k), zeroed(t.ScoreGradient, k)
}

// zeroed returns n zeroes in s, which is grown where it does not suffice.
func zeroed[T float32 | float64](s []T, n int) []T {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}

// Term is one summand of an objective.
type Term interface {
	// Name names the term in plans and histories.
	Name() string
	// Add returns the term's value on b, the sum over its turns divided by the
	// number of turns that means are taken over, and adds its gradient times
	// weight.
	Add(b *Batch, weight float64) float64
}

// KLD is the Kullback–Leibler divergence of the student's distribution over
// the candidates from the teacher's,
//
//	Σ_d p_T(d)·ln(p_T(d)/p_S(d)),   p(d) = softmax of score(d)/T
//
// over the candidates that the teacher scored (DiSCo, arXiv 2410.14609). Its
// gradient by the student's score is (p_S − p_T)/T.
type KLD struct{ Temperature float64 }

// Name returns kld.
func (KLD) Name() string { return "kld" }

// Add implements Term.
func (k KLD) Add(b *Batch, weight float64) float64 {
	sum := 0.0
	scale := weight / (k.Temperature * b.turns())
	for i := range b.Turns {
		t := &b.Turns[i]
		if len(t.Teacher) == 0 {
			continue
		}
		b.student = logSoftmax(b.student, t.Scores[:len(t.Teacher)], k.Temperature)
		b.teacher = logSoftmax(b.teacher, t.Teacher, k.Temperature)
		student, teacher := b.student, b.teacher
		for d, lt := range teacher {
			pt := math.Exp(lt)
			sum += pt * (lt - student[d])
			t.ScoreGradient[d] += scale * (math.Exp(student[d]) - pt)
		}
	}
	return sum / b.turns()
}

// logSoftmax returns the logarithm of the softmax of scores/temperature, in logs
// if it has the room.
func logSoftmax(logs, scores []float64, temperature float64) []float64 {
	logs = zeroed(logs, len(scores))
	high := math.Inf(-1)
	for d, s := range scores {
		logs[d] = s / temperature
		high = max(high, logs[d])
	}
	sum := 0.0
	for _, s := range logs {
		sum += math.Exp(s - high)
	}
	shift := high + math.Log(sum)
	for d := range logs {
		logs[d] -= shift
	}
	return logs
}

// L1 is the mean sum of the query's weights.
type L1 struct{}

// Name returns l1.
func (L1) Name() string { return "l1" }

// Add implements Term.
func (L1) Add(b *Batch, weight float64) float64 {
	return addWeighted(b, weight, func(*Turn, int) float32 { return 1 })
}

// DFL1 is L1 with each weight paid at its price in the index,
//
//	Σ_j (df_j/N)·q_j
//
// df_j/N being the share of the passages that the term j makes a search walk
// through, so that what is penalised is what is paid.
type DFL1 struct{}

// Name returns df_l1.
func (DFL1) Name() string { return "df_l1" }

// Add implements Term.
func (DFL1) Add(b *Batch, weight float64) float64 {
	return addWeighted(b, weight, func(t *Turn, j int) float32 { return t.Cost[j] })
}

// addWeighted is the mean over turns of Σ_j price(j)·q_j, and its gradient.
func addWeighted(b *Batch, weight float64, price func(t *Turn, j int) float32) float64 {
	sum := 0.0
	scale := float32(weight / b.turns())
	for i := range b.Turns {
		t := &b.Turns[i]
		for j, w := range t.Query.Weights {
			p := price(t, j)
			sum += float64(p) * float64(w)
			t.WeightGradient[j] += scale * p
		}
	}
	return sum / b.turns()
}

// weighted is a term with its weight, which rises quadratically from 0 over the
// first ramp steps (Lassance and Clinchant, arXiv 2207.03834, after SPLADE).
type weighted struct {
	Term
	weight float64
	ramp   int
}

// at returns the weight at a step, from 0.
func (w weighted) at(step int) float64 {
	if step >= w.ramp {
		return w.weight
	}
	share := float64(step) / float64(w.ramp)
	return w.weight * share * share
}
