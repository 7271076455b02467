package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"parley/internal/chart"
	"parley/internal/table"
)

// fewest is the number of turns below which a turn number is left out of a
// chart; the tables have all.
const fewest = 5

// addTurns shows how cost and effectiveness change as conversations go on.
func (r *Report) addTurns(d *document, s *section) {
	var costs, values figures
	for _, curves := range r.ByTurn {
		if !r.draws(curves.Test) {
			continue
		}
		costs = append(costs, turnChart(d, curves, "L0", chart.Axis{Label: "L0, terms of a query", Zero: true}, func(p TurnPoint) Interval { return p.L0 }))
		values = append(values, turnChart(d, curves, r.Measure.String(), chart.Axis{Label: r.Measure.String(), Share: true, Zero: true}, func(p TurnPoint) Interval { return p.Value }))
	}
	if len(r.ByTurn) == 0 {
		return
	}
	s.say(fmt.Sprintf("Bands are 95 %% intervals of a bootstrap that draws whole conversations, and the bars below the axis are the numbers of turns. Turn numbers with fewer than %d turns are in the tables alone.", fewest))
	s.add(costs, values)
	for _, curves := range r.ByTurn {
		s.add(tabular{d.ids.next("turns", curves.Test), r.turnTable(curves)})
	}
}

func turnChart(d *document, curves TurnCurves, what string, y chart.Axis, value func(TurnPoint) Interval) figure {
	c := chart.Chart{
		ID: d.ids.next("turns", what, curves.Test), Title: what + " by turn on " + curves.Test,
		X: chart.Axis{Label: "turn of the conversation", Whole: true}, Y: y, Counts: &chart.Counts{Label: "turns"},
	}
	var said []string
	for i, system := range curves.Systems {
		line := chart.Series{Name: system.Name, Slot: i + 1, Line: true, Band: true}
		if line.Slot > chart.Slots {
			line.Slot = 0
		}
		for _, p := range system.Points {
			if p.Turns < fewest {
				continue
			}
			v := value(p)
			at := chart.At(float64(p.Number), v.Mean)
			at.YLow, at.YHigh = v.Low, v.High
			at.Hint = fmt.Sprintf("%s, turn %d (%s): %s, %s to %s", system.Name, p.Number, count(p.Turns, "turn"), short(what, v.Mean), short(what, v.Low), short(what, v.High))
			line.Points = append(line.Points, at)
			if i == 0 {
				c.Counts.X, c.Counts.N = append(c.Counts.X, at.X), append(c.Counts.N, p.Turns)
			}
		}
		if n := len(line.Points); n > 0 {
			said = append(said, line.Points[0].Hint, line.Points[n-1].Hint)
		}
		c.Series = append(c.Series, line)
	}
	c.Desc = strings.Join(said, "; ")
	return figure{c.ID, c.Title, c}
}

func short(what string, v float64) string {
	if what == "L0" {
		return digits(v, 1)
	}
	return share(v)
}

func (r *Report) turnTable(curves TurnCurves) *table.Table {
	header := []string{"turn", "turns"}
	for _, s := range curves.Systems {
		header = append(header, s.Name+", L0", s.Name+", "+r.Measure.String(), "95 % low", "high")
	}
	t := table.New("By turn on "+r.testTitle(curves.Test), header...)
	for i, p := range curves.Systems[0].Points {
		cells := []table.Cell{table.Int(p.Number), table.Int(p.Turns)}
		for _, s := range curves.Systems {
			v := s.Points[i].Value
			cells = append(cells, table.Float(s.Points[i].L0.Mean, 1), table.Share(v.Mean, shareDigits), table.Share(v.Low, shareDigits), table.Share(v.High, shareDigits))
		}
		t.Row(cells...)
	}
	return t
}

// addScores shows how a student's scores are distributed beside its teacher's.
func (r *Report) addScores(d *document, s *section) {
	if len(r.Scores) == 0 {
		return
	}
	s.say("For each turn that has the teacher's rewrite, the scores of the teacher's best passages (up to 100) by the teacher's query and by the student's. Histograms are of the first seed, means by rank over all seeds.")
	var histograms, means figures
	drawn := map[string]bool{} // tests: the charts are of the first student, the table has all
	t := table.New("Scores", "test", "system", "turns", "pairs", "scores of", "mean", "deviation", "1 %", "5 %", "25 %", "50 %", "75 %", "95 %", "99 %")
	for _, c := range r.Scores {
		if r.draws(c.Test) && !drawn[c.Test] {
			histograms, means = append(histograms, histogram(d, c)), append(means, byRank(d, c))
			drawn[c.Test] = true
		}
		for _, side := range []struct {
			name string
			Scores
		}{{"teacher", c.Teacher}, {"student", c.Student}} {
			cells := []table.Cell{
				table.Text(c.Test), table.Text(c.Name), table.Int(c.Turns), table.Int(c.Pairs), table.Text(side.name),
				table.Float(side.Mean, 2), table.Float(side.Deviation, 2),
			}
			for _, q := range side.Quantiles {
				cells = append(cells, table.Float(q.Score, 2))
			}
			t.Row(cells...)
		}
	}
	t.Note("Means and deviations: means over seeds; quantiles: of the first seed.")
	s.add(histograms, means, tabular{d.ids.next("scores"), t})
}

// histogram draws the distributions up to the score that 99 % of both stay below:
// a few high scores would press the rest together.
func histogram(d *document, c ScoreCurves) figure {
	shown := 0
	for _, side := range []Scores{c.Teacher, c.Student} {
		for _, q := range side.Quantiles {
			if q.Percent == 99 {
				shown = max(shown, int(math.Ceil((q.Score-c.Low)/c.Width)))
			}
		}
	}
	bins := func(counts []int) []chart.Point {
		counts = counts[:min(max(shown, 1), len(counts))]
		var points []chart.Point
		for i, n := range counts {
			points = append(points, chart.At(c.Low+float64(i)*c.Width, float64(n)/float64(max(c.Pairs, 1))))
		}
		last := points[len(points)-1]
		return append(points, chart.At(last.X+c.Width, last.Y))
	}
	h := chart.Chart{
		ID: d.ids.next("scores", c.Test, c.System), Title: "Scores on " + c.Test + ", " + c.Name,
		Desc: fmt.Sprintf("Distribution of %d scores: teacher %s ± %s, student %s ± %s", c.Pairs, digits(c.Teacher.Mean, 2), digits(c.Teacher.Deviation, 2), digits(c.Student.Mean, 2), digits(c.Student.Deviation, 2)),
		X:    chart.Axis{Label: "score (the highest 1 % are left out)"}, Y: chart.Axis{Label: "share of turn and passage pairs", Share: true, Zero: true},
	}
	for i, side := range []struct {
		name   string
		counts []int
	}{{"teacher", c.Teacher.Histogram}, {"student", c.Student.Histogram}} {
		if len(side.counts) > 0 {
			h.Series = append(h.Series, chart.Series{Name: side.name, Slot: i + 1, Points: bins(side.counts), Line: true, Steps: true, Filled: true, Bare: true})
		}
	}
	return figure{h.ID, h.Title, h}
}

func byRank(d *document, c ScoreCurves) figure {
	var teacher, student []chart.Point
	for _, p := range c.ByRank {
		teacher = append(teacher, chart.At(float64(p.Rank), p.Teacher))
		student = append(student, chart.At(float64(p.Rank), p.Student))
	}
	f := chart.Chart{
		ID: d.ids.next("scores by rank", c.Test, c.System), Title: "Mean score by the teacher's rank on " + c.Test,
		Desc: "Mean scores of teacher and student by the rank that the teacher gives, " + c.Name,
		X:    chart.Axis{Label: "rank of the teacher", Log: true}, Y: chart.Axis{Label: "score", Zero: true},
		Series: []chart.Series{
			{Name: "teacher", Slot: 1, Points: teacher, Line: true, Bare: true},
			{Name: "student: " + c.Name, Slot: 2, Points: student, Line: true, Bare: true},
		},
	}
	return figure{f.ID, f.Title + ", " + c.Name, f}
}

// Bounds of what is shown of an example.
const (
	exampleTerms   = 20
	exampleContext = 600 // characters
)

func (r *Report) addExamples(d *document, s *section) {
	x := r.Examples
	if x == nil {
		return
	}
	s.say(fmt.Sprintf("Queries of %s and of %s for turns of %s, taken at even distances from all its judged turns ordered by turn number; seed %d.", x.Before, x.After, x.Test, x.Seed))
	for _, e := range x.Turns {
		s.add(heading{d.ids.next("example", e.ID), fmt.Sprintf("Turn %d: %s", e.Number, cut(e.Question, 120))})
		if e.Rewrite != "" {
			s.say("Rewritten: " + cut(e.Rewrite, exampleContext))
		}
		s.say("Read, newest first: " + cut(e.Context, exampleContext))
		s.add(tabular{d.ids.next("terms", e.ID), r.termTable(x, e)})
	}
}

func (r *Report) termTable(x *Examples, e Example) *table.Table {
	t := table.New("", "term", "% of passages", x.Before, x.After)
	weight := func(v float64) table.Cell {
		if v == 0 {
			return table.Missing()
		}
		return table.Float(v, 3)
	}
	shown := e.Terms[:min(len(e.Terms), exampleTerms)]
	for _, term := range shown {
		t.Row(table.Text(term.Token), table.Float(100*term.Share, 2), weight(term.Before), weight(term.After))
	}
	if more := e.Terms[len(shown):]; len(more) > 0 {
		dropped := slices.DeleteFunc(slices.Clone(more), func(t Term) bool { return t.After > 0 })
		t.Note(fmt.Sprintf("%d more terms, %d of them in the first query alone.", len(more), len(dropped)))
	}
	t.Note(fmt.Sprintf("Terms: %d and %d. Postings: %d and %d. %v of the turn: %s and %s.",
		e.Before.L0, e.After.L0, e.Before.Postings, e.After.Postings, r.Measure, share(e.Before.Value), share(e.After.Value)))
	return t
}

// cut shortens text for reading, marking the cut.
func cut(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:most])) + " …"
}

func (r *Report) addCollections(d *document, s *section) {
	tests := table.New("Tests", "test", "searched", "asked", "subset", "passages", "turns", "conversations", "not judged", "without text")
	for _, t := range r.Tests {
		subset := t.Subset
		if t.Unseen {
			subset += ", unseen passages"
		}
		tests.Row(table.Text(r.testTitle(t.Name)), table.Text(t.Collection), table.Text(t.Query), table.Text(subset), table.Int(t.Passages), table.Int(t.Turns),
			table.Int(t.Conversations), table.Int(t.Unjudged), table.Int(t.NoText))
	}
	tests.Note("Not judged: turns without judgements, left out. Without text: turns that lack the text that is asked; they are measured, as 0.")
	s.add(tabular{d.ids.next("tests"), tests})
	if len(r.Collections) == 0 {
		return
	}
	sizes := table.New("Collections", "collection", "half of", "passages", "words", "conversations", "turns", "turns each", "least", "most", "words", "answers", "words", "judged turns", "relevant each")
	rewrites := table.New("Rewrites", "collection", "rewriter", "turns", "judged", "mean words")
	written := false
	for _, c := range r.Collections {
		v := c.Statistics
		sizes.Row(table.Text(c.Name), table.Text(c.Of), table.Int(v.Passages), table.Float(v.PassageWords, 1), table.Int(v.Conversations), table.Int(v.Turns),
			table.Float(v.TurnsPerConversation.Mean, 1), table.Int(v.TurnsPerConversation.Min), table.Int(v.TurnsPerConversation.Max),
			table.Float(v.QuestionWords, 1), table.Int(v.Answers), table.Float(v.AnswerWords, 1), table.Int(v.JudgedTurns), table.Float(v.RelevantPerTurn, 2))
		for _, w := range v.Rewrites {
			written = true
			rewrites.Row(table.Text(c.Name), table.Text(w.Rewriter), table.Int(w.Turns), table.Int(w.Judged), table.Float(w.Words, 1))
		}
	}
	sizes.Note("Words: mean number of a passage, a question, an answer. Turns each: mean, least and most of a conversation.")
	s.add(tabular{d.ids.next("collections"), sizes})
	if written {
		s.add(tabular{d.ids.next("rewrites"), rewrites})
	}
}

func (r *Report) addTimings(d *document, s *section) {
	if r.Timings == nil {
		return
	}
	s.say("Times depend on the machine and on what else it did. They are the only numbers of this report that another run of the same study does not repeat.")
	q := table.New("A query, encoded and searched by one thread, in milliseconds", "test", "system", "median", "95 %", "mean", "postings")
	for _, t := range r.Timings.Queries {
		q.Row(table.Text(t.Test), table.Text(t.Name), table.Float(t.Median, 3), table.Float(t.P95, 3), table.Float(t.Mean, 3), table.Float(t.Postings, 0))
	}
	w := table.New("Training", "experiment", "trainings", "seconds each")
	for _, t := range r.Timings.Training {
		w.Row(table.Text(t.Experiment), table.Int(t.Trainings), table.Float(t.Seconds/float64(t.Trainings), 1))
	}
	w.Note(fmt.Sprintf("All trials together: %s seconds of training. A training that an earlier experiment did is counted there.", digits(r.Timings.Seconds, 0)))
	s.add(tabular{d.ids.next("times of queries"), q}, tabular{d.ids.next("times of training"), w})
}
