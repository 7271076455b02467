package study

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"parley/measure"
)

// spread returns the mean and the deviation of a number of several seeds.
func spread(values []float64) Spread {
	s := Spread{Seeds: values}
	n := float64(len(values))
	for _, v := range values {
		s.Mean += v
	}
	s.Mean /= n
	if n < 2 {
		return s
	}
	for _, v := range values {
		s.Deviation += (v - s.Mean) * (v - s.Mean) / (n - 1)
	}
	s.Deviation = math.Sqrt(s.Deviation)
	return s
}

// resamples is the number of resamples of the intervals by turn number.
const resamples = 1000

// Numbers sums up the turns by their number in their conversations, ascending.
func (m *Measured) Numbers() []Number {
	var numbers []Number
	places := map[int][]int{} // by number: of the turns among the topics
	for i, turn := range m.Test.Turns {
		places[turn.Number] = append(places[turn.Number], i)
	}
	for _, number := range slices.Sorted(maps.Keys(places)) {
		at := places[number]
		conversations := make([]string, len(at))
		for i, place := range at {
			conversations[i] = m.Test.Turns[place].Conversation
		}
		of := func(values []float64) (mean, low, high float64) {
			some := make([]float64, len(at))
			for i, place := range at {
				some[i] = values[place]
				mean += some[i]
			}
			mean /= float64(len(at))
			low, high = measure.Bootstrap{Resamples: resamples}.Interval(some, conversations)
			return mean, low, high
		}
		n := Number{Number: number, Turns: len(at)}
		for i := range m.Evaluation.Measures {
			mean, low, high := of(m.Evaluation.Values[i])
			n.Values, n.Low, n.High = append(n.Values, mean), append(n.Low, low), append(n.High, high)
		}
		n.L0, n.L0Low, n.L0High = of(m.TurnL0)
		n.Postings, _, _ = of(m.TurnPostings)
		numbers = append(numbers, n)
	}
	return numbers
}

// warn gathers what a reader of the results should know.
func (l *loader) warn() {
	r := l.results
	add := func(where, format string, args ...any) {
		w := Warning{Where: where, Text: fmt.Sprintf(format, args...)}
		if !slices.Contains(r.Warnings, w) {
			r.Warnings = append(r.Warnings, w)
		}
	}
	if r.Missing > 0 {
		add("study", "%d of %d trials are not done", r.Missing, r.Missing+len(r.Trials))
	}
	for _, t := range r.Tests {
		where := "test " + t.Plan.Name
		if t.Unjudged > 0 {
			add(where, "%d turns have no judgements and are left out", t.Unjudged)
		}
		if t.NoText > 0 {
			add(where, "%d of %d turns lack the text that is asked (%s) and score 0", t.NoText, len(t.Turns), t.Plan.Query)
		}
		if len(t.Turns) < measure.EnoughTopics {
			add(where, "%s", measure.Warning{Kind: measure.FewTopics, Count: len(t.Turns)})
		}
	}
	for _, t := range r.Trials {
		if t.Failed != "" {
			add(t.Name, "%s", t.Failed)
		}
	}
	for _, test := range r.Tests {
		for _, o := range l.odd(test) {
			r.Warnings = append(r.Warnings, Warning{Where: "test " + test.Plan.Name, Text: o.String(), Kind: o.Kind})
		}
	}
}

// oddity is a warning that several systems have about a test.
type oddity struct {
	measure.Warning        // of the system that it says most of
	most            string // that system
	systems         int
}

// String says it once for all.
func (o oddity) String() string {
	if o.systems == 1 {
		return fmt.Sprintf("%s: %s", o.most, o.Warning)
	}
	return fmt.Sprintf("%s: %s; %d systems have this", o.most, o.Warning, o.systems)
}

// odd gathers what is odd about the runs of a test: each kind of oddity once, as
// it is with the system that has most of it.
func (l *loader) odd(test *Test) []oddity {
	var all []oddity
	see := func(name string, warnings []measure.Warning) {
		seen := map[int]bool{} // several seeds are one system
		for _, w := range warnings {
			at := slices.IndexFunc(all, func(o oddity) bool { return o.Kind == w.Kind && o.Cutoff == w.Cutoff })
			if at < 0 {
				at = len(all)
				all = append(all, oddity{w, name, 0})
			}
			if w.Count > all[at].Count {
				all[at].Warning, all[at].most = w, name
			}
			if !seen[at] {
				seen[at] = true
				all[at].systems++
			}
		}
	}
	for _, s := range l.results.all() {
		for _, m := range s.Measured {
			if m != nil && m.Test == test {
				see(s.path(), m.Evaluation.Warnings)
			}
		}
	}
	return all
}
