package objective

import (
	"math"
	"math/rand/v2"
	"testing"

	"parley/internal/f32"
	"parley/sparse"
)

// TestContrastWithSeveralPositives writes out the probabilities of a turn with two
// relevant candidates, one candidate that was drawn by chance, and one of another
// turn.
func TestContrastWithSeveralPositives(t *testing.T) {
	turn := Turn{
		Scores: []float64{2, 1, .5, -1}, Others: 1, Positives: []int{0, 2}, LogInclusion: []float64{0, math.Log(.25)},
		ScoreGradient: make([]float64, 4),
	}
	a, b, drawn, other := math.Exp(1), math.Exp(.25), math.Exp(.5)/.25, math.Exp(-.5)
	for which, negative := range map[string]float64{NegativesTurn: drawn, NegativesBatch: other, NegativesBoth: drawn + other} {
		batch := copied(&Batch{Turns: []Turn{turn, {Scores: []float64{1, 2}}}}) // a turn without label adds nothing
		want := -(math.Log(a/(a+negative)) + math.Log(b/(b+negative))) / 2 / 2
		if got := (InfoNCE{Temperature: 2, Negatives: which}).Add(batch, 1); math.Abs(got-want) > 1e-12 {
			t.Errorf("InfoNCE against the negatives of %s: %v, want %v", which, got, want)
		}
		want = -math.Log((a+b)/(a+b+negative)) / 2
		if got := (CrossEntropy{Temperature: 2, Negatives: which}).Add(batch, 1); math.Abs(got-want) > 1e-12 {
			t.Errorf("cross-entropy against the negatives of %s: %v, want %v", which, got, want)
		}
	}
}

// TestNoPositiveIsPushedDown says that raising one relevant candidate never
// lowers another.
func TestNoPositiveIsPushedDown(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for range 200 {
		b := randomBatch(rng)
		for _, term := range []Term{InfoNCE{Temperature: 1}, CrossEntropy{Temperature: 1}, Hinge{Margin: 2}} {
			b = copied(b)
			term.Add(b, 1)
			for i := range b.Turns {
				for _, p := range b.Turns[i].Positives {
					if g := b.Turns[i].ScoreGradient[p]; g > 0 {
						t.Errorf("%s pushes a relevant candidate down: gradient %v", term.Name(), g)
					}
				}
			}
		}
	}
}

// TestLearnedTemperatureHasLimits says that a temperature goes no further than a
// hundredfold from where it starts, and comes back.
func TestLearnedTemperatureHasLimits(t *testing.T) {
	p := f32.NewParameter("t", 1)
	term := InfoNCE{Temperature: 2, LogTemperature: p}
	gradient := func(log float32, scores ...float64) float32 {
		p.Value[0], p.Grad[0] = log, 0
		term.Add(copied(&Batch{Turns: []Turn{{Scores: scores, Positives: []int{0}}}}), 1)
		return p.Grad[0]
	}
	if g := gradient(-4.7, 2, 1); g != 0 || math.Abs(term.Current()-.02) > 1e-12 {
		t.Errorf("below its limit the temperature is %v, with gradient %v", term.Current(), g)
	}
	if gradient(-4.5, .002, .001) <= 0 || gradient(-4.7, .001, .002) >= 0 {
		t.Error("a temperature within its limits, or on its way back to them, has no gradient")
	}
	if g := gradient(4.7, 1, 2); g != 0 || math.Abs(term.Current()-200) > 1e-9 {
		t.Errorf("above its limit the temperature is %v, with gradient %v", term.Current(), g)
	}
}

// TestMarginMSE checks by hand which candidates it looks at.
func TestMarginMSE(t *testing.T) {
	turn := Turn{Scores: []float64{1, 5, 2, 9}, Teacher: []float64{0, 3, 1}, Positives: []int{1}, ScoreGradient: make([]float64, 4)}
	b := &Batch{Turns: []Turn{turn, {Scores: []float64{1, 2}, ScoreGradient: make([]float64, 2)}}}
	// Margins 4 and 3 where the teacher has 3 and 2: (1 + 1)/2, over two turns.
	if got := (MarginMSE{}).Add(b, 1); got != .5 {
		t.Errorf("%v, want .5", got)
	}
	turn.Teacher = turn.Teacher[:1] // the relevant candidate is not scored
	if got := (MarginMSE{}).Add(&Batch{Turns: []Turn{turn}}, 1); got != 0 {
		t.Errorf("without the teacher's score of the relevant candidate it is %v", got)
	}
	turn.Teacher, turn.Positives = turn.Teacher[:1], []int{0} // nothing beside it
	if got := (MarginMSE{}).Add(&Batch{Turns: []Turn{turn}}, 1); got != 0 {
		t.Errorf("without another candidate it is %v", got)
	}
}

// TestFLOPSFavoursDifferentTerms is what the regulariser is for: of equal weight
// in all, terms that are spread cost less than one that all vectors share.
func TestFLOPSFavoursDifferentTerms(t *testing.T) {
	batch := func(terms ...uint32) *Batch {
		b := &Batch{}
		for _, term := range terms {
			b.Turns = append(b.Turns, Turn{
				Query: sparse.Vector{Terms: []uint32{term}, Weights: []float32{2}}, WeightGradient: make([]float32, 1),
			})
		}
		return b
	}
	f := &FLOPS{}
	if same, apart := f.Add(batch(7, 7, 7, 7), 1), f.Add(batch(1, 2, 3, 4), 1); same != 4 || apart != 1 {
		t.Errorf("shared term %v, spread terms %v; want 4 and 1", same, apart)
	}
}
