package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"parley/measure"
)

// evalReport is what parley eval --json writes, and what its tables show.
type evalReport struct {
	Qrels      string             `json:"qrels"`
	Topics     int                `json:"topics"` // judged, and thus what means are over
	Level      int                `json:"level"`
	Measures   []measure.Measure  `json:"measures"`
	Test       measure.Test       `json:"test"`
	Correction measure.Correction `json:"correction"`
	Alpha      float64            `json:"alpha"`
	Confidence float64            `json:"confidence,omitempty"` // of the intervals, where there are some
	Cluster    string             `json:"cluster,omitempty"`    // what the bootstrap drew
	Systems    []systemReport     `json:"systems"`
	Turns      []turnReport       `json:"turns,omitempty"`     // with --by turn
	PerTopic   []topicReport      `json:"per_topic,omitempty"` // with --by topic
	Warnings   []evalWarning      `json:"warnings,omitempty"`
}

// systemReport holds one system's scores, in the order of the measures.
type systemReport struct {
	Name   string        `json:"name"`
	Runs   []string      `json:"runs,omitempty"`
	Scores []scoreReport `json:"scores"`
	Costs  *costReport   `json:"costs,omitempty"` // with --costs
}

type scoreReport struct {
	Measure   measure.Measure `json:"measure"`
	Value     float64         `json:"value"`
	Interval  *[2]float64     `json:"interval,omitempty"`
	Seeds     []float64       `json:"seeds,omitempty"`     // the value of each run, where there are several
	Deviation *float64        `json:"deviation,omitempty"` // of Seeds
	Against   *difference     `json:"against_first,omitempty"`
}

// difference compares a system with the first.
type difference struct {
	Value       float64     `json:"difference"`
	Interval    *[2]float64 `json:"interval,omitempty"`
	T           *float64    `json:"t,omitempty"` // left out where it is infinite, and for the randomisation test
	P           float64     `json:"p"`
	Corrected   float64     `json:"p_corrected"`
	Significant int         `json:"significant"` // 1: above, -1: below, 0: neither
	Wins        int         `json:"wins"`
	Losses      int         `json:"losses"`
	Equal       int         `json:"equal"`
}

type turnReport struct {
	Turn    int            `json:"turn"`
	Topics  int            `json:"topics"`
	Systems []systemReport `json:"systems"`
}

// topicReport holds the scores of one topic: for each system, for each measure.
type topicReport struct {
	Topic  string      `json:"topic"`
	Values [][]float64 `json:"values"`
}

// evalWarning is a warning with what it is about: a run, or a comparison.
type evalWarning struct {
	About string `json:"about"`
	measure.Warning
	Text string `json:"text"`
}

func warn(w io.Writer, warnings []evalWarning) {
	for _, warning := range warnings {
		fmt.Fprintf(w, "parley: warning: %s: %s\n", warning.About, warning.Text)
	}
}

func (r *evalReport) writeJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(r)
}

func (e *eval) report(evaluations []*measure.Evaluation, turns map[string]turnPlace) (*evalReport, error) {
	r := &evalReport{
		Qrels: e.qrels, Topics: len(evaluations[0].Topics), Level: e.level, Measures: e.measures,
		Test: e.compare.Test, Correction: e.compare.Correction, Alpha: e.alpha,
	}
	if e.intervals {
		r.Confidence, r.Cluster = e.confidence, e.cluster
	}
	whole, err := e.compareAll(evaluations)
	if err != nil {
		return nil, err
	}
	e.correct([][][]measure.Comparison{whole})
	r.Systems = e.systemReports(evaluations, whole)
	r.Warnings = e.doubts(whole)
	switch e.by {
	case "turn":
		err = e.reportTurns(r, evaluations, turns)
	case "topic":
		r.PerTopic = reportTopics(evaluations)
	}
	return r, err
}

// compareAll compares the systems after the first with the first, without a
// correction: that depends on what else is shown.
func (e *eval) compareAll(evaluations []*measure.Evaluation) ([][]measure.Comparison, error) {
	o := e.compare
	o.Correction = measure.None
	return measure.Compare(evaluations[0], evaluations[1:], o)
}

// correct corrects the p-values of one measure together, over all systems and
// all groups: what one reader looks through for something significant.
func (e *eval) correct(groups [][][]measure.Comparison) {
	for m := range e.measures {
		var family []*measure.Comparison
		var ps []float64
		for _, systems := range groups {
			for s := range systems {
				family = append(family, &systems[s][m])
				ps = append(ps, systems[s][m].P)
			}
		}
		for i, p := range e.compare.Correction.Correct(ps) {
			family[i].Corrected = p
		}
	}
}

func (e *eval) reportTurns(r *evalReport, evaluations []*measure.Evaluation, turns map[string]turnPlace) error {
	numbers := make(map[int]bool)
	for _, topic := range evaluations[0].Topics {
		numbers[turns[topic].number] = true
	}
	var parts [][]*measure.Evaluation
	var groups [][][]measure.Comparison
	for _, number := range slices.Sorted(maps.Keys(numbers)) {
		var part []*measure.Evaluation
		for _, evaluation := range evaluations {
			part = append(part, evaluation.Select(func(topic string) bool { return turns[topic].number == number }))
		}
		comparisons, err := e.compareAll(part)
		if err != nil {
			return err
		}
		parts, groups = append(parts, part), append(groups, comparisons)
		r.Turns = append(r.Turns, turnReport{Turn: number, Topics: len(part[0].Topics)})
	}
	e.correct(groups)
	for i := range r.Turns {
		r.Turns[i].Systems = e.systemReports(parts[i], groups[i])
		for s := range r.Turns[i].Systems {
			r.Turns[i].Systems[s].Runs = nil // said above
		}
	}
	return nil
}

func reportTopics(evaluations []*measure.Evaluation) []topicReport {
	var topics []topicReport
	for t, topic := range evaluations[0].Topics {
		r := topicReport{Topic: topic}
		for _, evaluation := range evaluations {
			var values []float64
			for m := range evaluation.Measures {
				values = append(values, evaluation.Values[m][t])
			}
			r.Values = append(r.Values, values)
		}
		topics = append(topics, r)
	}
	return topics
}

// systemReports shows the evaluations of all systems, and how those after the
// first compare with it.
func (e *eval) systemReports(evaluations []*measure.Evaluation, comparisons [][]measure.Comparison) []systemReport {
	reports := make([]systemReport, len(evaluations))
	shown := make(map[string]bool)
	for _, topic := range evaluations[0].Topics {
		shown[topic] = true
	}
	for s, evaluation := range evaluations {
		r := systemReport{Name: e.systems[s].name, Runs: e.systems[s].paths}
		r.Costs = e.systems[s].costsOver(func(turn string) bool { return shown[turn] })
		for m := range e.measures {
			score := e.scoreReport(evaluation, m)
			if s > 0 {
				score.Against = e.difference(comparisons[s-1][m])
			}
			r.Scores = append(r.Scores, score)
		}
		reports[s] = r
	}
	return reports
}

func (e *eval) scoreReport(evaluation *measure.Evaluation, m int) scoreReport {
	r := scoreReport{Measure: e.measures[m], Value: evaluation.Aggregate(m)}
	if seeds := evaluation.Seeds(m); len(seeds) > 1 {
		deviation := evaluation.Deviation(m)
		r.Seeds, r.Deviation = seeds, &deviation
	}
	if e.compare.Intervals != nil && !e.measures[m].Counts() {
		low, high := evaluation.Interval(m, *e.compare.Intervals)
		r.Interval = &[2]float64{low, high}
	}
	return r
}

func (e *eval) difference(c measure.Comparison) *difference {
	d := &difference{
		Value: c.Difference, P: c.P, Corrected: c.Corrected, Significant: c.Significant(e.alpha),
		Wins: c.Wins, Losses: c.Losses, Equal: c.Equal,
	}
	if e.compare.Test == measure.StudentT && !math.IsInf(c.T, 0) {
		d.T = &c.T
	}
	if e.compare.Intervals != nil {
		d.Interval = &[2]float64{c.Low, c.High}
	}
	return d
}

// doubts gathers the warnings of the comparisons, each once for a system: two
// systems are the same only if they are so by every measure.
func (e *eval) doubts(comparisons [][]measure.Comparison) []evalWarning {
	var warnings []evalWarning
	for s, byMeasure := range comparisons {
		for _, w := range byMeasure[0].Warnings {
			everywhere := !slices.ContainsFunc(byMeasure, func(c measure.Comparison) bool {
				return !slices.ContainsFunc(c.Warnings, func(o measure.Warning) bool { return o.Kind == w.Kind })
			})
			if everywhere {
				about := e.systems[s+1].name + " against " + e.systems[0].name
				warnings = append(warnings, evalWarning{Warning: w, About: about, Text: w.String()})
			}
		}
	}
	return warnings
}
