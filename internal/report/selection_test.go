package report

import (
	"strings"
	"testing"

	"parley/internal/table"
	"parley/study"
)

// TestSelection says what a report tells of a choice, and of what failed.
func TestSelection(t *testing.T) {
	point := func(i int, weight float64) study.Point {
		return study.Point{Index: i, Settings: []study.Setting{{Path: "objective.l1.weight", Value: weight}}}
	}
	s := &study.Selection{
		Measure: "R@100", Chosen: point(1, .5), Worth: study.Worth{Value: .8912, FLOPS: 2, L0: 30},
		Tried: []study.Tried{
			{Point: point(0, 0), Budget: 1, Worth: study.Worth{Value: .9, FLOPS: 4, L0: 50}},
			{Point: point(1, .5), Budget: 1, Worth: study.Worth{Value: .8912, FLOPS: 2, L0: 30}},
			{Point: point(2, 9), Budget: 1, Failed: true},
		},
	}
	if got := selectionOf(s).finding(); !strings.HasSuffix(got, "was chosen by R@100 (0.8912) on held-out conversations.") {
		t.Errorf("finding %q", got)
	}
	s.Within, s.Cost = .01, study.CostFLOPS
	r := selectionOf(s)
	if got := r.finding(); !strings.Contains(got, "of 3 settings tried") || !strings.Contains(got, "as that of the least FLOPS whose R@100 is within 1 % of the best (0.8912)") {
		t.Errorf("finding %q", got)
	}
	var text strings.Builder
	if err := r.table().Write(&text, table.Markdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 1 |", "**0.8912**", "4.000", "30.0"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, text.String())
		}
	}
	if r.Tried[2].Value != nil {
		t.Error("what failed has a value")
	}
}
