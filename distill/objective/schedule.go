package objective

import "parley/internal/f32"

// How a weight gets from 0 to its height.
const (
	ShapeConstant  = "constant"  // at once
	ShapeLinear    = "linear"    // evenly
	ShapeQuadratic = "quadratic" // slowly first (Lassance and Clinchant, arXiv 2207.03834, after SPLADE)
)

// Schedule is a term's weight over the steps of a training: 0 before the share
// From of them, rising until the share To, and then Weight.
type Schedule struct {
	Weight float64 `yaml:"weight" json:"weight"`
	From   float64 `yaml:"from" json:"from"`
	To     float64 `yaml:"to" json:"to"`
	Shape  string  `yaml:"shape" json:"shape"` // constant, linear or quadratic
}

// DefaultRise is the share of the steps over which regularisers whose plan says
// nothing else rise, quadratically: a student finds its terms before it is made
// to drop them.
const DefaultRise = .33

// resolved returns the schedule with its shape named: quadratic where it has an
// end to rise to, or else the one given.
func (s Schedule) resolved(otherwise Schedule) Schedule {
	switch {
	case s.Shape != "":
	case s.To > s.From:
		s.Shape = ShapeQuadratic
	default:
		s.Shape = otherwise.Shape
		if s.From == 0 {
			s.To = otherwise.To
		}
	}
	if s.Shape == ShapeConstant {
		s.To = s.From
	}
	return s
}

// atOnce and rising are the schedules of terms whose plan names none.
var (
	atOnce = Schedule{Shape: ShapeConstant}
	rising = Schedule{Shape: ShapeQuadratic, To: DefaultRise}
)

// over returns the term with its weight over the given number of steps.
func (s Schedule) over(steps int, t Term) Weighted {
	return Weighted{Term: t, Weight: s.Weight, From: int(s.From * float64(steps)), To: int(s.To * float64(steps)), Shape: s.Shape}
}

// Weighted is a term with its weight, which is 0 before step From and Weight from
// step To on.
type Weighted struct {
	Term
	Weight   float64
	From, To int
	Shape    string // how it rises between the two
}

// At returns the weight at a step, from 0.
func (w Weighted) At(step int) float64 {
	switch {
	case step < w.From:
		return 0
	case step >= w.To || w.Shape == ShapeConstant:
		return w.Weight
	}
	share := float64(step-w.From) / float64(w.To-w.From)
	if w.Shape == ShapeLinear {
		return w.Weight * share
	}
	return w.Weight * share * share
}

// trained is a term with a parameter of its own, which is trained with the
// student's.
type trained interface {
	parameter() *f32.Parameter // nil for none
	Current() float64          // what comes of it
}

// Learned returns the temperature that the term has learned, 0 where it learns
// none.
func (w Weighted) Learned() float64 {
	if t, ok := w.Term.(trained); ok && t.parameter() != nil {
		return t.Current()
	}
	return 0
}

// Parameters returns the parameters of the terms.
func Parameters(terms []Weighted) []*f32.Parameter {
	var all []*f32.Parameter
	for _, w := range terms {
		if t, ok := w.Term.(trained); ok && t.parameter() != nil {
			all = append(all, t.parameter())
		}
	}
	return all
}
