package distill

import (
	"math"
	"math/rand/v2"
	"testing"

	"parley/internal/f32"
	"parley/sparse"
)

func randomBatch(rng *rand.Rand) *Batch {
	b := &Batch{}
	for range 1 + rng.IntN(4) {
		k, l := 2+rng.IntN(6), rng.IntN(5)
		t := Turn{
			Scores: make([]float64, k), Teacher: make([]float64, k), ScoreGradient: make([]float64, k),
			WeightGradient: make([]float32, l), Cost: make([]float32, l),
			Positive: rng.IntN(k+1) - 1,
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
	for _, term := range []Term{KLD{Temperature: 1}, KLD{Temperature: 5}, InfoNCE{Temperature: 1}, InfoNCE{Temperature: .08}, MarginMSE{}, &FLOPS{}, L1{}, DFL1{}} {
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

func TestRamp(t *testing.T) {
	w := weighted{weight: 8, ramp: 4}
	for step, want := range []float64{0, .5, 2, 4.5, 8, 8} {
		if got := w.at(step); got != want {
			t.Errorf("weight at step %d: %v, want %v", step, got, want)
		}
	}
	if got := (weighted{weight: 8}).at(0); got != 8 {
		t.Errorf("without ramp the weight at step 0 is %v", got)
	}
}

// TestAdam compares the optimiser with the published algorithm written in
// double precision.
func TestAdam(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 7))
	const n = block + 7 // more than one piece of work
	p, bias := f32.NewParameter("p", 1, n), f32.NewParameter("bias", 3)
	bias.Value[0] = 1
	a := newAdam([]*f32.Parameter{p, bias}, .1)
	team := f32.NewTeam(2)
	defer team.Close()
	value, m, v := make([]float64, n), make([]float64, n), make([]float64, n)
	for step := 1; step <= 50; step++ {
		norm := 0.0
		grads := make([]float64, n)
		for i := range grads {
			p.Grad[i] = float32(rng.NormFloat64())
			grads[i] = float64(p.Grad[i])
			norm += grads[i] * grads[i]
		}
		clip := 100.
		scale := math.Min(1, clip/math.Sqrt(norm))
		for i, g := range grads {
			g *= scale
			m[i] = .9*m[i] + .1*g
			v[i] = .999*v[i] + .001*g*g
			mhat, vhat := m[i]/(1-math.Pow(.9, float64(step))), v[i]/(1-math.Pow(.999, float64(step)))
			value[i] *= 1 - .01*.1
			value[i] -= .01 * mhat / (math.Sqrt(vhat) + 1e-8)
		}
		if !a.step(.01, clip, team) {
			t.Fatal("a step with finite gradients was refused")
		}
	}
	if bias.Value[0] != 1 {
		t.Errorf("a bias without gradient decayed to %v", bias.Value[0])
	}
	p.Grad[1] = float32(math.NaN())
	before := p.Value[0]
	if a.step(.01, 1, team) || p.Value[0] != before {
		t.Error("a step without a finite gradient was taken")
	}
	p.Grad[1] = 0
	for i := range value {
		if math.Abs(float64(p.Value[i])-value[i]) > 5e-4 {
			t.Errorf("value %d: %v, want %v", i, p.Value[i], value[i])
		}
		if p.Grad[i] != 0 {
			t.Errorf("gradient %d was not cleared", i)
		}
	}
}
