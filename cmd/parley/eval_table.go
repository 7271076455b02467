package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"parley/internal/table"
	"parley/measure"
)

// write shows the report as a table.
func (e *eval) write(w io.Writer, r *evalReport) error {
	var t *table.Table
	switch e.by {
	case "turn":
		t = e.turnTable(r)
	case "topic":
		t = e.topicTable(r)
	default:
		t = e.systemTable(r)
	}
	return t.Write(w, e.format)
}

func (e *eval) header(first ...string) []string {
	for _, m := range e.measures {
		first = append(first, m.String())
	}
	if e.costs && e.by != "topic" {
		first = append(first, costColumns...)
	}
	return first
}

func (e *eval) systemTable(r *evalReport) *table.Table {
	t := table.New("", e.header("system")...)
	for _, system := range r.Systems {
		for _, row := range e.rows(system) {
			t.Row(row...)
		}
	}
	e.notes(t, r)
	return t
}

func (e *eval) turnTable(r *evalReport) *table.Table {
	t := table.New("", e.header("turn", "topics", "system")...)
	var few []string
	for _, turn := range r.Turns {
		for _, system := range turn.Systems {
			for _, row := range e.rows(system) {
				t.Row(append([]table.Cell{table.Int(turn.Turn), table.Int(turn.Topics)}, row...)...)
			}
		}
		if turn.Topics < measure.EnoughTopics {
			few = append(few, strconv.Itoa(turn.Turn))
		}
	}
	e.notes(t, r)
	if len(few) > 0 && len(r.Systems) > 1 {
		t.Note(fmt.Sprintf("fewer than %d topics to compare by in turns %s", measure.EnoughTopics, strings.Join(few, ", ")))
	}
	return t
}

func (e *eval) topicTable(r *evalReport) *table.Table {
	t := table.New("", e.header("topic", "system")...)
	for _, topic := range r.PerTopic {
		for s, values := range topic.Values {
			row := []table.Cell{table.Text(topic.Topic), table.Text(r.Systems[s].Name)}
			for m, v := range values {
				row = append(row, e.cell(m, v))
			}
			t.Row(row...)
		}
	}
	return t
}

// rows returns a system's line of values, and where there are several runs or
// intervals a line each for those.
func (e *eval) rows(system systemReport) [][]table.Cell {
	values := []table.Cell{table.Text(system.Name)}
	seeds := []table.Cell{table.Text(fmt.Sprintf("± of %d runs", len(system.Scores[0].Seeds)))}
	intervals := []table.Cell{table.Text(strconv.FormatFloat(100*e.confidence, 'g', -1, 64) + " %")}
	for m, score := range system.Scores {
		values = append(values, e.cell(m, score.Value).Marked(mark(score)))
		if score.Deviation != nil {
			seeds = append(seeds, e.cell(m, *score.Deviation))
		}
		intervals = append(intervals, intervalCell(score.Interval))
	}
	rows := [][]table.Cell{values}
	if len(seeds) == len(values) {
		rows = append(rows, seeds)
	}
	if e.intervals {
		rows = append(rows, intervals)
	}
	if e.costs {
		rows[0] = append(rows[0], system.Costs.cells()...)
		for i := range rows[1:] {
			rows[i+1] = append(rows[i+1], (*costReport)(nil).cells()...)
		}
	}
	return rows
}

// cell shows a value of measure m: four digits as in trec_eval, and counts
// whole unless they are means of several runs.
func (e *eval) cell(m int, v float64) table.Cell {
	switch {
	case !e.measures[m].Counts():
		return table.Share(v, 4)
	case v == math.Trunc(v):
		return table.Int(int(v))
	}
	return table.Float(v, 1)
}

func intervalCell(interval *[2]float64) table.Cell {
	if interval == nil {
		return table.Missing()
	}
	return table.Number(share(interval[0]) + "–" + share(interval[1]))
}

// share writes a value as table.Share shows it.
func share(v float64) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', 4, 64), "0.", ".", 1)
}

func mark(score scoreReport) string {
	if score.Against == nil {
		return ""
	}
	return map[int]string{1: "▲", -1: "▼", 0: ""}[score.Against.Significant]
}

// notes says below the table what its marks and intervals mean.
func (e *eval) notes(t *table.Table, r *evalReport) {
	if len(r.Systems) > 1 {
		t.Note(fmt.Sprintf("▲ ▼ significantly above or below %s: %s, %s, p < %v",
			r.Systems[0].Name, testName(e.compare.Test), correctionName(e.compare.Correction), e.alpha))
	}
	t.Note(fmt.Sprintf("%d judged topics, relevant from grade %d", r.Topics, r.Level))
	if e.intervals {
		t.Note(fmt.Sprintf("bootstrap intervals of the mean, drawn by %s", e.cluster))
	}
}

func testName(t measure.Test) string {
	if t == measure.Randomised {
		return "paired randomisation test"
	}
	return "paired t-test"
}

func correctionName(c measure.Correction) string {
	switch c {
	case measure.Bonferroni:
		return "Bonferroni's correction"
	case measure.None:
		return "no correction"
	}
	return "Holm's correction"
}
