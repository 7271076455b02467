package f32

import "math"

// Activation is a function of one variable between two layers.
type Activation uint8

// The activations of BERT's family.
const (
	Identity Activation = iota
	ReLU                // max(x, 0)
	GELU                // x·Φ(x), Φ by the error function (Hendrycks and Gimpel, arXiv 1606.08415)
	GELUTanh            // the same, Φ by the hyperbolic tangent: gelu_new, gelu_pytorch_tanh
	SiLU                // x/(1 + e⁻ˣ): swish
	Tanh
)

var activationNames = [...]string{"identity", "relu", "gelu", "gelu_tanh", "silu", "tanh"}

// String returns the name of the function.
func (a Activation) String() string { return activationNames[a] }

// Activate sets dst to act(x). dst may be x.
func Activate(dst, x []float32, act Activation) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] = float32(act.at(float64(x[i])))
	}
}

// ActivateBackward sets dx to dy·act′(x). dx may be x or dy.
func ActivateBackward(dx, x, dy []float32, act Activation) {
	x, dy = x[:len(dx)], dy[:len(dx)]
	for i := range dx {
		dx[i] = dy[i] * float32(act.slope(float64(x[i])))
	}
}

// Of GELUTanh: √(2/π), and the weight of the cube.
const (
	tanhScale = 0.7978845608028654
	tanhCube  = 0.044715
)

func (a Activation) at(x float64) float64 {
	switch a {
	case Identity:
		return x
	case ReLU:
		return max(x, 0)
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

func (a Activation) slope(x float64) float64 {
	switch a {
	case Identity:
		return 1
	case ReLU:
		if x > 0 {
			return 1
		}
		return 0 * x // 0, or NaN
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
