package report

import (
	"fmt"
	"strconv"
	"strings"

	"parley/study"
)

// Finding is a sentence with numbers put in, by a rule that is the same for all
// experiments of its form.
type Finding struct {
	Experiment string `json:"experiment,omitempty"` // "": the main table
	Text       string `json:"text"`
}

func (r *Report) findings() []Finding {
	findings := []Finding{}
	add := func(experiment, text string) {
		if text != "" {
			findings = append(findings, Finding{experiment, unbroken.Replace(oneLine(text))})
		}
	}
	add("", capital(byTest(r.Main, r.against)))
	for _, e := range r.Experiments {
		if text := r.finding(e); text != "" {
			add(e.Name, e.title()+": "+text)
		}
	}
	return findings
}

// oneLine makes text one line that cannot steer a terminal.
func oneLine(s string) string { return strings.Join(strings.Fields(printable(s)), " ") }

// unbroken keeps numbers and what belongs to them on one line.
var unbroken = strings.NewReplacer(" ± ", "\u00a0±\u00a0", " %", "\u00a0%", " ×", "\u00a0×")

// capital begins a sentence of ours with a capital letter.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// byTest joins what is said of each test.
func byTest(tests []Comparison, say func(Comparison) string) string {
	var parts []string
	for _, c := range tests {
		if text := say(c); text != "" {
			parts = append(parts, "on "+c.Test+", "+text)
		}
	}
	if parts == nil {
		return ""
	}
	return strings.Join(parts, "; ") + "."
}

// against says how the main table's base stands to the baselines.
func (r *Report) against(c Comparison) string {
	var base *Row
	for i, row := range c.Rows {
		if row.Name == c.Base && !row.Baseline {
			base = &c.Rows[i]
			break
		}
	}
	if base == nil {
		return ""
	}
	var parts []string
	for _, row := range c.Rows {
		if row.Baseline {
			parts = append(parts, fmt.Sprintf("%s %s%s", row.Name, share(r.score(row, r.Measure).Mean), r.mark(row)))
		}
	}
	if parts == nil {
		return ""
	}
	return fmt.Sprintf("%s has %v %s (without a student: %s)", base.Name, r.Measure, spread(r.score(*base, r.Measure).Number), strings.Join(parts, ", "))
}

// mark is the mark of a row for the report's measure.
func (r *Report) mark(row Row) string {
	if d := r.score(row, r.Measure).Against; d != nil {
		return mark(d)
	}
	return ""
}

// finding says what an experiment found, by its form.
func (r *Report) finding(e Experiment) string {
	switch {
	case e.Selection != nil:
		return e.Selection.finding()
	case e.Show == study.ShowFrontier && len(e.Frontiers) > 0:
		var parts []string
		for _, f := range e.Frontiers {
			parts = append(parts, "on "+f.Test+", "+r.cheapest(f))
		}
		return "against " + e.Frontiers[0].Base + ", " + strings.Join(parts, "; ") + "."
	case e.Show == study.ShowTargets:
		return held(e.Targets)
	}
	text := byTest(e.Tests, r.best)
	if text == "" {
		return ""
	}
	return fmt.Sprintf("by %v, %s", r.Measure, text)
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
	text := fmt.Sprintf("the best of %d is %s, %s", len(c.Rows), top.Name, spread(score.Number))
	if d := score.Against; d != nil {
		return text + fmt.Sprintf(" (%s against %s, %s)", signed(d.Mean), c.Base, significance(d))
	}
	return text + ", with which the others are compared"
}

// cheaper is the least saving that is spoken of: it shows as more than 1.00.
const cheaper = 1.005

// cheapest says how much is saved within each loss, over all families, and by
// what was chosen on held-out conversations.
func (r *Report) cheapest(f Frontier) string {
	var parts []string
	last := ""
	for _, loss := range losses {
		var best *FrontierPoint
		for _, w := range f.Within {
			if w.Loss == loss && w.Point != nil && w.Point.Saving > cheaper && (best == nil || w.Point.Saving > best.Saving) {
				best = w.Point
			}
		}
		switch {
		case best == nil:
			parts = append(parts, fmt.Sprintf("nothing is cheaper within %s of loss of %v", percent(loss), r.Measure))
			continue
		case best.System == last:
			parts = append(parts, "nor is anything cheaper within "+percent(loss))
		default:
			parts = append(parts, fmt.Sprintf("%s takes %s fewer FLOPS within %s of loss of %v (%s)", best.Name, times(best.Saving), percent(loss), r.Measure, lost(best.Loss)))
		}
		last = best.System
	}
	for _, w := range f.Within {
		if w.Family == chosenFamily {
			parts = append(parts, fmt.Sprintf("%s, chosen on held-out conversations, takes %s fewer (%s)", w.Point.Name, times(w.Point.Saving), lost(w.Point.Loss)))
		}
	}
	return strings.Join(parts, ", ")
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
