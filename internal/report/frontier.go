package report

import (
	"cmp"
	"slices"
)

// Frontier holds effectiveness against FLOPS on one test.
type Frontier struct {
	Test   string          `json:"test"`
	Base   string          `json:"base"` // the system whose loss is 0 and whose saving is 1
	Points []FrontierPoint `json:"points"`
	Pareto []string        `json:"pareto"` // the systems that no other beats in both, by falling FLOPS
	Within []Within        `json:"within"`
}

// FrontierPoint is a system on the plane of effectiveness and FLOPS.
type FrontierPoint struct {
	System    string  `json:"system"`
	Name      string  `json:"name"`
	Family    string  `json:"family"` // what it is joined to others by; "" for the base
	FLOPS     Number  `json:"flops"`
	Value     Number  `json:"value"`
	Saving    float64 `json:"saving"` // FLOPS of the base over these
	Loss      float64 `json:"loss"`   // share of the base's value that is lost
	Corrected float64 `json:"p_corrected"`
}

// Within is the cheapest measured system of a family within a loss.
type Within struct {
	Family string  `json:"family"`
	Loss   float64 `json:"loss"`             // at most, relative
	System string  `json:"system,omitempty"` // "": there is none
	Name   string  `json:"name,omitempty"`
	Saving float64 `json:"saving,omitempty"`
	Lost   float64 `json:"lost,omitempty"` // what it does lose
}

// losses are the relative losses for which the cheapest system is looked for.
var losses = [...]float64{.01, .02}

func (r *Report) frontier(e Experiment, c Comparison) Frontier {
	f := Frontier{Test: c.Test, Base: c.Base, Pareto: []string{}, Within: []Within{}}
	base := 0.0
	for _, row := range c.Rows {
		if row.System == e.Compare {
			base = r.score(row, r.Measure).Mean
		}
	}
	for _, row := range c.Rows {
		score := r.score(row, r.Measure)
		p := FrontierPoint{System: row.System, Name: row.Name, Family: e.system(row.System).Series, FLOPS: row.FLOPS, Value: score.Number, Saving: row.Saving, Corrected: 1}
		if base > 0 {
			p.Loss = 1 - score.Mean/base
		}
		if score.Against != nil {
			p.Corrected = score.Against.Corrected
		}
		f.Points = append(f.Points, p)
	}
	f.Pareto = pareto(f.Points)
	for _, family := range f.families() {
		for _, loss := range losses {
			f.Within = append(f.Within, f.within(family, loss))
		}
	}
	return f
}

// families returns the families in the order of their first points.
func (f *Frontier) families() []string {
	var families []string
	for _, p := range f.Points {
		if p.Family != "" && !slices.Contains(families, p.Family) {
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
	part := Frontier{Test: f.Test, Base: f.Base}
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
	for _, p := range f.Points {
		if p.Family == family && p.Loss <= loss && p.Saving > w.Saving {
			w.System, w.Name, w.Saving, w.Lost = p.System, p.Name, p.Saving, p.Loss
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
