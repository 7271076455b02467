// Package f32 multiplies matrices of float32 and takes functions of many of
// them at once; it also holds the parameters that networks train.
//
// Its guarantee: every kernel sums in one fixed order, so that a result depends
// on its input and on the kernels in use (see Use) only, not on how work was
// shared, nor on what else was computed beside it.
//
// It knows no network.
package f32

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

// Axpy adds a·x to y. The slices have equal length.
func Axpy(a float32, x, y []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += a * x[i]
	}
}

// Add adds x to y. The slices have equal length.
func Add(x, y []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += x[i]
	}
}

// Dot returns the inner product of x and y, which have equal length, in four
// interleaved partial sums.
func Dot(x, y []float32) float32 {
	y = y[:len(x)]
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s0 += x[i] * y[i]
		s1 += x[i+1] * y[i+1]
		s2 += x[i+2] * y[i+2]
		s3 += x[i+3] * y[i+3]
	}
	for ; i < len(x); i++ {
		s0 += x[i] * y[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// axpy4 adds a[0]·x0 + … + a[3]·x3 to y. The slices have equal length. Four rows
// at a time cost one pass over y instead of four.
func axpy4(a [4]float32, x0, x1, x2, x3, y []float32) {
	x0, x1, x2, x3 = x0[:len(y)], x1[:len(y)], x2[:len(y)], x3[:len(y)]
	for j := range y {
		y[j] += (a[0]*x0[j] + a[1]*x1[j]) + (a[2]*x2[j] + a[3]*x3[j])
	}
}

// MulRow adds x·W to y: x [K], W [K×N] row by row, y [N].
func MulRow(x, w, y []float32) {
	n := len(y)
	k := 0
	for ; k+4 <= len(x); k += 4 {
		axpy4([4]float32(x[k:]), w[k*n:], w[(k+1)*n:], w[(k+2)*n:], w[(k+3)*n:], y)
	}
	for ; k < len(x); k++ {
		Axpy(x[k], w[k*n:][:n], y)
	}
}
