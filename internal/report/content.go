package report

import (
	"fmt"
	"strconv"
	"strings"

	"parley/internal/table"
)

// document lays the report out.
func (r *Report) document() *document {
	d := &document{title: r.Study, ids: ids{}, lead: r.lead()}
	r.addFindings(d.section("Findings"))
	r.addMain(d, d.section("Main results"))
	for _, e := range r.Experiments {
		r.addExperiment(d, d.section(e.title()), e)
	}
	d.aside = append(d.aside, tabular{d.ids.next("differences"), r.differences()})
	r.addTurns(d, d.section("By turn of the conversation"))
	r.addScores(d, d.section("Scores of student and teacher"))
	r.addExamples(d, d.section("Examples of queries"))
	r.addCollections(d, d.section("Tests and collections"))
	r.addTimings(d, d.section("Times"))
	r.addWarnings(d.section("Warnings"))
	r.addRepeat(d.section("How to repeat it"))
	return d
}

// lead says what the study is.
func (r *Report) lead() []string {
	trials := count(r.Trials.Done, "trial")
	if r.Trials.Failed > 0 {
		trials += fmt.Sprintf(", of which %d ended without a student", r.Trials.Failed)
	}
	if r.Trials.Missing > 0 {
		trials += fmt.Sprintf("; %d of the plan are not done yet", r.Trials.Missing)
	}
	measures := make([]string, len(r.Measures))
	for i, m := range r.Measures {
		measures[i] = m.String()
	}
	return []string{
		fmt.Sprintf("%s, %s, %s. Seeds: %s. Measures: %s.", trials, count(len(r.Experiments), "experiment"), count(len(r.Tests), "test"), numbers(r.Seeds), strings.Join(measures, ", ")),
		"Every number is computed from the runs, queries and judgements that the study saved, and differs from what was measured by rounding only.",
	}
}

func numbers(seeds []uint64) string {
	parts := make([]string, len(seeds))
	for i, s := range seeds {
		parts[i] = strconv.FormatUint(s, 10)
	}
	return strings.Join(parts, ", ")
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

func (r *Report) addFindings(s *section) {
	if len(r.Findings) > 0 {
		s.add(outline(r.Findings))
	}
}

func (r *Report) addMain(d *document, s *section) {
	for _, c := range r.Main {
		s.add(tabular{d.ids.next("main", c.Test), r.comparisonTable(c, "system", r.testTitle(c.Test))})
	}
}

// testTitle returns what a test is called.
func (r *Report) testTitle(name string) string {
	for _, t := range r.Tests {
		if t.Name == name && t.Title != "" {
			return t.Title + " (" + name + ")"
		}
	}
	return name
}

// comparisonTable shows a comparison.
func (r *Report) comparisonTable(c Comparison, first, title string) *table.Table {
	seeds := c.seeds()
	header := []string{first}
	if seeds < 0 {
		header = append(header, "seeds")
	}
	for _, m := range r.Measures {
		header = append(header, m.String())
	}
	header = append(header, "L0", "FLOPS", "postings")
	if c.Base != "" {
		header = append(header, "× fewer FLOPS")
	}
	t := table.New(title, header...)
	cells := make([][]table.Cell, len(c.Rows))
	for i, row := range c.Rows {
		cells[i] = r.cells(row, seeds < 0, c.Base != "")
	}
	bold := r.setOff(c, cells, seeds < 0)
	for _, row := range cells {
		t.Row(row...)
	}
	r.notes(t, c, seeds, bold)
	return t
}

// seeds returns how many seeds all students of a comparison have; 0 where none
// is a student, and -1 where they differ or are fewer than wanted.
func (c Comparison) seeds() int {
	n := 0
	for _, row := range c.Rows {
		switch {
		case row.Baseline:
		case row.Seeds != row.Wanted || n != 0 && row.Seeds != n:
			return -1
		default:
			n = row.Seeds
		}
	}
	return n
}

func (r *Report) cells(row Row, seeds, saving bool) []table.Cell {
	cells := []table.Cell{table.Text(row.Name)}
	if seeds {
		cells = append(cells, seedsCell(row))
	}
	for _, s := range row.Scores {
		c := shareCell(s.Number)
		if s.Against != nil {
			c = c.Marked(mark(s.Against))
		}
		cells = append(cells, c)
	}
	cells = append(cells, cell(row.L0, 1), cell(row.FLOPS, 3), cell(row.Postings, 0))
	if saving {
		cells = append(cells, savingCell(row.Saving))
	}
	return cells
}

// savingCell shows how many times fewer FLOPS there are; a system without any
// has no such number.
func savingCell(saving float64) table.Cell {
	if saving > 0 {
		return table.Float(saving, 2)
	}
	return table.Missing()
}

// percentCell shows a share in per cent, without the sign, which stands in the
// header.
func percentCell(share float64) table.Cell { return table.Float(100*share, 1) }

func seedsCell(row Row) table.Cell {
	switch {
	case row.Baseline:
		return table.Missing()
	case row.Seeds < row.Wanted:
		return table.Number(fmt.Sprintf("%d of %d", row.Seeds, row.Wanted))
	}
	return table.Int(row.Seeds)
}

// cell shows a mean with its deviation.
func cell(n Number, digits int) table.Cell {
	c := table.Float(n.Mean, digits)
	if n.Deviation != nil {
		c = c.Spread(table.Float(*n.Deviation, digits))
	}
	return c
}

func shareCell(n Number) table.Cell {
	c := table.Share(n.Mean, shareDigits)
	if n.Deviation != nil {
		c = c.Spread(table.Share(*n.Deviation, shareDigits))
	}
	return c
}

// setOff sets off the best value of each measure among the students, and all
// that are shown as the same number; without students, among all. It tells
// whether there was anything to set off.
func (r *Report) setOff(c Comparison, cells [][]table.Cell, seeds bool) (any bool) {
	first := 1
	if seeds {
		first = 2
	}
	students := false
	for _, row := range c.Rows {
		students = students || !row.Baseline
	}
	for j := range r.Measures {
		best, n := "", 0
		for _, row := range c.Rows {
			if v := digits(row.Scores[j].Mean, shareDigits); !(students && row.Baseline) {
				best, n = max(best, v), n+1
			}
		}
		for i, row := range c.Rows {
			if n > 1 && !(students && row.Baseline) && digits(row.Scores[j].Mean, shareDigits) == best {
				cells[i][first+j] = cells[i][first+j].Strong()
				any = true
			}
		}
	}
	return any
}

// notes say what the marks of a comparison mean.
func (r *Report) notes(t *table.Table, c Comparison, seeds int, bold bool) {
	over := fmt.Sprintf("n = %s of %s.", count(c.Turns, "turn"), count(c.Conversations, "conversation"))
	if c.Base != "" {
		over = fmt.Sprintf("▲ ▼: significantly above or below %s by a paired t-test over n = %s (of %s), each with its mean over seeds; p corrected for %s by Holm's method, below %s.",
			c.Base, count(c.Turns, "turn"), count(c.Conversations, "conversation"), count(c.Compared, "comparison"), strings.TrimPrefix(digits(r.Alpha, 2), "0"))
	}
	switch {
	case seeds > 1:
		over += fmt.Sprintf(" ±: standard deviation over %d seeds.", seeds)
	case seeds < 0:
		over += " ±: standard deviation over the seeds."
	case seeds == 1:
		over += " One seed: no deviation is known."
	}
	if bold {
		over += " Bold: the best."
	}
	t.Note(over)
}

func (r *Report) addExperiment(d *document, s *section, e Experiment) {
	if e.Note != "" {
		s.say(e.Note)
	}
	if e.Selection != nil {
		s.add(tabular{d.ids.next("selection", e.Name), e.Selection.table()})
		return
	}
	r.addFigures(d, s, e)
	if len(e.Targets) > 0 {
		s.add(tabular{d.ids.next("targets", e.Name), targetsTable(e)})
	}
	if len(e.Frontiers) > 0 {
		s.add(tabular{d.ids.next("within", e.Name), r.withinTable(e)}, tabular{d.ids.next("equal", e.Name), r.equalTable(e)})
	}
	for _, c := range e.Tests {
		s.add(tabular{d.ids.next(e.Name, c.Test), r.comparisonTable(c, "system", e.title()+": "+r.testTitle(c.Test))})
	}
	var failed list
	for _, system := range e.Systems {
		if n := len(system.Failed); n > 0 {
			failed = append(failed, fmt.Sprintf("%s, %d of its trials; %s", titled(system.Title, system.Name), n, system.Failed[0]))
		}
	}
	if failed != nil {
		s.say("Ended without a student:")
		s.add(failed)
	}
	if len(e.Tests) == 0 && failed == nil {
		s.say("No trial of this experiment is done yet.")
	}
}

func targetsTable(e Experiment) *table.Table {
	t := table.New("Asked and got", "system", "cost", "asked", "where", "got", "95 % low", "95 % high", "off by %", "held")
	for _, target := range e.Targets {
		row := func(where string, got Number, low, high table.Cell, held bool) {
			said := "no"
			if held {
				said = "yes"
			}
			t.Row(table.Text(target.Name), table.Text(target.Cost), table.Float(target.Asked, 3), table.Text(where), cell(got, 3), low, high,
				percentCell(got.Mean/target.Asked-1), table.Text(said))
		}
		row("held-out conversations", target.Validation, table.Missing(), table.Missing(), target.Held)
		for _, on := range target.Tests {
			row(on.Test, on.Got, table.Float(on.Interval.Low, 3), table.Float(on.Interval.High, 3), on.Held)
		}
	}
	t.Note(fmt.Sprintf("Held: within %s on held-out conversations, and on a test within the larger of %s and half the bootstrap's 95 %% interval, which draws whole conversations.",
		percent(validationTolerance), percent(testTolerance)))
	return t
}

func (r *Report) withinTable(e Experiment) *table.Table {
	t := table.New(fmt.Sprintf("The cheapest system within a relative loss of %v", r.Measure),
		"test", "settings", "loss at most %", "system", "× fewer FLOPS", r.Measure.String(), "difference %", "95 % low", "high")
	for _, f := range e.Frontiers {
		for _, w := range f.Within {
			most := percentCell(w.Loss)
			if w.Family == chosenFamily {
				most = table.Missing()
			}
			if w.Point == nil {
				t.Row(table.Text(f.Test), table.Text(w.Family), most, table.Text("none"), table.Missing(), table.Missing(), table.Missing(), table.Missing(), table.Missing())
				continue
			}
			t.Row(table.Text(f.Test), table.Text(w.Family), most, table.Text(w.Point.Name), savingCell(w.Point.Saving),
				shareCell(w.Point.Value).Marked(sign(w.Point.Mark)), percentCell(-w.Point.Loss), percentCell(w.Low), percentCell(w.High))
		}
	}
	note := fmt.Sprintf("Against %s, means over seeds; ▲ ▼ as in the tables below. Intervals: bootstrap of the paired difference that draws whole conversations, over the mean of %s. ", e.Frontiers[0].Base, e.Frontiers[0].Base)
	t.Note(note + "The system is picked by the test itself, as an oracle along the frontier would; only what was chosen on held-out conversations knew nothing of the test.")
	return t
}

func (r *Report) equalTable(e Experiment) *table.Table {
	first := e.Frontiers[0].families()
	reference := ""
	if len(first) > 0 {
		reference = first[0]
	}
	t := table.New(fmt.Sprintf("FLOPS at equal %v", r.Measure), "test", "settings", "at a loss of %", "FLOPS", "× fewer than "+e.Frontiers[0].Base, "× fewer than "+reference)
	show := func(n *Number, digits int) table.Cell {
		if n == nil {
			return table.Missing()
		}
		return cell(*n, digits)
	}
	for _, f := range e.Frontiers {
		for _, q := range f.Equal {
			t.Row(table.Text(f.Test), table.Text(q.Family), percentCell(q.Loss), show(q.FLOPS, 3), show(q.Saving, 2), show(q.Against, 2))
		}
	}
	t.Note("Interpolated seed by seed between the measured systems, the logarithm of FLOPS linear in the measure, where the line first falls below; systems that lack a seed are left out; ± over seeds. –: not reached, since some seed's systems do not fall so low.")
	return t
}

// differences lists all comparisons with their p-values.
func (r *Report) differences() *table.Table {
	t := table.New("Differences", "experiment", "test", "system", "compared with", "measure", "turns", "difference", "p", "p corrected")
	list := func(experiment string, tests []Comparison) {
		for _, c := range tests {
			for _, row := range c.Rows {
				for j, s := range row.Scores {
					if d := s.Against; d != nil {
						t.Row(table.Text(experiment), table.Text(c.Test), table.Text(row.Name), table.Text(c.Base), table.Text(r.Measures[j].String()),
							table.Int(c.Turns), significant(d.Mean), significant(d.P), significant(d.Corrected))
					}
				}
			}
		}
	}
	list("(main table)", r.Main)
	for _, e := range r.Experiments {
		list(e.title(), e.Tests)
	}
	return t
}

// significant shows a number with four significant digits, however small it is.
func significant(v float64) table.Cell { return table.Number(strconv.FormatFloat(v, 'g', 4, 64)) }

func (r *Report) addWarnings(s *section) {
	var items list
	for _, w := range r.Warnings {
		items = append(items, w.Where+": "+w.Text)
	}
	if items == nil {
		s.say("There are none.")
		return
	}
	s.add(items)
}

func (r *Report) addRepeat(s *section) {
	s.say("Save the plan below as plan.yaml beside the collections that it names, and say:")
	s.add(code("parley study run plan.yaml -o STUDY\nparley report STUDY\n"))
	version := r.CodeVersion
	if version == "" {
		version = "unknown"
	}
	s.say("Version of the code: " + version + ". Everything but times depends on the plan, its seeds and the data alone.")
	s.add(code(r.Plan))
}
