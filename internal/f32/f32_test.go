package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

func Example() {
	p := NewParameter("weight", 2, 3)
	copy(p.Value, []float32{1, 2, 3, 4, 5, 6})
	y := make([]float32, 3)
	MulRow([]float32{10, 1}, p.Value, y)
	fmt.Println(y, Dot(y, y))
	// Output: [14 25 36] 2117
}

// TestKernels compares every kernel with the plain sum in double precision,
// over all lengths around the unrolled ones.
func TestKernels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	random := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	near := func(what string, n int, got float32, want float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > 1e-5*(1+math.Sqrt(float64(n))) {
			t.Errorf("%s of length %d: %v, want %v", what, n, got, want)
		}
	}
	for n := range 19 {
		x, y := random(n), random(n)
		dot := 0.0
		for i := range x {
			dot += float64(x[i]) * float64(y[i])
		}
		near("Dot", n, Dot(x, y), dot)
		axpy, sum := append([]float32{}, y...), append([]float32{}, y...)
		Axpy(.5, x, axpy)
		Add(x, sum)
		for i := range x {
			near("Axpy", n, axpy[i], float64(y[i])+.5*float64(x[i]))
			near("Add", n, sum[i], float64(y[i])+float64(x[i]))
		}
		for width := range 7 {
			w, out := random(n*width), random(width)
			want := make([]float64, width)
			for j := range want {
				want[j] = float64(out[j])
				for k := range x {
					want[j] += float64(x[k]) * float64(w[k*width+j])
				}
			}
			MulRow(x, w, out)
			for j := range out {
				near("MulRow", n, out[j], want[j])
			}
		}
	}
}

func TestParallelDoesAllOnce(t *testing.T) {
	for _, workers := range []int{0, 1, 2, 7} {
		for _, n := range []int{0, 1, 5, 100} {
			counts := make([]atomic.Int32, n)
			Parallel(n, workers, func(i int) { counts[i].Add(1) })
			for i := range counts {
				if c := counts[i].Load(); c != 1 {
					t.Errorf("%d workers: piece %d of %d done %d times", workers, i, n, c)
				}
			}
		}
	}
}
