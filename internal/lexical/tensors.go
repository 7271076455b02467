package lexical

import (
	"fmt"
	"math"

	"parley/internal/f32"
	"parley/internal/safetensors"
)

// termsTensor holds the ids of the embedded terms.
const termsTensor = "terms"

// Tensors returns the network as tensors, which Load reads.
func (n *Network) Tensors() []safetensors.Tensor {
	var tensors []safetensors.Tensor
	for _, p := range n.Parameters() {
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, Shape: p.Shape, F32: p.Value})
	}
	if n.config.Hidden > 0 {
		ids := make([]int32, len(n.terms))
		for i, term := range n.terms {
			ids[i] = int32(term)
		}
		tensors = append(tensors, safetensors.Tensor{Name: termsTensor, Shape: []int{len(ids)}, I32: ids})
	}
	return tensors
}

// TensorNames returns the names of the tensors of a network of these sizes.
func (c Config) TensorNames() []string {
	var names []string
	assemble(c, 0, nil, func(name string, _ ...int) *f32.Parameter {
		names = append(names, name)
		return nil
	})
	if c.Hidden > 0 {
		names = append(names, termsTensor)
	}
	return names
}

// Load returns the network of the given sizes that f holds, for inference. Its
// weights are f's own, so that what it takes up is bounded by the file, whatever
// the sizes claim.
func Load(f *safetensors.File, c Config, vocabulary int) (*Inference, error) {
	if c.Dim < 0 || c.Hidden < 0 || (c.Dim == 0) != (c.Hidden == 0) {
		return nil, fmt.Errorf("%s cannot hold a network of width %d and %d hidden units; train again", f.Path(), c.Dim, c.Hidden)
	}
	terms, err := loadTerms(f, c, vocabulary)
	if err != nil {
		return nil, err
	}
	l := loader{file: f}
	n := assemble(c, vocabulary, terms, l.parameter)
	if l.err != nil {
		return nil, l.err
	}
	return NewInference(n), nil
}

// loadTerms returns the embedded terms.
func loadTerms(f *safetensors.File, c Config, vocabulary int) ([]uint32, error) {
	if c.Hidden == 0 {
		return nil, nil
	}
	ids, err := f.I32(termsTensor, -1)
	if err != nil {
		return nil, err
	}
	terms := make([]uint32, len(ids.I32))
	for i, id := range ids.I32 {
		if id < 0 || int(id) >= vocabulary || i > 0 && id <= ids.I32[i-1] {
			return nil, fmt.Errorf("%s embeds term %d, which is out of order or outside the vocabulary of %d; train again", f.Path(), id, vocabulary)
		}
		terms[i] = uint32(id)
	}
	return terms, nil
}

// loader hands out the tensors of a file as parameters without gradient, and
// keeps the first error.
type loader struct {
	file *safetensors.File
	err  error
}

func (l *loader) parameter(name string, shape ...int) *f32.Parameter {
	t, err := l.file.F32(name, shape...)
	if err == nil {
		err = finite(l.file, t)
	}
	if l.err == nil {
		l.err = err
	}
	return &f32.Parameter{Name: name, Shape: t.Shape, Value: t.F32}
}

func finite(f *safetensors.File, t safetensors.Tensor) error {
	for i, x := range t.F32 {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fmt.Errorf("%s: weight %d of tensor %q is %v, no finite number; train again", f.Path(), i, t.Name, x)
		}
	}
	return nil
}
