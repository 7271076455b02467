package f32

import (
	"math"
	"testing"
)

// TestAccuracy holds the functions to the bounds that vector.go states, over
// numbers dense enough to meet every binade and every step of the exponent.
func TestAccuracy(t *testing.T) { eachSet(t, testAccuracy) }

func testAccuracy(t *testing.T, _ *set) {
	one := make([]float32, 1<<12)
	for i := range one {
		one[i] = 1
	}
	relative := func(want float64) float64 { return math.Max(math.Abs(want), 0x1p-126) }
	unit := func(want float64) float64 { return math.Max(1, math.Abs(want)) }
	slope := func(act Activation) func(dst, x []float32) {
		return func(dst, x []float32) { ActivateBackward(dst, x, one[:len(x)], act) }
	}
	value := func(act Activation) func(dst, x []float32) {
		return func(dst, x []float32) { Activate(dst, x, act) }
	}
	for _, c := range []struct {
		name     string
		from, to float64
		bound    float64
		of       func(want float64) float64
		f        func(dst, x []float32)
		exact    func(x float64) float64
	}{
		{"exp", -103, 88.7, 1.2e-7, relative, Exp, math.Exp},
		{"log1pRelu", 0, 1, 2.4e-7, relative, Log1pRelu, math.Log1p},
		{"log1pRelu", 0, 1e6, 2.4e-7, relative, Log1pRelu, math.Log1p},
		{"log1pRelu", 0, math.MaxFloat32, 2.4e-7, relative, Log1pRelu, math.Log1p},
		{"gelu", -20, 20, 1.2e-7, unit, value(GELU), GELU.at},
		{"geluTanh", -20, 20, 4.8e-7, unit, value(GELUTanh), GELUTanh.at},
		{"silu", -130, 130, 4.8e-7, unit, value(SiLU), SiLU.at},
		{"tanh", -20, 20, 4.8e-7, unit, value(Tanh), math.Tanh},
		{"gelu's slope", -20, 20, 4.8e-7, unit, slope(GELU), GELU.slope},
		{"geluTanh's slope", -20, 20, 4.8e-7, unit, slope(GELUTanh), GELUTanh.slope},
		{"silu's slope", -130, 130, 4.8e-7, unit, slope(SiLU), SiLU.slope},
		{"tanh's slope", -20, 20, 4.8e-7, unit, slope(Tanh), Tanh.slope},
	} {
		x, y := make([]float32, 1<<12), make([]float32, 1<<12)
		worst, at := 0.0, float32(0)
		for piece := range 64 {
			for i := range x {
				x[i] = float32(c.from + (c.to-c.from)*float64(piece*len(x)+i)/float64(64*len(x)))
			}
			c.f(y, x)
			for i := range x {
				want := c.exact(float64(x[i]))
				if off := math.Abs(float64(y[i])-want) / c.of(want); !(off <= worst) {
					worst, at = off, x[i]
				}
			}
		}
		t.Logf("%s on [%g, %g]: at most %.3g off, at %g", c.name, c.from, c.to, worst, at)
		if !(worst <= c.bound) {
			t.Errorf("%s(%g) is %.3g off, more than %g", c.name, at, worst, c.bound)
		}
	}
}
