package distill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"parley/distill/objective"
	"parley/encoder"
	"parley/internal/prune"
	"parley/sparse"
)

// steered returns a steering over the given number of steps.
func steered(target float64, steps int) *steering {
	p := objective.Plan{Target: objective.TargetPlan{FLOPS: target}}
	p.DFL1.Weight = .1
	p = p.Resolved()
	return &steering{plan: p.Target, rise: p.Terms(steps)[0], every: max(1, steps/looksPerTraining), gain: integral}
}

// TestSteeringConverges steers made-up students, whose costs answer to the weight
// by several laws, late, and with a learning rate that falls to 0.
func TestSteeringConverges(t *testing.T) {
	const steps = 3000
	for _, half := range []float64{.0015, .02, .15, .6} { // the weight that halves the cost
		for _, power := range []float64{.4, 1} {
			for _, target := range []float64{.15, .4, .8} {
				name := fmt.Sprintf("half %v, power %v, target %v", half, power, target)
				s, cost := steered(target, steps), 3.0
				rng := rand.New(rand.NewPCG(1, 2))
				for step := range steps {
					if s.due(step) {
						if s.Looked == 0 { // .0015 is where the search begins
							s.begin(cost, []Loss{{Term: "kld", Weight: 1, Value: .3}, {Term: "df_l1", Value: 1}})
						}
						s.steer(step, cost*(1+.01*rng.NormFloat64()))
					}
					settled := 1.2 / (1 + math.Pow(s.Weight/half, power))
					rate := .02 * (1 - float64(step)/steps)
					cost *= math.Pow(settled/cost, rate)
				}
				if s.far(cost) > 0 {
					t.Errorf("%s: ended at %v with the weight %v", name, cost, s.Weight)
				}
				if !s.possible(steps) {
					t.Errorf("%s: the state %+v is not one that can be", name, s)
				}
			}
		}
	}
}

func TestGoal(t *testing.T) {
	s := steered(.25, 300)
	s.rise.From, s.rise.To = 50, 150
	s.Start = 4
	for _, test := range []struct {
		shape string
		step  int
		want  float64
	}{
		{"linear", 0, 4},
		{"linear", 50, 4},
		{"linear", 100, 1},
		{"linear", 150, .25},
		{"linear", 299, .25},
		{"quadratic", 100, 4 * math.Pow(1./16, .75)},
		{"quadratic", 150, .25},
		{"constant", 0, .25},
	} {
		s.rise.Shape = test.shape
		if got := s.goal(test.step); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%s at step %d: %v, want %v", test.shape, test.step, got, test.want)
		}
	}
	s.rise.Shape, s.Start = "linear", .1
	if got := s.goal(60); got != .25 {
		t.Errorf("from below the goal is %v", got)
	}
}

// targetPlan asks for a cost that the small world's students can have.
func targetPlan(kind string) Plan {
	p := smallPlan(kind)
	p.Optimiser.Epochs = 20
	p.Objective.DFL1.Weight = .1
	p.Objective.Target = objective.TargetPlan{FLOPS: .35, Tolerance: .1}
	return p
}

// TestTargetIsMet says that the student that is kept has the cost that was asked
// for, by steering alone or cut to it, as who opens it measures it.
func TestTargetIsMet(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		kind    string
		flops   float64
		steered bool // that alone meets it
	}{{StudentFeatures, .2, true}, {StudentFeatures, .9, true}, {StudentMLP, .35, false}} {
		p := targetPlan(test.kind)
		p.Objective.Target.FLOPS = test.flops
		free := p
		free.Objective.Target, free.Objective.DFL1.Weight = objective.TargetPlan{}, 0
		if cost := train(t, w, free, Options{}).Kept().Validation.FLOPS; cost < 1.5*test.flops {
			t.Fatalf("%+v: unasked, it costs %v", test, cost)
		}
		r := train(t, w, p, Options{})
		got := r.Kept().Validation.Target
		cost := got.Cost
		if r.Pruned != nil {
			cost = r.Pruned.After.FLOPS
		}
		if test.steered != got.Within || test.steered != (len(r.Warnings) == 0) || cost > 1.1*test.flops || got.Weight <= 0 {
			t.Errorf("%+v: %v, %+v and %q", test, cost, got, r.Warnings)
		}
		if turns, served := servedCost(t, w, p, r); turns != got.Turns || math.Abs(served-cost) > 1e-12 {
			t.Errorf("%+v: %d turns cost %v, served; in training %d cost %v", test, turns, served, got.Turns, cost)
		}
	}
}

// servedCost opens the student that a training ended with and returns what the
// held-out turns cost.
func servedCost(t *testing.T, w *world, p Plan, r *Result) (turns int, flops float64) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	e, err := encoder.Open(dir, w.passages)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := newTrainer(context.Background(), w.data(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var vectors []sparse.Vector
	n := uint64(0)
	for _, c := range w.talk {
		for i := range c.Turns {
			if slices.ContainsFunc(tr.held, func(ex example) bool { return ex.seed == n }) {
				vectors = append(vectors, e.Query(c.History(i)))
			}
			n++
		}
	}
	return len(vectors), prune.Rule{}.Costs(vectors, w.passages).FLOPS
}

// TestTargetResumes interrupts a steered training and wants it to end as if
// undisturbed.
func TestTargetResumes(t *testing.T) {
	w, p := newWorld(t), targetPlan(StudentFeatures)
	p.Prune.ValuePerCost = .5
	p.Optimiser.Epochs = 4
	whole := train(t, w, p, Options{})
	for _, after := range []int{1, 9, 17} {
		path := filepath.Join(t.TempDir(), "checkpoint")
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Train(ctx, w.data(), p, Options{Checkpoint: path, Progress: func(at Progress) {
			if at.Step == after {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		r := train(t, w, p, Options{Checkpoint: path, Workers: 3})
		if !reflect.DeepEqual(r.History, whole.History) || !reflect.DeepEqual(r.Pruned, whole.Pruned) || !reflect.DeepEqual(r.Warnings, whole.Warnings) || weights(t, r) != weights(t, whole) {
			t.Errorf("taken up after step %d, the training ended elsewhere", after)
		}
	}
}

// TestTargetMissed says that a training too short for its target says so, and
// that its queries are pruned to it; and that one that costs less says that.
func TestTargetMissed(t *testing.T) {
	w, p := newWorld(t), targetPlan(StudentFeatures)
	p.Optimiser.Epochs = 1
	p.Objective.Target.Tolerance = .01
	r := train(t, w, p, Options{})
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "outside the tolerance of the target of 0.35: queries are pruned to it by a value per cost of") {
		t.Fatalf("%q", r.Warnings)
	}
	if got := r.Pruned; got == nil || got.After.FLOPS > .35 || got.Before.FLOPS < .36 || got.Rule.ValuePerCost == 0 || r.keep != got.Rule {
		t.Errorf("%+v", got)
	}
	p.Objective.Target = objective.TargetPlan{L0: 2.5, Tolerance: .01}
	if r = train(t, w, p, Options{}); r.Pruned == nil || r.Pruned.After.L0 > 2.5 {
		t.Errorf("%+v %q", r.Pruned, r.Warnings)
	}
	p.Objective.Target = objective.TargetPlan{FLOPS: 90}
	if r = train(t, w, p, Options{}); len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "less than the target of 90") || r.Pruned != nil {
		t.Errorf("%+v %q", r.Pruned, r.Warnings)
	}
}

// TestNearestIsKept says that of students off the target the nearest is kept, and
// of those on it the one with the lowest loss.
func TestNearestIsKept(t *testing.T) {
	var b best
	for epoch, look := range []struct{ far, loss float64 }{{.5, .1}, {.2, .9}, {.3, .1}, {0, .8}, {0, .7}, {.1, .1}, {0, .75}} {
		b.look([]float64{look.far, look.loss}, epoch+1, nil)
	}
	if b.epoch != 5 {
		t.Errorf("kept epoch %d", b.epoch)
	}
}

func TestTargetRefused(t *testing.T) {
	for text, want := range map[string]string{
		"objective: {target: {flops: 1, l0: 2}}\n":                  "name one, a weight meets one cost",
		"objective: {target: {by: l1}}\n":                           "objective.target names no cost, so that it would do nothing",
		"objective: {target: {flops: 1, by: l1}}\n":                 "objective.target.by names l1, which has no weight",
		"objective: {target: {flops: 1, by: kld}}\n":                "objective.target.by must name a regulariser",
		"objective: {target: {flops: 1, tolerance: 2}}\n":           "objective.target.tolerance must be a share, from 0 to .5",
		"objective: {target: {flops: -1}}\n":                        "objective.target.flops and target.l0 must be from 0",
		"objective: {target: {flops: 1, conversations: some}}\n":    "objective.target.conversations must be all or answered",
		"objective: {target: {flops: 1}}\nvalidation: {share: 0}\n": "validation.share must be above 0",
		"objective: {target: {flops: 1}, df_l1: {weight: 0}}\n":     "objective.target.by names df_l1, which has no weight",
		"prune: {mass: 2}\n":                                        "prune: a mass of 2 is not possible",
	} {
		_, err := ReadPlan(strings.NewReader(text), "p.yaml", DefaultPlan(StudentFeatures))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	w, p := newWorld(t), targetPlan(StudentFeatures)
	p.Objective.Target.Conversations = objective.ConversationsAnswered
	for i := range w.talk {
		for j := range w.talk[i].Turns {
			w.talk[i].Turns[j].Answer = ""
		}
	}
	if _, err := Train(context.Background(), w.data(), p, Options{}); err == nil || !strings.Contains(err.Error(), "no held-out conversation has an answer") {
		t.Error(err)
	}
}

// TestScales says that the scales are those of the scores that were compared.
func TestScales(t *testing.T) {
	var s sums
	s.add(&objective.Batch{Turns: []objective.Turn{
		{Scores: []float64{1, 3, 100}, Teacher: []float64{2, 10}}, {Scores: []float64{5}}, {Scores: []float64{0, 0}, Teacher: []float64{1, 1}},
	}}, nil)
	if got := s.mean(nil).Scales; got == nil || *got != (Scales{Teacher: 2, Student: .5}) {
		t.Errorf("%+v", got)
	}
}

// TestSpladeIsSteered says that a transformer is steered too, in parts as at once,
// and that the controller's state is a part of a checkpoint.
func TestSpladeIsSteered(t *testing.T) {
	p := spladePlan()
	p.Optimiser.Epochs, p.Validation.Share = 2, .3
	p.Objective.L1.Weight, p.Objective.FLOPS.Weight = .1, .01
	p.Objective.Target = objective.TargetPlan{L0: 10, By: "l1"}
	keeper := &keeper{}
	run := func(bound int) *trainer {
		q := p
		q.Optimiser.MicroBatch = bound
		tr := spladeTrainer(t, q, Options{Workers: 2})
		for !tr.done() {
			if err := tr.runEpoch(context.Background(), nil, keeper); err != nil {
				t.Fatal(err)
			}
		}
		return tr
	}
	whole, parts := run(0), run(60)
	if s := whole.steering; s.Weight <= 0 || s.Looked == 0 || s.Start <= 10 {
		t.Errorf("%+v", s)
	}
	for i, e := range whole.history {
		a, b := e.Validation.Target, parts.history[i].Validation.Target
		if a.Turns != len(whole.held) || math.Abs(a.Cost-b.Cost) > .02*a.Cost || math.Abs(math.Log(a.Weight/b.Weight)) > .1 {
			t.Errorf("epoch %d: at once %+v, in parts %+v", i+1, a, b)
		}
	}
	text, err := json.Marshal(whole.place())
	if err != nil {
		t.Fatal(err)
	}
	again := spladeTrainer(t, p, Options{})
	if !again.goTo(text) || !reflect.DeepEqual(again.place(), whole.place()) {
		t.Error("the state of the steering did not survive")
	}
	for _, damaged := range []string{`"Sum":9e9,"Side"`, `"Sum":null,"Looked":-1,"Side"`} {
		edited := regexp.MustCompile(`"Sum":[^,]+,"Side"`).ReplaceAllString(string(text), damaged)
		if edited == string(text) || again.goTo([]byte(edited)) {
			t.Errorf("the state %s was taken", edited)
		}
	}
}
