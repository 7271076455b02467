package report

import (
	"cmp"
	"fmt"
	"slices"

	"parley/measure"
	"parley/sparse"
	"parley/study"
)

// Examples are queries of two systems for the same turns.
type Examples struct {
	Test   string    `json:"test"`
	Before string    `json:"before"`
	After  string    `json:"after"`
	Seed   uint64    `json:"seed"` // of both
	Turns  []Example `json:"turns"`
}

// Example is a turn with two queries.
type Example struct {
	ID           string   `json:"id"`
	Conversation string   `json:"conversation"`
	Number       int      `json:"number"`
	Question     string   `json:"question"`
	Rewrite      string   `json:"rewrite,omitempty"`
	Context      string   `json:"context"`
	Before       QuerySum `json:"before"`
	After        QuerySum `json:"after"`
	Terms        []Term   `json:"terms"` // of either, the heaviest before first
}

// QuerySum says what a query cost and found.
type QuerySum struct {
	L0       int     `json:"l0"`
	Postings int     `json:"postings"`
	Value    float64 `json:"value"` // of the report's measure, mean over seeds
}

// Term is a term of one query or both.
type Term struct {
	Token  string  `json:"token"`
	Share  float64 `json:"share"`  // of the passages that have it
	Before float64 `json:"before"` // weights; 0: not in the query
	After  float64 `json:"after"`
}

// defaultExamples is how many turns are shown where the plan does not say.
const defaultExamples = 6

// findExamples takes turns at even distances from those of the test, ordered by
// turn number: neither the best nor the worst are picked.
func (m *maker) findExamples() error {
	plan := m.results.Plan.Report.Examples
	before, after := m.results.System(plan.Before), m.results.System(plan.After)
	if before == nil || after == nil {
		if before, after = m.regularised(); before == nil || after == nil {
			return nil
		}
	}
	test := 0
	for i, t := range m.report.Tests {
		if t.Name == plan.Test {
			test = i
		}
	}
	left, right := measured(before, test), measured(after, test)
	if left == nil || right == nil {
		return nil
	}
	x := Examples{Test: m.report.Tests[test].Name, Before: titled(before.Title, before.Name), After: titled(after.Title, after.Name)}
	x.Seed = left.Trials[0].Seed
	lefts, err := m.queries(left.Trials[0], x.Test)
	if err != nil {
		return fmt.Errorf("examples: %w", err)
	}
	rights, err := m.queries(right.Trials[0], x.Test)
	if err != nil {
		return fmt.Errorf("examples: %w", err)
	}
	t := m.results.Tests[test]
	for _, i := range spreadTurns(t.Turns, cmp.Or(plan.Turns, defaultExamples)) {
		turn := t.Turns[i]
		e := Example{ID: turn.ID, Conversation: turn.Conversation, Number: turn.Number, Question: turn.Question, Rewrite: turn.Rewrite, Context: turn.Context}
		e.Before, e.After = sum(t, lefts[turn.ID]), sum(t, rights[turn.ID])
		e.Before.Value, e.After.Value = valueAt(left.Evaluation, m.report.Measure, i), valueAt(right.Evaluation, m.report.Measure, i)
		e.Terms = terms(t, lefts[turn.ID], rights[turn.ID])
		x.Turns = append(x.Turns, e)
	}
	m.report.Examples = &x
	return nil
}

// spreadTurns returns n places at even distances among turns ordered by number.
func spreadTurns(turns []study.Turn, n int) []int {
	order := make([]int, len(turns))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(turns[a].Number, turns[b].Number) })
	n = min(n, len(order))
	chosen := make([]int, n)
	for i := range chosen {
		chosen[i] = order[(2*i+1)*len(order)/(2*n)]
	}
	return chosen
}

func valueAt(e *measure.Evaluation, which measure.Measure, turn int) float64 {
	return e.Values[e.Index(which)][turn]
}

func sum(t *study.Test, q sparse.Quantised) QuerySum {
	s := QuerySum{L0: q.Len()}
	for _, term := range q.Terms {
		s.Postings += t.DF(term)
	}
	return s
}

// terms lists the terms of two queries by falling weight before, then after.
func terms(t *study.Test, before, after sparse.Quantised) []Term {
	weights := map[uint32]*Term{}
	at := func(id uint32) *Term {
		if weights[id] == nil {
			weights[id] = &Term{Token: t.Token(id), Share: float64(t.DF(id)) / float64(max(t.Passages, 1))}
		}
		return weights[id]
	}
	for i, id := range before.Terms {
		at(id).Before = float64(before.Weights[i]) * before.Step
	}
	for i, id := range after.Terms {
		at(id).After = float64(after.Weights[i]) * after.Step
	}
	list := []Term{}
	for _, term := range weights {
		list = append(list, *term)
	}
	slices.SortFunc(list, func(a, b Term) int {
		return cmp.Or(cmp.Compare(b.Before, a.Before), cmp.Compare(b.After, a.After), cmp.Compare(a.Token, b.Token))
	})
	return list
}
