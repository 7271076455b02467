package lexical

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/dialog"
	"parley/internal/input"
	"parley/internal/safetensors"
	"parley/sparse"
)

const testVocabulary = 12

// randomInputs returns inputs of made-up contexts and features over a small
// vocabulary, some tokens dropped.
func randomInputs(rng *rand.Rand, n int) []Input {
	inputs := make([]Input, n)
	for i := range inputs {
		in := &inputs[i]
		length := rng.IntN(9)
		in.Dropped = make([]bool, length)
		byTerm := make([][]int32, testVocabulary)
		for p := range length {
			id := uint32(rng.IntN(testVocabulary))
			in.Context.IDs = append(in.Context.IDs, id)
			in.Context.Roles = append(in.Context.Roles, dialog.Question)
			in.Context.Distances = append(in.Context.Distances, 0)
			in.Dropped[p] = rng.IntN(5) == 0
			if id > 1 { // 0 and 1 are no content
				byTerm[id] = append(byTerm[id], int32(p))
			}
		}
		for id, positions := range byTerm {
			if len(positions) == 0 {
				continue
			}
			in.Terms.IDs = append(in.Terms.IDs, uint32(id))
			in.Terms.Start = append(in.Terms.Start, int32(len(in.Terms.Positions)))
			in.Terms.Positions = append(in.Terms.Positions, positions...)
			for range len(positions) * input.Families {
				in.Terms.Features = append(in.Terms.Features, uint16(rng.IntN(input.Features)))
			}
		}
		in.Terms.Start = append(in.Terms.Start, int32(len(in.Terms.Positions)))
	}
	return inputs
}

// randomNetwork returns a network none of whose weights is 0.
func randomNetwork(c Config, seed uint64) *Network {
	n := New(c, testVocabulary, []uint32{0, 2, 3, 5, 8, 11}, seed)
	rng := rand.New(rand.NewPCG(seed, 9))
	for _, p := range n.Parameters() {
		for i := range p.Value {
			p.Value[i] += float32(rng.NormFloat64() * .2)
		}
	}
	return n
}

var configs = []Config{{}, {Dim: 3, Hidden: 2}, {Dim: 5, Hidden: 37}}

// reference is the network written down from its formula in double precision,
// sharing no code with it but the parameters' names.
type reference map[string][]float64

func referenceOf(n *Network) reference {
	r := reference{}
	for _, p := range n.Parameters() {
		values := make([]float64, len(p.Value))
		for i, v := range p.Value {
			values[i] = float64(v)
		}
		r[p.Name] = values
	}
	return r
}

func (r reference) score(n *Network, in Input, o int) float64 {
	features := in.Terms.Features[o*input.Families : (o+1)*input.Families]
	s := r["bias"][0]
	for _, f := range features {
		s += r["additive"][f]
	}
	d, h := n.config.Dim, n.config.Hidden
	row := func(p int) int {
		if p < 0 || p >= len(in.Context.IDs) {
			return 1
		}
		for i, term := range n.terms {
			if term == in.Context.IDs[p] && !in.Dropped[p] {
				return i + 2
			}
		}
		return 0
	}
	for j := range h {
		unit := r["shift"][j]
		for k := range 3 {
			at := row(int(in.Terms.Positions[o]) + k - 1)
			for x := range d {
				unit += r["embed"][at*d+x] * r["project"][x*3*h+k*h+j]
			}
		}
		for _, f := range features {
			unit += r["feature"][int(f)*h+j]
		}
		s += r["out"][j] * math.Max(unit, 0)
	}
	return s
}

// weights returns the weight of every term of in, those at 0 included.
func (r reference) weights(n *Network, in Input) map[uint32]float64 {
	weights := map[uint32]float64{}
	for t, id := range in.Terms.IDs {
		for o := in.Terms.Start[t]; o < in.Terms.Start[t+1]; o++ {
			if !in.Dropped[in.Terms.Positions[o]] {
				weights[id] = math.Max(weights[id], r.score(n, in, int(o)))
			}
		}
	}
	return weights
}

func TestForwardIsTheFormula(t *testing.T) {
	for _, c := range configs {
		rng := rand.New(rand.NewPCG(1, 2))
		n := randomNetwork(c, 3)
		inputs := randomInputs(rng, 40)
		for i, v := range n.Forward(inputs, 2) {
			if err := v.Validate(testVocabulary); err != nil {
				t.Fatal(err)
			}
			for id, want := range referenceOf(n).weights(n, inputs[i]) {
				if got := float64(v.Weight(id)); math.Abs(got-want) > 1e-5 {
					t.Errorf("%+v: input %d, term %d: weight %v, want %v", c, i, id, got, want)
				}
			}
		}
	}
}

// TestGradients compares gradients with the central difference of the
// reference, for a loss that weighs the outputs at random: those of all
// parameters, but for the largest network only a sample of those that have none.
// That one has hidden units in two pieces of the backward pass.
func TestGradients(t *testing.T) {
	for _, c := range configs {
		rng := rand.New(rand.NewPCG(4, 5))
		n := randomNetwork(c, 6)
		inputs := randomInputs(rng, 25)
		if c.Hidden > columns {
			inputs = inputs[:5] // the reference is slow
		}
		vectors := n.Forward(inputs, 2)
		gradients := make([][]float32, len(vectors))
		slope := make([]map[uint32]float64, len(vectors))
		for i, v := range vectors {
			slope[i] = map[uint32]float64{}
			for _, term := range v.Terms {
				g := rng.NormFloat64()
				gradients[i] = append(gradients[i], float32(g))
				slope[i][term] = float64(float32(g))
			}
		}
		n.Backward(gradients, 2)
		r := referenceOf(n)
		loss := func() (sum float64) {
			for i, in := range inputs {
				for term, w := range r.weights(n, in) {
					sum += slope[i][term] * w
				}
			}
			return sum
		}
		moved := 0
		for _, p := range n.Parameters() {
			for i := range p.Value {
				if c.Hidden > columns && p.Grad[i] == 0 && i%41 != 0 {
					continue
				}
				const h = 1e-6
				x := r[p.Name][i]
				r[p.Name][i] = x + h
				up := loss()
				r[p.Name][i] = x - h
				want := (up - loss()) / (2 * h)
				r[p.Name][i] = x
				if got := float64(p.Grad[i]); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
					t.Fatalf("%+v: gradient by %s[%d]: %v, central difference %v", c, p.Name, i, got, want)
				}
				if want != 0 {
					moved++
				}
			}
		}
		if moved < 100 {
			t.Errorf("%+v: only %d parameters matter: the test is too weak", c, moved)
		}
	}
}

// TestWorkers says that the number of workers changes no bit.
func TestWorkers(t *testing.T) {
	run := func(workers int) ([]sparse.Vector, *Network) {
		n := randomNetwork(configs[2], 7)
		inputs := randomInputs(rand.New(rand.NewPCG(8, 8)), 50)
		var vectors []sparse.Vector
		for range 3 { // buffers are reused
			vectors = n.Forward(inputs, workers)
			gradients := make([][]float32, len(vectors))
			for i, v := range vectors {
				gradients[i] = append([]float32{}, v.Weights...)
			}
			n.Backward(gradients, workers)
		}
		return vectors, n
	}
	vectors, n := run(1)
	for _, workers := range []int{2, 3, 16} {
		v, m := run(workers)
		if !reflect.DeepEqual(v, vectors) {
			t.Errorf("%d workers give other vectors", workers)
		}
		for i, p := range m.Parameters() {
			if !reflect.DeepEqual(p.Grad, n.Parameters()[i].Grad) {
				t.Errorf("%d workers give another gradient by %s", workers, p.Name)
			}
		}
	}
}

func TestWeighIsForward(t *testing.T) {
	for _, c := range configs {
		n := randomNetwork(c, 11)
		inputs := randomInputs(rand.New(rand.NewPCG(12, 12)), 50)
		want := n.Forward(inputs, 1)
		inf := NewInference(n)
		for i, in := range inputs {
			if got := inf.Weigh(in); !reflect.DeepEqual(got, want[i]) {
				t.Errorf("%+v: input %d: %v, Forward gives %v", c, i, got, want[i])
			}
		}
	}
}

// TestFresh says that a feature student starts as the bag of its input's terms.
func TestFresh(t *testing.T) {
	n := New(Config{}, testVocabulary, nil, 1)
	for i, v := range n.Forward(randomInputs(rand.New(rand.NewPCG(1, 1)), 20), 1) {
		for j, w := range v.Weights {
			if w != 1 {
				t.Errorf("input %d: term %d has weight %v, want 1", i, v.Terms[j], w)
			}
		}
	}
}

// file returns tensors as they are read back.
func file(t testing.TB, tensors ...safetensors.Tensor) *safetensors.File {
	t.Helper()
	var data bytes.Buffer
	if err := safetensors.Write(&data, tensors, nil); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Parse(data.Bytes(), "weights")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLoadIsTensors(t *testing.T) {
	for _, c := range configs {
		n := randomNetwork(c, 13)
		f := file(t, n.Tensors()...)
		back, err := Load(f, c, testVocabulary)
		if err != nil {
			t.Fatal(err)
		}
		inputs := randomInputs(rand.New(rand.NewPCG(14, 14)), 20)
		for i, want := range n.Forward(inputs, 1) {
			if got := back.Weigh(inputs[i]); !reflect.DeepEqual(got, want) {
				t.Errorf("%+v: input %d: the network read back gives %v, not %v", c, i, got, want)
			}
		}
		names := c.TensorNames()
		slices.Sort(names)
		if !slices.Equal(names, f.Names()) {
			t.Errorf("%+v: tensors %v, said to be %v", c, f.Names(), names)
		}
		for _, p := range back.network.Parameters() {
			if tensor, err := f.F32(p.Name, p.Shape...); err != nil || p.Grad != nil || &p.Value[0] != &tensor.F32[0] {
				t.Errorf("%+v: parameter %s has %d gradients or is a copy", c, p.Name, len(p.Grad))
			}
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	mlp := configs[1]
	for name, test := range map[string]struct {
		config     Config
		vocabulary int
		tensor     string // whose value 1 is set
		value      float32
		want       string
	}{
		"other width":      {Config{Dim: 4, Hidden: 2}, testVocabulary, "", 0, `tensor "embed" has shape`},
		"other units":      {Config{Dim: 3, Hidden: 4}, testVocabulary, "", 0, `tensor "project" has shape`},
		"monstrous sizes":  {Config{Dim: 1 << 30, Hidden: 1 << 30}, testVocabulary, "", 0, "has shape"},
		"negative":         {Config{Dim: -1, Hidden: -1}, testVocabulary, "", 0, "width -1 and -1 hidden units"},
		"no width":         {Config{Dim: 0, Hidden: 2}, testVocabulary, "", 0, "width 0 and 2 hidden units"},
		"no units":         {Config{Dim: 3, Hidden: 0}, testVocabulary, "", 0, "width 3 and 0 hidden units"},
		"small vocabulary": {mlp, 11, "", 0, "embeds term 11, which is out of order or outside the vocabulary of 11"},
		"not a number":     {mlp, testVocabulary, "embed", float32(math.NaN()), `weight 1 of tensor "embed" is NaN`},
		"infinite":         {mlp, testVocabulary, "additive", float32(math.Inf(-1)), `weight 1 of tensor "additive" is -Inf`},
		"negative term":    {mlp, testVocabulary, termsTensor, -1, "embeds term -1"},
		"term twice":       {mlp, testVocabulary, termsTensor, 0, "embeds term 0, which is out of order"},
	} {
		tensors := randomNetwork(mlp, 1).Tensors()
		for _, tensor := range tensors {
			switch {
			case tensor.Name != test.tensor:
			case tensor.I32 != nil:
				tensor.I32[1] = int32(test.value)
			default:
				tensor.F32[1] = test.value
			}
		}
		_, err := Load(file(t, tensors...), test.config, test.vocabulary)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "weights") {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
	for i, missing := range randomNetwork(mlp, 1).Tensors() {
		tensors := slices.Delete(randomNetwork(mlp, 1).Tensors(), i, i+1)
		if _, err := Load(file(t, tensors...), mlp, testVocabulary); err == nil || !strings.Contains(err.Error(), missing.Name) {
			t.Errorf("without %s: error %v", missing.Name, err)
		}
	}
}

func Example() {
	n := New(Config{}, 100, nil, 1)
	in := Input{
		Context: input.Context{IDs: []uint32{42, 7}},
		Terms: input.Terms{
			IDs: []uint32{7, 42}, Start: []int32{0, 1, 2}, Positions: []int32{1, 0},
			Features: make([]uint16, 2*input.Families),
		},
	}
	n.Parameters()[1].Value[0] = -.05 // every occurrence has feature 0 in each family
	fmt.Printf("%.2f\n", NewInference(n).Weigh(in).Weights)
	// Output: [0.40 0.40]
}

func BenchmarkStep(b *testing.B) {
	n := New(Config{Dim: 64, Hidden: 64}, testVocabulary, []uint32{0, 2, 3, 5, 8, 11}, 1)
	inputs := randomInputs(rand.New(rand.NewPCG(1, 1)), 64)
	b.ReportAllocs()
	for b.Loop() {
		vectors := n.Forward(inputs, 1)
		gradients := make([][]float32, len(vectors))
		for i, v := range vectors {
			gradients[i] = v.Weights
		}
		n.Backward(gradients, 1)
	}
}
