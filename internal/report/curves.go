package report

import (
	"parley/study"
)

// TurnCurves hold what changes as conversations go on, on one test.
type TurnCurves struct {
	Test    string      `json:"test"`
	Systems []TurnCurve `json:"systems"`
}

// TurnCurve is a system turn number by turn number.
type TurnCurve struct {
	System string      `json:"system"`
	Name   string      `json:"name"`
	Points []TurnPoint `json:"points"`
}

// TurnPoint holds the turns with one number in their conversations. The ranges
// are the bootstrap's 95 % over conversations.
type TurnPoint struct {
	Number int      `json:"number"`
	Turns  int      `json:"turns"`
	L0     Interval `json:"l0"`
	Value  Interval `json:"value"` // of the report's measure
}

// Interval is a mean with its confidence interval.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// ScoreCurves hold the scores of a student and of its teacher for the same
// passages, on one test, over all seeds together.
type ScoreCurves struct {
	Test    string     `json:"test"`
	System  string     `json:"system"`
	Name    string     `json:"name"`
	Turns   int        `json:"turns"`
	Pairs   int        `json:"pairs"`
	Seeds   int        `json:"seeds"`
	Low     float64    `json:"low"`   // where the first bin begins
	Width   float64    `json:"width"` // of a bin
	Teacher Scores     `json:"teacher"`
	Student Scores     `json:"student"`
	ByRank  []RankMean `json:"by_rank"`
}

// Scores are a distribution of scores. Means and deviations are means over
// seeds; the quantiles and the histogram are those of the first seed.
type Scores struct {
	Mean      float64 `json:"mean"`
	Deviation float64 `json:"deviation"`
	Quantiles []Level `json:"quantiles"`
	Histogram []int   `json:"histogram"`
}

// Level is a quantile.
type Level struct {
	Percent int     `json:"percent"`
	Score   float64 `json:"score"`
}

// RankMean is the mean score of the passages at one rank of the teacher.
type RankMean struct {
	Rank    int     `json:"rank"`
	Teacher float64 `json:"teacher"`
	Student float64 `json:"student"`
}

// named is a system with what it is called in a chart of several experiments.
type named struct {
	*study.System
	name string
}

// curveSystems returns the systems whose curves are shown: those that the plan
// names, or baselines that read a rewrite or a history, the first trained
// system, and the least costly within 2 % of each frontier.
func (m *maker) curveSystems() []named {
	var chosen []named
	add := func(s *study.System) {
		if s == nil {
			return
		}
		for _, c := range chosen {
			if c.System == s {
				return
			}
		}
		chosen = append(chosen, named{s, titled(s.Title, s.Name)})
	}
	for _, name := range m.results.Plan.Report.Turns {
		add(m.results.System(name))
	}
	if chosen != nil {
		return chosen
	}
	for _, s := range m.results.Baselines {
		if s.Baseline == "history" || s.Baseline == "rewrite" {
			add(s)
		}
	}
	before, after := m.regularised()
	if before == nil {
		_, before = m.mainSystems()
	}
	add(before)
	add(after)
	return chosen
}

// regularised returns the base of the first frontier and the system that saves
// most within 2 % of loss on the first test; nil where there is no frontier.
func (m *maker) regularised() (before, after *study.System) {
	for i, e := range m.report.Experiments {
		if len(e.Frontiers) == 0 {
			continue
		}
		found := m.results.Experiments[i]
		var best *FrontierPoint
		for _, w := range e.Frontiers[0].Within {
			if w.Loss == losses[len(losses)-1] && w.Point != nil && (best == nil || w.Point.Saving > best.Saving) {
				best = w.Point
			}
		}
		for _, s := range found.Systems {
			if best != nil && s.Name == best.System {
				return found.Base(), s
			}
		}
		return found.Base(), nil
	}
	return nil, nil
}

// curves fills in what changes by turn, and the distributions of scores.
func (m *maker) curves() {
	systems := m.curveSystems()
	which := 0
	for j, o := range m.report.Measures {
		if o == m.report.Measure {
			which = j
		}
	}
	for test, about := range m.report.Tests {
		curves := TurnCurves{Test: about.Name}
		for _, s := range systems {
			found := measured(s.System, test)
			if found == nil {
				continue
			}
			curves.Systems = append(curves.Systems, turnCurve(s, found, which))
			if s.Baseline == "" {
				m.addScores(about.Name, s, found)
			}
		}
		if len(curves.Systems) > 0 && len(curves.Systems[0].Points) > 1 {
			m.report.ByTurn = append(m.report.ByTurn, curves)
		}
	}
}

func turnCurve(s named, found *study.Measured, which int) TurnCurve {
	c := TurnCurve{System: s.Name, Name: s.name}
	for _, n := range found.Numbers() {
		c.Points = append(c.Points, TurnPoint{
			Number: n.Number, Turns: n.Turns,
			L0:    Interval{n.L0, n.L0Low, n.L0High},
			Value: Interval{n.Values[which], n.Low[which], n.High[which]},
		})
	}
	return c
}

// addScores joins the distributions of a system's seeds.
func (m *maker) addScores(test string, s named, found *study.Measured) {
	curves := ScoreCurves{Test: test, System: s.Name, Name: s.name}
	var ranks []RankMean
	for _, scores := range found.Scores {
		if scores == nil || scores.Pairs == 0 {
			continue
		}
		if curves.Seeds == 0 {
			curves.Turns, curves.Pairs = scores.Turns, scores.Pairs
			curves.Low, curves.Width = scores.Teacher.Low, scores.Teacher.Width
			curves.Teacher, curves.Student = distribution(scores.Teacher), distribution(scores.Student)
			ranks = make([]RankMean, len(scores.ByRank))
		}
		curves.Seeds++
		for i, r := range scores.ByRank[:min(len(ranks), len(scores.ByRank))] {
			ranks[i].Rank = r.Rank
			ranks[i].Teacher += r.Teacher
			ranks[i].Student += r.Student
		}
		curves.Teacher.add(scores.Teacher)
		curves.Student.add(scores.Student)
	}
	if curves.Seeds == 0 {
		return
	}
	n := float64(curves.Seeds)
	for i := range ranks {
		ranks[i].Teacher /= n
		ranks[i].Student /= n
	}
	for _, d := range []*Scores{&curves.Teacher, &curves.Student} {
		d.Mean /= n
		d.Deviation /= n
	}
	curves.ByRank = ranks
	m.report.Scores = append(m.report.Scores, curves)
}

// distribution begins the sum of distributions with the histogram and the
// quantiles of the first.
func distribution(d study.Distribution) Scores {
	s := Scores{Histogram: d.Histogram}
	for _, percent := range []int{1, 5, 25, 50, 75, 95, 99} {
		s.Quantiles = append(s.Quantiles, Level{percent, d.Quantiles[percent]})
	}
	return s
}

func (s *Scores) add(d study.Distribution) {
	s.Mean += d.Mean
	s.Deviation += d.Deviation
}
