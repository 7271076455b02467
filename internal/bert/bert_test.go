package bert

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"parley/internal/f32"
	"parley/sparse"
)

// configs are small networks that differ in everything.
func configs() map[string]Config {
	return map[string]Config{
		"bert": {
			Vocabulary: 37, Hidden: 12, Layers: 2, Heads: 3, Inner: 20, Positions: 9, Types: 2,
			Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU, Dropout: .2, AttentionDropout: .3,
		},
		"distilbert": {
			Family: DistilBERT, Vocabulary: 300, Hidden: 10, Layers: 1, Heads: 2, Inner: 7, Positions: 9,
			Epsilon: 1e-5, Activation: f32.ReLU, HeadActivation: f32.ReLU, Dropout: .1, AttentionDropout: .1,
		},
		"untied": {
			Vocabulary: 7, Hidden: 7, Layers: 1, Heads: 1, Inner: 13, Positions: 9, Types: 1, Untied: true,
			Epsilon: 1e-5, Activation: f32.GELUTanh, HeadActivation: f32.GELUTanh, Dropout: .1,
			Head: Head{Saturation: DoubleLog},
		},
		"sum": {
			Vocabulary: 1100, Hidden: 6, Layers: 1, Heads: 2, Inner: 9, Positions: 9, Types: 1,
			Epsilon: 1e-6, Activation: f32.SiLU, HeadActivation: f32.Tanh, AttentionDropout: .4,
			Head: Head{Pooling: Sum, Saturation: DoubleLog},
		},
		"sum linear": {
			Family: DistilBERT, Vocabulary: 41, Hidden: 5, Layers: 0, Heads: 5, Inner: 9, Positions: 9,
			Epsilon: 1e-6, Activation: f32.GELU, HeadActivation: f32.GELU,
			Head: Head{Pooling: Sum, Saturation: Linear},
		},
		"lexical": {
			Vocabulary: 11, Hidden: 8, Layers: 3, Heads: 2, Inner: 5, Positions: 9, Types: 2,
			Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU, Dropout: .1, AttentionDropout: .1,
			Head: Head{Kind: Lexical, Skip: []uint32{3, 5}},
		},
		"lexical sum": {
			Family: DistilBERT, Vocabulary: 11, Hidden: 8, Layers: 1, Heads: 2, Inner: 5, Positions: 9,
			Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU, Dropout: .1,
			Head: Head{Kind: Lexical, Pooling: Sum, Saturation: DoubleLog},
		},
	}
}

// lively returns a network whose weights are so large, and everywhere, that
// each matters.
func lively(c Config, seed uint64) *Network {
	n := New(c, seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	for _, p := range n.parameters {
		for i := range p.Value {
			p.Value[i] += float32(rng.NormFloat64() * .3)
		}
	}
	if c.Head.Kind == Lexical {
		n.weights.token.bias.value[0] = 3
	}
	return n
}

// randomBatch returns sequences of the given lengths.
func randomBatch(c Config, seed uint64, lengths ...int) Batch {
	rng := rand.New(rand.NewPCG(seed, 3))
	var b Batch
	for _, length := range lengths {
		ids := make([]uint32, length)
		for i := range ids {
			ids[i] = uint32(rng.IntN(c.Vocabulary))
		}
		b.Add(ids)
	}
	if c.Types > 1 {
		for range b.IDs {
			b.Types = append(b.Types, uint8(rng.IntN(c.Types)))
		}
	}
	return b
}

// cloned returns vectors that outlive the next pass.
func cloned(vectors []sparse.Vector) []sparse.Vector {
	var all []sparse.Vector
	for _, v := range vectors {
		all = append(all, sparse.Vector{Terms: slices.Clone(v.Terms), Weights: slices.Clone(v.Weights)})
	}
	return all
}

func equal(a, b []sparse.Vector) bool {
	return slices.EqualFunc(a, b, func(a, b sparse.Vector) bool {
		return slices.Equal(a.Terms, b.Terms) && slices.Equal(a.Weights, b.Weights)
	})
}

// unscreened returns the same network, all of whose logits are computed.
func (f *Inference) unscreened() *Inference {
	g := *f
	if g.screen != nil {
		g.screen = nil
		g.weights.decoder.packed = f.decoder()
	}
	return &g
}

// each runs a test for each of the configs.
func each(t *testing.T, test func(t *testing.T, c Config)) {
	for name, c := range configs() {
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

// forms are the dropouts that a test runs with: none, and seeds.
func forms(b Batch) map[string][]uint64 {
	seeds := make([]uint64, b.Len())
	for i := range seeds {
		seeds[i] = uint64(i*i + 5)
	}
	return map[string][]uint64{"plain": nil, "dropout": seeds}
}

func TestForwardIsTheTwins(t *testing.T) {
	each(t, func(t *testing.T, c Config) {
		b := randomBatch(c, 1, 5, 1, 9, 2)
		n := lively(c, 1)
		tape := n.NewTape(2, TapeOptions{})
		defer tape.Close()
		for name, seeds := range forms(b) {
			twin := newTwin(n)
			twin.seeds = seeds
			want, terms := twin.forward(b), 0
			for i, v := range tape.Forward(b, seeds) {
				if err := near(v, want[i], 2e-5); err != nil {
					t.Errorf("%s, sequence %d: %v", name, i, err)
				}
				terms += v.Len()
			}
			if terms < b.Len() {
				t.Errorf("%s: only %d terms: this shows little", name, terms)
			}
		}
	})
}

// TestInnerStatesMayGoByParts: a layer gives the same, and leaves the same for
// the way back, when its inner states do not fit at once.
func TestInnerStatesMayGoByParts(t *testing.T) {
	c, b := medium(configs()["bert"])
	tape := lively(c, 2).NewTape(2, TapeOptions{})
	defer tape.Close()
	tape.Forward(b, forms(b)["dropout"])
	run := func(rows int) ([]float32, []moments) {
		var k kept
		a := k.of(c, f32.NewView(tape.inputs[0], len(b.IDs), c.Hidden))
		a.inner = a.inner.Sub(0, rows, 0, c.Inner)
		var output buffer
		tape.forwardLayer(0, &a, a.inner, output.view(len(b.IDs), c.Hidden))
		return output, a.outerMoments
	}
	whole, wholeMoments := run(len(b.IDs))
	parts, partsMoments := run(100)
	if !slices.Equal(whole, tape.inputs[1]) || !slices.Equal(parts, whole) || !slices.Equal(partsMoments, wholeMoments) {
		t.Error("inner states by parts give another output")
	}
}

// lossWeights returns the gradient of a linear loss by every weight.
func lossWeights(c Config, sequences int) [][]float64 {
	rng := rand.New(rand.NewPCG(9, 9))
	all := make([][]float64, sequences)
	for i := range all {
		for range c.Vocabulary {
			all[i] = append(all[i], rng.NormFloat64())
		}
	}
	return all
}

func gradientsOf(vectors []sparse.Vector, loss [][]float64) [][]float32 {
	var all [][]float32
	for i, v := range vectors {
		g := make([]float32, v.Len())
		for j, term := range v.Terms {
			g[j] = float32(loss[i][term])
		}
		all = append(all, g)
	}
	return all
}

// TestBackwardIsTheTwinsSlope compares every gradient with central differences
// of the twin, in double precision.
func TestBackwardIsTheTwinsSlope(t *testing.T) {
	each(t, func(t *testing.T, c Config) {
		b := randomBatch(c, 4, 4, 1, 6)
		n := lively(c, 4)
		loss := lossWeights(c, b.Len())
		for name, seeds := range forms(b) {
			for _, p := range n.parameters {
				clear(p.Grad)
			}
			tape := n.NewTape(2, TapeOptions{})
			tape.Backward(gradientsOf(tape.Forward(b, seeds), loss))
			tape.Close()
			twin := newTwin(n)
			twin.seeds = seeds
			for _, p := range n.parameters {
				checkSlopes(t, name, p, twin, b, loss)
			}
		}
	})
}

// checkSlopes compares some entries of a parameter's gradient.
func checkSlopes(t *testing.T, name string, p *f32.Parameter, twin *twin, b Batch, loss [][]float64) {
	t.Helper()
	value := func() float64 {
		sum := 0.0
		for i, weights := range twin.forward(b) {
			for term, w := range weights {
				sum += loss[i][term] * w
			}
		}
		return sum
	}
	largest := float32(.01) // a key's bias has no gradient: all that it adds, the softmax takes off
	for _, g := range p.Grad {
		largest = max(largest, g, -g)
	}
	values, step := twin.tensors[p.Name], max(1, len(p.Value)/12)
	for i := 0; i < len(values); i += step {
		const h = 1e-6
		x := values[i]
		values[i] = x + h
		up := value()
		values[i] = x - h
		slope := (up - value()) / (2 * h)
		values[i] = x
		if math.Abs(slope-float64(p.Grad[i])) > 1e-4*float64(largest) {
			t.Errorf("%s: the gradient by %s[%d] is %v, want %v (largest %v)", name, p.Name, i, p.Grad[i], slope, largest)
		}
	}
}

// step takes a batch forward and back and returns vectors and gradients.
func step(n *Network, b Batch, seeds []uint64, workers int, o TapeOptions) ([]sparse.Vector, [][]float32) {
	for _, p := range n.parameters {
		clear(p.Grad)
	}
	tape := n.NewTape(workers, o)
	defer tape.Close()
	vectors := tape.Forward(b, seeds)
	tape.Backward(gradientsOf(vectors, lossWeights(n.config, b.Len())))
	var grads [][]float32
	for _, p := range n.parameters {
		grads = append(grads, slices.Clone(p.Grad))
	}
	return cloned(vectors), grads
}

// medium returns configs of sizes at which blocks, tiles and workers matter.
func medium(c Config) (Config, Batch) {
	c.Positions = 400
	c.Hidden, c.Inner = c.Hidden*5, 70
	return c, randomBatch(c, 8, 100, 1, 270, 33)
}

// TestResultsDoNotDependOnWorkersOrRecomputation also holds the vectors of
// sessions to those of tapes: all bit for bit.
func TestResultsDoNotDependOnWorkersOrRecomputation(t *testing.T) {
	each(t, func(t *testing.T, c Config) {
		c, b := medium(c)
		n := lively(c, 5)
		for name, seeds := range forms(b) {
			vectors, grads := step(n, b, seeds, 1, TapeOptions{})
			for _, o := range []TapeOptions{{}, {Recompute: true}} {
				for _, workers := range []int{2, 5} {
					v, g := step(n, b, seeds, workers, o)
					if !equal(v, vectors) {
						t.Errorf("%s: vectors differ with %d workers and %+v", name, workers, o)
					}
					for i, p := range n.parameters {
						if !slices.Equal(g[i], grads[i]) {
							t.Errorf("%s: the gradient by %s differs with %d workers and %+v", name, p.Name, workers, o)
						}
					}
				}
			}
		}
	})
}

func TestSequencesDoNotDependOnTheirBatch(t *testing.T) {
	each(t, func(t *testing.T, c Config) {
		c, b := medium(c)
		n := lively(c, 6)
		inference, err := NewInference(c, n.Source())
		if err != nil {
			t.Fatal(err)
		}
		session, tape := inference.Session(), n.NewTape(2, TapeOptions{})
		defer tape.Close()
		together := cloned(session.Encode(b))
		for name, seeds := range forms(b) {
			all := cloned(tape.Forward(b, seeds))
			if seeds == nil && !equal(all, together) {
				t.Errorf("session and tape differ")
			}
			for i, end := range b.Ends {
				one := Batch{IDs: b.IDs[b.start(i):end], Ends: []int{end - b.start(i)}}
				if b.Types != nil {
					one.Types = b.Types[b.start(i):end]
				}
				var seed []uint64
				if seeds != nil {
					seed = seeds[i : i+1]
				}
				if !equal(tape.Forward(one, seed), all[i:i+1]) {
					t.Errorf("%s: the tape's vector %d is another one alone", name, i)
				}
				if seeds == nil && !equal(session.Encode(one), all[i:i+1]) {
					t.Errorf("%s: the session's vector %d is another one alone", name, i)
				}
			}
		}
	})
}

func TestGradientsAccumulate(t *testing.T) {
	each(t, func(t *testing.T, c Config) {
		n := lively(c, 7)
		b := randomBatch(c, 7, 4, 6)
		_, once := step(n, b, nil, 1, TapeOptions{})
		tape := n.NewTape(1, TapeOptions{})
		defer tape.Close()
		tape.Backward(gradientsOf(tape.Forward(b, nil), lossWeights(c, b.Len())))
		for i, p := range n.parameters {
			for j, g := range p.Grad {
				if want := 2 * once[i][j]; math.Abs(float64(g-want)) > 1e-5*math.Abs(float64(want))+1e-6 {
					t.Fatalf("the gradient by %s[%d] is %v after two passes, want %v", p.Name, j, g, want)
				}
			}
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	each(t, func(t *testing.T, c Config) {
		c, _ = medium(c)
		b := randomBatch(c, 8, 70, 1, 33)
		n := lively(c, 6)
		inference, err := NewInference(c, n.Source())
		if err != nil {
			t.Fatal(err)
		}
		session := inference.Session()
		session.Encode(b)
		if a := testing.AllocsPerRun(3, func() { session.Encode(b) }); a != 0 {
			t.Errorf("a session allocates %v times a batch", a)
		}
		for _, o := range []TapeOptions{{}, {Recompute: true}} {
			// With two workers chance says who meets the longest sequence first and
			// takes room for it: the mean over some runs is rounded down.
			for workers, runs := range map[int]int{1: 2, 2: 12} {
				tape := n.NewTape(workers, o)
				seeds := forms(b)["dropout"]
				gradients := gradientsOf(tape.Forward(b, seeds), lossWeights(c, b.Len()))
				run := func() {
					tape.Forward(b, seeds)
					tape.Backward(gradients)
				}
				run()
				if a := testing.AllocsPerRun(runs, run); a != 0 {
					t.Errorf("a tape (%+v) of %d workers allocates %v times a step", o, workers, a)
				}
				tape.Close()
			}
		}
	})
}

// TestExplainNamesTheTokenThatGaveMost looks at what the twin has of each token.
func TestExplainNamesTheTokenThatGaveMost(t *testing.T) {
	each(t, func(t *testing.T, c Config) {
		n := lively(c, 3)
		inference, err := NewInference(c, n.Source())
		if err != nil {
			t.Fatal(err)
		}
		session := inference.Session()
		b := randomBatch(c, 5, 8)
		v, places := session.Explain(b.IDs)
		b.Types = nil
		if !equal(session.Encode(b), []sparse.Vector{v}) {
			t.Error("the vector is not that of Encode")
		}
		twin := newTwin(n)
		states := twin.states(0, b.IDs, nil)
		last := states[len(states)-1]
		for j, term := range v.Terms {
			want, most := -1, 0.0
			for i := range last {
				if share := twin.weigh(b.IDs[i:i+1], last[i:i+1])[term]; share > most+1e-6 {
					want, most = i, share
				}
			}
			if int(places[j]) != want {
				t.Errorf("term %d is of token %d, want %d", term, places[j], want)
			}
		}
	})
}

func TestDropoutKeepsTheMean(t *testing.T) {
	for _, probability := range []float32{0, 1e-5, .1, .5, .9} {
		d := newDropout(probability)
		row := make([]float32, 1003)
		sum, dropped, total := 0.0, 0, 0
		for i := range 200 {
			fill(row, 1)
			d.apply(row, rowKey(site(7, 1, siteHidden, 0), i))
			for _, x := range row {
				sum += float64(x)
				total++
				if x == 0 {
					dropped++
				}
			}
		}
		p := float64(probability)
		if got := float64(dropped) / float64(total); math.Abs(got-p) > 4*math.Sqrt(p/float64(total))+1e-5 {
			t.Errorf("%v of the elements are dropped, want %v", got, p)
		}
		if got := sum / float64(total); math.Abs(got-1) > .03 {
			t.Errorf("probability %v: the mean is %v", p, got)
		}
	}
}

func ExampleSession_Encode() {
	c := Config{
		Vocabulary: 100, Hidden: 16, Layers: 2, Heads: 2, Inner: 32, Positions: 64, Types: 2,
		Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU,
	}
	network := New(c, 1)
	inference, err := NewInference(c, network.Source())
	if err != nil {
		fmt.Println(err)
		return
	}
	var b Batch
	b.Add([]uint32{2, 17, 30, 3})
	b.Add([]uint32{2, 99, 3})
	for _, v := range inference.Session().Encode(b) {
		fmt.Println(v.Validate(c.Vocabulary), v.Len() > 0)
	}
	// Output:
	// <nil> true
	// <nil> true
}
