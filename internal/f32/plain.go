package f32

import (
	"encoding/binary"
	"math"
)

// vectorsGeneric are the vector kernels in plain Go, each the twin of one in
// assembly. Those up to widenBrain agree with it bit for bit, on any processor:
// every product is rounded before it is added. The others take functions from
// package math and differ in the last digits.
var vectorsGeneric = vectors{
	axpy: plainAxpy, add: plainAdd, scale: plainScale, times: plainTimes, axpy4: plainAxpy4, dot: plainDot,
	adam: plainAdam, maxArg: plainMaxArg, widenHalf: plainWidenHalf, widenBrain: plainWidenBrain,

	exp: plainExp, log1pRelu: plainLog1pRelu, largest: plainLargest, expSum: plainExpSum, softmaxSlope: plainSoftmaxSlope,
	total: plainTotal, spread: plainSpread, normalize: plainNormalize, normSums: plainNormSums, normSlope: plainNormSlope,
	relu: plainRelu, gelu: GELU.plain, geluTanh: GELUTanh.plain, silu: SiLU.plain, tanh: Tanh.plain,
	reluSlope: plainReluSlope, geluSlope: GELU.plainSlope, geluTanhSlope: GELUTanh.plainSlope,
	siluSlope: SiLU.plainSlope, tanhSlope: Tanh.plainSlope,
}

func plainAxpy(y, x []float32, a float32) {
	for i := range y {
		y[i] += float32(a * x[i])
	}
}

func plainAdd(y, x []float32) {
	for i := range y {
		y[i] += x[i]
	}
}

func plainScale(y []float32, a float32) {
	for i := range y {
		y[i] *= a
	}
}

func plainTimes(dst, x, y []float32) {
	for i := range dst {
		dst[i] = x[i] * y[i]
	}
}

func plainAxpy4(y, x0, x1, x2, x3 []float32, a0, a1, a2, a3 float32) {
	x0, x1, x2, x3 = x0[:len(y)], x1[:len(y)], x2[:len(y)], x3[:len(y)]
	for i := range y {
		low := float32(a0*x0[i]) + float32(a1*x1[i])
		high := float32(a2*x2[i]) + float32(a3*x3[i])
		y[i] += low + high
	}
}

// plainDot has 16 running sums, and adds them by halves.
func plainDot(x, y []float32) float32 {
	var sums [16]float32
	for len(x) >= 16 {
		for i, v := range x[:16] {
			sums[i] += float32(v * y[i])
		}
		x, y = x[16:], y[16:]
	}
	for i, v := range x {
		sums[i] += float32(v * y[i])
	}
	for half := 8; half > 0; half /= 2 {
		for i := range half {
			sums[i] += sums[i+half]
		}
	}
	return sums[0]
}

func plainAdam(value, grad, first, second []float32, scale, beta1, rest1, beta2, rest2, rate, epsilon, keep float32) {
	for i := range value {
		g := grad[i] * scale
		grad[i] = 0
		m := float32(beta1*first[i]) + float32(rest1*g)
		v := float32(beta2*second[i]) + float32(float32(rest2*g)*g)
		first[i], second[i] = m, v
		step := float32(rate*m) / (float32(math.Sqrt(float64(v))) + epsilon)
		value[i] = float32(keep*value[i]) - step
	}
}

func plainMaxArg(best []float32, arg []int32, x []float32, row int32) {
	for i := range best {
		if x[i] > best[i] {
			best[i], arg[i] = x[i], row
		}
	}
}

func plainWidenBrain(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

func plainWidenHalf(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = widenHalf(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// widenHalf returns a half-precision number, which every float32 but a NaN's
// quiet bit can hold exactly.
func widenHalf(h uint16) float32 {
	sign, magnitude := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	switch {
	case magnitude < 0x0400: // a subnormal: units of 2⁻²⁴
		return math.Float32frombits(sign | math.Float32bits(float32(magnitude)*0x1p-24))
	case magnitude < 0x7c00:
		return math.Float32frombits(sign | (magnitude<<13 + (127-15)<<23))
	case magnitude > 0x7c00: // NaN, quiet
		magnitude |= 0x0200
	}
	return math.Float32frombits(sign | 0x7f800000 | magnitude&0x03ff<<13)
}

func plainExp(dst, x []float32) {
	for i := range dst {
		dst[i] = float32(math.Exp(float64(x[i])))
	}
}

func plainLog1pRelu(dst, x []float32) {
	for i := range dst {
		dst[i] = float32(math.Log1p(float64(max(x[i], 0))))
	}
}

func plainLargest(x []float32, scale float32) float32 {
	most := float32(math.Inf(-1))
	for _, v := range x {
		most = max(most, v*scale)
	}
	return most
}

// plainExpSum turns x into e^(scale·x + shift) and returns their sum.
func plainExpSum(x []float32, scale, shift float32) float32 {
	total := float32(0)
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v)*float64(scale) + float64(shift)))
		total += x[i]
	}
	return total
}

func plainSoftmaxSlope(d, p []float32, scale, dot float32) {
	for i := range d {
		d[i] = scale * p[i] * (d[i] - dot)
	}
}

func plainTotal(x []float32) float32 {
	total := float32(0)
	for _, v := range x {
		total += v
	}
	return total
}

// plainSpread returns the sum of the squares of x − mean.
func plainSpread(x []float32, mean float32) float32 {
	total := float32(0)
	for _, v := range x {
		total += (v - mean) * (v - mean)
	}
	return total
}

func plainNormalize(y, x, gain, shift []float32, mean, inverse float32) {
	for i, v := range x {
		y[i] = gain[i]*((v-mean)*inverse) + shift[i]
	}
}

// plainNormSums adds to the gradients by gain and shift, and returns the sum of
// d = dy·gain and that of d times the normalised x.
func plainNormSums(x, dy, gain, dgain, dshift []float32, mean, inverse float32) (total, product float32) {
	for i, v := range x {
		normal := (v - mean) * inverse
		dgain[i] += dy[i] * normal
		dshift[i] += dy[i]
		d := dy[i] * gain[i]
		total += d
		product += d * normal
	}
	return total, product
}

func plainNormSlope(dx, dy, x, gain []float32, mean, inverse, total, product float32) {
	for i, v := range x {
		dx[i] = (dy[i]*gain[i] - total - (v-mean)*inverse*product) * inverse
	}
}

func plainRelu(dst, x []float32) {
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

func plainReluSlope(dx, x, dy []float32) {
	for i, v := range x {
		if v > 0 {
			dx[i] = dy[i]
		} else {
			dx[i] = 0
		}
	}
}

func (a Activation) plain(dst, x []float32) {
	for i := range dst {
		dst[i] = float32(a.at(float64(x[i])))
	}
}

func (a Activation) plainSlope(dx, x, dy []float32) {
	for i := range dx {
		dx[i] = dy[i] * float32(a.slope(float64(x[i])))
	}
}

// Of GELUTanh: √(2/π), and the weight of the cube.
const (
	tanhScale = 0.7978845608028654
	tanhCube  = 0.044715
)

// at returns the function's value, but for Identity and ReLU, at the infinities its limit.
func (a Activation) at(x float64) float64 {
	if math.IsInf(x, -1) && a != Tanh {
		return 0
	}
	switch a {
	case GELU:
		return .5 * x * math.Erfc(-x/math.Sqrt2)
	case GELUTanh:
		return x / (1 + math.Exp(-2*tanhScale*(x+tanhCube*x*x*x)))
	case SiLU:
		return x / (1 + math.Exp(-x))
	default:
		return math.Tanh(x)
	}
}

// slope returns the derivative, at the infinities its limit.
func (a Activation) slope(x float64) float64 {
	x = min(max(x, -200), 200)
	switch a {
	case GELU:
		return .5*math.Erfc(-x/math.Sqrt2) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	case GELUTanh:
		s := 1 / (1 + math.Exp(-2*tanhScale*(x+tanhCube*x*x*x)))
		return s + x*s*(1-s)*2*tanhScale*(1+3*tanhCube*x*x)
	case SiLU:
		s := 1 / (1 + math.Exp(-x))
		return s + x*s*(1-s)
	default:
		t := math.Tanh(x)
		return 1 - t*t
	}
}
