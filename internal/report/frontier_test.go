package report

import (
	"math"
	"strings"
	"testing"

	"parley/study"
)

func TestPareto(t *testing.T) {
	point := func(name string, flops, value float64) FrontierPoint {
		return FrontierPoint{System: name, FLOPS: Number{Mean: flops}, Value: Number{Mean: value}}
	}
	got := pareto([]FrontierPoint{point("dear", 4, .8), point("worse", 3, .7), point("good", 2, .79), point("twin", 2, .79), point("cheap", 1, .6), point("zero", .5, 0)})
	if s := strings.Join(got, " "); s != "dear good cheap zero" {
		t.Errorf("the frontier is %s", s)
	}
}

func TestFrontier(t *testing.T) {
	f := Frontier{Test: "t", Base: "base", Points: []FrontierPoint{
		{System: "base", Saving: 1},
		{System: "a1", Family: "a", Saving: 2, Loss: .004},
		{System: "a2", Family: "a", Saving: 3, Loss: .015},
		{System: "a3", Family: "a", Saving: 9, Loss: .3},
		{System: "b1", Family: "b", Saving: 4, Loss: .04},
	}}
	if got := strings.Join(f.families(), " "); got != "a b" {
		t.Errorf("families %s", got)
	}
	for _, c := range []struct {
		family string
		loss   float64
		want   string
	}{{"a", .01, "a1"}, {"a", .02, "a2"}, {"b", .02, ""}} {
		if got := f.within(c.family, c.loss); got.Point == nil && c.want != "" || got.Point != nil && got.Point.System != c.want {
			t.Errorf("within %v of %s: %+v", c.loss, c.family, got)
		}
	}
	if near := f.near("base"); near == nil || len(near.Points) != 4 {
		t.Errorf("near: %+v", near)
	}
	f.Points = f.Points[:3]
	if near := f.near("base"); near != nil {
		t.Errorf("a chart of all is drawn twice: %+v", near)
	}
}

// TestChosen asks that what was chosen on held-out conversations stands on the
// frontier of its settings, is never taken for the oracle's choice, and does not
// keep a report of failed settings from being written.
func TestChosen(t *testing.T) {
	f := newFixture(t)
	f.choose()
	r := f.report(false)
	for _, e := range r.Experiments {
		for i, front := range e.Frontiers {
			found := false
			for _, w := range front.Within {
				if w.Family == chosenFamily {
					found = w.Point.System == "chosen" && w.Low <= -w.Point.Loss && -w.Point.Loss <= w.High
				} else if w.Point != nil && w.Point.System == "chosen" {
					t.Errorf("%s is the oracle's choice of %s", w.Point.Name, w.Family)
				}
			}
			if !found {
				t.Errorf("what was chosen is not on the frontier of %s", front.Test)
			}
			if n := len(e.Tests[i].Rows); n != 14 {
				t.Errorf("%d rows in the table", n)
			}
		}
	}
	rows := records(t, allFiles(t, r)["tables/selection-choose.csv"])
	if rows[0]["R@10"] != "" || rows[1]["R@10"] != "0.7000" {
		t.Errorf("settings tried: %v", rows)
	}
}

// TestEqual interpolates by hand.
func TestEqual(t *testing.T) {
	point := func(system, family string, flops, values []float64) FrontierPoint {
		return FrontierPoint{System: system, Family: family, FLOPS: *summed(flops), Value: *summed(values)}
	}
	f := Frontier{Points: []FrontierPoint{
		point("base", "", []float64{8, 16}, []float64{1, .5}),
		point("a1", "a", []float64{4, 8}, []float64{.995, .4}), // crosses 1 % between 4 and 1, and between 16 and 8
		point("a2", "a", []float64{1, 1}, []float64{.985, .3}),
		point("b1", "b", []float64{2, 4}, []float64{.98, .499}), // the second seed never falls so low
		point("c1", "c", []float64{2}, []float64{.1}),           // lacks a seed
	}}
	got := f.equal("base")
	if len(got) != 3*len(losses) {
		t.Fatalf("%d entries", len(got))
	}
	a := got[0]
	want := []float64{math.Exp((math.Log(4) + math.Log(1)) / 2), math.Exp(math.Log(16) + .05*(math.Log(8)-math.Log(16)))}
	for seed, flops := range a.FLOPS.Seeds {
		if math.Abs(flops-want[seed]) > 1e-9 || math.Abs(a.Saving.Seeds[seed]-[]float64{8, 16}[seed]/want[seed]) > 1e-9 {
			t.Errorf("seed %d: %v FLOPS, want %v", seed, flops, want[seed])
		}
	}
	if a.Against != nil || got[2].FLOPS != nil || got[4].FLOPS != nil {
		t.Errorf("reached: %+v", got)
	}
}

// TestUnfinished leaves the base of a frontier out, and then all systems: what is
// there is shown, and nothing is compared with what is not.
func TestUnfinished(t *testing.T) {
	f := newFixture(t)
	e := f.results.Experiments[2]
	for _, s := range append([]*study.System{}, e.Systems...) {
		s.Measured, s.Trials = make([]*study.Measured, 2), nil
		r := f.report(true)
		front := r.Experiments[2]
		if len(front.Frontiers) > 0 {
			t.Fatal("a frontier without its base")
		}
		allFiles(t, r)
		for _, finding := range r.Findings {
			if strings.Contains(finding.Text, "against ,") {
				t.Errorf("it says %q", finding.Text)
			}
		}
	}
	f.results.Trials = nil
	if _, err := newReport(f.results, false, "", f.queriesOf); err == nil || !strings.Contains(err.Error(), "no trial of the study has ended") {
		t.Errorf("a report of nothing: %v", err)
	}
}
