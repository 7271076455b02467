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
	KLD          KLDPlan         `yaml:"kld,omitempty" json:"kld,omitzero"`
	InfoNCE      ContrastPlan    `yaml:"infonce,omitempty" json:"infonce,omitzero"`
	CrossEntropy ContrastPlan    `yaml:"cross_entropy,omitempty" json:"cross_entropy,omitzero"`
	MarginMSE    TermPlan        `yaml:"margin_mse,omitempty" json:"margin_mse,omitzero"`
	Hinge        HingePlan       `yaml:"hinge,omitempty" json:"hinge,omitzero"`
	VectorMSE    TermPlan        `yaml:"vector_mse,omitempty" json:"vector_mse,omitzero"`
	VectorL1     TermPlan        `yaml:"vector_l1,omitempty" json:"vector_l1,omitzero"`
	Asymmetric   TermPlan        `yaml:"asymmetric,omitempty" json:"asymmetric,omitzero"`
	PositiveMSE  TermPlan        `yaml:"positive_mse,omitempty" json:"positive_mse,omitzero"`
	NegativeMSE  TermPlan        `yaml:"negative_mse,omitempty" json:"negative_mse,omitzero"`
	L1           RegulariserPlan `yaml:"l1,omitempty" json:"l1,omitzero"`
	DFL1         RegulariserPlan `yaml:"df_l1,omitempty" json:"df_l1,omitzero"`

	DFSaturating DFSaturatingPlan `yaml:"df_saturating,omitempty" json:"df_saturating,omitzero"`
	FLOPS        RegulariserPlan  `yaml:"flops,omitempty" json:"flops,omitzero"`
	Entropy      RegulariserPlan  `yaml:"entropy,omitempty" json:"entropy,omitzero"`
	L0           RegulariserPlan  `yaml:"l0,omitempty" json:"l0,omitzero"`

	// Target asks for a cost, which one of the regularisers is steered to.
	Target TargetPlan `yaml:"target,omitempty" json:"target,omitzero"`
}

// KLDPlan is the section of [KLD].
type KLDPlan struct {
	Schedule    `yaml:",inline"`
	Temperature float64   `yaml:"temperature" json:"temperature"` // 0 means 1
	Direction   string    `yaml:"direction" json:"direction"`     // forward or reverse
	Alpha       AlphaPlan `yaml:"alpha,omitempty" json:"alpha,omitzero"`
}

// AlphaPlan weighs candidates as [Balanced] does; with nothing in it all count
// alike. Positive and Negative that are both 0 mean 1.
type AlphaPlan struct {
	Positive float64 `yaml:"positive" json:"positive"`
	Negative float64 `yaml:"negative" json:"negative"`
	Gamma    float64 `yaml:"gamma" json:"gamma"`
	By       string  `yaml:"by" json:"by"` // whose probabilities: teacher or student
}

// Whose probabilities weigh candidates, and which way a divergence goes.
const (
	ByTeacher        = "teacher"
	ByStudent        = "student"
	DirectionForward = "forward"
	DirectionReverse = "reverse"
)

// ContrastPlan is the section of [InfoNCE] and of [CrossEntropy].
type ContrastPlan struct {
	Schedule `yaml:",inline"`
	// Temperature is that of the divergence where it is not named: both go with the
	// scale of the scores. Without a divergence it is 1.
	Temperature float64 `yaml:"temperature" json:"temperature"`
	Learned     bool    `yaml:"learned" json:"learned"`     // the temperature is what learning starts from
	Negatives   string  `yaml:"negatives" json:"negatives"` // turn, batch or both
}

// HingePlan is the section of [Hinge].
type HingePlan struct {
	Schedule  `yaml:",inline"`
	Margin    float64 `yaml:"margin" json:"margin"`       // 0 means 1
	Negatives string  `yaml:"negatives" json:"negatives"` // turn, batch or both
}

// TermPlan is the section of a term without settings of its own.
type TermPlan struct {
	Schedule `yaml:",inline"`
}

// sections returns all sections.
func (p *Plan) sections() sections {
	labels, norms := Needs{Labels: true}, Needs{Labels: true, Norms: true}
	return sections{
		{"kld", &p.KLD},
		{"infonce", &p.InfoNCE},
		{"cross_entropy", joint{&p.CrossEntropy}},
		{"margin_mse", plain{&p.MarginMSE, MarginMSE{}, labels}},
		{"hinge", &p.Hinge},
		{"vector_mse", plain{&p.VectorMSE, VectorMSE{}, Needs{}}},
		{"vector_l1", plain{&p.VectorL1, VectorL1{}, Needs{}}},
		{"asymmetric", plain{&p.Asymmetric, Asymmetric{}, Needs{}}},
		{"positive_mse", plain{&p.PositiveMSE, PositiveMSE{}, norms}},
		{"negative_mse", plain{&p.NegativeMSE, NegativeMSE{}, norms}},
		{"l1", regulariser{&p.L1, func(w *TurnWeights) Term { return L1{w} }}},
		{"df_l1", regulariser{&p.DFL1, func(w *TurnWeights) Term { return DFL1{w} }}},
		{"df_saturating", &p.DFSaturating},
		{"flops", regulariser{&p.FLOPS, func(w *TurnWeights) Term { return &FLOPS{Turns: w} }}},
		{"entropy", regulariser{&p.Entropy, func(w *TurnWeights) Term { return Entropy{w} }}},
		{"l0", regulariser{&p.L0, func(w *TurnWeights) Term { return L0{w} }}},
	}
}

// Sections returns the names of all sections.
func Sections() []string { return new(Plan).sections().names() }

// Resolved returns the plan with every setting named of the terms that are on,
// and nothing of those that are off.
func (p Plan) Resolved() Plan {
	p.InfoNCE.goBy(p.KLD)
	p.CrossEntropy.goBy(p.KLD)
	p.sections().resolve()
	p.Target = p.Target.resolved()
	return p
}

// Terms returns the terms that are on, for a training of the given number of
// steps.
func (p Plan) Terms(steps int) []Weighted { return p.sections().terms(steps) }

// Needs returns what the terms that are on look at.
func (p Plan) Needs() Needs {
	var all Needs
	for _, s := range p.sections().on() {
		n := s.needs()
		all = Needs{all.Labels || n.Labels, all.Others || n.Others, all.Norms || n.Norms}
	}
	return all
}

// Labelled returns the names of the sections whose terms look at labels.
func (p Plan) Labelled() []string {
	return p.sections().with(func(n Needs) bool { return n.Labels })
}

// Validate reports the first setting that makes no sense.
func (p Plan) Validate() error {
	if err := p.sections().validate(); err != nil {
		return err
	}
	if err := p.checkTarget(); err != nil {
		return err
	}
	teachers := []float64{
		p.KLD.Weight, p.InfoNCE.Weight, p.CrossEntropy.Weight, p.MarginMSE.Weight, p.Hinge.Weight,
		p.VectorMSE.Weight, p.VectorL1.Weight, p.Asymmetric.Weight, p.PositiveMSE.Weight,
	}
	if slices.Max(teachers) == 0 {
		return errors.New("objective has no term that teaches: give objective.kld a weight, or another term than a regulariser")
	}
	if w := p.NegativeMSE.Weight; w > 0 && w >= p.VectorMSE.Weight+p.PositiveMSE.Weight {
		return errors.New("objective.negative_mse.weight must be below those of vector_mse and positive_mse together: the loss would fall without end")
	}
	return nil
}

// CheckNames refuses sections of a plan file that no student can have, with the
// reason. content maps the names of terms to their settings.
func CheckNames(content map[string]any) error {
	for _, name := range []string{"passage_flops", "passage_l1"} {
		if _, isNamed := content[name]; isNamed {
			return fmt.Errorf("objective.%s: %w", name, errPassages)
		}
	}
	return nil
}

// CheckNamed refuses sections of a plan file, as it was written over p, that would
// do nothing. content maps the names of terms to their settings.
func (p Plan) CheckNamed(content map[string]any) error { return p.sections().checkNamed(content) }
