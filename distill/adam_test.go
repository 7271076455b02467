package distill

import (
	"math"
	"math/rand/v2"
	"testing"

	"parley/internal/f32"
)

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
