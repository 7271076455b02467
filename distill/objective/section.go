package objective

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"parley/internal/f32"
)

// sections are the sections of a plan, in the order in which their terms are
// added.
type sections []section

// section is a term as a plan has it.
type section struct {
	name string
	settings
}

// settings are what a section says of its term.
type settings interface {
	schedule() *Schedule
	// fill names what is not named and has a default.
	fill()
	// clear makes everything zero.
	clear()
	// checks are of everything but the schedule. What they say goes on the
	// section's name.
	checks() []check
	term() Term
	needs() Needs
}

// Needs are what terms look at beyond the turn's vector and the scores of its own
// candidates.
type Needs struct {
	Labels bool // candidates that are judged relevant
	Others bool // the scores of other turns' candidates
	Norms  bool // the lengths of the candidates' vectors
}

// check is a setting that must make sense, and what to say where it does not.
type check struct {
	ok   bool
	what string
}

// Highest is the highest weight or temperature; beyond it float32 overflows.
const Highest = 1e6

// resolve names every setting of what is on, and clears what is off.
func (all sections) resolve() {
	for _, s := range all {
		if s.schedule().Weight == 0 {
			s.clear()
		} else {
			s.fill()
		}
	}
}

// on returns the sections whose terms are on.
func (all sections) on() sections {
	return slices.DeleteFunc(all, func(s section) bool { return s.schedule().Weight == 0 })
}

// terms returns the terms that are on, for a training of the given number of
// steps.
func (all sections) terms(steps int) []Weighted {
	var terms []Weighted
	for _, s := range all.on() {
		terms = append(terms, s.schedule().over(steps, s.term()))
	}
	return terms
}

// validate reports the first setting that makes no sense.
func (all sections) validate() error {
	for _, s := range all.on() {
		for _, c := range append(s.schedule().checks(), s.checks()...) {
			if !c.ok {
				return fmt.Errorf("objective.%s.%s", s.name, c.what)
			}
		}
	}
	return nil
}

// checkNamed reports sections of a plan file that would do nothing: content maps
// the names of terms to their settings, which were written over the sections.
func (all sections) checkNamed(content map[string]any) error {
	for _, s := range all {
		settings, isNamed := content[s.name]
		given, _ := settings.(map[string]any)
		_, weighed := given["weight"]
		switch {
		case isNamed && settings == nil:
			return fmt.Errorf("objective.%s is empty: give it a weight, which is 0 to turn it off", s.name)
		case isNamed && !weighed && s.schedule().Weight == 0:
			return fmt.Errorf("objective.%s has no weight, so that it would do nothing: name its weight", s.name)
		}
		for _, setting := range []string{"temperature", "margin", "scale"} {
			if isZero(given[setting]) {
				return fmt.Errorf("objective.%s.%s must be above 0; leave it out for the default", s.name, setting)
			}
		}
	}
	return nil
}

// isZero tells whether a setting of a plan file is 0, and not just absent.
func isZero(setting any) bool {
	switch x := setting.(type) {
	case uint64:
		return x == 0
	case float64:
		return x == 0
	}
	return false
}

// with returns the names of the sections that need something.
func (all sections) with(need func(Needs) bool) []string {
	var names []string
	for _, s := range all.on() {
		if need(s.needs()) {
			names = append(names, "objective."+s.name)
		}
	}
	return names
}

// names returns the names of all sections.
func (all sections) names() []string {
	var names []string
	for _, s := range all {
		names = append(names, s.name)
	}
	return names
}

func (s *Schedule) schedule() *Schedule { return s }

func (s *Schedule) checks() []check {
	return []check{
		{s.Weight > 0 && s.Weight <= Highest, "weight must be from 0 to 1e6"},
		{s.From >= 0 && s.From <= 1, "from must be a share of the steps, from 0 to 1"},
		{s.To >= s.From && s.To <= 1 || s.Shape == ShapeConstant, "to must be a share of the steps, from that in from to 1"},
		{slices.Contains([]string{"", ShapeConstant, ShapeLinear, ShapeQuadratic}, s.Shape), "shape must be constant, linear or quadratic"},
	}
}

// temperature is of one that is named, or 0.
func temperature(t float64) check {
	return check{t == 0 || t >= 1/Highest && t <= Highest, "temperature must be from 1e-6 to 1e6: scores are divided by it"}
}

func negatives(which string) check {
	return check{slices.Contains([]string{"", NegativesTurn, NegativesBatch, NegativesBoth}, which), "negatives must be turn, batch or both"}
}

func (k *KLDPlan) clear() { *k = KLDPlan{} }

func (k *KLDPlan) fill() {
	k.Schedule = k.Schedule.resolved(atOnce)
	k.Temperature = cmp.Or(k.Temperature, 1)
	k.Direction = cmp.Or(k.Direction, DirectionForward)
	if a := &k.Alpha; *a != (AlphaPlan{}) {
		a.By = cmp.Or(a.By, ByTeacher)
		if a.Positive == 0 && a.Negative == 0 {
			a.Positive, a.Negative = 1, 1
		}
	}
}

func (k *KLDPlan) checks() []check {
	a := k.Alpha
	checks := []check{
		temperature(k.Temperature),
		{slices.Contains([]string{"", DirectionForward, DirectionReverse}, k.Direction), "direction must be forward or reverse"},
	}
	if a == (AlphaPlan{}) {
		return checks
	}
	return append(checks,
		check{k.Direction != DirectionReverse, "alpha is for direction forward: it weighs what the teacher finds likely"},
		check{a.Positive >= 0 && a.Positive <= Highest && a.Negative >= 0 && a.Negative <= Highest, "alpha.positive and alpha.negative must be from 0 to 1e6"},
		check{a.Gamma == 0 || a.Gamma >= 1 && a.Gamma <= 100, "alpha.gamma must be 0, or from 1 to 100"},
		check{slices.Contains([]string{"", ByTeacher, ByStudent}, a.By), "alpha.by must be teacher or student"})
}

func (k *KLDPlan) needs() Needs { return Needs{Labels: k.Alpha != (AlphaPlan{})} }

func (k *KLDPlan) term() Term {
	t := KLD{Temperature: k.Temperature, Reverse: k.Direction == DirectionReverse}
	if a := k.Alpha; a != (AlphaPlan{}) {
		t.Alpha = Balanced(a.Positive, a.Negative, a.Gamma, a.By == ByStudent)
	}
	return t
}

func (c *ContrastPlan) clear() { *c = ContrastPlan{} }

func (c *ContrastPlan) fill() {
	c.Schedule = c.Schedule.resolved(atOnce)
	c.Negatives = cmp.Or(c.Negatives, NegativesBoth)
	c.Temperature = cmp.Or(c.Temperature, 1)
}

func (c *ContrastPlan) checks() []check {
	return []check{temperature(c.Temperature), negatives(c.Negatives)}
}

func (c *ContrastPlan) needs() Needs {
	return Needs{Labels: true, Others: c.Negatives != NegativesTurn}
}

// goBy gives the section the temperature of the divergence, where it has none and
// that is on.
func (c *ContrastPlan) goBy(k KLDPlan) {
	if c.Temperature == 0 && k.Weight > 0 {
		c.Temperature = k.Temperature
	}
}

// contrast returns the term of the section with the given name.
func (c *ContrastPlan) contrast(name string) InfoNCE {
	t := InfoNCE{Temperature: c.Temperature, Negatives: c.Negatives}
	if c.Learned {
		t.LogTemperature = f32.NewParameter("objective/"+name+"/log_temperature", 1)
	}
	return t
}

func (c *ContrastPlan) term() Term { return c.contrast("infonce") }

// joint is the section of cross_entropy.
type joint struct{ *ContrastPlan }

func (j joint) term() Term { return CrossEntropy(j.contrast("cross_entropy")) }

func (h *HingePlan) clear() { *h = HingePlan{} }

func (h *HingePlan) fill() {
	h.Schedule = h.Schedule.resolved(atOnce)
	h.Negatives = cmp.Or(h.Negatives, NegativesBoth)
	h.Margin = cmp.Or(h.Margin, 1)
}

func (h *HingePlan) checks() []check {
	return []check{
		{h.Margin >= 0 && h.Margin <= Highest, "margin must be above 0 and at most 1e6"},
		negatives(h.Negatives),
	}
}

func (h *HingePlan) needs() Needs { return Needs{Labels: true, Others: h.Negatives != NegativesTurn} }
func (h *HingePlan) term() Term   { return Hinge{Margin: h.Margin, Negatives: h.Negatives} }

// plain is the section of a term without settings of its own.
type plain struct {
	*TermPlan
	of   Term
	want Needs
}

func (p plain) fill()           { p.Schedule = p.Schedule.resolved(atOnce) }
func (p plain) clear()          { *p.TermPlan = TermPlan{} }
func (p plain) checks() []check { return nil }
func (p plain) needs() Needs    { return p.want }
func (p plain) term() Term      { return p.of }

// errPassages is why a student's plan has no regulariser of passages.
var errPassages = errors.New("passages are frozen, so that a regulariser of theirs cannot act: leave it out, or train an encoder of passages with parley train encoder")
