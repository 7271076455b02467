package f32

import "math"

// Scale multiplies y by a.
func Scale(a float32, y []float32) {
	for i := range y {
		y[i] *= a
	}
}

// Times sets dst to x∘y, element by element. The slices have equal length; dst
// may be either.
func Times(dst, x, y []float32) {
	x, y = x[:len(dst)], y[:len(dst)]
	for i := range dst {
		dst[i] = x[i] * y[i]
	}
}

// Exp sets dst to eˣ. dst may be x.
func Exp(dst, x []float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = float32(math.Exp(float64(x[i])))
	}
}

// Log1pRelu sets dst to log(1 + max(x, 0)): the saturation of a sparse
// encoder's weights. dst may be x. A NaN stays.
func Log1pRelu(dst, x []float32) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = float32(math.Log1p(float64(max(x[i], 0))))
	}
}

// Softmax sets row to the softmax of scale·row. An element of −∞ becomes 0; a
// row of nothing else, or one with a NaN or +∞, becomes NaN.
func Softmax(row []float32, scale float32) {
	largest := float32(math.Inf(-1))
	for i, x := range row {
		row[i] = x * scale
		largest = max(largest, row[i])
	}
	sum := float32(0)
	for i, x := range row {
		row[i] = float32(math.Exp(float64(x - largest)))
		sum += row[i]
	}
	Scale(1/sum, row)
}

// SoftmaxBackward turns d, the gradient by the softmax p of scale·x, into that
// by x: scale·p∘(d − p·d).
func SoftmaxBackward(d, p []float32, scale float32) {
	dot := Dot(p, d)
	for i := range d {
		d[i] = scale * p[i] * (d[i] - dot)
	}
}

// LayerNorm sets y to gain∘(x − mean)·inverse + shift, where inverse is
// 1/√(variance + epsilon), and returns mean and inverse, which
// LayerNormBackward needs. y may be x.
func LayerNorm(y, x, gain, shift []float32, epsilon float32) (mean, inverse float32) {
	y, gain, shift = y[:len(x)], gain[:len(x)], shift[:len(x)]
	n := float32(len(x))
	for _, v := range x {
		mean += v
	}
	mean /= n
	variance := float32(0)
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	inverse = float32(1 / math.Sqrt(float64(variance/n+epsilon)))
	for i, v := range x {
		y[i] = gain[i]*((v-mean)*inverse) + shift[i]
	}
	return mean, inverse
}

// LayerNormBackward sets dx to the gradient by x, given dy, that by y, and adds
// to those by gain and shift. dx may be dy.
func LayerNormBackward(dx, dy, x, gain []float32, mean, inverse float32, dgain, dshift []float32) {
	dx, dy, gain = dx[:len(x)], dy[:len(x)], gain[:len(x)]
	dgain, dshift = dgain[:len(x)], dshift[:len(x)]
	var sum, product float32
	for i, v := range x {
		normal := (v - mean) * inverse
		dgain[i] += dy[i] * normal
		dshift[i] += dy[i]
		sum += dy[i] * gain[i]
		product += dy[i] * gain[i] * normal
	}
	n := float32(len(x))
	sum, product = sum/n, product/n
	for i, v := range x {
		dx[i] = (dy[i]*gain[i] - sum - (v-mean)*inverse*product) * inverse
	}
}

// SumRows adds the rows of x to sum, from the first to the last: the gradient by
// a bias.
func SumRows(sum []float32, x View) {
	for i := range x.Rows {
		Add(x.Row(i), sum)
	}
}

// MaxArg sets best to the larger of best and x, element by element, and arg to
// row wherever x is the larger: running maxima of columns over rows. An equal x
// leaves the earlier row. A NaN in x is passed over; one in best stays.
func MaxArg(best []float32, arg []int32, x []float32, row int32) {
	arg, x = arg[:len(best)], x[:len(best)]
	for i := range best {
		if x[i] > best[i] {
			best[i], arg[i] = x[i], row
		}
	}
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
	grad, first, second = grad[:len(value)], first[:len(value)], second[:len(value)]
	beta1, rest1 := float32(a.Beta1), float32(1-a.Beta1)
	beta2, rest2 := float32(a.Beta2), float32(1-a.Beta2)
	keep := 1 - a.Decay
	for i := range value {
		g := grad[i] * a.Scale
		grad[i] = 0
		m := float32(beta1*first[i]) + float32(rest1*g)
		v := float32(beta2*second[i]) + float32(float32(rest2*g)*g)
		first[i], second[i] = m, v
		step := float32(a.Rate*m) / (float32(math.Sqrt(float64(v))) + a.Epsilon)
		value[i] = float32(keep*value[i]) - step
	}
}
