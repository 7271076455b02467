// Package f32 multiplies matrices of float32 and takes functions of many of
// them at once; it also holds the parameters that networks train.
//
// Its guarantee: every kernel sums in one fixed order, so that a result depends
// on its input and on the kernels in use (see Use) only, not on how work was
// shared, nor on what else was computed beside it.
//
// It knows no network.
package f32

import "slices"

// Parameter is a trainable array with its gradient, row by row. Value and Grad
// have the product of Shape as their length.
type Parameter struct {
	Name  string
	Shape []int
	Value []float32
	Grad  []float32
}

// NewParameter returns a parameter of the given shape, all zero.
func NewParameter(name string, shape ...int) *Parameter {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return &Parameter{Name: name, Shape: shape, Value: make([]float32, n), Grad: make([]float32, n)}
}

// Zeroed returns n zeroes in s, which is grown where it does not suffice.
func Zeroed[T float32 | float64](s []T, n int) []T {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}
