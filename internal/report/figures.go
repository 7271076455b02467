package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"parley/internal/chart"
	"parley/measure"
	"parley/study"
)

// addFigures adds the charts of an experiment, those of one kind side by side.
func (r *Report) addFigures(d *document, s *section, e Experiment) {
	switch e.Show {
	case study.ShowLines:
		for _, m := range r.charted() {
			r.draw(s, e.Tests, func(c Comparison) figure { return r.sweep(d, e, c, m) })
		}
	case study.ShowDots:
		r.draw(s, e.Tests, func(c Comparison) figure { return r.dots(d, e, c) })
	case study.ShowFrontier:
		var all, near figures
		for _, f := range e.Frontiers {
			if !r.draws(f.Test) {
				continue
			}
			all = append(all, r.plane(d, e, f, "frontier", ""))
			if close := f.near(e.Compare); close != nil {
				near = append(near, r.plane(d, e, *close, "near", ", loss up to "+percent(nearLoss)))
			}
		}
		s.add(all, near)
	case study.ShowTargets:
		s.add(asked(d, e))
	}
}

// draw adds a figure for each test that charts are drawn of.
func (r *Report) draw(s *section, tests []Comparison, each func(Comparison) figure) {
	var all figures
	for _, c := range tests {
		if r.draws(c.Test) {
			all = append(all, each(c))
		}
	}
	s.add(all)
}

// charted returns the measures that sweeps are drawn for: that of the charts,
// and the first of another kind, since recall and precision may part.
func (r *Report) charted() []measure.Measure {
	for _, m := range r.Measures {
		if m.Kind != r.Measure.Kind {
			return []measure.Measure{r.Measure, m}
		}
	}
	return []measure.Measure{r.Measure}
}

// point places a number with its spread over seeds.
func point(x float64, n Number) chart.Point {
	p := chart.At(x, n.Mean)
	if n.Deviation != nil {
		p = p.Spread(*n.Deviation)
		p.Seeds = n.Seeds
	}
	return p
}

// sweep draws a measure along the axis of an experiment.
func (r *Report) sweep(d *document, e Experiment, c Comparison, m measure.Measure) figure {
	chart := chart.Chart{
		ID: d.ids.next(e.Name, m.String(), c.Test), Title: fmt.Sprintf("%v on %s", m, c.Test),
		X: chart.Axis{Label: e.Axis.Label, Log: e.Axis.Log}, Y: chart.Axis{Label: m.String(), Share: true},
	}
	lines := seriesOf{}
	var said []string
	for _, row := range c.Rows {
		system, n := e.system(row.System), r.score(row, m).Number
		if system.X == nil {
			chart.References = append(chart.References, reference(row.Name, n.Mean))
			continue
		}
		p := point(*system.X, n)
		p.Hint = row.Name + ": " + spread(n)
		lines.add(system.Series, p)
		said = append(said, p.Hint)
	}
	chart.Series = lines.sorted(true)
	chart.Desc = fmt.Sprintf("%v by %s: %s. Whiskers are the standard deviation over seeds, short lines the seeds.", m, e.Axis.Label, strings.Join(said, "; "))
	return figure{chart.ID, chart.Title + " by " + e.Axis.Label, chart}
}

func reference(label string, y float64) chart.Reference { return chart.Reference{Label: label, Y: y} }

// seriesOf gathers points by the name of their series, in the order of first
// appearance, or in that of names which have their colours already.
type seriesOf struct {
	series []chart.Series
}

func (s *seriesOf) add(name string, points ...chart.Point) {
	for i := range s.series {
		if s.series[i].Name == name {
			s.series[i].Points = append(s.series[i].Points, points...)
			return
		}
	}
	slot := len(s.series) + 1
	if slot > chart.Slots {
		slot = 0
	}
	s.series = append(s.series, chart.Series{Name: name, Slot: slot, Points: points})
}

// sorted returns the series with their points by X, joined by lines where asked.
func (s *seriesOf) sorted(line bool) []chart.Series {
	s.series = slices.DeleteFunc(s.series, func(o chart.Series) bool { return len(o.Points) == 0 })
	for i := range s.series {
		s.series[i].Line = line
		slices.SortStableFunc(s.series[i].Points, func(a, b chart.Point) int { return cmp.Compare(a.X, b.X) })
	}
	return s.series
}

// dots draws the systems of a comparison below each other.
func (r *Report) dots(d *document, e Experiment, c Comparison) figure {
	dots := chart.Dots{
		ID: d.ids.next(e.Name, r.Measure.String(), c.Test), Title: fmt.Sprintf("%v on %s", r.Measure, c.Test),
		X: chart.Axis{Label: r.Measure.String(), Share: true},
	}
	var said []string
	for _, row := range c.Rows {
		score := r.score(row, r.Measure)
		p := point(score.Mean, score.Number)
		name := row.Name
		if score.Against != nil {
			name += " " + mark(score.Against)
		}
		slot := 1
		if row.System == e.Compare {
			slot = 2
			dots.Reference = &chart.Reference{Label: row.Name, Y: score.Mean}
		}
		hint := row.Name + ": " + spread(score.Number)
		dots.Rows = append(dots.Rows, chart.Row{Name: strings.TrimSpace(name), Value: p.Y, Low: p.YLow, High: p.YHigh, Seeds: p.Seeds, Slot: slot, Hint: hint})
		said = append(said, hint)
	}
	dots.Desc = strings.Join(said, "; ") + ". Whiskers are the standard deviation over seeds, short lines the seeds."
	return figure{dots.ID, dots.Title + ": " + e.title(), dots}
}

// plane draws effectiveness against FLOPS, families joined, and the systems that
// no other beats in both.
func (r *Report) plane(d *document, e Experiment, f Frontier, kind, which string) figure {
	c := chart.Chart{
		ID: d.ids.next(e.Name, kind, f.Test), Title: fmt.Sprintf("%v against FLOPS on %s%s", r.Measure, f.Test, which),
		X: chart.Axis{Label: "FLOPS", Log: true}, Y: chart.Axis{Label: r.Measure.String(), Share: true},
	}
	families, best := seriesOf{}, chart.Series{Name: "best of all", Line: true, Bare: true, Steps: true}
	base := chart.Series{Name: f.Base, Slot: 0}
	for _, name := range f.order {
		families.add(titled(name, others))
	}
	var said []string
	for _, p := range f.Points {
		at := plotted(p)
		said = append(said, at.Hint)
		if p.System == e.Compare {
			base.Points = append(base.Points, at)
			for _, loss := range losses {
				c.References = append(c.References, reference("−"+percent(loss), p.Value.Mean*(1-loss)))
			}
			continue
		}
		families.add(titled(p.Family, others), at)
	}
	// A step from a cheaper to a dearer system keeps the value of the cheaper
	// until the dearer one is paid for.
	for _, name := range slices.Backward(f.Pareto) {
		for _, p := range f.Points {
			if p.System == name {
				best.Points = append(best.Points, chart.At(p.FLOPS.Mean, p.Value.Mean))
			}
		}
	}
	c.Series = append([]chart.Series{best}, families.sorted(true)...)
	c.Series = append(c.Series, base)
	c.Desc = fmt.Sprintf("%s. Whiskers are standard deviations over seeds. The steps join the systems that no other beats in both: %s.", strings.Join(said, "; "), strings.Join(f.Pareto, ", "))
	return figure{c.ID, c.Title, c}
}

// others is the family of systems that set nothing of their own.
const others = "others"

func plotted(p FrontierPoint) chart.Point {
	at := point(p.FLOPS.Mean, p.Value)
	at.Seeds = nil
	if p.FLOPS.Deviation != nil {
		at.XLow, at.XHigh = p.FLOPS.Mean-*p.FLOPS.Deviation, p.FLOPS.Mean+*p.FLOPS.Deviation
	}
	at.Hint = fmt.Sprintf("%s: %s at %s FLOPS (%s fewer, %s)", p.Name, spread(p.Value), digits(p.FLOPS.Mean, 3), times(p.Saving), lost(p.Loss))
	return at
}

// asked draws what was got against what was asked for, a chart for each cost.
func asked(d *document, e Experiment) figures {
	var all figures
	for _, cost := range []string{costFLOPS, costL0} {
		lines := seriesOf{}
		said := []string{}
		for _, t := range e.Targets {
			if t.Cost != cost {
				continue
			}
			p := point(t.Asked, t.Validation)
			p.Hint = fmt.Sprintf("held out: asked %s, got %s", digits(t.Asked, 3), digits(t.Validation.Mean, 3))
			lines.add("held out", p)
			said = append(said, p.Hint)
			for _, on := range t.Tests {
				q := chart.At(t.Asked, on.Got.Mean)
				q.YLow, q.YHigh = on.Interval.Low, on.Interval.High
				q.Hint = fmt.Sprintf("%s: asked %s, got %s", on.Test, digits(t.Asked, 3), digits(on.Got.Mean, 3))
				lines.add(on.Test, q)
				said = append(said, q.Hint)
			}
		}
		if len(said) == 0 {
			continue
		}
		c := chart.Chart{
			ID: d.ids.next(e.Name, "targets", cost), Title: cost + " got against asked", X: chart.Axis{Label: cost + " asked", Zero: true}, Y: chart.Axis{Label: cost + " got", Zero: true},
			Desc: strings.Join(said, "; ") + ". Whiskers: on held-out conversations the standard deviation over seeds, on tests the bootstrap's 95 % interval.",
		}
		c.Series = append([]chart.Series{equal(e.Targets, cost)}, lines.sorted(false)...)
		all = append(all, figure{c.ID, c.Title, c})
	}
	return all
}

// equal is the line on which all is got that is asked for.
func equal(targets []Target, cost string) chart.Series {
	most := 0.0
	for _, t := range targets {
		if t.Cost == cost {
			most = max(most, t.Asked)
		}
	}
	return chart.Series{Name: "as asked", Line: true, Bare: true, Points: []chart.Point{chart.At(0, 0), chart.At(most, most)}}
}
