package distill

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/distill/objective"
	"parley/distill/sample"
)

// sampled returns a small plan whose candidates come from the given sources.
func sampled(kind string, from ...sample.Source) Plan {
	p := smallPlan(kind)
	p.Candidates = sample.Plan{Depth: 20, From: from}
	return p
}

// TestEverySamplerTrains says that each sampler makes a student better than it
// was, and that no number of workers changes what it ends with.
func TestEverySamplerTrains(t *testing.T) {
	w := newWorld(t)
	for name, from := range map[string][]sample.Source{
		"top":              {{Sampler: sample.Top, N: 8}},
		"window":           {{Sampler: sample.Window, N: 8, First: 3}},
		"strata":           {{Sampler: sample.Stratified, N: 8, Over: sample.Score}},
		"importance":       {{Sampler: sample.Importance, N: 8}},
		"whole importance": {{Sampler: sample.Importance, N: 8}, {Sampler: sample.Random, N: 8, Outside: sample.Teacher}},
		"student":          {{Sampler: sample.Window, N: 8, Ranking: sample.Student}, {Sampler: sample.Top, N: 4}},
		"random":           {{Sampler: sample.Random, N: 12}},
		"one":              {{Sampler: sample.Random, N: 1}},
		"batch":            {{Sampler: sample.Top, N: 4}, {Sampler: sample.Batch, N: 8}},
		"full ranking":     {{Sampler: sample.Full, Ranking: sample.Teacher}},
		"full":             {{Sampler: sample.Full}},
	} {
		for _, gold := range []bool{false, true} {
			p := sampled(StudentFeatures, from...)
			p.Candidates.Gold = gold || name == "one"
			p.Optimiser.Epochs = 3
			first, err := Train(context.Background(), w.judged(), p, Options{Workers: 1})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			again, err := Train(context.Background(), w.judged(), p, Options{Workers: 3})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if weights(t, first) != weights(t, again) || !reflect.DeepEqual(first.History, again.History) {
				t.Errorf("%s, gold %v: three workers end elsewhere than one", name, gold)
			}
			from, to := first.History[0].Loss, first.History[2].Validation.Loss
			if !(to < from) {
				t.Errorf("%s, gold %v: the loss went from %v to %v", name, gold, from, to)
			}
		}
	}
}

// TestGoldAndProbabilities looks at what the terms of the objective are given.
func TestGoldAndProbabilities(t *testing.T) {
	w := newWorld(t)
	p := sampled(StudentFeatures, sample.Source{Sampler: sample.Importance, N: 5})
	p.Candidates.Gold = true
	tr, err := newTrainer(context.Background(), w.judged(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	batch := rand.New(rand.NewPCG(1, 1)).Perm(len(tr.training))[:16]
	tr.begin(tr.training, batch, true)
	b := tr.forward(0, len(batch))
	for i, turn := range b.Turns {
		relevant := tr.training[batch[i]].relevant
		if len(turn.LogInclusion) != len(turn.Scores) || len(turn.Scores) != 5+len(relevant) {
			t.Fatalf("%d probabilities of %d candidates", len(turn.LogInclusion), len(turn.Scores))
		}
		if len(turn.Positives) != len(relevant) {
			t.Errorf("%d positives of %d judged passages", len(turn.Positives), len(relevant))
		}
		for k, c := range turn.Positives {
			if turn.LogInclusion[c] != 0 || tr.stage.slots[i].candidates.Passages[c] != relevant[k] {
				t.Errorf("the judged passage has the probability %v", math.Exp(turn.LogInclusion[c]))
			}
		}
	}
}

// TestInvertedIsTable compares scores and gradients through postings with those
// of the slow twin: bit for bit in ascending order, as of the full list, and up
// to rounding else.
func TestInvertedIsTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	const vocabulary = 50
	for round := range 40 {
		passages := memory{}
		var candidates []uint32
		for i := range 30 {
			passages.vectors = append(passages.vectors, randomVector(rng, vocabulary, rng.IntN(20)))
			candidates = append(candidates, uint32(i))
		}
		full := round%2 == 0
		if !full {
			rng.Shuffle(len(candidates), func(i, j int) { candidates[i], candidates[j] = candidates[j], candidates[i] })
			candidates = candidates[:rng.IntN(30)]
		}
		x, b := newInverted(passages, vocabulary, 2, true), newTable(vocabulary)
		b.norms = true
		for worker := range 2 {
			student, teacher := randomVector(rng, vocabulary, 1+rng.IntN(20)), randomVector(rng, vocabulary, rng.IntN(9))
			var fast, slow objective.Turn
			var h hits
			fast.Reset(student, len(candidates))
			slow.Reset(student, len(candidates))
			x.score(&fast, teacher, candidates, worker)
			b.score(&slow, teacher, candidates, passages, &h)
			if !slices.Equal(fast.Scores, slow.Scores) || !slices.Equal(fast.Teacher, slow.Teacher) || !slices.Equal(fast.Norms, slow.Norms) {
				t.Fatalf("scores %v and %v, want %v and %v", fast.Scores, fast.Teacher, slow.Scores, slow.Teacher)
			}
			for c := range candidates {
				slow.ScoreGradient[c] = rng.NormFloat64()
			}
			copy(fast.ScoreGradient, slow.ScoreGradient)
			x.chain(&fast, candidates, worker)
			h.backward(slow.ScoreGradient, slow.WeightGradient)
			for j, g := range fast.WeightGradient {
				if d := g - slow.WeightGradient[j]; full && d != 0 || max(d, -d) > 1e-4 {
					t.Fatalf("gradient %v, want %v", fast.WeightGradient, slow.WeightGradient)
				}
			}
		}
	}
}

// TestInvertingChangesNothing trains on the full list through postings and one by
// one.
func TestInvertingChangesNothing(t *testing.T) {
	w := newWorld(t)
	p := sampled(StudentMLP, sample.Source{Sampler: sample.Full})
	var ends []string
	for _, invert := range []bool{true, false} {
		tr, err := newTrainer(context.Background(), w.data(), p, Options{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		if tr.inverted == nil {
			t.Fatal("the full list is not scored through postings")
		}
		if !invert {
			tr.inverted = nil
		}
		if err := tr.runEpoch(context.Background(), nil, newKeeper(Options{}, tr)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, fmt.Sprint(tr.student.Parameters()[0].Value, tr.history[0].Loss, tr.history[0].Validation.Loss))
		tr.close()
	}
	if ends[0] != ends[1] {
		t.Error("the student ends elsewhere if passages are scored one by one")
	}
}

func TestWorthInverting(t *testing.T) {
	for _, test := range []struct {
		k, n int
		want bool
	}{{48, 100, false}, {64, 2000, true}, {1000, 32_000, true}, {1000, 40_000, false}, {25_000_000, 25_000_000, true}} {
		if got := worthInverting(test.k, test.n); got != test.want {
			t.Errorf("%d of %d: %v", test.k, test.n, got)
		}
	}
}

// TestStudentRankingResumes interrupts a training that samples from its own
// rankings, before, at and after those are made anew, and wants the weights of
// the undisturbed one.
func TestStudentRankingResumes(t *testing.T) {
	w := newWorld(t)
	p := sampled(StudentMLP, sample.Source{Sampler: sample.Window, N: 5, Ranking: sample.Student}, sample.Source{Sampler: sample.Top, N: 2})
	p.Optimiser.Epochs = 3
	for _, refresh := range []sample.Refresh{{}, {Epochs: 2}, {Steps: 3}} {
		p.Candidates.Refresh = refresh
		whole := train(t, w, p, Options{})
		steps := p.Optimiser.Epochs * ((whole.Counts.Training + p.Optimiser.Batch - 1) / p.Optimiser.Batch)
		path := filepath.Join(t.TempDir(), "checkpoint")
		for after := 1; after < steps; after++ { // killed after each of all steps
			ctx, cancel := context.WithCancel(context.Background())
			_, err := Train(ctx, w.data(), p, Options{Checkpoint: path, Workers: 1 + after%3, Progress: func(at Progress) {
				if at.Step == after {
					cancel()
				}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted after step %d: error %v", after, err)
			}
		}
		r := train(t, w, p, Options{Checkpoint: path})
		if !reflect.DeepEqual(r.History, whole.History) || weights(t, r) != weights(t, whole) {
			t.Errorf("refreshed every %+v, a training killed %d times ended elsewhere", refresh, steps-1)
		}
	}
}

// TestStudentRanksAnew says that rankings follow the student, and those of the
// held-out turns do not.
func TestStudentRanksAnew(t *testing.T) {
	w := newWorld(t)
	p := sampled(StudentMLP, sample.Source{Sampler: sample.Top, N: 5, Ranking: sample.Student})
	tr, err := newTrainer(context.Background(), w.data(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	check := func() {
		t.Helper()
		if err := tr.rankAnew(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i, ex := range tr.training {
			q := tr.student.Forward([]Input{{Context: ex.context}})[0]
			if want := w.passages.rank(q, 20); !slices.Equal(tr.ranked.of(i), want) {
				t.Fatalf("turn %d is ranked %v, want %v", i, tr.ranked.of(i), want)
			}
		}
	}
	check()
	held := slices.Clone(tr.held[0].rankings.Student)
	before := slices.Clone(tr.ranked.rows)
	if err := tr.runEpoch(context.Background(), nil, newKeeper(Options{}, tr)); err != nil {
		t.Fatal(err)
	}
	check()
	if slices.Equal(before, tr.ranked.rows) {
		t.Error("the student learned, and ranks as before")
	}
	if len(held) != 20 || !slices.Equal(held, tr.held[0].rankings.Student) {
		t.Error("a held-out turn has other passages to choose from than before")
	}
}

// TestSpladeRanksItself lets a transformer rank, a few turns at once, whose
// dropout is for training alone.
func TestSpladeRanksItself(t *testing.T) {
	p := spladePlan()
	p.Candidates = sample.Plan{Depth: 7, From: []sample.Source{{Sampler: sample.Top, Ranking: sample.Student, N: 4}}}
	p.Optimiser.MicroBatch = 60
	tr := spladeTrainer(t, p, Options{Workers: 2})
	var rows [2][]uint32
	for i := range rows {
		if err := tr.rankAnew(context.Background()); err != nil {
			t.Fatal(err)
		}
		rows[i] = slices.Clone(tr.ranked.rows)
	}
	if !slices.Equal(rows[0], rows[1]) {
		t.Error("the same student ranks in two ways")
	}
	if n := len(tr.ranked.of(0)); n != 7 {
		t.Errorf("%d passages are ranked, want 7", n)
	}
	if err := tr.step([]int{3, 1, 4}); err != nil {
		t.Fatal(err)
	}
}

func TestRankedDue(t *testing.T) {
	at := func(every sample.Refresh, depth int) (due []int) {
		r := ranked{depth: depth, every: every}
		for step := range 12 {
			if r.due(step/4, step%4, step) {
				due = append(due, step)
			}
		}
		return due
	}
	for _, test := range []struct {
		every sample.Refresh
		depth int
		want  []int
	}{
		{sample.Refresh{Epochs: 1}, 9, []int{0, 4, 8}},
		{sample.Refresh{Epochs: 2}, 9, []int{0, 8}},
		{sample.Refresh{Steps: 5}, 9, []int{0, 5, 10}},
		{sample.Refresh{Epochs: 1}, 0, nil},
	} {
		if got := at(test.every, test.depth); !slices.Equal(got, test.want) {
			t.Errorf("%+v: due at %v, want %v", test.every, got, test.want)
		}
	}
}

// TestCandidatesRefused says which candidates do not go with the rest of a plan
// or with the data.
func TestCandidatesRefused(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		change func(p *Plan)
		want   string
	}{
		"no divergence": {func(p *Plan) {
			p.Candidates.From = []sample.Source{{Sampler: sample.Importance, N: 5}}
			p.Objective.KLD = objective.KLDPlan{}
		}, "candidates.from[0].temperature must be named"},
		"too much": {func(p *Plan) {
			p.Candidates.From = []sample.Source{{Sampler: sample.Full}}
			p.Optimiser.Batch = 100_000
		}, "the full list of 144 passages for 100000 turns at once"},
		"nothing to compare": {func(p *Plan) {
			p.Candidates.Gold, p.Candidates.From = true, []sample.Source{{Sampler: sample.Top, N: 1}}
		}, "no turn is judged"},
	} {
		p := smallPlan(StudentFeatures)
		test.change(&p)
		if _, err := Train(context.Background(), w.data(), p, Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

// TestDrawsOfAStepDoNotAllocate holds drawing, scoring and the gradient to the
// room that they have, for every kind of list.
func TestDrawsOfAStepDoNotAllocate(t *testing.T) {
	w := newWorld(t)
	for name, from := range map[string][]sample.Source{
		"batch":      {{Sampler: sample.Window, N: 6}, {Sampler: sample.Batch, N: 20}},
		"importance": {{Sampler: sample.Importance, N: 6}},
		"student":    {{Sampler: sample.Stratified, N: 6, Ranking: sample.Student}},
		"full":       {{Sampler: sample.Full}},
	} {
		tr, err := newTrainer(context.Background(), w.data(), sampled(StudentFeatures, from...), Options{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		batch := rand.New(rand.NewPCG(1, 1)).Perm(16)
		s := &tr.stage
		tr.begin(tr.training, batch, true)
		s.part.Turns = s.part.Turns[:len(batch)]
		s.vectors = tr.student.Forward(s.inputs[:len(batch)])
		round := func() {
			tr.begin(tr.training, batch, true)
			tr.team.Do(len(batch), (*scoring)(tr))
			tr.team.Do(len(batch), (*chaining)(tr))
		}
		for range 20 {
			round()
		}
		if n := testing.AllocsPerRun(10, round); n > 0 {
			t.Errorf("%s: %v allocations a step", name, n)
		}
		tr.close()
	}
}
