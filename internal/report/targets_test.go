package report

import (
	"math"
	"strings"
	"testing"

	"parley/study"
)

func TestTargets(t *testing.T) {
	f := newFixture(t)
	f.steer()
	r := f.report(false)
	e := r.Experiments[len(r.Experiments)-1]
	if e.Show != study.ShowTargets || len(e.Targets) != 3 {
		t.Fatalf("shown as %s, with %d targets", e.Show, len(e.Targets))
	}
	for i, want := range []struct{ validation, test bool }{{true, true}, {true, false}, {false, false}} {
		got := e.Targets[i]
		if got.Held != want.validation || got.Tests[0].Held != want.test {
			t.Errorf("%s: held %v on validation and %v on the test, want %v and %v", got.Name, got.Held, got.Tests[0].Held, want.validation, want.test)
		}
		in := got.Tests[0].Interval
		if math.Abs(in.Mean-got.Tests[0].Got.Mean) > 1e-9 || !(in.Low < in.Mean && in.Mean < in.High) {
			t.Errorf("%s: interval %+v around %v", got.Name, in, got.Tests[0].Got.Mean)
		}
	}
	rows := records(t, allFiles(t, r)["tables/targets-targets.csv"])
	if len(rows) != 3*(1+len(f.results.Tests)) {
		t.Fatalf("%d rows of targets", len(rows))
	}
	for i, s := range f.results.Experiments[len(f.results.Experiments)-1].Systems[1:] {
		row := rows[3*i+1]
		rounded(t, s.Name+" asked", row["asked"], s.Plan.Objective.Target.FLOPS)
		rounded(t, s.Name+" got", row["got"], s.Measured[0].FLOPS.Mean)
		rounded(t, s.Name+" off by", row["off by %"], 100*(s.Measured[0].FLOPS.Mean/s.Plan.Objective.Target.FLOPS-1))
	}
	said := r.Findings[len(r.Findings)-1].Text
	if want := "targets: 2 of 3 targets are met within 5\u00a0% on held-out conversations, and "; !strings.HasPrefix(said, want) {
		t.Errorf("it says %q", said)
	}
}
