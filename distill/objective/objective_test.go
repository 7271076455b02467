package objective

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"parley/internal/f32"
	"parley/sparse"
)

// randomBatch returns turns with and without relevant candidates, with several,
// with candidates of other turns, with some that the teacher has not scored, and
// with corrections.
func randomBatch(rng *rand.Rand) *Batch {
	b := &Batch{}
	for range 1 + rng.IntN(4) {
		k := 2 + rng.IntN(6)
		t := Turn{
			Number: rng.IntN(6), Query: randomVector(rng), TeacherQuery: randomVector(rng), Others: rng.IntN(k),
			Scores: randoms(rng, k), Teacher: randoms(rng, k), ScoreGradient: make([]float64, k),
		}
		own := k - t.Others
		t.Teacher = t.Teacher[:own]
		if rng.IntN(3) == 0 { // candidates that the teacher has not scored
			t.Teacher = t.Teacher[:rng.IntN(own+1)]
		}
		for range t.Query.Len() {
			t.Cost = append(t.Cost, rng.Float32())
		}
		t.WeightGradient = make([]float32, t.Query.Len())
		for range own {
			t.Norms = append(t.Norms, 5*rng.Float64())
		}
		for range rng.IntN(own + 1) {
			t.LogInclusion = append(t.LogInclusion, math.Log(rng.Float64()))
		}
		t.Positives = rng.Perm(own)[:min(rng.IntN(4), own)]
		slices.Sort(t.Positives)
		b.Turns = append(b.Turns, t)
	}
	return b
}

func randoms(rng *rand.Rand, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64() * 4
	}
	return out
}

func randomVector(rng *rand.Rand) sparse.Vector {
	weights := map[uint32]float32{}
	for range rng.IntN(6) {
		weights[uint32(rng.IntN(9))] = rng.Float32() + .05
	}
	return sparse.FromMap(weights)
}

// allTerms returns every term, with settings of every kind.
func allTerms() map[string]Term {
	learned := func(log float32) *f32.Parameter {
		p := f32.NewParameter("log_temperature", 1)
		p.Value[0] = log
		return p
	}
	return map[string]Term{
		"kld":                        KLD{Temperature: 1},
		"kld at 5":                   KLD{Temperature: 5},
		"kld reverse":                KLD{Temperature: 2, Reverse: true},
		"kld generalised":            KLD{Temperature: 2, Alpha: Balanced(2, .5, 0, false)},
		"kld balanced":               KLD{Temperature: 2, Alpha: Balanced(1, 1, 2, false)},
		"kld balanced by student":    KLD{Temperature: 2, Alpha: Balanced(1, .7, 2, true)},
		"kld balanced by student, 1": KLD{Temperature: 2, Alpha: Balanced(1, .7, 1, true)},
		"infonce":                    InfoNCE{Temperature: 1},
		"infonce at .08":             InfoNCE{Temperature: .08},
		"infonce of the turn":        InfoNCE{Temperature: 2, Negatives: NegativesTurn},
		"infonce of the batch":       InfoNCE{Temperature: 2, Negatives: NegativesBatch},
		"infonce learned":            InfoNCE{Temperature: 2, LogTemperature: learned(.3)},
		"cross_entropy":              CrossEntropy{Temperature: 1},
		"cross_entropy of the batch": CrossEntropy{Temperature: 1, Negatives: NegativesBatch},
		"cross_entropy learned":      CrossEntropy{Temperature: 2, Negatives: NegativesTurn, LogTemperature: learned(-.7)},
		"margin_mse":                 MarginMSE{},
		"hinge":                      Hinge{Margin: 3},
		"hinge of the turn":          Hinge{Margin: 3, Negatives: NegativesTurn},
		"vector_mse":                 VectorMSE{},
		"vector_l1":                  VectorL1{},
		"asymmetric":                 Asymmetric{},
		"positive_mse":               PositiveMSE{},
		"negative_mse":               NegativeMSE{},
		"flops":                      &FLOPS{},
		"l1":                         L1{},
		"l1 by turn":                 L1{&TurnWeights{Power: 2}},
		"df_l1":                      DFL1{},
		"df_saturating":              DFSaturating{Scale: .5},
		"df_saturating, exponential": DFSaturating{Scale: 2, Exponential: true},
		"entropy":                    Entropy{},
		"l0":                         L0{},
		"l0 by turn":                 L0{&TurnWeights{Power: .5}},
	}
}

// copied returns b with gradients of its own, which are 0.
func copied(b *Batch) *Batch {
	c := &Batch{Of: b.Of}
	for _, turn := range b.Turns {
		turn.ScoreGradient = make([]float64, len(turn.Scores))
		turn.WeightGradient = make([]float32, turn.Query.Len())
		c.Turns = append(c.Turns, turn)
	}
	return c
}

// TestTermGradients compares each term's gradient, by every score, every weight
// and a learned temperature, with central differences of its value.
func TestTermGradients(t *testing.T) {
	for name, term := range allTerms() {
		rng := rand.New(rand.NewPCG(1, 7))
		parameter, moved := learnedBy(term), false
		for range 60 {
			b := randomBatch(rng)
			weight := .5 + rng.Float64()
			if parameter != nil {
				parameter.Grad[0] = 0
			}
			if _, couples := term.(gatherer); !couples {
				b.Of = rng.IntN(7)
			}
			term.Add(b, weight)
			gradient := float32(0)
			if parameter != nil {
				gradient = parameter.Grad[0]
			}
			value := func() float64 { return weight * term.Add(copied(b), weight) }
			check := func(what string, got, h float64, move func(float64)) {
				t.Helper()
				move(h)
				up := value()
				move(-2 * h)
				down := value()
				move(h)
				want := (up - down) / (2 * h)
				if math.Abs(got-want) > 1e-3*math.Abs(want)+1e-5 {
					t.Errorf("%s: gradient by %s %v, central difference %v", name, what, got, want)
				}
				moved = moved || want != 0
			}
			for i := range b.Turns {
				turn := &b.Turns[i]
				for d := range turn.Scores {
					check("score", turn.ScoreGradient[d], 1e-5, func(h float64) { turn.Scores[d] += h })
				}
				for j := range turn.Query.Weights {
					check("weight", float64(turn.WeightGradient[j]), 1./4096, func(h float64) { turn.Query.Weights[j] += float32(h) })
				}
			}
			if parameter != nil {
				check("ln T", float64(gradient), 1./4096, func(h float64) { parameter.Value[0] += float32(h) })
			}
		}
		if !moved {
			t.Errorf("%s: nothing depends on anything: the test is too weak", name)
		}
	}
}

func TestKLDIsADivergence(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 7))
	for range 200 {
		b := randomBatch(rng)
		if v := (KLD{Temperature: 2}).Add(b, 1); v < 0 {
			t.Errorf("divergence %v is negative", v)
		}
		for i := range b.Turns {
			turn := &b.Turns[i]
			for d := range turn.Teacher { // the softmax does not see a common shift
				turn.Teacher[d] = turn.Scores[d] + 1000
			}
		}
		if v := (KLD{Temperature: 2}).Add(b, 1); math.Abs(v) > 1e-9 {
			t.Errorf("divergence of equal distributions is %v", v)
		}
	}
}

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		w    Weighted
		want []float64 // by step
	}{
		{Weighted{Weight: 8, To: 4, Shape: ShapeQuadratic}, []float64{0, .5, 2, 4.5, 8, 8}},
		{Weighted{Weight: 8, To: 4, Shape: ShapeLinear}, []float64{0, 2, 4, 6, 8, 8}},
		{Weighted{Weight: 8, From: 2, To: 4, Shape: ShapeQuadratic}, []float64{0, 0, 0, 2, 8, 8}},
		{Weighted{Weight: 8, From: 2, To: 2, Shape: ShapeConstant}, []float64{0, 0, 8, 8}},
		{Weighted{Weight: 8, Shape: ShapeQuadratic}, []float64{8, 8}},
	} {
		for step, want := range c.want {
			if got := c.w.At(step); got != want {
				t.Errorf("%+v at step %d: %v, want %v", c.w, step, got, want)
			}
		}
	}
}
