package objective

import (
	"errors"
	"fmt"
	"slices"
)

// Plan says of which terms an objective is made: a section each, at most once.
// One that a plan file does not name, or that has no weight, is off. The weights
// of regularisers go with the scale of the scores and with the temperature.
type Plan struct {
	KLD  KLDPlan         `yaml:"kld,omitempty" json:"kld,omitzero"`
	L1   RegulariserPlan `yaml:"l1,omitempty" json:"l1,omitzero"`
	DFL1 RegulariserPlan `yaml:"df_l1,omitempty" json:"df_l1,omitzero"`

	DFSaturating DFSaturatingPlan `yaml:"df_saturating,omitempty" json:"df_saturating,omitzero"`
	FLOPS        RegulariserPlan  `yaml:"flops,omitempty" json:"flops,omitzero"`
	Entropy      RegulariserPlan  `yaml:"entropy,omitempty" json:"entropy,omitzero"`
	L0           RegulariserPlan  `yaml:"l0,omitempty" json:"l0,omitzero"`
}

// KLDPlan is the section of [KLD].
type KLDPlan struct {
	Schedule    `yaml:",inline"`
	Temperature float64 `yaml:"temperature" json:"temperature"`
}

// section is one section of a plan.
type section interface {
	schedule() *Schedule
	resolve()
	checks(name string) []check
	term() Term
}

// named is a section and its name in the plan file.
type named struct {
	name string
	section
}

// sections returns all sections, in the order in which their terms are added.
func (p *Plan) sections() []named {
	return []named{
		{"kld", &p.KLD},
		{"l1", &regulariser{&p.L1, func(w *TurnWeights) Term { return L1{w} }}},
		{"df_l1", &regulariser{&p.DFL1, func(w *TurnWeights) Term { return DFL1{w} }}},
		{"df_saturating", &p.DFSaturating},
		{"flops", &regulariser{&p.FLOPS, func(w *TurnWeights) Term { return &FLOPS{Turns: w} }}},
		{"entropy", &regulariser{&p.Entropy, func(w *TurnWeights) Term { return Entropy{w} }}},
		{"l0", &regulariser{&p.L0, func(w *TurnWeights) Term { return L0{w} }}},
	}
}

// Sections returns the names of all sections.
func Sections() []string {
	var names []string
	for _, s := range new(Plan).sections() {
		names = append(names, s.name)
	}
	return names
}

// Resolved returns the plan with every setting named of the terms that are on,
// and nothing of those that are off.
func (p Plan) Resolved() Plan {
	for _, s := range p.sections() {
		s.resolve()
	}
	return p
}

// Terms returns the terms that are on, for a training of the given number of
// steps.
func (p Plan) Terms(steps int) []Weighted {
	var terms []Weighted
	for _, s := range p.sections() {
		if s.schedule().Weight > 0 {
			terms = append(terms, s.schedule().over(steps, s.term()))
		}
	}
	return terms
}

// Validate reports the first setting that makes no sense.
func (p Plan) Validate() error {
	for _, s := range p.sections() {
		for _, c := range append(s.schedule().checks(s.name), s.checks(s.name)...) {
			if !c.ok {
				return errors.New("objective." + c.what)
			}
		}
	}
	if p.KLD.Weight == 0 {
		return errors.New("objective.kld.weight must be above 0: nothing else teaches")
	}
	return nil
}

// check is a setting that must make sense, and what to say where it does not,
// after "objective.".
type check struct {
	ok   bool
	what string
}

// Highest is the highest weight or temperature; beyond it float32 overflows.
const Highest = 1e6

func (s *Schedule) checks(name string) []check {
	if s.Weight == 0 {
		return nil
	}
	shapes := []string{"", ShapeConstant, ShapeLinear, ShapeQuadratic}
	return []check{
		{s.Weight >= 0 && s.Weight <= Highest, name + ".weight must be from 0 to 1e6"},
		{s.From >= 0 && s.From <= 1, name + ".from must be a share of the steps, from 0 to 1"},
		{s.To >= s.From && s.To <= 1, name + ".to must be a share of the steps, from that in from to 1"},
		{slices.Contains(shapes, s.Shape), name + ".shape must be constant, linear or quadratic"},
	}
}

func temperature(name string, t float64) check {
	return check{t >= 1/Highest && t <= Highest, name + ".temperature must be from 1e-6 to 1e6"}
}

func (k *KLDPlan) schedule() *Schedule { return &k.Schedule }
func (k *KLDPlan) term() Term          { return KLD{Temperature: k.Temperature} }

func (k *KLDPlan) resolve() {
	if k.Weight == 0 {
		*k = KLDPlan{}
		return
	}
	k.Schedule = k.Schedule.resolved(atOnce)
}

func (k *KLDPlan) checks(name string) []check {
	if k.Weight == 0 {
		return nil
	}
	return []check{temperature(name, k.Temperature)}
}

// CheckNamed reports what is wrong with the objective's section of a plan file as
// it was written over p: content maps the names of terms to their settings. A
// term that is named without a weight, where p has none either, would do nothing.
func (p Plan) CheckNamed(content map[string]any) error {
	for _, s := range p.sections() {
		settings, isNamed := content[s.name]
		given, _ := settings.(map[string]any)
		_, weighed := given["weight"]
		switch {
		case isNamed && settings == nil:
			return fmt.Errorf("objective.%s is empty: give it a weight, which is 0 to turn it off", s.name)
		case isNamed && !weighed && s.schedule().Weight == 0:
			return fmt.Errorf("objective.%s has no weight, so that it would do nothing: name its weight", s.name)
		}
	}
	return nil
}
