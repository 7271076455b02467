package distill

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"parley/distill/objective"
	"parley/internal/f32"
	"parley/sparse"
)

// TestOthersAreScoredAsOwn compares the scores of other turns' candidates with
// sparse.Dot, bit for bit, which of them there are with the definition, and the
// gradient through them with the products written out.
func TestOthersAreScoredAsOwn(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 7))
	const vocabulary = 40
	passages := memory{}
	for range 300 {
		passages.vectors = append(passages.vectors, randomVector(rng, vocabulary, rng.IntN(20)))
	}
	team := f32.NewTeam(2)
	defer team.Close()
	o := newOthers(passages, 2, vocabulary)
	for range 20 {
		slots := make([]slot, 1+rng.IntN(9))
		all := map[uint32]bool{}
		for i := range slots {
			for _, p := range rng.Perm(300)[:rng.IntN(40)] {
				slots[i].candidates.Passages = append(slots[i].candidates.Passages, uint32(p))
				all[uint32(p)] = true
			}
		}
		o.gather(slots, team)
		relevant := []uint32{3, 7, 299}
		for i := range slots {
			at := &slots[i]
			own := at.candidates.Passages
			turn := &objective.Turn{}
			turn.Reset(randomVector(rng, vocabulary, rng.IntN(12)), len(own))
			o.score(turn, at, relevant, i%2)
			want := make([]float64, turn.Query.Len())
			seen := map[uint32]bool{}
			for n := range turn.Others {
				passage := o.numbers[at.others[n]]
				v := passages.vectors[passage]
				if got := turn.Scores[len(own)+n]; got != sparse.Dot(turn.Query, v) {
					t.Fatalf("score %v, want %v", got, sparse.Dot(turn.Query, v))
				}
				if seen[passage] || slices.Contains(own, passage) || slices.Contains(relevant, passage) {
					t.Fatalf("passage %d is there twice, or an own or relevant one", passage)
				}
				seen[passage] = true
				g := rng.NormFloat64()
				turn.ScoreGradient[len(own)+n] = g
				for j, term := range turn.Query.Terms {
					want[j] += g * float64(v.Weight(term))
				}
			}
			for passage := range all {
				if !seen[passage] && !slices.Contains(own, passage) && !slices.Contains(relevant, passage) {
					t.Fatalf("passage %d is missing", passage)
				}
			}
			o.backward(turn, at, i%2)
			for j, g := range turn.WeightGradient {
				if math.Abs(float64(g)-want[j]) > 1e-4 {
					t.Errorf("gradient by weight %d: %v, want %v", j, g, want[j])
				}
			}
		}
	}
}

// everyTerm makes p train by every term at once.
func everyTerm(p Plan) Plan {
	w := func(weight float64) objective.Schedule { return objective.Schedule{Weight: weight} }
	price := func(weight float64) objective.RegulariserPlan {
		return objective.RegulariserPlan{Schedule: w(weight), TurnPower: 1}
	}
	p.Candidates.Gold = true
	p.Objective = objective.Plan{
		KLD: objective.KLDPlan{
			Schedule: w(1), Temperature: 3,
			Alpha: objective.AlphaPlan{Positive: 1, Negative: .7, Gamma: 1, By: objective.ByStudent},
		},
		InfoNCE:      objective.ContrastPlan{Schedule: w(.3), Temperature: 2, Learned: true},
		CrossEntropy: objective.ContrastPlan{Schedule: w(.2), Temperature: 2, Negatives: objective.NegativesBatch},
		MarginMSE:    objective.TermPlan{Schedule: w(.01)},
		Hinge:        objective.HingePlan{Schedule: w(.1), Margin: 2},
		VectorMSE:    objective.TermPlan{Schedule: w(.1)},
		VectorL1:     objective.TermPlan{Schedule: w(.01)},
		Asymmetric:   objective.TermPlan{Schedule: w(.1)},
		PositiveMSE:  objective.TermPlan{Schedule: w(.01)},
		NegativeMSE:  objective.TermPlan{Schedule: w(.005)},
		L1:           price(.01), DFL1: price(.1), FLOPS: price(.1), Entropy: price(.01), L0: price(.01),
		DFSaturating: objective.DFSaturatingPlan{RegulariserPlan: price(.1)},
	}
	return p.Resolved()
}

// TestEveryTermIsInEveryTerm makes sure that the tests of all terms at once are.
func TestEveryTermIsInEveryTerm(t *testing.T) {
	p := everyTerm(smallPlan(StudentFeatures))
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	if got, want := len(p.Objective.Terms(1)), len(objective.Sections()); got != want {
		t.Errorf("%d terms are on, of %d", got, want)
	}
}

// TestStepAllocatesNothing steps with every term on.
func TestStepAllocatesNothing(t *testing.T) {
	p := everyTerm(smallPlan(StudentFeatures))
	tr, err := newTrainer(context.Background(), newWorld(t).judged(), p, Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	before := testing.AllocsPerRun(20, func() { tr.student.Forward(tr.stage.inputs[:0]) })
	batch := rand.New(rand.NewPCG(1, 1)).Perm(16)
	step := func() {
		tr.begin(tr.training, batch, true)
		for b := range tr.parts() {
			tr.evaluate(b, 1)
			tr.team.Do(len(b.Turns), (*chaining)(tr))
		}
	}
	for range 10 {
		step()
	}
	student := testing.AllocsPerRun(20, func() { tr.student.Forward(tr.stage.inputs[:len(batch)]) })
	if n := testing.AllocsPerRun(20, step) - (student - before); n > 2 { // what the student itself allocates
		t.Errorf("a step allocates %v times", n)
	}
}

// TestLearnedTemperature learns one, interrupted and not, and wants it in the
// history.
func TestLearnedTemperature(t *testing.T) {
	p := smallPlan(StudentMLP)
	p.Candidates.Gold = true
	p.Objective.InfoNCE = objective.ContrastPlan{Schedule: objective.Schedule{Weight: 1}, Temperature: 2, Learned: true}
	d := newWorld(t).judged()
	r, err := Train(context.Background(), d, p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	first, last := r.History[0].Terms[1].Temperature, r.History[5].Terms[1].Temperature
	if first == last || first == 2 || first < .02 || last > 200 || r.History[5].Terms[0].Temperature != 0 {
		t.Errorf("the temperature went from %v to %v", first, last)
	}
}

// TestStepSeesTheWholeBatch says that each turn is scored on what all turns of the
// batch drew, whichever go through the student at once.
func TestStepSeesTheWholeBatch(t *testing.T) {
	p := everyTerm(smallPlan(StudentFeatures))
	p.Optimiser.MicroBatch = 60
	tr, err := newTrainer(context.Background(), newWorld(t).judged(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	batch := []int{3, 40, 77, 12, 5, 60, 99}
	tr.begin(tr.training, batch, true)
	all := map[uint32]bool{}
	for i := range batch {
		for _, passage := range tr.stage.slots[i].candidates.Passages {
			all[passage] = true
		}
	}
	turns := 0
	for b := range tr.parts() {
		for i := range b.Turns {
			own, n := tr.stage.slots[tr.stage.from+i].candidates.Passages, len(all)
			for passage := range all {
				if slices.Contains(own, passage) || slices.Contains(tr.training[batch[turns]].relevant, passage) {
					n--
				}
			}
			if turn := &b.Turns[i]; turn.Others != n || len(turn.Scores) != len(own)+n {
				t.Errorf("turn %d has %d scores, %d of other turns' candidates; want %d and %d", turns, len(turn.Scores), turn.Others, len(own)+n, n)
			}
			turns++
		}
	}
	if turns != len(batch) {
		t.Errorf("%d turns came, of %d", turns, len(batch))
	}
}
