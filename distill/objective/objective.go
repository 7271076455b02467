// Package objective is what a training brings down: a weighted sum of terms,
//
//	Σ_k w_k(step) · term_k(student's scores, teacher's scores, labels, student's vector, teacher's vector, prices)
//
// of which every published recipe for learned sparse retrieval is a choice. Its
// guarantee: a term adds the exact gradient of the value that it returns, and
// values and gradients of a turn depend neither on the order of its candidates
// nor, where a term compares scores, on a constant added to all of them.
//
// It knows no student, no data and no optimiser. The trainer fills in a Batch,
// and takes the gradients from the scores on to the vectors.
package objective

import (
	"parley/internal/f32"
	"parley/sparse"
)

// Batch is what the terms of an objective look at: some turns, the student's
// vectors and scores, the teacher's scores.
type Batch struct {
	Turns []Turn
	// Of is the number of turns that means are taken over: those of a whole
	// batch of which Turns are a part. 0 stands for the number of Turns.
	Of int

	student, teacher softmax // [K] room
	positive         []bool  // [K] room
}

// Size returns the number of turns that means are taken over.
func (b *Batch) Size() float64 {
	if b.Of > 0 {
		return float64(b.Of)
	}
	return float64(len(b.Turns))
}

// Turn is one turn of a batch. Terms add to ScoreGradient and WeightGradient;
// what lies between the two, that a score is the inner product of Query and a
// passage, is the trainer's to add.
type Turn struct {
	Number         int           // of the turn in its conversation, from 1; 0 where there is none
	Query          sparse.Vector // the student's vector q, L0 terms
	WeightGradient []float32     // [L0] ∂loss/∂q_j
	Cost           []float32     // [L0] df_j/N: the share of the passages that term j touches
	TeacherQuery   sparse.Vector // the teacher's vector

	// Scores are the student's scores of the candidates: the turn's own, then, for
	// terms that want them, those of other turns of the batch. Among the latter is
	// none of the former, and no passage that is relevant to the turn.
	Scores        []float64 // [K]
	ScoreGradient []float64 // [K] ∂loss/∂score
	Others        int       // how many of the candidates, the last ones, are of other turns
	Teacher       []float64 // [≤K] the teacher's scores of the first candidates
	// LogInclusion is what softmax subtracts from the logit of a candidate that was
	// drawn, ln of the probability that it became one; for teacher and student
	// alike. Candidates beyond its end were not drawn by chance, and have 0.
	LogInclusion []float64 // [≤K]
	// Norms are the squared lengths of the candidates' vectors, where a term asks
	// for them ([Plan.Needs]).
	Norms     []float64 // [K-Others]
	Positives []int     // the candidates that are judged relevant, distinct; may be none
}

// Reset makes t the turn of the query q with k candidates, everything about it
// 0, in the storage that t has.
func (t *Turn) Reset(q sparse.Vector, k int) {
	t.Query, t.TeacherQuery, t.Number, t.Others = q, sparse.Vector{}, 0, 0
	t.Positives, t.LogInclusion, t.Norms = t.Positives[:0], t.LogInclusion[:0], t.Norms[:0]
	t.WeightGradient, t.Cost = f32.Zeroed(t.WeightGradient, q.Len()), f32.Zeroed(t.Cost, q.Len())
	t.Scores, t.Teacher, t.ScoreGradient = f32.Zeroed(t.Scores, k), f32.Zeroed(t.Teacher, k), f32.Zeroed(t.ScoreGradient, k)
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
