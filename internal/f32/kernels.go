package f32

import (
	"fmt"
	"strings"
)

//go:generate go run -C gen . ..

// set holds the kernels for one kind of processor.
type set struct {
	name       string
	rows, cols int // of the tile that stays in registers

	// tile does a job.
	tile func(*job)
	// interleave packs rows side by side, as the function of this name.
	interleave func(dst []float32, x operand, count, k, width int)
	// screen marks columns; nil where that would not be faster than products.
	screen *screening

	vectors
}

// vectors are kernels over slices of one length, which none of them checks. The
// twins in plain.go say what each does.
type vectors struct {
	axpy         func(y, x []float32, a float32)
	add          func(y, x []float32)
	scale        func(y []float32, a float32)
	times        func(dst, x, y []float32)
	axpy4        func(y, x0, x1, x2, x3 []float32, a0, a1, a2, a3 float32)
	dot          func(x, y []float32) float32
	adam         func(value, grad, first, second []float32, scale, beta1, rest1, beta2, rest2, rate, epsilon, keep float32)
	maxArg       func(best []float32, arg []int32, x []float32, row int32)
	widenHalf    func(dst []float32, src []byte)
	widenBrain   func(dst []float32, src []byte)
	exp          func(dst, x []float32)
	log1pRelu    func(dst, x []float32)
	largest      func(x []float32, scale float32) float32
	expSum       func(x []float32, scale, shift float32) float32
	softmaxSlope func(d, p []float32, scale, dot float32)
	total        func(x []float32) float32
	spread       func(x []float32, mean float32) float32
	normalize    func(y, x, gain, shift []float32, mean, inverse float32)
	normSums     func(x, dy, gain, dgain, dshift []float32, mean, inverse float32) (total, product float32)
	normSlope    func(dx, dy, x, gain []float32, mean, inverse, total, product float32)

	relu, gelu, geluTanh, silu, tanh                          func(dst, x []float32)
	reluSlope, geluSlope, geluTanhSlope, siluSlope, tanhSlope func(dx, x, dy []float32)
}

// sets are the kernels that this processor can run, the fastest first.
var sets = append(accelerated(), &generic)

// active are the kernels in use. Only Use changes it.
var active = sets[0]

// Kernels returns the names of the sets of kernels that this processor can
// run, the fastest first, and which is in use.
func Kernels() (available []string, inUse string) {
	for _, s := range sets {
		available = append(available, s.name)
	}
	return available, active.name
}

// Use chooses a set of kernels by its name. It is for the start of a program,
// before anything is computed: what was packed for one set must not be
// multiplied with another at the same time.
func Use(name string) error {
	for _, s := range sets {
		if s.name == name {
			active = s
			return nil
		}
	}
	available, _ := Kernels()
	return fmt.Errorf("there are no kernels %q for this processor; there are %s", name, strings.Join(available, ", "))
}
