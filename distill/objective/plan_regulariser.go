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

func (p *RegulariserPlan) fill()        { p.Schedule = p.Schedule.resolved(rising) }
func (p *RegulariserPlan) clear()       { *p = RegulariserPlan{} }
func (p *RegulariserPlan) needs() Needs { return Needs{} }

func (p *RegulariserPlan) checks() []check {
	return []check{
		{p.TurnPower >= 0 && p.TurnPower <= highestPower, "turn_power must be from 0 to 4"},
	}
}

// regulariser is the section of a regulariser without settings of its own.
type regulariser struct {
	*RegulariserPlan
	of func(*TurnWeights) Term
}

func (r regulariser) term() Term { return r.of(r.turns()) }

func (p *DFSaturatingPlan) term() Term {
	return DFSaturating{Scale: p.Scale, Exponential: p.Saturation == SaturationExponential, Turns: p.turns()}
}

func (p *DFSaturatingPlan) clear() { *p = DFSaturatingPlan{} }

func (p *DFSaturatingPlan) fill() {
	p.RegulariserPlan.fill()
	if p.Scale == 0 {
		p.Scale = 1
	}
	if p.Saturation == "" {
		p.Saturation = SaturationRatio
	}
}

func (p *DFSaturatingPlan) checks() []check {
	return append(p.RegulariserPlan.checks(),
		check{p.Scale == 0 || p.Scale >= 1/Highest && p.Scale <= Highest, "scale must be a weight from 1e-6 to 1e6"},
		check{p.Saturation == "" || p.Saturation == SaturationRatio || p.Saturation == SaturationExponential, "saturation must be ratio or exponential"})
}
