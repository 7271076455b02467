package objective

// RegulariserPlan is the section of a regulariser.
type RegulariserPlan struct {
	Schedule `yaml:",inline"`
	// TurnPower weighs turns by a power of their number, see [TurnWeights]; 0: all
	// alike.
	TurnPower float64 `yaml:"turn_power,omitempty" json:"turn_power,omitempty"`
}

// DFSaturatingPlan is the section of [DFSaturating].
type DFSaturatingPlan struct {
	RegulariserPlan `yaml:",inline"`
	Scale           float64 `yaml:"scale" json:"scale"`           // a weight; 0 means 1
	Saturation      string  `yaml:"saturation" json:"saturation"` // ratio, q/(q+s), or exponential, 1 − exp(−q/s)
}

// The functions of [DFSaturating].
const (
	SaturationRatio       = "ratio"
	SaturationExponential = "exponential"
)

// turns returns the weights of turns that the plan asks for.
func (p RegulariserPlan) turns() *TurnWeights {
	if p.TurnPower == 0 {
		return nil
	}
	return &TurnWeights{Power: p.TurnPower}
}

// highestPower is the highest power of a turn's number.
const highestPower = 4

func (p RegulariserPlan) checks(name string) []check {
	return []check{
		{p.Weight != 0 || p.TurnPower == 0, name + ".turn_power cannot act without " + name + ".weight: name a weight, or leave it out"},
		{p.TurnPower >= 0 && p.TurnPower <= highestPower, name + ".turn_power must be from 0 to 4"},
	}
}

func (p *RegulariserPlan) resolve() {
	if p.Weight == 0 {
		*p = RegulariserPlan{}
		return
	}
	p.Schedule = p.Schedule.resolved(rising)
}

// regulariser is the section of a regulariser without settings of its own.
type regulariser struct {
	plan *RegulariserPlan
	of   func(*TurnWeights) Term
}

func (r *regulariser) schedule() *Schedule        { return &r.plan.Schedule }
func (r *regulariser) term() Term                 { return r.of(r.plan.turns()) }
func (r *regulariser) checks(name string) []check { return r.plan.checks(name) }
func (r *regulariser) resolve()                   { r.plan.resolve() }

func (p *DFSaturatingPlan) schedule() *Schedule { return &p.Schedule }

func (p *DFSaturatingPlan) term() Term {
	return DFSaturating{Scale: p.Scale, Exponential: p.Saturation == SaturationExponential, Turns: p.turns()}
}

func (p *DFSaturatingPlan) resolve() {
	p.RegulariserPlan.resolve()
	if p.Weight == 0 {
		*p = DFSaturatingPlan{}
		return
	}
	if p.Scale == 0 {
		p.Scale = 1
	}
	if p.Saturation == "" {
		p.Saturation = SaturationRatio
	}
}

func (p *DFSaturatingPlan) checks(name string) []check {
	return append(p.RegulariserPlan.checks(name),
		check{p.Scale == 0 || p.Scale >= 1/Highest && p.Scale <= Highest, name + ".scale must be a weight from 1e-6 to 1e6"},
		check{p.Saturation == "" || p.Saturation == SaturationRatio || p.Saturation == SaturationExponential, name + ".saturation must be ratio or exponential"})
}
