// Package report makes a study's report: what was measured as tables, figures
// and sentences, on a page, in Markdown, LaTeX, CSV and SVG.
//
// Its guarantee: it shows what study.Load measured from the saved runs, rounded
// and nothing else, each comparison with its test, its n and what it was
// compared with; and the same study makes the same report, byte for byte, but
// for the times, which stand apart and can be left out. Whatever names and texts
// hold, they stay text in every format.
//
// It measures nothing itself beyond tests of significance and bootstrap
// intervals, which are package measure's, and it draws no conclusions that are
// not numbers: findings are sentences with the numbers put in.
package report

import (
	"fmt"
	"slices"

	"parley/collection"
	"parley/measure"
	"parley/sparse"
	"parley/study"
)

// Report is all that is shown, in numbers as they were measured.
type Report struct {
	Study       string             `json:"study"`
	CodeVersion string             `json:"code_version"`
	Seeds       []uint64           `json:"seeds"`
	Trials      Trials             `json:"trials"`
	Measures    []measure.Measure  `json:"measures"`
	Measure     measure.Measure    `json:"measure"` // that of the charts
	Test        measure.Test       `json:"test"`
	Correction  measure.Correction `json:"correction"`
	Alpha       float64            `json:"alpha"`

	Findings    []Finding     `json:"findings"`
	Main        []Comparison  `json:"main"` // by test
	Experiments []Experiment  `json:"experiments"`
	ByTurn      []TurnCurves  `json:"by_turn"` // by test
	Scores      []ScoreCurves `json:"scores"`
	Examples    *Examples     `json:"examples,omitempty"`
	Tests       []Test        `json:"tests"`
	Collections []Collection  `json:"collections"`
	Timings     *Timings      `json:"timings,omitempty"` // the only numbers that another run of the study does not repeat
	Warnings    []Warning     `json:"warnings"`
	Plan        string        `json:"plan"` // the plan's text

	drawn []string // the tests that charts are drawn of; none: all
}

// Trials counts the trials of the plan.
type Trials struct {
	Done    int `json:"done"`
	Failed  int `json:"failed"` // of those done: ended without a student
	Missing int `json:"missing"`
}

// Test says what was asked of which passages.
type Test struct {
	Name          string `json:"name"`
	Title         string `json:"title,omitempty"`
	Collection    string `json:"collection"` // whose passages are searched
	Query         string `json:"query"`
	Subset        string `json:"subset"`
	Unseen        bool   `json:"unseen"`
	Passages      int    `json:"passages"`
	Turns         int    `json:"turns"`
	Conversations int    `json:"conversations"`
	Unjudged      int    `json:"unjudged"`
	NoText        int    `json:"no_text"`
}

// Collection describes a collection as it was used.
type Collection struct {
	Name       string                `json:"name"`
	Of         string                `json:"of,omitempty"`
	Statistics collection.Statistics `json:"statistics"`
}

// Warning is something that a reader of the numbers should know.
type Warning struct {
	Where string `json:"where"`
	Text  string `json:"text"`
}

// alpha is the level of significance of marks.
const alpha = .05

// New makes the report of a study. Times are left out unless they are wanted.
func New(r *study.Results, times bool) (*Report, error) {
	return newReport(r, times, r.Plan.Text(), (*study.Trial).Queries)
}

func newReport(r *study.Results, times bool, planText string, queries queriesOf) (*Report, error) {
	m := maker{results: r, queries: queries, report: &Report{
		Study: r.Plan.Name, CodeVersion: r.CodeVersion, Seeds: r.Plan.Seeds, Measures: r.Measures,
		Test: measure.StudentT, Correction: measure.Holm, Alpha: alpha,
		Findings: []Finding{}, Warnings: []Warning{}, Plan: planText, drawn: r.Plan.Report.Tests,
	}}
	if err := m.chooseMeasure(); err != nil {
		return nil, err
	}
	m.countTrials()
	if m.report.Trials.Done == m.report.Trials.Failed {
		return nil, fmt.Errorf("%s: no trial of the study has ended with a result yet: run it first", r.Dir)
	}
	m.describe()
	for _, step := range []func() error{m.compareMain, m.compareExperiments, m.findExamples} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	m.curves()
	if times {
		m.report.Timings = m.timings()
	}
	m.report.Findings = m.report.findings()
	return m.report, nil
}

// maker fills a report from results.
type maker struct {
	results *study.Results
	report  *Report
	queries queriesOf
}

// queriesOf returns the queries of a trial on a test, by turn.
type queriesOf func(t *study.Trial, test string) (map[string]sparse.Quantised, error)

func (m *maker) chooseMeasure() error {
	if len(m.report.Measures) == 0 {
		return fmt.Errorf("%s: the study has no measures", m.results.Dir)
	}
	m.report.Measure = m.report.Measures[0]
	if name := m.results.Plan.Report.Measure; name != "" {
		chosen, err := measure.Parse(name)
		if err != nil {
			return fmt.Errorf("report.measure: %w", err)
		}
		m.report.Measure = chosen
	}
	return nil
}

func (m *maker) countTrials() {
	t := Trials{Done: len(m.results.Trials), Missing: m.results.Missing}
	for _, trial := range m.results.Trials {
		if trial.Failed != "" {
			t.Failed++
		}
	}
	m.report.Trials = t
}

// describe fills in what was asked of what, and the warnings.
func (m *maker) describe() {
	for _, t := range m.results.Tests {
		conversations := map[string]bool{}
		for _, turn := range t.Turns {
			conversations[turn.Conversation] = true
		}
		m.report.Tests = append(m.report.Tests, Test{
			Name: t.Plan.Name, Title: t.Plan.Title, Collection: t.Plan.Passages, Query: t.Plan.Query, Subset: t.Plan.Subset, Unseen: t.Plan.Unseen,
			Passages: t.Passages, Turns: len(t.Turns), Conversations: len(conversations), Unjudged: t.Unjudged, NoText: t.NoText,
		})
	}
	for _, c := range m.results.Collections {
		m.report.Collections = append(m.report.Collections, Collection{c.Name, c.Of, c.Statistics})
	}
	for _, w := range m.results.Warnings {
		m.report.Warnings = append(m.report.Warnings, Warning{w.Where, w.Text})
	}
}

// measured returns what a system was found to be worth on a test; nil where it
// was not tested.
func measured(s *study.System, test int) *study.Measured {
	if s == nil || test >= len(s.Measured) {
		return nil
	}
	return s.Measured[test]
}

// draws tells whether charts are drawn of a test.
func (r *Report) draws(test string) bool {
	return len(r.drawn) == 0 || slices.Contains(r.drawn, test)
}

// titled returns the title, or else the name.
func titled(title, name string) string {
	if title != "" {
		return title
	}
	return name
}
