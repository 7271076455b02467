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

// TestHasten says that a hastened parameter moves by its own rate, and others as
// before.
func TestHasten(t *testing.T) {
	for rate, want := range map[float64]float32{1e-5: -2e-3, .5: -.5} {
		slow, fast := f32.NewParameter("slow", 1), f32.NewParameter("fast", 1)
		a := newAdam([]*f32.Parameter{slow, fast}, 0)
		a.hasten(1, rate)
		slow.Grad[0], fast.Grad[0] = .5, .5
		team := f32.NewTeam(1)
		if !a.step(rate, 100, team) {
			t.Fatal("a step with finite gradients was refused")
		}
		team.Close()
		if d := slow.Value[0] + float32(rate); max(d, -d) > float32(rate)/1000 {
			t.Errorf("at a rate of %v the first step is %v", rate, slow.Value[0])
		}
		if d := fast.Value[0] - want; max(d, -d) > -want/1000 {
			t.Errorf("at a rate of %v the first step of the hastened parameter is %v, want %v", rate, fast.Value[0], want)
		}
	}
}
