package objective

import (
	"math"
	"math/rand/v2"
	"testing"

	"parley/sparse"
)

// TestInfoNCEIsTheLikelihoodOfThePositive compares with the probability written
// out, on scores for which that neither overflows nor vanishes.
func TestInfoNCEIsTheLikelihoodOfThePositive(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for range 50 {
		b := randomBatch(rng)
		want := 0.0
		for _, turn := range b.Turns {
			if turn.first() < 0 {
				continue
			}
			all := 0.0
			for _, s := range turn.Scores {
				all += math.Exp(s / 2)
			}
			want -= math.Log(math.Exp(turn.Scores[turn.first()]/2)/all) / float64(len(b.Turns))
		}
		if got := (InfoNCE{Temperature: 2}).Add(b, 1); math.Abs(got-want) > 1e-9 {
			t.Errorf("InfoNCE %v, want %v", got, want)
		}
	}
	far := &Batch{Turns: []Turn{{Scores: []float64{0, 5000}, Positives: []int{0}, ScoreGradient: make([]float64, 2)}}}
	if got := (InfoNCE{Temperature: 1}).Add(far, 1); got != 5000 || far.Turns[0].ScoreGradient[0] != -1 {
		t.Errorf("scores far apart: %v, gradient %v", got, far.Turns[0].ScoreGradient)
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
