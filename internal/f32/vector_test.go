package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// normals returns n random numbers.
func normals(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// gradientCheck compares gradient with the slope of f at x, by differences.
func gradientCheck(t *testing.T, what string, x, gradient []float32, f func(x []float32) float64) {
	t.Helper()
	for i := range x {
		const h = 1e-2
		y := append([]float32{}, x...)
		y[i] = x[i] + h
		up := f(y)
		y[i] = x[i] - h
		slope := (up - f(y)) / (2 * h)
		if math.Abs(slope-float64(gradient[i])) > 2e-3*(1+math.Abs(slope)) {
			t.Errorf("%s: gradient %d is %v, by differences %v", what, i, gradient[i], slope)
		}
	}
}

func weighted(y, weights []float32) float64 {
	sum := 0.0
	for i := range y {
		sum += float64(y[i]) * float64(weights[i])
	}
	return sum
}

func TestSoftmaxGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	for n := 1; n < 40; n += 3 {
		x, dy := normals(rng, n), normals(rng, n)
		p := append([]float32{}, x...)
		Softmax(p, .5)
		d := append([]float32{}, dy...)
		SoftmaxBackward(d, p, .5)
		gradientCheck(t, fmt.Sprint("softmax of ", n), x, d, func(x []float32) float64 {
			y := append([]float32{}, x...)
			Softmax(y, .5)
			return weighted(y, dy)
		})
	}
}

func copied(x []float32) []float32 { return append([]float32{}, x...) }

func TestLayerNormGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 2))
	for n := 2; n < 40; n += 3 {
		x, dy, gain, shift := normals(rng, n), normals(rng, n), normals(rng, n), normals(rng, n)
		run := func(x, gain, shift []float32) float64 {
			y := make([]float32, n)
			LayerNorm(y, x, gain, shift, .1)
			return weighted(y, dy)
		}
		y, dx, dgain, dshift := make([]float32, n), copied(dy), make([]float32, n), make([]float32, n)
		mean, inverse := LayerNorm(y, x, gain, shift, .1)
		LayerNormBackward(dx, dx, x, gain, mean, inverse, dgain, dshift)
		gradientCheck(t, "x", x, dx, func(x []float32) float64 { return run(x, gain, shift) })
		gradientCheck(t, "gain", gain, dgain, func(gain []float32) float64 { return run(x, gain, shift) })
		gradientCheck(t, "shift", shift, dshift, func(shift []float32) float64 { return run(x, gain, shift) })
	}
}

func TestActivationGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 3))
	x, dy := normals(rng, 50), normals(rng, 50)
	for i := range x {
		x[i] = 3*x[i] + .1
		if math.Abs(float64(x[i])) < .02 { // ReLU has no slope at 0
			x[i] = .3
		}
	}
	for act := Identity; act <= Tanh; act++ {
		dx := make([]float32, len(x))
		ActivateBackward(dx, x, dy, act)
		gradientCheck(t, act.String(), x, dx, func(x []float32) float64 {
			y := make([]float32, len(x))
			Activate(y, x, act)
			return weighted(y, dy)
		})
	}
}

func TestMaxArg(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	best, arg := []float32{0, 1, 1, nan, 2, -inf}, []int32{-1, 0, 0, 0, 0, -1}
	MaxArg(best, arg, []float32{.5, 1, nan, 3, inf, -inf}, 7)
	if got, want := fmt.Sprint(best, arg), "[0.5 1 1 NaN +Inf -Inf] [7 0 0 0 7 -1]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestWiden(t *testing.T) { eachSet(t, testWiden) }

func testWiden(t *testing.T, _ *set) {
	src := make([]byte, 2*(1<<16))
	for h := range 1 << 16 {
		src[2*h], src[2*h+1] = byte(h), byte(h>>8)
	}
	halves, brains := make([]float32, 1<<16), make([]float32, 1<<16)
	for _, n := range []int{1 << 16, 1<<16 - 5} { // with and without a rest
		WidenF16(halves[:n], src)
		WidenBF16(brains[:n], src)
	}
	for h := range 1 << 16 {
		sign, exponent, fraction := 1-2*float64(h>>15), h>>10&31, float64(h&1023)
		want := sign * math.Ldexp(1+fraction/1024, exponent-15)
		switch {
		case exponent == 0:
			want = sign * math.Ldexp(fraction/1024, -14)
		case exponent == 31 && fraction == 0:
			want = math.Inf(int(sign))
		case exponent == 31:
			want = math.NaN()
		}
		if !sameBits(halves[h], float32(want)) {
			t.Fatalf("half %04x is %v, want %v", h, halves[h], want)
		}
		if b := math.Float32bits(brains[h]); b != uint32(h)<<16 {
			t.Fatalf("bfloat %04x is %08x", h, b)
		}
	}
}
