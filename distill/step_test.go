package distill

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"parley/distill/objective"
	"parley/distill/sample"
	"parley/sparse"
)

// TestScoreIsDot compares the scores of the table with sparse.Dot, bit for bit,
// and the gradient through them with that of the products written out.
func TestScoreIsDot(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 7))
	const vocabulary = 60
	vector := func(n int) sparse.Vector {
		weights := map[uint32]float32{}
		for range n {
			weights[uint32(rng.IntN(vocabulary))] = rng.Float32() + .01
		}
		return sparse.FromMap(weights)
	}
	b := newTable(vocabulary)
	for round := range 50 {
		passages := memory{}
		for range 9 {
			passages.vectors = append(passages.vectors, vector(rng.IntN(30)))
		}
		student, teacher := vector(round%25), vector(rng.IntN(9))
		candidates := []uint32{8, 2, 0, 5}
		var turn objective.Turn
		var h hits
		turn.Reset(student, len(candidates))
		b.score(&turn, teacher, candidates, passages, &h)
		want := make([]float64, student.Len())
		for c, passage := range candidates {
			v := passages.vectors[passage]
			if turn.Scores[c] != sparse.Dot(student, v) || turn.Teacher[c] != sparse.Dot(teacher, v) {
				t.Fatalf("scores %v and %v, want %v and %v", turn.Scores[c], turn.Teacher[c], sparse.Dot(student, v), sparse.Dot(teacher, v))
			}
			turn.ScoreGradient[c] = rng.NormFloat64()
			for j, term := range student.Terms {
				want[j] += turn.ScoreGradient[c] * float64(v.Weight(term))
			}
		}
		h.backward(turn.ScoreGradient, turn.WeightGradient)
		for j, g := range turn.WeightGradient {
			if math.Abs(float64(g)-want[j]) > 1e-5 {
				t.Errorf("gradient by weight %d: %v, want %v", j, g, want[j])
			}
		}
	}
	for term, e := range b.entries {
		if e != (entry{}) {
			t.Errorf("the table still knows of term %d: %v", term, e)
		}
	}
}

// TestMicroBatchesAddUp says that the gradient of a batch that goes through the
// student in parts is that of the whole batch, up to rounding; that of a
// transformer with its dropout, too.
func TestMicroBatchesAddUp(t *testing.T) {
	trainers := map[string]func(bound int) *trainer{
		StudentMLP: func(bound int) *trainer {
			p := everyTerm(smallPlan(StudentMLP))
			p.Optimiser.MicroBatch = bound
			tr, err := newTrainer(context.Background(), newWorld(t).judged(), p, Options{})
			if err != nil {
				t.Fatal(err)
			}
			return tr
		},
		StudentSplade: func(bound int) *trainer {
			p := everyTerm(spladePlan())
			p.Optimiser.MicroBatch = bound
			return spladeTrainer(t, p, Options{Workers: 2})
		},
	}
	for kind, trainer := range trainers {
		parts, whole, loss := inParts(trainer(0))
		if parts != 1 {
			t.Fatalf("%s: without a bound there are %d parts", kind, parts)
		}
		largest := float32(0)
		for _, g := range whole {
			largest = max(largest, g, -g)
		}
		for bound, want := range map[int]int{1: 7, 60: 3} {
			parts, sum, partLoss := inParts(trainer(bound))
			if parts != want {
				t.Errorf("%s: with at most %d tokens there are %d parts, want %d", kind, bound, parts, want)
			}
			if math.Abs(partLoss-loss) > 1e-12 {
				t.Errorf("%s: the loss of %d parts is %v, of the whole %v", kind, parts, partLoss, loss)
			}
			for i, g := range sum {
				if d := g - whole[i]; max(d, -d) > 1e-5*largest {
					t.Fatalf("%s: gradient %d in %d parts is %v, in one %v", kind, i, parts, g, whole[i])
				}
			}
		}
	}
}

// inParts takes a batch through the student as a step does, and returns in how
// many parts that was, the gradients and the loss.
func inParts(tr *trainer) (parts int, gradients []float32, loss float64) {
	for i := range tr.terms {
		tr.terms[i].To = 0 // no weight rises
	}
	batch := []int{5, 1, 9, 20, 33, 8, 70}
	tr.begin(tr.training, batch, true)
	for b := range tr.parts() {
		tr.evaluate(b, 0)
		tr.running.add(b, tr.stage.losses)
		tr.backward()
		parts++
	}
	for _, param := range tr.adam.parameters {
		gradients = append(gradients, param.Grad...)
	}
	return parts, gradients, tr.running.mean(nil).Loss
}

// BenchmarkStep is a step of each built-in student, at several numbers of
// candidates.
func BenchmarkStep(b *testing.B) {
	w := newWorld(b)
	for _, kind := range []string{StudentFeatures, StudentMLP} {
		for _, candidates := range []int{16, 64} {
			b.Run(fmt.Sprintf("%s/%d", kind, candidates), func(b *testing.B) {
				p := DefaultPlan(kind)
				p.Candidates = sample.Mixture(0, 0, candidates, 1)
				tr, err := newTrainer(context.Background(), w.data(), p, Options{Workers: 2})
				if err != nil {
					b.Fatal(err)
				}
				defer tr.close()
				batch := rand.New(rand.NewPCG(1, 1)).Perm(64)
				b.ReportAllocs()
				for b.Loop() {
					if err := tr.step(batch); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
