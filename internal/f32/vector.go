package f32

import "math"

// Functions of vectors. An element's result does not depend on where it stands
// in its slice, nor on the slice's length; a sum over a slice has one order.
//
// Axpy, Add, Scale, Times, Dot, MulRow, SumRows, MaxArg, Adam and the widening
// give the same bits whatever kernels are in use. The others agree bit for bit
// between the kernels in assembly, and with functions in double precision
// within: Exp 1.2e-7 of the result (below 1e-38, half of the smallest number);
// Log1pRelu 2.4e-7 of it; GELU 1.2e-7·max(1, |x|), its derivative, and the
// other activations and their derivatives, 4.8e-7·max(1, |x|).

// Axpy adds a·x to y. The slices have equal length.
func Axpy(a float32, x, y []float32) { active.axpy(y, x[:len(y)], a) }

// Add adds x to y. The slices have equal length.
func Add(x, y []float32) { active.add(y, x[:len(y)]) }

// Scale multiplies y by a.
func Scale(a float32, y []float32) { active.scale(y, a) }

// Times sets dst to x∘y, element by element. The slices have equal length; dst
// may be either.
func Times(dst, x, y []float32) { active.times(dst, x[:len(dst)], y[:len(dst)]) }

// Dot returns the inner product of x and y, which have equal length.
func Dot(x, y []float32) float32 { return active.dot(x, y[:len(x)]) }

// MulRow adds x·W to y: x [K], W [K×N] row by row, y [N]. Four rows at a time
// cost one pass over y instead of four.
func MulRow(x, w, y []float32) {
	n := len(y)
	k := 0
	for ; k+4 <= len(x); k += 4 {
		rows := w[k*n:][:4*n]
		active.axpy4(y, rows[:n], rows[n:][:n], rows[2*n:][:n], rows[3*n:], x[k], x[k+1], x[k+2], x[k+3])
	}
	for ; k < len(x); k++ {
		Axpy(x[k], w[k*n:][:n], y)
	}
}

// SumRows adds the rows of x to sum, from the first to the last: the gradient by
// a bias.
func SumRows(sum []float32, x View) {
	for i := range x.Rows {
		Add(x.Row(i), sum)
	}
}

// Exp sets dst to eˣ. dst may be x.
func Exp(dst, x []float32) { active.exp(dst, x[:len(dst)]) }

// Log1pRelu sets dst to log(1 + max(x, 0)): the saturation of a sparse
// encoder's weights. dst may be x. A NaN stays.
func Log1pRelu(dst, x []float32) { active.log1pRelu(dst, x[:len(dst)]) }

// Softmax sets row to the softmax of scale·row. An element of −∞ becomes 0; a
// row of nothing else, or one with a NaN or +∞, becomes NaN.
func Softmax(row []float32, scale float32) {
	if len(row) > 0 {
		total := active.expSum(row, scale, -active.largest(row, scale))
		active.scale(row, 1/total)
	}
}

// SoftmaxBackward turns d, the gradient by the softmax p of scale·x, into that
// by x: scale·p∘(d − p·d).
func SoftmaxBackward(d, p []float32, scale float32) {
	active.softmaxSlope(d, p[:len(d)], scale, active.dot(p[:len(d)], d))
}

// LayerNorm sets y to gain∘(x − mean)·inverse + shift, where inverse is
// 1/√(variance + epsilon), and returns mean and inverse, which
// LayerNormBackward needs. y may be x.
func LayerNorm(y, x, gain, shift []float32, epsilon float32) (mean, inverse float32) {
	n := len(x)
	mean = active.total(x) / float32(n)
	variance := active.spread(x, mean) / float32(n)
	inverse = float32(1 / math.Sqrt(float64(variance+epsilon)))
	active.normalize(y[:n], x, gain[:n], shift[:n], mean, inverse)
	return mean, inverse
}

// LayerNormBackward sets dx to the gradient by x, given dy, that by y, and adds
// to those by gain and shift. dx may be dy.
func LayerNormBackward(dx, dy, x, gain []float32, mean, inverse float32, dgain, dshift []float32) {
	n := len(x)
	total, product := active.normSums(x, dy[:n], gain[:n], dgain[:n], dshift[:n], mean, inverse)
	active.normSlope(dx[:n], dy[:n], x, gain[:n], mean, inverse, total/float32(n), product/float32(n))
}

// MaxArg sets best to the larger of best and x, element by element, and arg to
// row wherever x is the larger: running maxima of columns over rows. An equal x
// leaves the earlier row. A NaN in x is passed over; one in best stays.
func MaxArg(best []float32, arg []int32, x []float32, row int32) {
	active.maxArg(best, arg[:len(best)], x[:len(best)], row)
}

// Adam is one step of the optimiser (Kingma and Ba, arXiv 1412.6980, with
// decoupled decay as in Loshchilov and Hutter, arXiv 1711.05101).
type Adam struct {
	Rate         float32 // with the correction of the running means' bias
	Beta1, Beta2 float64 // their complements are taken before they are rounded
	Epsilon      float32
	Decay        float32 // what a value shrinks by: the rate without correction, times the decay
	Scale        float32 // what gradients are multiplied by first
}

// Step moves value against grad, updates the running means of the gradients and
// their squares, and clears grad. The slices have equal length.
func (a Adam) Step(value, grad, first, second []float32) {
	n := len(value)
	active.adam(value, grad[:n], first[:n], second[:n],
		a.Scale, float32(a.Beta1), float32(1-a.Beta1), float32(a.Beta2), float32(1-a.Beta2), a.Rate, a.Epsilon, 1-a.Decay)
}

// WidenF16 sets dst to the IEEE 754 half-precision numbers that src holds in
// little-endian order, two bytes each.
func WidenF16(dst []float32, src []byte) {
	widen(active.widenHalf, plainWidenHalf, dst, src[:2*len(dst)])
}

// WidenBF16 sets dst to the numbers of half a float32, its upper bytes, that
// src holds in little-endian order, two bytes each.
func WidenBF16(dst []float32, src []byte) {
	widen(active.widenBrain, plainWidenBrain, dst, src[:2*len(dst)])
}

// widen leaves to plain what is not a multiple of 16.
func widen(fast, plain func(dst []float32, src []byte), dst []float32, src []byte) {
	n := len(dst) / 16 * 16
	fast(dst[:n], src[:2*n])
	plain(dst[n:], src[2*n:])
}
