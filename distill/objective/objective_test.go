package objective

import (
	"math"
	"math/rand/v2"
	"testing"

	"parley/sparse"
)

func randomBatch(rng *rand.Rand) *Batch {
	b := &Batch{}
	for range 1 + rng.IntN(4) {
		k, l := 2+rng.IntN(6), rng.IntN(5)
		t := Turn{
			Scores: make([]float64, k), Teacher: make([]float64, k), ScoreGradient: make([]float64, k),
			WeightGradient: make([]float32, l), Cost: make([]float32, l),
		}
		if p := rng.IntN(k+1) - 1; p >= 0 {
			t.Positives = []int{p}
		}
		for d := range k {
			t.Scores[d], t.Teacher[d] = rng.NormFloat64()*4, rng.NormFloat64()*4
		}
		if rng.IntN(2) == 0 { // candidates that the teacher has not scored
			t.Teacher = t.Teacher[:rng.IntN(k+1)]
		}
		weights := map[uint32]float32{}
		for j := range l {
			weights[uint32(j)] = rng.Float32() + .01
			t.Cost[j] = rng.Float32()
		}
		t.Query = sparse.FromMap(weights)
		b.Turns = append(b.Turns, t)
	}
	return b
}

// TestTermGradients compares each term's gradient, by every score and every
// weight, with central differences of its value.
func TestTermGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	for _, term := range []Term{KLD{Temperature: 1}, KLD{Temperature: 5}, InfoNCE{Temperature: 1}, InfoNCE{Temperature: .08}, MarginMSE{}} {
		for range 20 {
			b := randomBatch(rng)
			weight := .5 + rng.Float64()
			term.Add(b, weight)
			value := func() float64 {
				copied := &Batch{}
				for _, turn := range b.Turns {
					turn.ScoreGradient = make([]float64, len(turn.Scores))
					turn.WeightGradient = make([]float32, turn.Query.Len())
					copied.Turns = append(copied.Turns, turn)
				}
				return weight * term.Add(copied, weight)
			}
			check := func(what string, got, h float64, move func(float64)) {
				t.Helper()
				move(h)
				up := value()
				move(-2 * h)
				down := value()
				move(h)
				if want := (up - down) / (2 * h); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
					t.Errorf("%s: gradient by %s %v, central difference %v", term.Name(), what, got, want)
				}
			}
			for i := range b.Turns {
				turn := &b.Turns[i]
				for d := range turn.Scores {
					check("score", turn.ScoreGradient[d], 1e-5, func(h float64) { turn.Scores[d] += h })
				}
				for j := range turn.Query.Weights {
					check("weight", float64(turn.WeightGradient[j]), 1./1024, func(h float64) { turn.Query.Weights[j] += float32(h) })
				}
			}
		}
	}
}

func TestKLDIsADivergence(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 7))
	for range 200 {
		b := randomBatch(rng)
		if v := (KLD{Temperature: 2}).Add(b, 1); v < 0 {
			t.Errorf("divergence %v is negative", v)
		}
		for i := range b.Turns {
			turn := &b.Turns[i]
			for d := range turn.Teacher { // the softmax does not see a common shift
				turn.Teacher[d] = turn.Scores[d] + 1000
			}
		}
		if v := (KLD{Temperature: 2}).Add(b, 1); math.Abs(v) > 1e-9 {
			t.Errorf("divergence of equal distributions is %v", v)
		}
	}
}

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		w    Weighted
		want []float64 // by step
	}{
		{Weighted{Weight: 8, To: 4, Shape: ShapeQuadratic}, []float64{0, .5, 2, 4.5, 8, 8}},
		{Weighted{Weight: 8, To: 4, Shape: ShapeLinear}, []float64{0, 2, 4, 6, 8, 8}},
		{Weighted{Weight: 8, From: 2, To: 4, Shape: ShapeQuadratic}, []float64{0, 0, 0, 2, 8, 8}},
		{Weighted{Weight: 8, From: 2, To: 2, Shape: ShapeConstant}, []float64{0, 0, 8, 8}},
		{Weighted{Weight: 8, Shape: ShapeQuadratic}, []float64{8, 8}},
	} {
		for step, want := range c.want {
			if got := c.w.At(step); got != want {
				t.Errorf("%+v at step %d: %v, want %v", c.w, step, got, want)
			}
		}
	}
}
