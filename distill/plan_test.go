package distill

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestDefaultPlansAreValid(t *testing.T) {
	for _, kind := range []string{StudentFeatures, StudentMLP} {
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
		{"objective:\n  df_l1: 0.1\noptimiser:\n  token_dropout: 0\n", ""},
		{"objective:\n  dfl1: 0.1\n", `[2:3] unknown field "dfl1"`},
		{"seed: many\n", "[1:7]"},
		{"objective: [1, 2]\n", "[1:12]"},
		{"student:\n  kind: transformer\n", "student.kind must be features or mlp"},
		{"validation: 1\n", "validation must be"},
		{"objective:\n  temperature: 0\n", "temperature must be positive"},
		{"objective:\n  l1: .nan\n", "l1 must not be negative"},
		{"candidates:\n  random: -1\n", "must not be negative"},
		{"teacher:\n  rewriters: []\n", "at least one rewriter"},
		{"\xff\xfe", "is not valid"},
	} {
		plan, err := ReadPlan(strings.NewReader(test.text), "p.yaml", base)
		if test.want == "" {
			if err != nil {
				t.Errorf("%q: %v", test.text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "p.yaml") {
			t.Errorf("%q: error %v, want one with %q; plan %+v", test.text, err, test.want, plan)
		}
	}
}

func TestPlanReadBack(t *testing.T) {
	plan := DefaultPlan(StudentMLP)
	plan.Objective.DFL1, plan.Optimiser.TokenDropout, plan.Teacher.Rewriters = .125, 0, []string{"human", "llm: x"}
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
	f.Add("objective:\n  df_l1: 1e-1\n")
	f.Add("teacher: {rewriters: [a, b], reachable: no}")
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
