package distill

import (
	"parley/distill/objective"
	"parley/sparse"
)

// table tells of each term of the vocabulary its place in a student's vector and
// its weight in the teacher's, so that one walk over a passage's terms gives its
// score by both. It belongs to one goroutine.
type table struct {
	entries []entry // [V]
	norms   bool    // note the lengths of the candidates' vectors, too
	buffer  sparse.Vector
}

type entry struct {
	place   int32 // in the student's vector, from 1; 0 if it lacks the term
	teacher float32
}

func newTable(vocabulary int) table { return table{entries: make([]entry, vocabulary)} }

// hits are the weights that the candidates of a turn have for the terms of its
// vector: those of candidate c are at Ends[c-1] to Ends[c].
type hits struct {
	places  []int32 // of the term in the vector
	weights []float32
	ends    []int
}

// score scores the candidates by t's vector and by the teacher's, each score
// summed over ascending terms as [sparse.Dot] does, and notes the hits.
func (b *table) score(t *objective.Turn, teacher sparse.Vector, candidates []uint32, passages Passages, h *hits) {
	b.enter(t.Query, teacher)
	h.places, h.weights, h.ends = h.places[:0], h.weights[:0], h.ends[:0]
	for c, passage := range candidates {
		b.buffer = passages.Vector(int(passage), b.buffer)
		v := b.buffer
		byStudent, byTeacher := 0.0, 0.0
		for i, term := range v.Terms {
			e := b.entries[term]
			if e.place > 0 {
				byStudent += float64(t.Query.Weights[e.place-1]) * float64(v.Weights[i])
				h.places = append(h.places, e.place-1)
				h.weights = append(h.weights, v.Weights[i])
			}
			if e.teacher != 0 {
				byTeacher += float64(e.teacher) * float64(v.Weights[i])
			}
		}
		t.Scores[c], t.Teacher[c] = byStudent, byTeacher
		if b.norms {
			t.Norms = append(t.Norms, sparse.Dot(v, v))
		}
		h.ends = append(h.ends, len(h.places))
	}
	b.leave(t.Query, teacher)
}

func (b *table) enter(student, teacher sparse.Vector) {
	for j, term := range student.Terms {
		b.entries[term].place = int32(j + 1)
	}
	for j, term := range teacher.Terms {
		b.entries[term].teacher = teacher.Weights[j]
	}
}

func (b *table) leave(student, teacher sparse.Vector) {
	for _, term := range student.Terms {
		b.entries[term].place = 0
	}
	for _, term := range teacher.Terms {
		b.entries[term].teacher = 0
	}
}

// backward adds to the gradient of a vector's weights what comes through its
// scores, whose gradient is byScore.
func (h *hits) backward(byScore []float64, gradient []float32) {
	from := 0
	for c, to := range h.ends {
		g := float32(byScore[c])
		for i := from; i < to; i++ {
			gradient[h.places[i]] += g * h.weights[i]
		}
		from = to
	}
}
