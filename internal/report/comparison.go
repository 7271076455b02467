package report

import (
	"fmt"
	"slices"

	"parley/measure"
	"parley/study"
)

// Comparison holds systems against one of them on one test.
type Comparison struct {
	Test          string `json:"test"`
	Turns         int    `json:"turns"` // n of the tests of significance
	Conversations int    `json:"conversations"`
	Base          string `json:"base"`     // the system that the others are compared with
	Compared      int    `json:"compared"` // how many comparisons of a measure are corrected together
	Rows          []Row  `json:"rows"`
}

// Row is a system of a comparison.
type Row struct {
	System   string  `json:"system"`
	Name     string  `json:"name"` // its title, or its name
	Baseline bool    `json:"baseline"`
	Seeds    int     `json:"seeds"`  // trained from; 0 for what is not trained
	Wanted   int     `json:"wanted"` // seeds of the plan
	Scores   []Score `json:"scores"` // by measure
	L0       Number  `json:"l0"`
	FLOPS    Number  `json:"flops"`
	Postings Number  `json:"postings"`
	Saving   float64 `json:"saving,omitempty"` // FLOPS of the base over these
}

// Number is a mean over seeds.
type Number struct {
	Mean      float64   `json:"mean"`
	Deviation *float64  `json:"deviation,omitempty"` // standard, n−1; nil for fewer than two seeds
	Seeds     []float64 `json:"seeds,omitempty"`
}

// Score is a system's value of a measure, and how it differs from the base's.
type Score struct {
	Number
	Against *Difference `json:"against_base,omitempty"` // nil for the base itself
}

// Difference is a paired comparison over turns, each with its mean over seeds.
type Difference struct {
	Mean        float64 `json:"mean"`
	P           float64 `json:"p"`
	Corrected   float64 `json:"p_corrected"`
	Significant int     `json:"significant"` // 1: above, -1: below, 0: neither
}

func number(seeds []float64, mean, deviation float64) Number {
	n := Number{Mean: mean}
	if len(seeds) > 1 {
		n.Deviation, n.Seeds = &deviation, seeds
	}
	return n
}

// compare holds those of the systems that were tested against the base. Without
// the base nothing is compared, but all is shown.
func (m *maker) compare(systems []*study.System, base *study.System, test int) (Comparison, error) {
	about := m.report.Tests[test]
	c := Comparison{Test: about.Name, Turns: about.Turns, Conversations: about.Conversations}
	against := measured(base, test)
	var others []*measure.Evaluation
	var rows []int // of the others
	for _, s := range systems {
		found := measured(s, test)
		if found == nil {
			continue
		}
		row := m.row(s, found)
		if against != nil {
			if found.FLOPS.Mean > 0 {
				row.Saving = against.FLOPS.Mean / found.FLOPS.Mean
			}
			if s != base {
				others, rows = append(others, found.Evaluation), append(rows, len(c.Rows))
			}
		}
		c.Rows = append(c.Rows, row)
	}
	if against == nil || len(others) == 0 {
		return c, nil
	}
	c.Base, c.Compared = titled(base.Title, base.Name), len(others)
	comparisons, err := measure.Compare(against.Evaluation, others, measure.CompareOptions{Test: m.report.Test, Correction: m.report.Correction})
	if err != nil {
		return c, fmt.Errorf("test %q: %w", about.Name, err)
	}
	for i, row := range rows {
		for j := range m.report.Measures {
			d := comparisons[i][j]
			c.Rows[row].Scores[j].Against = &Difference{d.Difference, d.P, d.Corrected, d.Significant(m.report.Alpha)}
		}
	}
	return c, nil
}

func (m *maker) row(s *study.System, found *study.Measured) Row {
	row := Row{System: s.Name, Name: titled(s.Title, s.Name), Baseline: s.Baseline != "", Wanted: s.Seeds, Seeds: len(found.FLOPS.Seeds)}
	if row.Baseline {
		row.Seeds, row.Wanted = 0, 0
	}
	for j := range m.report.Measures {
		e := found.Evaluation
		row.Scores = append(row.Scores, Score{Number: number(e.Seeds(j), e.Aggregate(j), e.Deviation(j))})
	}
	spread := func(s study.Spread) Number { return number(s.Seeds, s.Mean, s.Deviation) }
	row.L0, row.FLOPS, row.Postings = spread(found.L0), spread(found.FLOPS), spread(found.Postings)
	return row
}

// score returns the row's value of a measure of the report.
func (r *Report) score(row Row, which measure.Measure) Score {
	return row.Scores[slices.Index(r.Measures, which)]
}

// compareMain makes the main table: the baselines and the systems of the first
// experiment that is tested, or those that the plan names.
func (m *maker) compareMain() error {
	systems, base := m.mainSystems()
	for test := range m.results.Tests {
		c, err := m.compare(systems, base, test)
		if err != nil {
			return err
		}
		if len(c.Rows) > 0 {
			m.report.Main = append(m.report.Main, c)
		}
	}
	return nil
}

// mainSystems returns the systems of the main table, and which of them the
// others are compared with.
func (m *maker) mainSystems() (systems []*study.System, base *study.System) {
	for _, name := range m.results.Plan.Report.Main {
		if s := m.results.System(name); s != nil {
			systems = append(systems, s)
			if base == nil && s.Baseline == "" {
				base = s
			}
		}
	}
	if systems != nil {
		return systems, base
	}
	systems = slices.Clone(m.results.Baselines)
	for _, e := range m.results.Experiments {
		if len(e.Systems) > 0 {
			return append(systems, e.Systems...), e.Base()
		}
	}
	return systems, nil
}
