package sparse

import "math"

// Quantised is a vector with integer weights: term Terms[i] weighs
// Weights[i]·Step. Terms are strictly increasing, weights are from 1 to
// [MaxQuantised], and Step is a power of two.
type Quantised struct {
	Terms   []uint32
	Weights []uint16
	Step    float64
}

// MaxQuantised is the largest weight of a Quantised vector, 2¹²−1.
const MaxQuantised = 1<<quantisedBits - 1

const quantisedBits = 12

// Quantise returns v in whole steps. The step is the power of two that puts
// the largest weight m into [2¹¹, 2¹²) steps; a weight becomes the nearest
// whole number of steps, halves away from zero, and at most MaxQuantised (m
// itself may round one above). Weights below half a step, which is at most m/2¹²,
// become 0 and are left out.
//
// The step follows the exponent of m alone, so that it is a power of two for
// the least denormal weight as for the largest number, and all arithmetic here
// is exact but for the rounding itself.
func (v Vector) Quantise() Quantised {
	largest := float32(0)
	for _, w := range v.Weights {
		largest = max(largest, w)
	}
	_, exponent := math.Frexp(float64(largest))
	q := Quantised{Step: math.Ldexp(1, exponent-quantisedBits)}
	for i, w := range v.Weights {
		if steps := min(math.Round(float64(w)/q.Step), MaxQuantised); steps >= 1 {
			q.Terms = append(q.Terms, v.Terms[i])
			q.Weights = append(q.Weights, uint16(steps))
		}
	}
	return q
}

// Len returns the number of terms.
func (q Quantised) Len() int { return len(q.Terms) }

// Sum returns the sum of the weights in steps.
func (q Quantised) Sum() uint64 {
	sum := uint64(0)
	for _, w := range q.Weights {
		sum += uint64(w)
	}
	return sum
}
