package objective

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"parley/sparse"
)

// numberedBatch returns turns of several conversations with vectors over few
// terms, some of them empty.
func numberedBatch(rng *rand.Rand, turns int) *Batch {
	b := &Batch{}
	for range turns {
		weights := map[uint32]float32{}
		for range rng.IntN(6) {
			weights[uint32(rng.IntN(9))] = float32(rng.ExpFloat64()) + .001
		}
		t := Turn{Number: rng.IntN(8), Query: sparse.FromMap(weights)}
		t.Cost = make([]float32, t.Query.Len())
		for j := range t.Cost {
			t.Cost[j] = rng.Float32()
		}
		t.WeightGradient = make([]float32, t.Query.Len())
		b.Turns = append(b.Turns, t)
	}
	return b
}

// regularisers returns all regularisers, with turns weighed alike and by number.
func regularisers() []Term {
	var all []Term
	for _, w := range []*TurnWeights{nil, {Power: .5}, {Power: 2, mean: 7}} {
		all = append(all, L1{w}, DFL1{w}, &FLOPS{Turns: w}, Entropy{w}, L0{w},
			DFSaturating{.5, false, w}, DFSaturating{2, true, w})
	}
	return all
}

// TestRegulariserGradients compares the gradient of each regulariser by each
// weight with central differences of its value.
func TestRegulariserGradients(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 7))
	for _, term := range regularisers() {
		for range 20 {
			b := numberedBatch(rng, 1+rng.IntN(4))
			term.Add(b, 3)
			value := func() float64 {
				copied := &Batch{Turns: slices.Clone(b.Turns)}
				for i := range copied.Turns {
					copied.Turns[i].WeightGradient = make([]float32, b.Turns[i].Query.Len())
				}
				return 3 * term.Add(copied, 1)
			}
			for i := range b.Turns {
				turn := &b.Turns[i]
				for j, q := range turn.Query.Weights {
					at := func(q float32) float64 { turn.Query.Weights[j] = q; return value() }
					high, low := q*(1+1./512), q*(1-1./512)
					want := (at(high) - at(low)) / (float64(high) - float64(low))
					turn.Query.Weights[j] = q
					if got := float64(turn.WeightGradient[j]); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
						t.Errorf("%s: gradient by weight %v of turn %d is %v, central difference %v", term.Name(), q, i, got, want)
					}
				}
			}
		}
	}
}

// TestParts says that a batch in parts has the value and the gradients of the
// whole, those of terms that couple its turns, too.
func TestParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 7))
	for _, term := range regularisers() {
		for range 20 {
			whole := numberedBatch(rng, 2+rng.IntN(7))
			parted := &Batch{Turns: slices.Clone(whole.Turns), Of: len(whole.Turns)}
			for i := range parted.Turns {
				parted.Turns[i].WeightGradient = make([]float32, len(whole.Turns[i].WeightGradient))
			}
			want := term.Add(whole, 2)
			terms := []Weighted{{Term: term}}
			cuts := []int{0, 1 + rng.IntN(len(whole.Turns)-1), len(whole.Turns)}
			part := func(i int) *Batch { return &Batch{Turns: parted.Turns[cuts[i]:cuts[i+1]], Of: len(whole.Turns)} }
			for i := range 2 {
				Gather(terms, part(i), i == 0)
			}
			got := term.Add(part(0), 2) + term.Add(part(1), 2)
			if math.Abs(got-want) > 1e-12*(1+want) {
				t.Errorf("%s: %v in parts, %v at once", term.Name(), got, want)
			}
			for i := range whole.Turns {
				for j, g := range whole.Turns[i].WeightGradient {
					if other := parted.Turns[i].WeightGradient[j]; math.Abs(float64(g-other)) > 1e-6*(1+math.Abs(float64(g))) {
						t.Errorf("%s: gradient %v in parts, %v at once", term.Name(), other, g)
					}
				}
			}
		}
	}
	if Coupled([]Weighted{{Term: L1{}}}) || !Coupled([]Weighted{{Term: L1{}}, {Term: &FLOPS{}}}) {
		t.Error("what is coupled is not told")
	}
	defer func() {
		if recover() == nil {
			t.Error("a part that was not gathered was added")
		}
	}()
	b := numberedBatch(rng, 2)
	b.Of = 3
	(&FLOPS{}).Add(b, 1)
}

// TestGatherForgets says that parts that were gathered and never added, as where a
// training was interrupted, are not mixed into the next batch.
func TestGatherForgets(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 7))
	f := &FLOPS{}
	a, b := numberedBatch(rng, 4), numberedBatch(rng, 4)
	want := (&FLOPS{}).Add(b, 1)
	Gather([]Weighted{{Term: f}}, a, true)
	Gather([]Weighted{{Term: f}}, b, true)
	if got := f.Add(b, 1); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestTurnWeights says that their mean is 1 over the turns that they were fitted
// to, and that late turns weigh more.
func TestTurnWeights(t *testing.T) {
	numbers := []int{1, 1, 1, 2, 2, 3, 4, 9, 0}
	w := &TurnWeights{Power: 1.5}
	Fit([]Weighted{{Term: KLD{}}, {Term: L1{}}, {Term: DFL1{w}}}, numbers)
	sum := 0.0
	for _, n := range numbers {
		sum += w.of(&Turn{Number: n})
	}
	if math.Abs(sum/float64(len(numbers))-1) > 1e-12 {
		t.Errorf("the mean weight is %v", sum/float64(len(numbers)))
	}
	if a, b := w.of(&Turn{Number: 2}), w.of(&Turn{Number: 8}); math.Abs(b/a-8) > 1e-12 {
		t.Errorf("turns 2 and 8 weigh %v and %v", a, b)
	}
	if got := (*TurnWeights)(nil).of(&Turn{Number: 7}); got != 1 {
		t.Errorf("unweighed, turn 7 weighs %v", got)
	}
}

// TestSurrogates says what the surrogates of costs are where they can be known.
func TestSurrogates(t *testing.T) {
	turn := Turn{Query: sparse.Vector{Terms: []uint32{1, 2, 3, 4}, Weights: []float32{2, 2, 2, 2}}, Cost: []float32{.5, .25, .125, .0625}}
	turn.WeightGradient = make([]float32, 4)
	b := &Batch{Turns: []Turn{turn}}
	for _, test := range []struct {
		term Term
		want float64
	}{
		{L0{}, 4},
		{Entropy{}, math.Log(4)},
		{DFSaturating{Scale: 1e-9}, .9375}, // what a search pays
		{DFSaturating{Scale: 1e-3, Exponential: true}, .9375},
		{DFSaturating{Scale: 2}, .9375 / 2},
		{DFSaturating{Scale: 2, Exponential: true}, .9375 * (1 - 1/math.E)},
		{DFL1{}, 2 * .9375},
		{L1{}, 8},
		{&FLOPS{}, 16},
	} {
		if got := test.term.Add(b, 1); math.Abs(got-test.want) > 1e-8 {
			t.Errorf("%s is %v, want %v", test.term.Name(), got, test.want)
		}
	}
}
