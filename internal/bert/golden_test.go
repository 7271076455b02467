package bert

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"parley/internal/f32"
	"parley/internal/safetensors"
	"parley/sparse"
)

var goldens = flag.String("golden", "testdata", "the folder of the networks that testdata/golden.py made")

// golden is a network of testdata/golden.py.
type golden struct {
	Family, Act, Kind, Pooling, Saturation                              string
	Vocabulary, Hidden, Layers, Heads, Inner, Positions, Types, Epsilon float64
	Untied                                                              bool
	Skip                                                                []uint32
}

// named returns the value of T that has the given name.
func named[T interface {
	~uint8
	fmt.Stringer
}](name string, last T) T {
	for v := range last {
		if v.String() == name {
			return v
		}
	}
	return last
}

func (g golden) config() Config {
	act := named(g.Act, f32.Tanh)
	c := Config{
		Family: named(g.Family, DistilBERT), Untied: g.Untied,
		Vocabulary: int(g.Vocabulary), Hidden: int(g.Hidden), Layers: int(g.Layers), Heads: int(g.Heads), Inner: int(g.Inner),
		Positions: int(g.Positions), Types: int(g.Types), Epsilon: float32(g.Epsilon), Activation: act, HeadActivation: act,
		Head: Head{Skip: g.Skip},
	}
	if g.Kind == "lexical" {
		c.Head.Kind = Lexical
	}
	if g.Pooling == "sum" {
		c.Head.Pooling = Sum
	}
	if g.Saturation == "double-log" {
		c.Head.Saturation = DoubleLog
	}
	return c
}

// reference reads tensors of a file of weights and wanted values.
type reference struct {
	*testing.T
	*safetensors.File
}

// F32 makes it a Source.
func (r reference) F32(name string, shape ...int) ([]float32, error) {
	t, err := r.File.F32(name, shape...)
	return t.F32, err
}

func (r reference) ints(name string) []int32 {
	t, err := r.I32(name, -1)
	if err != nil {
		r.Fatal(err)
	}
	return t.I32
}

func (r reference) batch(c Config) Batch {
	var b Batch
	for _, id := range r.ints("ids") {
		b.IDs = append(b.IDs, uint32(id))
	}
	for _, end := range r.ints("ends") {
		b.Ends = append(b.Ends, int(end))
	}
	for _, kind := range r.ints("types") {
		if c.Types > 0 {
			b.Types = append(b.Types, uint8(kind))
		}
	}
	return b
}

// compare holds x to the reference, to within tolerance·max(1, |x|).
func (r reference) compare(name string, x []float32, shape ...int) {
	r.Helper()
	want, err := r.F32("want."+name, shape...)
	if err != nil {
		r.Fatal(err)
	}
	for i, w := range want {
		if d := math.Abs(float64(x[i] - w)); !(d <= 1e-4*max(1, math.Abs(float64(w)))) {
			r.Errorf("%s[%d] is %v, want %v", name, i, x[i], w)
			return
		}
	}
}

// TestAgainstTransformers compares networks with what transformers and PyTorch
// made of the same weights, with every set of kernels that this machine has;
// testdata/golden.py wrote it down.
func TestAgainstTransformers(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(*goldens, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases map[string]golden
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	kernels, inUse := f32.Kernels()
	defer use(t, inUse)
	for _, set := range kernels {
		use(t, set)
		for name, g := range cases {
			t.Run(set+"/"+name, func(t *testing.T) {
				file, err := safetensors.Open(filepath.Join(*goldens, name+".safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				againstReference(reference{t, file}, g.config())
			})
		}
	}
}

func use(t *testing.T, kernels string) {
	if err := f32.Use(kernels); err != nil {
		t.Fatal(err)
	}
}

func againstReference(r reference, c Config) {
	n, err := Load(c, r)
	if err != nil {
		r.Fatal(err)
	}
	b := r.batch(c)
	tape := n.NewTape(2, TapeOptions{})
	defer tape.Close()
	vectors := tape.Forward(b, nil)
	for i, states := range tape.inputs {
		r.compare(fmt.Sprintf("hidden.%d", i), states, len(b.IDs), c.Hidden)
	}
	if c.Head.Kind == MaskedLM {
		logits := f32.NewView(make([]float32, len(b.IDs)*c.Vocabulary), len(b.IDs), c.Vocabulary)
		tape.multiply(logits, tape.head.view, &n.weights.decoder)
		tape.addBias(logits, n.weights.decoder.bias.value)
		r.compare("logits", logits.Data, logits.Rows, logits.Cols)
	}
	againstVectors(r, c, b, vectors)
	againstGradients(r, c, n, tape, vectors)
}

func againstVectors(r reference, c Config, b Batch, vectors []sparse.Vector) {
	want, err := r.F32("want.weights", b.Len(), c.Vocabulary)
	if err != nil {
		r.Fatal(err)
	}
	inference, err := NewInference(c, r)
	if err != nil {
		r.Fatal(err)
	}
	encoded := inference.Session().Encode(b)
	for i := range vectors {
		var weights []float64
		for _, w := range want[i*c.Vocabulary:][:c.Vocabulary] {
			weights = append(weights, float64(w))
		}
		if err := near(vectors[i], weights, 1e-4); err != nil {
			r.Errorf("vector %d: %v", i, err)
		}
		if err := near(encoded[i], weights, 1e-4); err != nil {
			r.Errorf("encoded vector %d: %v", i, err)
		}
	}
}

func againstGradients(r reference, c Config, n *Network, tape *Tape, vectors []sparse.Vector) {
	slopes, err := r.F32("want.slopes", len(vectors), c.Vocabulary)
	if err != nil {
		r.Fatal(err)
	}
	var gradients [][]float32
	for i, v := range vectors {
		g := make([]float32, v.Len())
		for j, term := range v.Terms {
			g[j] = slopes[i*c.Vocabulary+int(term)]
		}
		gradients = append(gradients, g)
	}
	tape.Backward(gradients)
	for _, p := range n.parameters {
		want, err := r.F32("want.grad."+p.Name, p.Shape...)
		if err != nil {
			r.Fatal(err)
		}
		largest := float64(max(slices.Max(want), -slices.Min(want), 1e-4)) // a key's bias has no gradient
		for i, w := range want {
			if d := math.Abs(float64(p.Grad[i] - w)); !(d <= 1e-3*largest) {
				r.Errorf("the gradient by %s[%d] is %v, want %v (largest %v)", p.Name, i, p.Grad[i], w, largest)
				break
			}
		}
	}
}
