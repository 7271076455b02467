package report

import (
	"cmp"
	"slices"

	"parley/measure"
	"parley/study"
)

// Frontier holds effectiveness against FLOPS on one test.
type Frontier struct {
	Test   string          `json:"test"`
	Base   string          `json:"base"` // the system whose loss is 0 and whose saving is 1
	Points []FrontierPoint `json:"points"`
	Pareto []string        `json:"pareto"` // the systems that no other beats in both, by falling FLOPS
	Within []Within        `json:"within"`
	Equal  []Equal         `json:"equal"`

	order []string // of the families in charts: each has the same colour in all of them
}

// FrontierPoint is a system on the plane of effectiveness and FLOPS.
type FrontierPoint struct {
	System    string  `json:"system"`
	Name      string  `json:"name"`
	Family    string  `json:"family"`           // what it is joined to others by; "" for the base
	Chosen    bool    `json:"chosen,omitempty"` // by a search on held-out conversations, which saw no test
	FLOPS     Number  `json:"flops"`
	Value     Number  `json:"value"`
	Saving    float64 `json:"saving"` // FLOPS of the base over these
	Loss      float64 `json:"loss"`   // share of the base's value that is lost
	Corrected float64 `json:"p_corrected"`
	Mark      int     `json:"significant"` // 1: above the base, -1: below
}

// Within is the cheapest measured system of a family within a loss, or one that
// was chosen on held-out conversations.
type Within struct {
	Family string         `json:"family"`
	Loss   float64        `json:"loss"` // at most, relative; 0 of a chosen one
	Point  *FrontierPoint `json:"point,omitempty"`
	// Low and High bound the relative difference from the base: the bootstrap's
	// 95 % interval of the difference, over whole conversations, over the base's
	// mean.
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
}

// losses are the relative losses for which the cheapest system is looked for.
var losses = [...]float64{.01, .02}

// chosenFamily is what a system is joined to others by that was chosen on
// held-out conversations.
const chosenFamily = "chosen on held-out conversations"

// resamples is how often a bootstrap for a frontier draws.
const resamples = 2000

// frontier draws up the frontier of an experiment's comparison on a test.
func (m *maker) frontier(e Experiment, c Comparison, systems []*study.System, test int) Frontier {
	r := m.report
	f := Frontier{Test: c.Test, Base: c.Base, Within: []Within{}}
	base := 0.0
	for _, row := range c.Rows {
		if row.System == e.Compare {
			base = r.score(row, r.Measure).Mean
		}
	}
	for _, row := range c.Rows {
		score, system := r.score(row, r.Measure), e.system(row.System)
		p := FrontierPoint{
			System: row.System, Name: row.Name, Family: system.Series, Chosen: system.Series == chosenFamily,
			FLOPS: row.FLOPS, Value: score.Number, Saving: row.Saving, Corrected: 1,
		}
		if base > 0 {
			p.Loss = 1 - score.Mean/base
		}
		if score.Against != nil {
			p.Corrected, p.Mark = score.Against.Corrected, score.Against.Significant
		}
		f.Points = append(f.Points, p)
	}
	for _, p := range f.Points {
		if p.System != e.Compare && !slices.Contains(f.order, p.Family) {
			f.order = append(f.order, p.Family)
		}
	}
	f.Pareto = pareto(f.Points)
	for _, family := range f.families() {
		for _, loss := range losses {
			f.Within = append(f.Within, f.within(family, loss))
		}
	}
	for i := range f.Points {
		if f.Points[i].Chosen {
			f.Within = append(f.Within, Within{Family: chosenFamily, Point: &f.Points[i]})
		}
	}
	f.Equal = f.equal(e.Compare)
	for i := range f.Within {
		m.relative(&f.Within[i], e.Compare, systems, test)
	}
	return f
}

// relative fills in the interval of the relative difference from the base.
func (m *maker) relative(w *Within, base string, systems []*study.System, test int) {
	if w.Point == nil {
		return
	}
	var this, other *study.Measured
	for _, s := range systems {
		switch s.Name {
		case w.Point.System:
			this = measured(s, test)
		case base:
			other = measured(s, test)
		}
	}
	if this == nil || other == nil {
		return
	}
	which := this.Evaluation.Index(m.report.Measure)
	values, before := this.Evaluation.Values[which], other.Evaluation.Values[which]
	differences, conversations := make([]float64, len(values)), make([]string, len(values))
	for i := range values {
		differences[i], conversations[i] = values[i]-before[i], this.Test.Turns[i].Conversation
	}
	if mean := other.Evaluation.Aggregate(which); mean > 0 {
		low, high := measure.Bootstrap{Resamples: resamples}.Interval(differences, conversations)
		w.Low, w.High = low/mean, high/mean
	}
}

// families returns the families in the order of their first points, without
// what was chosen.
func (f *Frontier) families() []string {
	var families []string
	for _, p := range f.Points {
		if p.Family != "" && !p.Chosen && !slices.Contains(families, p.Family) {
			families = append(families, p.Family)
		}
	}
	return families
}

// nearLoss is the loss up to which a frontier is drawn once more, larger.
const nearLoss = .05

// near returns the part of a frontier within nearLoss; nil where that is all of
// it, or too little for a chart.
func (f *Frontier) near(base string) *Frontier {
	part := Frontier{Test: f.Test, Base: f.Base, order: f.order}
	for _, p := range f.Points {
		if p.Loss <= nearLoss || p.System == base {
			part.Points = append(part.Points, p)
		}
	}
	if len(part.Points) == len(f.Points) || len(part.Points) < 3 {
		return nil
	}
	part.Pareto = pareto(part.Points)
	return &part
}

func (f *Frontier) within(family string, loss float64) Within {
	w := Within{Family: family, Loss: loss}
	for i, p := range f.Points {
		if p.Family == family && p.Loss <= loss && (w.Point == nil || p.Saving > w.Point.Saving) {
			w.Point = &f.Points[i]
		}
	}
	return w
}

// pareto returns the systems for which no other is both as cheap and as good,
// and better in one of them, by falling FLOPS.
func pareto(points []FrontierPoint) []string {
	sorted := slices.Clone(points)
	slices.SortStableFunc(sorted, func(a, b FrontierPoint) int {
		return cmp.Or(cmp.Compare(a.FLOPS.Mean, b.FLOPS.Mean), cmp.Compare(b.Value.Mean, a.Value.Mean))
	})
	best := []string{}
	reached := -1.0
	for _, p := range sorted {
		if p.Value.Mean > reached {
			best, reached = append(best, p.System), p.Value.Mean
		}
	}
	slices.Reverse(best)
	return best
}
