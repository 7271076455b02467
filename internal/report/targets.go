package report

import (
	"math"
	"slices"

	"parley/distill"
	"parley/measure"
	"parley/study"
)

// Target is a cost that was asked for, and what was got.
type Target struct {
	System     string       `json:"system"`
	Name       string       `json:"name"`
	Cost       string       `json:"cost"` // FLOPS or L0
	Asked      float64      `json:"asked"`
	Validation Number       `json:"validation"` // on conversations held out of training
	Held       bool         `json:"held"`       // within 5 % there
	Tests      []TargetTest `json:"tests"`
}

// TargetTest is what was got on a test.
type TargetTest struct {
	Test     string   `json:"test"`
	Got      Number   `json:"got"`
	Interval Interval `json:"interval"` // bootstrap, 95 %, over conversations
	Held     bool     `json:"held"`     // within the larger of 10 % and the interval
}

// The costs that can be asked for.
const (
	costFLOPS = "FLOPS"
	costL0    = "L0"
)

// How far from what was asked still counts as held.
const (
	validationTolerance = .05
	testTolerance       = .10
)

// wanted is a cost that a plan of a training asks for.
type wanted struct {
	cost  string
	value float64
}

// steered tells whether the experiment is about targets: every system but the
// one compared with asks for a cost.
func steered(found *study.Experiment) bool {
	n := 0
	for _, s := range found.Systems {
		if s == found.Base() {
			continue
		}
		if target(s.Plan) == nil {
			return false
		}
		n++
	}
	return n > 0
}

// targets holds what was asked for against what was got.
func (m *maker) targets(found *study.Experiment) []Target {
	var targets []Target
	for _, s := range found.Systems {
		asked := target(s.Plan)
		if asked == nil || !slices.ContainsFunc(s.Trials, func(t *study.Trial) bool { return t.Failed == "" }) {
			continue
		}
		t := Target{System: s.Name, Name: titled(s.Title, s.Name), Cost: asked.cost, Asked: asked.value}
		t.Validation = validationCost(s)
		t.Held = near(t.Validation.Mean, asked.value, validationTolerance*asked.value)
		for test, about := range m.report.Tests {
			got := measured(s, test)
			if got == nil {
				continue
			}
			on := TargetTest{Test: about.Name, Interval: m.costInterval(got, asked.cost)}
			spread := got.FLOPS
			if asked.cost == costL0 {
				spread = got.L0
			}
			on.Got = number(spread.Seeds, spread.Mean, spread.Deviation)
			wide := max(testTolerance*asked.value, (on.Interval.High-on.Interval.Low)/2)
			on.Held = near(on.Got.Mean, asked.value, wide)
			t.Tests = append(t.Tests, on)
		}
		targets = append(targets, t)
	}
	return targets
}

func near(got, asked, tolerance float64) bool { return math.Abs(got-asked) <= tolerance }

// validationCost is what the kept students cost on the held-out conversations
// that they were steered by.
func validationCost(s *study.System) Number {
	var seeds []float64
	for _, t := range s.Trials {
		if t.Failed != "" {
			continue
		}
		if look := t.Kept().Validation; look != nil && look.Target != nil {
			seeds = append(seeds, look.Target.Cost)
		}
	}
	mean, deviation := moments(seeds)
	return number(seeds, mean, deviation)
}

// moments returns the mean and the standard deviation (n−1) of values.
func moments(values []float64) (mean, deviation float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		deviation += (v - mean) * (v - mean)
	}
	if len(values) < 2 {
		return mean, 0
	}
	return mean, math.Sqrt(deviation / float64(len(values)-1))
}

// costInterval is the bootstrap's interval of the mean cost of a turn.
func (m *maker) costInterval(got *study.Measured, cost string) Interval {
	values := make([]float64, len(got.TurnPostings))
	for i, postings := range got.TurnPostings {
		values[i] = postings / float64(max(got.Test.Passages, 1))
	}
	if cost == costL0 {
		values = got.TurnL0
	}
	clusters := make([]string, len(values))
	for i := range clusters {
		clusters[i] = got.Test.Turns[i].Conversation
	}
	mean, _ := moments(values)
	low, high := measure.Bootstrap{}.Interval(values, clusters)
	return Interval{mean, low, high}
}

// target returns the cost that a plan asks for; nil for none.
func target(p distill.Plan) *wanted {
	switch t := p.Objective.Target; {
	case t.FLOPS > 0:
		return &wanted{costFLOPS, t.FLOPS}
	case t.L0 > 0:
		return &wanted{costL0, t.L0}
	}
	return nil
}
