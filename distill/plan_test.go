package distill

import (
	"bytes"
	"context"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/distill/objective"
)

func TestDefaultPlansAreValid(t *testing.T) {
	for _, kind := range []string{StudentFeatures, StudentMLP, StudentSplade} {
		if err := DefaultPlan(kind).Validate(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestReadPlan(t *testing.T) {
	base := DefaultPlan(StudentMLP)
	for _, test := range []struct {
		text string
		want string // "" for a valid plan
	}{
		{"", ""},
		{"# nothing but a comment\n", ""},
		{"objective:\n  df_l1: {weight: 0.1}\noptimiser:\n  token_dropout: 0\n", ""},
		{"objective:\n  dfl1: 0.1\n", `[2:3] unknown field "dfl1"`},
		{"seed: many\n", "[1:7]"},
		{"objective: [1, 2]\n", "[1:12]"},
		{"student:\n  kind: transformer\n", "student.kind must be features, mlp or splade"},
		{"validation: {share: 1}\n", "validation.share must be"},
		{"validation: {measure: RR}\n", ""},
		{"validation: .05\n", "[1:13]"},
		{"validation: {measure: R}\n", "validation.measure: it must be loss, overlap@10 or a measure"},
		{"objective:\n  kld: {temperature: 0}\n", "objective.kld.temperature must be above 0; leave it out for the default"},
		{"objective:\n  l1: {weight: .nan}\n", "objective.l1.weight must be from 0"},
		{"objective:\n  l1: {weight: 1e7}\n", "objective.l1.weight must be from 0"},
		{"objective:\n  l1: {to: .5}\n", "objective.l1 has no weight, so that it would do nothing"},
		{"objective:\n  kld: null\n", "objective.kld is empty: give it a weight, which is 0 to turn it off"},
		{"objective:\n  kld: {weight: 0}\n", "objective has no term that teaches"},
		{"objective:\n  kld: {weigth: 1}\n", `[2:9] unknown field "weigth"`},
		{"objective:\n  kld: 1\n", "[2:8]"},
		{"objective: {kld: {weight: 0}, vector_mse: {weight: 1}}\n", ""},
		{"candidates: {gold: true}\nobjective: {infonce: {weight: .1, temperature: .08}}\n", ""},
		{"objective: {infonce: {weight: .1, temperature: .08}}\n", "objective.infonce must have candidates.gold true"},
		{"objective: {infonce: {weight: .1, temperature: -1}}\n", "objective.infonce.temperature must be from 1e-6"},
		{"objective: {infonce: {weight: .1, temperature: 0.0}}\n", "objective.infonce.temperature must be above 0"},
		{"objective: {cross_entropy: {weight: 1, temperature: 1, negatives: all}}\n", "objective.cross_entropy.negatives must be turn, batch or both"},
		{"candidates: {gold: true}\nobjective: {infonce: {weight: 1, temperature: 1}}\noptimiser: {batch: 1}\n", "optimiser.batch must be at least 2 for negatives of the batch"},
		{"candidates: {gold: true}\nobjective: {infonce: {weight: 1, temperature: 1, negatives: turn}}\noptimiser: {batch: 1}\n", ""},
		{"candidates: {gold: true}\nobjective: {hinge: {weight: 1, margin: 1}}\noptimiser: {batch: 5000}\n", "at most 100 million"},
		{"objective: {hinge: {weight: 1, margin: 0}}\n", "objective.hinge.margin must be above 0"},
		{"objective: {kld: {direction: back}}\n", "objective.kld.direction must be forward or reverse"},
		{"objective: {kld: {alpha: {positive: 1, negative: 1, gamma: .5}}}\n", "alpha.gamma must be 0, or from 1"},
		{"objective: {kld: {alpha: {positive: -1}}}\n", "alpha.positive and alpha.negative must be from 0"},
		{"objective: {kld: {alpha: {positive: 1, by: me}}}\n", "alpha.by must be teacher or student"},
		{"objective: {kld: {direction: reverse, alpha: {positive: 1}}}\n", "alpha is for direction forward"},
		{"objective: {kld: {alpha: {positive: 1, negative: 1}}}\n", "objective.kld must have candidates.gold true"},
		{"candidates: {gold: true}\nobjective: {negative_mse: {weight: 1}, positive_mse: {weight: 1}}\n", "the loss would fall without end"},
		{"objective: {passage_flops: {weight: 1}}\n", "objective.passage_flops: passages are frozen"},
		{"objective:\n  df_l1: {from: .5, to: .4}\n", "objective.df_l1.to must be a share of the steps, from that in from to 1"},
		{"objective:\n  l1: {turn_power: 2}\n", "objective.l1 has no weight, so that it would do nothing"},
		{"objective:\n  l1: {turn_power: 2}\n", "objective.l1 has no weight, so that it would do nothing"},
		{"objective:\n  flops: {weight: .1, turn_power: 9}\n", "objective.flops.turn_power must be from 0 to 4"},
		{"objective:\n  df_saturating: {scale: 2}\n", "objective.df_saturating has no weight, so that it would do nothing"},
		{"objective:\n  df_saturating: {weight: 1, scale: -2}\n", "objective.df_saturating.scale must be a weight from 1e-6 to 1e6"},
		{"objective:\n  df_saturating: {weight: 1, saturation: tanh}\n", "objective.df_saturating.saturation must be ratio or exponential"},
		{"objective:\n  df_l1: {from: -1}\n", "objective.df_l1.from must be a share"},
		{"objective:\n  df_l1: {shape: cubic}\n", "objective.df_l1.shape must be constant, linear or quadratic"},
		{"candidates:\n  from: [{sampler: random, n: -1}]\n", "candidates.from[0]: n must be from 1"},
		{"candidates:\n  depth: 20\n", ""},
		{"teacher:\n  rewriters: []\n", "at least one rewriter"},
		{"teacher:\n  rewriters: [human, human]\n", "names that differ"},
		{"context:\n  answer_tokens: 0\n", "leave answers out with context.no_answers"},
		{"context:\n  tokens: -2\n", "or -1 for no limit"},
		{"candidates:\n  teacher: 65\n", `[2:3] unknown field "teacher"`},
		{"candidates:\n  from: [{sampler: top, n: 65}]\n", "65 candidates cannot come from the first 64 ranks"},
		{"candidates:\n  from: [{sampler: top, n: 9223372036854775807}]\n", "n must be from 1 to 10000"},
		{"candidates:\n  from: !best [{sampler: top, n: 5}]\n", "[2:9] a tag is no part of a plan"},
		{"candidates: {from: [{sampler: random, n: 1}]}\n", "at least 2 in all"},
		{"optimiser:\n  learning_rate: 1e30\n", "at most 1"},
		{"optimiser:\n  batch: 100000\ncandidates:\n  from: [{sampler: random, n: 9999}]\n", "at most 10 million"},
		{"optimiser:\n  weight_decay: -.1\n", "optimiser.weight_decay must be from 0"},
		{"optimiser:\n  micro_batch: -1\n", "optimiser.micro_batch must be a number of tokens"},
		{"seed: 2\n---\nseed: 3\n", "a second document"},
		{"\xff\xfes\x00", "is not plain UTF-8"},
		{"# caf\xe9\nseed: 1\n", "is not plain UTF-8"},
		{"\ufeffseed: 1\n", "without a byte order mark"},
	} {
		plan, err := ReadPlan(strings.NewReader(test.text), "p.yaml", base)
		if test.want == "" {
			if err != nil {
				t.Errorf("%q: %v", test.text, err)
			}
			if plan.Student != base.Student || plan.Optimiser.LearningRate != base.Optimiser.LearningRate {
				t.Errorf("%q: what it does not name became %+v", test.text, plan)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "p.yaml") {
			t.Errorf("%q: error %v, want one with %q; plan %+v", test.text, err, test.want, plan)
		}
	}
}

func TestReadPlanTakesZero(t *testing.T) {
	text := "objective:\n  df_l1: {weight: 0}\noptimiser:\n  token_dropout: 0\nseed: 0\n"
	plan, err := ReadPlan(strings.NewReader(text), "p", DefaultPlan(StudentMLP))
	if err != nil || plan.Objective.DFL1.Weight != 0 || plan.Optimiser.TokenDropout != 0 || plan.Seed != 0 || plan.Objective.KLD.Weight != 1 {
		t.Errorf("read %+v, %v", plan, err)
	}
}

// TestSchedule pins what the plan makes of steps: the learning rate, the terms,
// the default number of epochs.
func TestSchedule(t *testing.T) {
	rate := schedule{rate: 1, warm: .1, steps: 100}
	for step, want := range map[int]float64{0: .1, 4: .5, 9: 1, 10: 1, 55: .5, 99: 1. / 90} {
		if got := rate.at(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("rate at step %d: %v, want %v", step, got, want)
		}
	}
	p := DefaultPlan(StudentMLP)
	p.Objective.L1.Weight, p.Objective.DFL1.Weight = 2, 3
	p.Objective.L1.From, p.Objective.L1.To = .25, .5
	want := []objective.Weighted{
		{Term: objective.KLD{Temperature: 5}, Weight: 1, Shape: "constant"},
		{Term: objective.L1{}, Weight: 2, From: 25, To: 50, Shape: "quadratic"},
		{Term: objective.DFL1{}, Weight: 3, To: 33, Shape: "quadratic"},
	}
	if got := p.Resolved().Objective.Terms(100); !reflect.DeepEqual(got, want) {
		t.Errorf("terms %v, want %v", got, want)
	}
	for n, want := range map[int]int{1: 60, 2000: 60, 5000: 32, 27000: 6, 1_000_000: 6} {
		if got := p.Optimiser.epochs(n); got != want {
			t.Errorf("%d turns are seen %d times, want %d", n, got, want)
		}
	}
	p.Optimiser.Epochs = 3
	if got := p.Optimiser.epochs(10); got != 3 {
		t.Errorf("three epochs became %d", got)
	}
}

func TestPlanReadBack(t *testing.T) {
	plan := DefaultPlan(StudentMLP)
	plan.Objective.DFL1.Weight, plan.Optimiser.TokenDropout, plan.Teacher.Rewriters = .125, 0, []string{"human", "llm: x"}
	var text bytes.Buffer
	if err := plan.Write(&text); err != nil {
		t.Fatal(err)
	}
	back, err := ReadPlan(&text, "p", DefaultPlan(StudentFeatures))
	if err != nil || !reflect.DeepEqual(back, plan) {
		t.Errorf("read back %+v, %v; want %+v", back, err, plan)
	}
}

func FuzzReadPlan(f *testing.F) {
	f.Add("student: {kind: mlp}\nseed: 3\n")
	f.Add("objective:\n  df_l1: {weight: 1e-1, shape: linear}\n")
	f.Add("candidates: {gold: true}\nobjective: {kld: {weight: .9, alpha: {gamma: 2, by: student}}, infonce: {weight: .1, learned: true, negatives: batch}, hinge: {weight: 1}}\n")
	f.Add("teacher: {rewriters: [a, b], reachable: no}")
	f.Add("candidates: {depth: 9, gold: true, from: [{sampler: window, ranking: student, n: 3, last: 7}], refresh: {steps: 9}}")
	f.Add("candidates: {from: [{sampler: top, n: 3}, {sampler: importance, n: 5, power: .5}, {sampler: random, n: 2, outside: teacher}]}")
	f.Add("candidates: {correct: true, from: [{sampler: stratified, n: 8, over: score, strata: 3, share: proportional}]}")
	f.Fuzz(func(t *testing.T, text string) {
		plan, err := ReadPlan(strings.NewReader(text), "fuzz", DefaultPlan(StudentMLP))
		if err != nil {
			return
		}
		var written bytes.Buffer
		if err := plan.Write(&written); err != nil {
			t.Fatal(err)
		}
		back, err := ReadPlan(&written, "again", DefaultPlan(StudentFeatures))
		if err != nil || !reflect.DeepEqual(back, plan) {
			t.Errorf("%+v was read back as %+v, %v", plan, back, err)
		}
	})
}

// TestAWeightIsEnough says that every section of the objective works where its
// weight is all that a plan file names, and which defaults it then has.
func TestAWeightIsEnough(t *testing.T) {
	read := func(section string) Plan {
		t.Helper()
		text := "candidates: {gold: true}\nobjective: {vector_mse: {weight: .1}, " + section + "}\n"
		p, err := ReadPlan(strings.NewReader(text), "p", smallPlan(StudentFeatures))
		if err != nil {
			t.Fatalf("%s: %v", section, err)
		}
		return p
	}
	d := newWorld(t).judged()
	for _, name := range objective.Sections() {
		if name == "vector_mse" {
			continue
		}
		p := read(name + ": {weight: .01}")
		p.Optimiser.Epochs = 1
		r, err := Train(context.Background(), d, p, Options{Workers: 2})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.ContainsFunc(r.History[0].Validation.Terms, func(l Loss) bool { return l.Term == name && l.Value != 0 }) {
			t.Errorf("%s did nothing: %+v", name, r.History[0].Validation.Terms)
		}
	}
	o := read("infonce: {weight: 1}, hinge: {weight: 1}, kld: {weight: 1, temperature: 3, alpha: {gamma: 2}}").Objective
	if o.InfoNCE.Temperature != 3 || o.Hinge.Margin != 1 || o.KLD.Alpha != (objective.AlphaPlan{Positive: 1, Negative: 1, Gamma: 2, By: "teacher"}) {
		t.Errorf("the defaults are %+v", o)
	}
	if o := read("kld: {weight: 0}, cross_entropy: {weight: 1}").Objective; o.CrossEntropy.Temperature != 1 {
		t.Errorf("without a divergence the temperature is %v", o.CrossEntropy.Temperature)
	}
}
