package objective

import (
	"math"

	"parley/internal/f32"
)

// softmax is a distribution over candidates and its logarithms. Its storage is
// used again from turn to turn.
type softmax struct{ p, log []float64 } // [K]

// set makes s the softmax of s_d/temperature − ln π_d, π being the probability
// that a candidate became one, known of the first candidates: in expectation
// over the draws a candidate stands for the 1/π like it.
func (s *softmax) set(scores, logInclusion []float64, temperature float64) {
	s.log = logits(s.log, scores, logInclusion, temperature)
	s.p = f32.Zeroed(s.p, len(scores))
	high := math.Inf(-1)
	for _, l := range s.log {
		high = max(high, l)
	}
	sum := 0.0
	for d, l := range s.log {
		s.p[d] = math.Exp(l - high)
		sum += s.p[d]
	}
	shift := high + math.Log(sum)
	for d := range s.log {
		s.p[d] /= sum
		s.log[d] -= shift
	}
}

// logits returns s_d/temperature − ln π_d, in storage if it has the room.
func logits(storage, scores, logInclusion []float64, temperature float64) []float64 {
	storage = f32.Zeroed(storage, len(scores))
	for d, s := range scores {
		storage[d] = s / temperature
	}
	for d, l := range logInclusion[:min(len(logInclusion), len(scores))] {
		storage[d] -= l
	}
	return storage
}
