package objective

import (
	"errors"
	"fmt"
)

// PairsPlan says of which terms the objective of an encoder of queries and
// passages is made, as [Plan] does of a student's.
type PairsPlan struct {
	InfoNCE      ContrastPlan    `yaml:"infonce,omitempty" json:"infonce,omitzero"`
	CrossEntropy ContrastPlan    `yaml:"cross_entropy,omitempty" json:"cross_entropy,omitzero"`
	Hinge        HingePlan       `yaml:"hinge,omitempty" json:"hinge,omitzero"`
	MarginMSE    TermPlan        `yaml:"margin_mse,omitempty" json:"margin_mse,omitzero"`
	KLD          KLDPlan         `yaml:"kld,omitempty" json:"kld,omitzero"`
	QueryFLOPS   RegulariserPlan `yaml:"query_flops,omitempty" json:"query_flops,omitzero"`
	QueryL1      RegulariserPlan `yaml:"query_l1,omitempty" json:"query_l1,omitzero"`
	PassageFLOPS RegulariserPlan `yaml:"passage_flops,omitempty" json:"passage_flops,omitzero"`
	PassageL1    RegulariserPlan `yaml:"passage_l1,omitempty" json:"passage_l1,omitzero"`
	// TeacherScale multiplies the run's scores, which are the teacher's.
	TeacherScale float64 `yaml:"teacher_scale" json:"teacher_scale"`
}

// sections returns the sections of terms that look at queries and scores, then
// those of terms that look at passages.
func (p *PairsPlan) sections() (queries, passages sections) {
	flops := func(*TurnWeights) Term { return &FLOPS{} }
	l1 := func(*TurnWeights) Term { return L1{} }
	queries = sections{
		{"infonce", &p.InfoNCE},
		{"cross_entropy", joint{&p.CrossEntropy}},
		{"hinge", &p.Hinge},
		{"margin_mse", plain{&p.MarginMSE, MarginMSE{}, Needs{Labels: true}}},
		{"kld", &p.KLD},
		{"query_flops", regulariser{&p.QueryFLOPS, flops}},
		{"query_l1", regulariser{&p.QueryL1, l1}},
	}
	passages = sections{
		{"passage_flops", regulariser{&p.PassageFLOPS, flops}},
		{"passage_l1", regulariser{&p.PassageL1, l1}},
	}
	return queries, passages
}

// Contrasts tells whether a term learns from labels alone.
func (p PairsPlan) Contrasts() bool {
	return p.InfoNCE.Weight > 0 || p.CrossEntropy.Weight > 0 || p.Hinge.Weight > 0
}

// Teaches tells whether a term looks at a teacher's scores.
func (p PairsPlan) Teaches() bool { return p.MarginMSE.Weight > 0 || p.KLD.Weight > 0 }

// Resolved returns the plan with every setting named of the terms that are on,
// and nothing of those that are off.
func (p PairsPlan) Resolved() PairsPlan {
	p.InfoNCE.goBy(p.KLD)
	p.CrossEntropy.goBy(p.KLD)
	queries, passages := p.sections()
	queries.resolve()
	passages.resolve()
	return p
}

// Terms returns the terms that are on, those of queries and those of passages,
// for a training of the given number of steps.
func (p PairsPlan) Terms(steps int) (queries, passages []Weighted) {
	ofQueries, ofPassages := p.sections()
	return ofQueries.terms(steps), renamed(ofPassages.terms(steps), "passage_")
}

// renamed puts prefix before the names of terms.
func renamed(terms []Weighted, prefix string) []Weighted {
	for i, w := range terms {
		terms[i].Term = prefixed{w.Term, prefix + w.Name()}
	}
	return terms
}

// prefixed is a term under another name.
type prefixed struct {
	Term
	name string
}

// Name returns the other name.
func (p prefixed) Name() string { return p.name }

// Validate reports the first setting that makes no sense.
func (p PairsPlan) Validate() error {
	queries, passages := p.sections()
	for _, all := range []sections{queries, passages} {
		if err := all.validate(); err != nil {
			return err
		}
	}
	for _, which := range []struct{ name, negatives string }{
		{"infonce", p.InfoNCE.Negatives}, {"cross_entropy", p.CrossEntropy.Negatives}, {"hinge", p.Hinge.Negatives},
	} {
		if which.negatives != "" && which.negatives != NegativesBoth {
			return fmt.Errorf("objective.%s.negatives must be both: all passages of a batch are candidates of each of its queries", which.name)
		}
	}
	for _, r := range []RegulariserPlan{p.QueryFLOPS, p.QueryL1, p.PassageFLOPS, p.PassageL1} {
		if r.TurnPower != 0 {
			return errors.New("objective: turn_power is for students, whose queries are turns of a conversation")
		}
	}
	switch {
	case !p.Contrasts() && !p.Teaches():
		return errors.New("objective has no term that teaches: give objective.infonce, cross_entropy, hinge, margin_mse or kld a weight")
	case !(p.TeacherScale > 0) || p.TeacherScale > Highest:
		return errors.New("objective.teacher_scale must be above 0 and at most 1e6")
	}
	return nil
}

// CheckNamed refuses sections of a plan file, as it was written over p, that would
// do nothing. content maps the names of terms to their settings.
func (p PairsPlan) CheckNamed(content map[string]any) error {
	queries, passages := p.sections()
	if err := queries.checkNamed(content); err != nil {
		return err
	}
	return passages.checkNamed(content)
}
