package bert

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"parley/internal/f32"
)

// Source holds weights by the names of Config.Tensors. What it returns is read
// only, and has as many elements as shape says.
type Source interface {
	F32(name string, shape ...int) ([]float32, error)
}

// Network is a transformer that can be trained.
type Network struct {
	config     Config
	parameters []*f32.Parameter
	weights    weights
}

// New returns a network of c, which must be valid, with weights drawn from seed
// as transformers draws them: normal with a deviation of .02, norms the
// identity, biases 0.
func New(c Config, seed uint64) *Network {
	n := allocate(c)
	rng := rand.New(rand.NewPCG(seed, 0x62657274)) // "bert"
	for _, p := range n.parameters {
		switch {
		case strings.HasSuffix(p.Name, "bias"):
		case isNorm(p):
			fill(p.Value, 1)
		default:
			for i := range p.Value {
				p.Value[i] = float32(rng.NormFloat64() * .02)
			}
		}
	}
	return n
}

// isNorm reports whether p, no bias, belongs to a layer norm: all other weights
// are matrices.
func isNorm(p *f32.Parameter) bool { return len(p.Shape) == 1 }

func fill(x []float32, value float32) {
	for i := range x {
		x[i] = value
	}
}

// Load returns a network of c with a copy of the weights of s.
func Load(c Config, s Source) (*Network, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	for _, t := range c.Tensors() { // before memory of the network's size is taken
		if _, err := s.F32(t.Name, t.Shape...); err != nil {
			return nil, err
		}
	}
	n := allocate(c)
	for _, p := range n.parameters {
		values, err := s.F32(p.Name, p.Shape...)
		if err != nil {
			return nil, err
		}
		copy(p.Value, values)
	}
	return n, nil
}

// allocate returns a network of c with all weights 0.
func allocate(c Config) *Network {
	n := &Network{config: c}
	total := 0
	for _, t := range c.Tensors() {
		total += t.elements()
	}
	values, grads := make([]float32, total), make([]float32, total)
	at := 0
	for _, t := range c.Tensors() {
		end := at + t.elements()
		n.parameters = append(n.parameters, &f32.Parameter{
			Name: t.Name, Shape: t.Shape, Value: values[at:end:end], Grad: grads[at:end:end],
		})
		at = end
	}
	at = 0
	n.weights = c.assemble(func(size int) array {
		from := at
		at += size
		return array{values[from:at:at], grads[from:at:at]}
	})
	return n
}

func (t Tensor) elements() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Config returns what the network is.
func (n *Network) Config() Config { return n.config }

// Parameters returns the trainable arrays in the order of Config.Tensors.
func (n *Network) Parameters() []*f32.Parameter { return n.parameters }

// Source returns the network's weights as they are at the time of reading.
func (n *Network) Source() Source { return source{n} }

type source struct{ network *Network }

// F32 returns the weights of the given name.
func (s source) F32(name string, shape ...int) ([]float32, error) {
	want := Tensor{name, shape}.elements()
	for _, p := range s.network.parameters {
		if p.Name == name && len(p.Value) == want {
			return p.Value, nil
		}
	}
	return nil, fmt.Errorf("the network has no tensor %s of shape %v", name, shape)
}

// array is some weights and their gradients; inference has no gradients.
type array struct{ value, grad []float32 }

func (a array) matrix(rows, cols int) matrix {
	m := matrix{value: f32.NewView(a.value, rows, cols)}
	if a.grad != nil {
		m.grad = f32.NewView(a.grad, rows, cols)
	}
	return m
}

type matrix struct{ value, grad f32.View }

// linear is y = x·Wᵀ + b, W [out×in], b [out].
type linear struct {
	weight matrix
	packed *f32.Packed // Wᵀ, for inference, in place of weight
	bias   array
}

// norm is a layer norm's gain and shift [H].
type norm struct{ gain, shift array }

// layer is one transformer layer, after Vaswani et al. 2017 as BERT has it: norms
// follow the residual sums.
type layer struct {
	qkv       linear // [3H×H]: query, key, value
	out       linear // [H×H]
	outNorm   norm
	inner     linear // [I×H]
	outer     linear // [H×I]
	outerNorm norm
}

// weights are a network's arrays by their place in it.
type weights struct {
	word, position, types matrix // [V×H], [Positions×H], [Types×H]
	norm                  norm
	layers                []layer
	transform             linear // [H×H], MaskedLM only
	headNorm              norm   // MaskedLM only
	decoder               linear // [V×H]: the word embeddings where tied; MaskedLM only
	token                 linear // [1×H], Lexical only
}

// assemble returns the weights that take hands out in the order of each.
func (c Config) assemble(take func(size int) array) weights {
	h := c.Hidden
	dense := func(out, in int) linear {
		return linear{weight: take(out*in).matrix(out, in), bias: take(out)}
	}
	normal := func() norm { return norm{take(h), take(h)} }
	var w weights
	w.word = take(c.Vocabulary*h).matrix(c.Vocabulary, h)
	w.position = take(c.Positions*h).matrix(c.Positions, h)
	if c.Types > 0 {
		w.types = take(c.Types*h).matrix(c.Types, h)
	}
	w.norm = normal()
	for range c.Layers {
		w.layers = append(w.layers, layer{
			qkv: dense(3*h, h), out: dense(h, h), outNorm: normal(),
			inner: dense(c.Inner, h), outer: dense(h, c.Inner), outerNorm: normal(),
		})
	}
	if c.Head.Kind == Lexical {
		w.token = dense(1, h)
		return w
	}
	w.transform, w.headNorm = dense(h, h), normal()
	w.decoder.weight = w.word
	if c.Untied {
		w.decoder.weight = take(c.Vocabulary*h).matrix(c.Vocabulary, h)
	}
	w.decoder.bias = take(c.Vocabulary)
	return w
}
