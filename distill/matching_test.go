package distill

import (
	"math"
	"math/rand/v2"
	"testing"

	"parley/distill/objective"
	"parley/internal/f32"
	"parley/sparse"
)

// TestMatchingIsDot compares scores with sparse.Dot, and the gradients by both
// sides' weights with the products written out.
func TestMatchingIsDot(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 7))
	const vocabulary = 50
	side := func(n int) []objective.Turn {
		turns := make([]objective.Turn, n)
		for i := range turns {
			weights := map[uint32]float32{}
			for range rng.IntN(20) {
				weights[uint32(rng.IntN(vocabulary))] = rng.Float32() + .01
			}
			turns[i].Query = sparse.FromMap(weights)
			turns[i].WeightGradient = make([]float32, turns[i].Query.Len())
		}
		return turns
	}
	team := f32.NewTeam(2)
	defer team.Close()
	m := newMatching(2, vocabulary)
	for range 30 {
		m.queries, m.passages = side(1+rng.IntN(5)), side(2+rng.IntN(7))
		m.candidates = nil
		for i := range m.queries {
			var places []int32
			for _, p := range rng.Perm(len(m.passages))[:1+rng.IntN(len(m.passages))] {
				places = append(places, int32(p))
			}
			m.candidates = append(m.candidates, places)
			m.queries[i].Scores, m.queries[i].ScoreGradient = make([]float64, len(places)), make([]float64, len(places))
		}
		m.score(team)
		queries, passages := make([]map[uint32]float64, len(m.queries)), make([]map[uint32]float64, len(m.passages))
		for p := range passages {
			passages[p] = map[uint32]float64{}
		}
		for i := range m.queries {
			q := &m.queries[i]
			queries[i] = map[uint32]float64{}
			for c, p := range m.candidates[i] {
				v := m.passages[p].Query
				if got, want := q.Scores[c], sparse.Dot(q.Query, v); got != want {
					t.Fatalf("score %v, want %v", got, want)
				}
				g := rng.NormFloat64()
				q.ScoreGradient[c] = g
				for j, term := range v.Terms {
					queries[i][term] += g * float64(v.Weights[j])
				}
				for j, term := range q.Query.Terms {
					passages[p][term] += g * float64(q.Query.Weights[j])
				}
			}
		}
		m.backward(team)
		for _, side := range []struct {
			turns []objective.Turn
			want  []map[uint32]float64
		}{{m.queries, queries}, {m.passages, passages}} {
			for i := range side.turns {
				for j, term := range side.turns[i].Query.Terms {
					if got, want := float64(side.turns[i].WeightGradient[j]), side.want[i][term]; math.Abs(got-want) > 1e-5 {
						t.Fatalf("gradient by the weight of term %d: %v, want %v", term, got, want)
					}
				}
			}
		}
		for _, dense := range m.dense {
			for term, x := range dense {
				if x != 0 {
					t.Fatalf("term %d is left at %v", term, x)
				}
			}
		}
	}
}

// BenchmarkEncoderStep measures a step whose batch goes through the network in
// one part and in several.
func BenchmarkEncoderStep(b *testing.B) {
	w, err := makePairWorld()
	if err != nil {
		b.Fatal(err)
	}
	for name, bound := range map[string]int{"whole": 0, "parts": 100} {
		b.Run(name, func(b *testing.B) {
			p := smallEncoderPlan()
			p.Optimiser.MicroBatch = bound
			t := w.trainer(b, p)
			batch := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
			step := func() {
				if err := t.step(batch); err != nil {
					b.Fatal(err)
				}
			}
			step()
			b.ReportAllocs()
			for b.Loop() {
				step()
			}
		})
	}
}
