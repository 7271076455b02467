package f32

// Activation is a function of one variable between two layers. At an infinity
// it has its limit, nearly, and so has its derivative; a NaN stays, but for the
// derivative of ReLU, which is 0 there.
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
	switch act {
	case Identity:
		copy(dst, x)
	case ReLU:
		active.relu(dst, x)
	case GELU:
		active.gelu(dst, x)
	case GELUTanh:
		active.geluTanh(dst, x)
	case SiLU:
		active.silu(dst, x)
	case Tanh:
		active.tanh(dst, x)
	}
}

// ActivateBackward sets dx to dy·act′(x). dx may be x or dy.
func ActivateBackward(dx, x, dy []float32, act Activation) {
	x, dy = x[:len(dx)], dy[:len(dx)]
	switch act {
	case Identity:
		copy(dx, dy)
	case ReLU:
		active.reluSlope(dx, x, dy)
	case GELU:
		active.geluSlope(dx, x, dy)
	case GELUTanh:
		active.geluTanhSlope(dx, x, dy)
	case SiLU:
		active.siluSlope(dx, x, dy)
	case Tanh:
		active.tanhSlope(dx, x, dy)
	}
}
