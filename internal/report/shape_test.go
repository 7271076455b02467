package report

import (
	"fmt"
	"strings"
	"testing"

	"parley/study"
)

// systems makes systems of an experiment, each from its settings.
func systems(settings ...[]study.Setting) []*study.System {
	var all []*study.System
	for i, s := range settings {
		all = append(all, &study.System{Name: fmt.Sprint("s", i), Settings: s})
	}
	return all
}

func both(a, b []study.Setting) []study.Setting { return append(append([]study.Setting{}, a...), b...) }

func TestShape(t *testing.T) {
	x := func(v any) []study.Setting { return set("objective.infonce.weight", v) }
	y := func(v any) []study.Setting { return set("student.kind", v) }
	placed := systems(nil, nil, nil)
	for i, s := range placed[1:] {
		at := float64(10 * (i + 1))
		s.X = &at
	}
	for _, c := range []struct {
		name    string
		plan    study.ExperimentPlan
		systems []*study.System
		show    string
		series  string // of the systems, in order
	}{
		{"numbers", study.ExperimentPlan{}, systems(x(0), x(.1), x(1)), study.ShowLines, "//"},
		{"numbers and a name", study.ExperimentPlan{}, systems(both(x(0), y("mlp")), both(x(1), y("mlp")), both(x(2), y("mlp")), both(x(0), y("features"))), study.ShowLines, "student.kind=mlp/student.kind=mlp/student.kind=mlp/student.kind=features"},
		{"one of them off", study.ExperimentPlan{}, systems(nil, x(1), x(2), x(3)), study.ShowLines, "///"},
		{"two settings of numbers", study.ExperimentPlan{}, systems(both(x(0), set("b", 0)), both(x(1), set("b", 1)), both(x(2), set("b", 2))), study.ShowDots, "//"},
		{"two values", study.ExperimentPlan{}, systems(x(0), x(1)), study.ShowDots, "/"},
		{"names", study.ExperimentPlan{}, systems(y("a"), y("b"), y("c")), study.ShowDots, "//"},
		{"lists", study.ExperimentPlan{}, systems(x([]any{1}), x([]any{2}), x([]any{3})), study.ShowDots, "//"},
		{"as the plan says", study.ExperimentPlan{Show: study.ShowTable}, systems(x(0), x(.1), x(1)), study.ShowTable, "//"},
		{"lines without an axis", study.ExperimentPlan{Show: study.ShowLines}, systems(y("a"), y("b")), study.ShowDots, "/"},
		{"places of the plan", study.ExperimentPlan{X: "samples"}, placed, study.ShowLines, "//"},
		{"one system", study.ExperimentPlan{}, systems(nil), study.ShowTable, ""},
		{"families", study.ExperimentPlan{Show: study.ShowFrontier}, systems(
			nil, set("objective.l1.weight", 1), set("objective.df_l1.weight", 2), both(set("objective.l1.weight", 1), set("objective.flops.weight", 1)),
		), study.ShowFrontier, "/l1/df_l1/l1 + flops"},
		{"families beside what is off", study.ExperimentPlan{Show: study.ShowFrontier}, systems(
			set("objective.df_l1.weight", 0), set("objective.df_l1.weight", 2), both(set("objective.df_l1.weight", 0), set("objective.l1.weight", 1)),
		), study.ShowFrontier, "/df_l1/l1"},
		{"one family", study.ExperimentPlan{Show: study.ShowFrontier}, systems(nil, set("objective.l1.weight", 1), set("objective.l1.weight", 2)), study.ShowFrontier, "/objective.l1.weight/objective.l1.weight"},
		{"a selection", study.ExperimentPlan{Select: &study.SelectPlan{}}, nil, showSelection, ""},
	} {
		found := &study.Experiment{Plan: c.plan, Systems: c.systems}
		e := Experiment{Systems: systemsOf(found)}
		if len(c.systems) > 0 {
			e.Compare = c.systems[0].Name
		}
		e.shape(found)
		var series []string
		for _, s := range e.Systems {
			series = append(series, s.Series)
		}
		if got := strings.Join(series, "/"); e.Show != c.show || got != c.series {
			t.Errorf("%s: shown as %s, series %q; want %s, %q", c.name, e.Show, got, c.show, c.series)
		}
	}
}

func TestSlug(t *testing.T) {
	used := ids{}
	for _, c := range []struct{ words, want string }{
		{"R@100 on test", "r-100-on-test"},
		{"R@100, on <test>", "r-100-on-test-2"},
		{"../../etc", "etc"},
		{"学生", "part"},
		{"", "part-2"},
		{"3 of 4", "part-3-of-4"},
		{strings.Repeat("ab ", 60), strings.TrimSuffix(strings.Repeat("ab-", 27)[:80], "-")},
	} {
		if got := used.next(c.words); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.words, got, c.want)
		}
	}
}
