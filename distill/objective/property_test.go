package objective

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawBatch draws a batch with scores of the given size.
func drawBatch(t *rapid.T, size float64) *Batch {
	b := randomBatch(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)))
	for i := range b.Turns {
		for d := range b.Turns[i].Scores {
			b.Turns[i].Scores[d] *= size
		}
		for d := range b.Turns[i].Teacher {
			b.Turns[i].Teacher[d] *= size
		}
	}
	return b
}

// compares tells whether a term looks at differences of scores only.
func compares(name string) bool {
	for _, kind := range []string{"kld", "infonce", "cross_entropy", "margin_mse", "hinge"} {
		if strings.HasPrefix(name, kind) {
			return true
		}
	}
	return false
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*(1+math.Abs(a)+math.Abs(b)) }

// TestTermsIgnoreAShift adds a constant to all scores of a turn, of student and
// teacher each their own.
func TestTermsIgnoreAShift(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBatch(t, 1)
		student, teacher := rapid.Float64Range(-100, 100).Draw(t, "student"), rapid.Float64Range(-100, 100).Draw(t, "teacher")
		for name, term := range allTerms() {
			if !compares(name) || strings.HasSuffix(name, "learned") { // ln T sees the size of scores, values do not
				continue
			}
			moved := copied(b)
			value := term.Add(b, 1)
			for i := range moved.Turns {
				moved.Turns[i].Scores = shifted(moved.Turns[i].Scores, student)
				moved.Turns[i].Teacher = shifted(moved.Turns[i].Teacher, teacher)
			}
			if got := term.Add(moved, 1); !near(got, value) {
				t.Fatalf("%s: %v with shifted scores, %v without", name, got, value)
			}
			for i := range b.Turns {
				sum := 0.0
				for _, g := range moved.Turns[i].ScoreGradient {
					sum += g
				}
				if math.Abs(sum) > 1e-9*(1+largest(moved.Turns[i].ScoreGradient)) {
					t.Fatalf("%s: the gradient by a common shift is %v", name, sum)
				}
			}
			b = copied(b)
		}
	})
}

func shifted(scores []float64, by float64) []float64 {
	out := slices.Clone(scores)
	for d := range out {
		out[d] += by
	}
	return out
}

func largest(x []float64) float64 {
	high := 0.0
	for _, v := range x {
		high = max(high, math.Abs(v))
	}
	return high
}

// TestTermsIgnoreTheOrder shuffles the candidates that teacher and student both
// scored, and those of other turns.
func TestTermsIgnoreTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBatch(t, 1)
		for i := range b.Turns { // what is known of a part of the candidates, known of all
			turn := &b.Turns[i]
			own := len(turn.Scores) - turn.Others
			turn.Teacher = append(turn.Teacher, make([]float64, own-len(turn.Teacher))...)
			turn.LogInclusion = append(turn.LogInclusion, make([]float64, own-len(turn.LogInclusion))...)
		}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		moved := copied(b)
		orders := make([][]int, len(b.Turns))
		for i := range moved.Turns {
			orders[i] = shuffle(&moved.Turns[i], rng)
		}
		for name, term := range allTerms() {
			one, other := copied(b), copied(moved)
			if x, y := term.Add(one, 1), term.Add(other, 1); !near(x, y) {
				t.Fatalf("%s: %v, shuffled %v", name, x, y)
			}
			for i, order := range orders {
				for to, from := range order {
					if x, y := one.Turns[i].ScoreGradient[from], other.Turns[i].ScoreGradient[to]; !near(x, y) {
						t.Fatalf("%s: gradient %v, shuffled %v", name, x, y)
					}
				}
			}
		}
	})
}

// shuffle shuffles the own candidates of t and those of other turns among
// themselves, and returns from where each came.
func shuffle(t *Turn, rng *rand.Rand) []int {
	own := len(t.Scores) - t.Others
	order := rng.Perm(own)
	for _, d := range rng.Perm(t.Others) {
		order = append(order, own+d)
	}
	by := func(values []float64) []float64 {
		out := make([]float64, len(values))
		for to := range out {
			out[to] = values[order[to]]
		}
		return out
	}
	t.Scores, t.Teacher, t.LogInclusion, t.Norms = by(t.Scores), by(t.Teacher), by(t.LogInclusion), by(t.Norms)
	positives := slices.Clone(t.Positives)
	for i, p := range positives {
		positives[i] = slices.Index(order, p)
	}
	t.Positives = positives
	return order
}

// TestTermsStayNumbers draws scores that are equal, tiny or far apart, and turns
// with one candidate.
func TestTermsStayNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBatch(t, rapid.SampledFrom([]float64{0, 1e-300, 1e-9, 1e3, 1e6, 1e12, 1e100}).Draw(t, "size"))
		if rapid.Bool().Draw(t, "alone") {
			for i := range b.Turns {
				turn := &b.Turns[i]
				turn.Scores, turn.Others, turn.Teacher = turn.Scores[:1], 0, turn.Teacher[:min(1, len(turn.Teacher))]
				turn.LogInclusion = turn.LogInclusion[:min(1, len(turn.LogInclusion))]
				turn.Positives = turn.Positives[:0]
				if rapid.Bool().Draw(t, "labelled") {
					turn.Positives = []int{0}
				}
			}
		}
		for name, term := range allTerms() {
			c := copied(b)
			if v := term.Add(c, 1); math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%s is %v", name, v)
			}
			for _, turn := range c.Turns {
				for _, g := range turn.ScoreGradient {
					if math.IsNaN(g) || math.IsInf(g, 0) {
						t.Fatalf("%s has the gradient %v", name, g)
					}
				}
			}
		}
	})
}

// TestTermsAllocateNothing says that a term whose storage has grown allocates no
// more.
func TestTermsAllocateNothing(t *testing.T) {
	for name, term := range allTerms() {
		b := randomBatch(rand.New(rand.NewPCG(4, 7)))
		term.Add(b, 1)
		if n := testing.AllocsPerRun(20, func() { term.Add(b, 1) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
