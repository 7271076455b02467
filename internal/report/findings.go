package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"parley/study"
)

// Finding is what an experiment found, test by test: sentences with numbers put
// in, by a rule that is the same for all experiments of its form.
type Finding struct {
	Experiment string   `json:"experiment,omitempty"` // "": the main table
	Text       string   `json:"text"`
	Tests      []string `json:"tests,omitempty"`
}

func (r *Report) findings() []Finding {
	findings := []Finding{}
	add := func(f Finding) {
		if f.Text == "" {
			return
		}
		f.Text = unbroken.Replace(oneLine(f.Text))
		for i := range f.Tests {
			f.Tests[i] = unbroken.Replace(oneLine(f.Tests[i]))
		}
		findings = append(findings, f)
	}
	add(r.against())
	for _, e := range r.Experiments {
		add(r.finding(e))
	}
	return findings
}

// String writes the finding as lines for people.
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString("- " + f.Text + "\n")
	for _, t := range f.Tests {
		b.WriteString("  - " + t + "\n")
	}
	return b.String()
}

// oneLine makes text one line that cannot steer a terminal.
func oneLine(s string) string { return strings.Join(strings.Fields(printable(s)), " ") }

// unbroken keeps numbers and what belongs to them on one line.
var unbroken = strings.NewReplacer(" ± ", "\u00a0±\u00a0", " %", "\u00a0%", " ×", "\u00a0×")

// against says how the main table's base stands to the baselines.
func (r *Report) against() Finding {
	var f Finding
	for _, c := range r.Main {
		at := slices.IndexFunc(c.Rows, func(row Row) bool { return row.Name == c.Base && !row.Baseline })
		var parts []string
		for _, row := range c.Rows {
			if row.Baseline {
				parts = append(parts, row.Name+" "+share(r.score(row, r.Measure).Mean)+r.mark(row))
			}
		}
		if at < 0 || parts == nil {
			continue
		}
		f.Text = fmt.Sprintf("%s by %v, beside asking without a student (▲ ▼: significantly above or below it)", c.Base, r.Measure)
		f.Tests = append(f.Tests, fmt.Sprintf("%s: %s; %s", c.Test, spread(r.score(c.Rows[at], r.Measure).Number), strings.Join(parts, ", ")))
	}
	return f
}

// mark is the mark of a row for the report's measure.
func (r *Report) mark(row Row) string {
	if d := r.score(row, r.Measure).Against; d != nil {
		return mark(d)
	}
	return ""
}

// finding says what an experiment found, by its form.
func (r *Report) finding(e Experiment) Finding {
	f := Finding{Experiment: e.Name}
	switch {
	case e.Selection != nil:
		f.Text = e.title() + ": " + e.Selection.finding()
	case e.Show == study.ShowTargets:
		if text := held(e.Targets); text != "" {
			f.Text = e.title() + ": " + text
		}
	case len(e.Frontiers) > 0:
		f.Text = fmt.Sprintf("%s: FLOPS saved by loss of %v, against %s", e.title(), r.Measure, e.Frontiers[0].Base)
		for _, on := range e.Frontiers {
			f.Tests = append(f.Tests, on.Test+": "+cheapest(on))
		}
	default:
		for _, c := range e.Tests {
			if text := r.best(c); text != "" {
				f.Text = fmt.Sprintf("%s: the best by %v", e.title(), r.Measure)
				f.Tests = append(f.Tests, c.Test+": "+text)
			}
		}
	}
	return f
}

// best names the best system of a comparison by the report's measure.
func (r *Report) best(c Comparison) string {
	if len(c.Rows) < 2 {
		return ""
	}
	top := c.Rows[0]
	for _, row := range c.Rows[1:] {
		if r.score(row, r.Measure).Mean > r.score(top, r.Measure).Mean {
			top = row
		}
	}
	score := r.score(top, r.Measure)
	text := fmt.Sprintf("%s, %s, of %d", top.Name, spread(score.Number), len(c.Rows))
	if d := score.Against; d != nil {
		return text + fmt.Sprintf(" (%s against %s, %s)", signed(d.Mean), c.Base, significance(d))
	}
	return text + ", with which the others are compared"
}

// cheaper is the least saving that is spoken of: it shows as more than 1.00.
const cheaper = 1.005

// cheapest says how much is saved within each loss, over all families, and by
// what was chosen on held-out conversations.
func cheapest(f Frontier) string {
	var parts []string
	for _, loss := range losses {
		var best *FrontierPoint
		for _, w := range f.Within {
			if w.Loss == loss && w.Point != nil && w.Point.Saving > cheaper && (best == nil || w.Point.Saving > best.Saving) {
				best = w.Point
			}
		}
		text := "nothing is cheaper"
		if best != nil {
			text = fmt.Sprintf("%s fewer, %s (%s)", times(best.Saving), best.Name, lost(best.Loss))
		}
		parts = append(parts, "within "+percent(loss)+" "+text)
	}
	for _, w := range f.Within {
		if w.Family == chosenFamily {
			parts = append(parts, fmt.Sprintf("%s, %s fewer (%s)", chosenFamily, times(w.Point.Saving), lost(w.Point.Loss)))
		}
	}
	return strings.Join(parts, "; ")
}

// lost writes a relative loss, which may be a gain.
func lost(loss float64) string {
	if loss < 0 {
		return "gain " + percent(-loss)
	}
	return "loss " + percent(loss)
}

// held counts the targets that were met.
func held(targets []Target) string {
	if len(targets) == 0 {
		return ""
	}
	validation, tests, all := 0, 0, 0
	for _, t := range targets {
		if t.Held {
			validation++
		}
		for _, on := range t.Tests {
			all++
			if on.Held {
				tests++
			}
		}
	}
	return fmt.Sprintf("%d of %d targets are met within %s on held-out conversations, and %d of %d on test conversations within the larger of %s and the bootstrap's 95 %% interval.",
		validation, len(targets), percent(validationTolerance), tests, all, percent(testTolerance))
}

// spread writes a share with its deviation.
func spread(n Number) string {
	if n.Deviation == nil {
		return share(n.Mean)
	}
	return share(n.Mean) + " ± " + share(*n.Deviation)
}

// shareDigits is how many digits of measures are shown.
const shareDigits = 3

// share writes a measure's value as tables do.
func share(v float64) string {
	text := strconv.FormatFloat(v, 'f', shareDigits, 64)
	if rest, ok := strings.CutPrefix(text, "-0."); ok {
		return "−." + rest
	}
	return strings.TrimPrefix(text, "0")
}

func signed(v float64) string {
	if v >= 0 {
		return "+" + share(v)
	}
	return strings.Replace(share(v), "-", "−", 1)
}

func digits(v float64, n int) string { return strconv.FormatFloat(v, 'f', n, 64) }

func percent(v float64) string {
	return strings.TrimSuffix(strings.Replace(digits(100*v, 1), "-", "−", 1), ".0") + " %"
}

func times(v float64) string { return digits(v, 2) + " ×" }

// significance writes a corrected p and what it says.
func significance(d *Difference) string {
	text := "p = " + strings.TrimPrefix(digits(d.Corrected, 3), "0")
	if d.Corrected < .0005 {
		text = "p < .001"
	}
	if d.Significant == 0 {
		return text + ", not significant"
	}
	return text
}

// mark is the sign of a difference that is significant.
func mark(d *Difference) string { return sign(d.Significant) }

func sign(significant int) string {
	switch significant {
	case 1:
		return "▲"
	case -1:
		return "▼"
	}
	return ""
}
