package study

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestWrongPlans: each is refused with its line and what to do, before anything
// is run.
func TestWrongPlans(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"name: A small study", "name:", `plan.yaml:1: the study has no name`},
		{"encoder: {vocab: vocab.txt}", "encoder: {}", `plan.yaml:2: encoder: say what encodes the passages of "one-a"`},
		{"{vocab: vocab.txt}", "{vocab: vocab.txt, from: x}", `plan.yaml:2: encoder: give vocab for BM25, or from for a model, not both`},
		{"{vocab: vocab.txt}", "{vocab: vocab.txt, b: 2}", `plan.yaml:2: encoder.b must be from 0 to 1`},
		{"name: two, path", "name: One, path", `plan.yaml:5: there are two collections "One"`},
		{"name: two, path", "name: ../two, path", `plan.yaml:5: the name of the collection "../two" must be of letters`},
		{"path: two}", "}", `plan.yaml:5: the collection "two" has no path`},
		{"names: [one-a, one-b]", "names: [one-a]", `plan.yaml:4: the split of "one" needs names for its two halves`},
		{"names: [one-a, one-b]", "fraction: 1.5, names: [one-a, one-b]", `plan.yaml:4: the fraction of the split of "one" must lie between 0 and 1`},
		{"passages: one-a, turns", "passages: one-c, turns", `plan.yaml:6: train.passages is "one-c", and no collection has this name`},
		{"turns: [one-a]", "turns: []", `plan.yaml:6: train.turns must name at least one collection`},
		{"turns: [one-a]", "turns: [one-a, one-a]", `plan.yaml:6: train.turns has "one-a" twice`},
		{"name: alone", "name: half", `plan.yaml:9: there are two tests "half"`},
		{"turns: one-b", "turns: nobody", `plan.yaml:8: test "half": turns is "nobody"`},
		{"query: rewrite", "query: rewritten", `plan.yaml:9: test "alone": query mode "rewritten" is unknown`},
		{"subset: rewritten", "subset: rewrite", `plan.yaml:9: test "alone": subset "rewrite" is unknown: use all`},
		{"k: 20", "k: -1", `plan.yaml:9: test "alone": k must be from 1 to 10000`},
		{"k: 20", "k: 9", `plan.yaml:9: test "alone": R@10 needs the first 10 passages, and k is 9: raise it`},
		{"[R@10, RR, nDCG@3]", "[R@10, RR, MRR]", `plan.yaml:10: the measure RR is given twice`},
		{"[R@10, RR, nDCG@3]", "[R]", `R needs a cut-off`},
		{"[last, history", "[last, yesterday", `plan.yaml:11: query mode "yesterday" is unknown`},
		{"[last, history", "[last, last", `plan.yaml:11: the baseline last is given twice`},
		{"epochs: 2, batch", "epochs: 2, bach", `plan.yaml:13: base: optimiser.bach: unknown field "bach"`},
		{"share: .2", "share: two", `plan.yaml:14: base: validation.share: `},
		{"seeds: [1, 2]\nexp", "seeds: [1, 1]\nexp", `plan.yaml:15: the seed 1 is given twice`},
		{"seeds: [1, 2]\nexp", "seeds: []\nexp", `plan.yaml:15: seeds must name at least one`},
		{"- name: sweep", "- name: objective", `plan.yaml:23: there are two experiments "objective"`},
		{"{name: cold, ", "{name: kld, ", `plan.yaml:20: experiment "objective": there are two systems "kld"`},
		{"{objective.kld.temperature: 1}", "{objective.kld.temprature: 1}", `plan.yaml:21: experiment "objective": objective.kld.temprature: unknown field "temprature"`},
		{"{objective.kld.temperature: 1}", "{objective.kld.temperature.x: 1}", `plan.yaml:21: experiment "objective": objective.kld.temperature.x: `},
		{"{objective.kld.temperature: 1}", "{objective..temperature: 1}", `plan.yaml:21: experiment "objective": objective..temperature: "objective..temperature" is no path`},
		{"{objective.kld.temperature: 1}", "{seed: 1}", `plan.yaml:21: experiment "objective": seed: seed is set by seeds`},
		{"{objective.kld.temperature: 1}", "{student.kind: splade}", `plan.yaml:21: experiment "objective": student.kind: `},
		{"[.1, .5]", "[.1, .5, -1]", `plan.yaml:24: experiment "sweep": objective.df_l1.weight: `},
		{"[.1, .5]", ".1", `vary: objective.df_l1.weight needs a list of values`},
		{"[.1, .5]", "[.1, .1]", `plan.yaml:23: experiment "sweep": there are two systems`},
		{"tests: [half]", "tests: [full]", `plan.yaml:25: experiment "sweep": there is no test "full"`},
		{"tests: [half]", "tests: []", `plan.yaml:25: experiment "sweep": tests is empty: leave it out for all`},
		{"tests: [half]", "points: [{name: x}]", `plan.yaml:25: experiment "sweep": give vary or points, not both`},
		{"compare: df_l1.weight=0.5 kld.temperature=1", "compare: kld", `plan.yaml:26: experiment "sweep": compare is "kld", and no system has this name: they are df_l1.weight=0.1 kld.temperature=5, `},
		{"compare: df_l1.weight=0.5 kld.temperature=1", "show: pie", `plan.yaml:26: experiment "sweep": show is "pie"`},
		{"method: halving", "method: guess", `plan.yaml:28: experiment "choose": select.method must be grid, random or halving`},
		{"{objective.kld.temperature: [1, 3, 9, 20]}", "{objective.kld.heat: [1, 3, 9, 20]}", `experiment "choose": objective.kld.heat: unknown field "heat"`},
		{"    select: {", "    tests: [half]\n    select: {", `experiment "choose": select goes with set and from alone`},
		{"share: .2", "share: 0", `experiment "choose": validation.share is 0`},
		{"epochs: 2, ", "", `experiment "choose": halving shares out the epochs: set optimiser.epochs`},
		{"from: choose", "from: sweep", `plan.yaml:29: experiment "chosen": from is "sweep": name an experiment that stands before this one and has select`},
		{"seeds: [7]}", "seeds: [7]}\nreport: {turns: [objective/kld, objective/none]}", `plan.yaml:30: report has "objective/none", and there is no such system`},
		{"seeds: [7]}", "seeds: [7]}\nreport: {measure: P@3}", `plan.yaml:30: report.measure is "P@3", and the study does not measure it`},
		{"seeds: [7]}", "seeds: [7]}\nreport: {examples: {test: none}}", `plan.yaml:30: report.examples.test is "none"`},
		{"seeds: [7]}", "seeds: [7]}\nreport: {tests: [none]}", `plan.yaml:30: report.tests has "none", and there is no such test`},
		{"seeds: [7]}", "seeds: [7]}\n---\nname: another", `the plan plan.yaml is not valid: a second document follows the first`},
		{"seeds: [7]}", "seeds: [7], points: [{name: b}, {name: a, x: 1}, {name: c}]}", `plan.yaml:29: experiment "chosen": the point "c" has no x, and others have`},
		{"experiments:", "experimnets:", `the plan plan.yaml is not valid: [16:1] unknown field "experimnets"`},
	} {
		t.Run(c.want, func(t *testing.T) {
			_, err := ReadPlan(strings.NewReader(replaced(t, small, c.old, c.new)), "plan.yaml")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %q", err)
			}
		})
	}
}

// TestLaughs: a small file that stands for a huge one is refused.
func TestLaughs(t *testing.T) {
	var b strings.Builder
	b.WriteString("base:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 12 {
		fmt.Fprintf(&b, "  a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	_, err := ReadPlan(strings.NewReader(replaced(t, small, "base:\n", b.String())), "plan.yaml")
	if err == nil || !strings.HasPrefix(err.Error(), "plan.yaml:14: it has the alias *a0: write out what it stands for") {
		t.Error(err)
	}
}

func TestSystemsOfWhatVaries(t *testing.T) {
	p := mustPlan(t, small)
	var names []string
	for _, s := range p.systems(1) {
		names = append(names, s.Name)
	}
	want := []string{
		"df_l1.weight=0.1 kld.temperature=5", "df_l1.weight=0.1 kld.temperature=1",
		"df_l1.weight=0.5 kld.temperature=5", "df_l1.weight=0.5 kld.temperature=1",
	}
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	for _, c := range []struct{ paths, want []string }{
		{[]string{"objective.kld.weight", "objective.infonce.weight"}, []string{"kld.weight", "infonce.weight"}},
		{[]string{"student.kind", "a.b.c"}, []string{"student.kind", "b.c"}},
		{[]string{"a.b.c", "d.b.c"}, []string{"a.b.c", "d.b.c"}},
	} {
		if got := labels(c.paths); !slices.Equal(got, c.want) {
			t.Errorf("labels of %q: %q, want %q", c.paths, got, c.want)
		}
	}
}

// TestCulprit: of settings that cannot go together the one is named with which
// they go wrong for good, not one that a later one makes good.
func TestCulprit(t *testing.T) {
	settings := []Setting{
		{Path: "student.kind", Value: "none"}, // made good by the next
		{Path: "student.kind", Value: "mlp"},
		{Path: "student.dim", Value: 32},
		{Path: "student.hidden", Value: -1},
		{Path: "optimiser.epochs", Value: 3},
	}
	if got := culprit(settings); got != 3 {
		t.Errorf("the culprit is %d (%v), want 3", got, settings[got])
	}
}

// TestPlanOfTheDocs: the plan that docs/study.md shows can be read.
func TestPlanOfTheDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/study.md")
	if err != nil {
		t.Fatal(err)
	}
	_, plan, _ := strings.Cut(string(text), "```yaml\nname: ")
	plan, _, _ = strings.Cut("name: "+plan, "```")
	p, err := ReadPlan(strings.NewReader(plan), "plan.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Experiments) < 3 || len(p.Tests) < 3 {
		t.Errorf("%d experiments, %d tests", len(p.Experiments), len(p.Tests))
	}
}

func FuzzReadPlan(f *testing.F) {
	f.Add(small)
	f.Add("name: x\nencoder: {vocab: v}\ncollections: [{name: a, path: a}]\ntrain: {passages: a, turns: [a]}\ntests: [{name: t, passages: a}]\nexperiments: [{name: e}]\n")
	f.Add("experiments: [{vary: {a.b: [1]}, set: {x: {y: z}}}]")
	f.Add("base: &a {b: *a}")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ReadPlan(strings.NewReader(text), "plan.yaml")
		if err != nil {
			return
		}
		d, err := newDesign(p, &facts{}, func(string) (*trialRecord, error) { return nil, nil })
		if err != nil {
			t.Fatalf("a plan that was read cannot be laid out: %v", err)
		}
		if len(d.trials)+d.missing() == 0 {
			t.Error("a plan that wants nothing")
		}
	})
}
