package bert

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"parley/internal/f32"
	"parley/sparse"
)

// largestLogits returns for each term the largest logit, without bias, that a
// token of b gives it, sequence by sequence [B×V].
func largestLogits(n *Network, b Batch) f32.View {
	tape := n.NewTape(1, TapeOptions{})
	defer tape.Close()
	tape.Forward(b, nil)
	states, v := tape.head.view, n.config.Vocabulary
	logits, most := f32.NewView(make([]float32, states.Rows*v), states.Rows, v), f32.NewView(make([]float32, b.Len()*v), b.Len(), v)
	new(f32.Multiplier).MulT(logits, states, n.weights.decoder.weight.value, false)
	for i, end := range b.Ends {
		copy(most.Row(i), logits.Row(b.start(i)))
		for row := b.start(i) + 1; row < end; row++ {
			for j, x := range logits.Row(row) {
				most.Row(i)[j] = max(most.Row(i)[j], x)
			}
		}
	}
	return most
}

// thin sets the decoder's bias so that about a share of the terms of b's vectors
// weigh something.
func thin(n *Network, b Batch, share float64) {
	all := slices.Clone(largestLogits(n, b).Data)
	slices.Sort(all)
	fill(n.weights.decoder.bias.value, -all[int((1-share)*float64(len(all)-1))])
}

// screenConfig is large enough for several tiles of the vocabulary, the last of
// them a small one, and for several of rows.
func screenConfig(head Head) Config {
	return Config{
		Vocabulary: 700, Hidden: 40, Layers: 1, Heads: 4, Inner: 30, Positions: 600, Types: 2, Untied: head.Pooling == Sum,
		Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU, Head: head,
	}
}

// hardships are what a network may have that is hard on a screen. b is what it is
// tried on.
var hardships = []struct {
	name   string
	change func(n *Network, rng *rand.Rand, b Batch)
}{
	{"none", func(*Network, *rand.Rand, Batch) {}},
	{"no sparsity", func(n *Network, _ *rand.Rand, _ Batch) { fill(n.weights.decoder.bias.value, 0) }},
	{"nothing", func(n *Network, _ *rand.Rand, _ Batch) { fill(n.weights.decoder.bias.value, -1e9) }},
	{"maxima next to 0", func(n *Network, rng *rand.Rand, b Batch) {
		for j, x := range largestLogits(n, b).Row(2) {
			n.weights.decoder.bias.value[j] = []float32{
				-x, math.Nextafter32(-x, float32(math.Inf(1))), math.Nextafter32(-x, float32(math.Inf(-1))),
			}[rng.IntN(3)]
		}
	}},
	{"an outlier dimension", func(n *Network, _ *rand.Rand, b Batch) {
		n.weights.headNorm.gain.value[3] = 200
		thin(n, b, .02)
	}},
	{"a common mean", func(n *Network, _ *rand.Rand, b Batch) {
		fill(n.weights.headNorm.shift.value, -5)
		thin(n, b, .02)
	}},
	{"huge states", func(n *Network, _ *rand.Rand, b Batch) {
		fill(n.weights.headNorm.gain.value, 1e12)
		thin(n, b, .02)
	}},
	{"overflow", func(n *Network, _ *rand.Rand, _ Batch) { fill(n.weights.headNorm.gain.value, 3e38) }},
	{"denormal states", func(n *Network, rng *rand.Rand, _ Batch) {
		fill(n.weights.headNorm.gain.value, 1e-40)
		for j := range n.weights.decoder.bias.value {
			n.weights.decoder.bias.value[j] = float32(rng.NormFloat64() * 1e-41)
		}
	}},
	{"no states", func(n *Network, _ *rand.Rand, _ Batch) { fill(n.weights.headNorm.gain.value, 0) }},
	{"states of no number", func(n *Network, _ *rand.Rand, _ Batch) { n.weights.headNorm.shift.value[1] = float32(math.NaN()) }},
	{"a sequence of no number", func(n *Network, _ *rand.Rand, b Batch) {
		n.weights.word.value.Row(int(b.IDs[0]))[2] = float32(math.NaN())
	}},
	{"infinite states", func(n *Network, _ *rand.Rand, _ Batch) { n.weights.headNorm.shift.value[5] = float32(math.Inf(-1)) }},
	{"odd columns", func(n *Network, rng *rand.Rand, b Batch) {
		for _, x := range []float32{float32(math.NaN()), float32(math.Inf(1)), 1e30, 1e-42, 0} {
			row := n.weights.decoder.weight.value.Row(outside(rng, b, n.config))
			fill(row[:1+rng.IntN(len(row))], x)
		}
	}},
	{"odd biases", func(n *Network, rng *rand.Rand, _ Batch) {
		for _, x := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32, -math.MaxFloat32} {
			n.weights.decoder.bias.value[rng.IntN(n.config.Vocabulary)] = x
		}
	}},
}

// outside returns a term that b has not.
func outside(rng *rand.Rand, b Batch, c Config) int {
	for {
		if term := rng.IntN(c.Vocabulary); !slices.Contains(b.IDs, uint32(term)) {
			return term
		}
	}
}

// sameVectors tells whether vectors are equal, bit for bit.
func sameVectors(a, b []sparse.Vector) bool {
	return slices.EqualFunc(a, b, func(a, b sparse.Vector) bool {
		return slices.Equal(a.Terms, b.Terms) && slices.EqualFunc(a.Weights, b.Weights, func(x, y float32) bool {
			return math.Float32bits(x) == math.Float32bits(y)
		})
	})
}

// eachKernels runs a test with every set of kernels that screens.
func eachKernels(t *testing.T, test func(t *testing.T)) {
	names, inUse := f32.Kernels()
	defer func() {
		if err := f32.Use(inUse); err != nil {
			t.Fatal(err)
		}
	}()
	tested := false
	for _, name := range names {
		if err := f32.Use(name); err != nil {
			t.Fatal(err)
		}
		n := New(screenConfig(Head{}), 1)
		if n.weights.newScreen() != nil {
			t.Run(name, test)
			tested = true
		}
	}
	if !tested {
		t.Skip("the kernels of this processor have no screen")
	}
}

func infer(t *testing.T, n *Network) *Inference {
	t.Helper()
	inference, err := NewInference(n.config, n.Source())
	if err != nil {
		t.Fatal(err)
	}
	return inference
}

func TestScreenedIsUnscreened(t *testing.T) {
	heads := map[string]Head{
		"max": {}, "max double log": {Saturation: DoubleLog}, "max linear": {Saturation: Linear},
		"sum": {Pooling: Sum}, "sum linear": {Pooling: Sum, Saturation: Linear},
	}
	eachKernels(t, func(t *testing.T) {
		for name, head := range heads {
			for i, hardship := range hardships {
				rng := rand.New(rand.NewPCG(uint64(i), 9))
				c := screenConfig(head)
				n, b := lively(c, uint64(i)), randomBatch(c, uint64(i), 20, 1, 13, 450, 7)
				thin(n, b, .02)
				hardship.change(n, rng, b)
				inference := infer(t, n)
				session := inference.Session()
				want := cloned(inference.unscreened().Session().Encode(b))
				if !sameVectors(session.Encode(b), want) {
					t.Errorf("%s, %s: the vectors differ", name, hardship.name)
				}
				if !sameVectors(session.Encode(b), want) {
					t.Errorf("%s, %s: the vectors differ the second time", name, hardship.name)
				}
			}
		}
	})
}

// TestScreenLeavesFewTerms: what is screened is not computed, and whose vectors
// are not sparse is not screened for long.
func TestScreenLeavesFewTerms(t *testing.T) {
	eachKernels(t, func(t *testing.T) {
		for i, hardship := range hardships[:7] {
			c := screenConfig(Head{})
			n, b := lively(c, 1), randomBatch(c, 1, 20, 1, 13, 100, 7)
			thin(n, b, .02)
			hardship.change(n, rand.New(rand.NewPCG(1, 9)), b)
			session := infer(t, n).Session()
			terms, left := 0, 0
			for _, v := range session.Encode(b) {
				terms += v.Len()
			}
			for _, l := range session.left {
				left += l
			}
			switch {
			case hardship.name == "no sparsity":
				if session.dense != denseRepeat {
					t.Errorf("%s: screening goes on where %d of %d terms are left", hardship.name, left, b.Len()*c.Vocabulary)
				}
			case left > 4*terms+b.Len()*8:
				t.Errorf("%s: %d terms are left for vectors of %d", hardships[i].name, left, terms)
			}
		}
	})
}

func TestDenseVectorsAreScreenedAgain(t *testing.T) {
	eachKernels(t, func(t *testing.T) {
		c := screenConfig(Head{})
		n, b := lively(c, 1), randomBatch(c, 1, 20, 1)
		session := infer(t, n).Session()
		want := cloned(session.Encode(b))
		for i := range denseRepeat + 1 {
			if session.dense != denseRepeat-i {
				t.Fatalf("batch %d: %d batches go without screen", i, session.dense)
			}
			if !sameVectors(session.Encode(b), want) {
				t.Fatalf("batch %d is another one", i)
			}
		}
		if session.dense != denseRepeat {
			t.Error("the screen was not tried again")
		}
	})
}

func TestScreenAllocatesNothing(t *testing.T) {
	eachKernels(t, func(t *testing.T) {
		c := screenConfig(Head{})
		n, b := lively(c, 1), randomBatch(c, 1, 20, 1, 400)
		thin(n, b, .05)
		session := infer(t, n).Session()
		session.Encode(b)
		if session.dense != 0 {
			t.Error("the vectors are not sparse")
		}
		if a := testing.AllocsPerRun(3, func() { session.Encode(b) }); a != 0 {
			t.Errorf("a session allocates %v times a batch", a)
		}
	})
}

func TestExplainIsScreenedToo(t *testing.T) {
	eachKernels(t, func(t *testing.T) {
		for _, pooling := range []Pooling{Max, Sum} {
			c := screenConfig(Head{Pooling: pooling})
			n, b := lively(c, 1), randomBatch(c, 1, 30)
			thin(n, b, .05)
			inference := infer(t, n)
			v, places := inference.Session().Explain(b.IDs)
			want, wantPlaces := inference.unscreened().Session().Explain(b.IDs)
			if !sameVectors([]sparse.Vector{v}, []sparse.Vector{want}) || !slices.Equal(places, wantPlaces) {
				t.Error("the explanation differs")
			}
		}
	})
}
