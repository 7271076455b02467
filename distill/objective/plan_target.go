package objective

import "errors"

// TargetPlan asks for what queries are to cost, in place of a regulariser's
// weight: the trainer steers the weight. At most one of FLOPS and L0 is asked for.
type TargetPlan struct {
	// FLOPS is the sum over a query's terms of the share of the passages that have
	// the term, in the mean; 0: not asked for.
	FLOPS float64 `yaml:"flops,omitempty" json:"flops,omitempty"`
	// L0 is the number of a query's terms, in the mean; 0: not asked for.
	L0 float64 `yaml:"l0,omitempty" json:"l0,omitempty"`
	// By is the regulariser that is steered; "" means df_l1. Its weight in the plan
	// only sets where the search for the weight begins.
	By string `yaml:"by" json:"by"`
	// Tolerance is how far off the cost may be, as a share of it; 0 means .03.
	Tolerance float64 `yaml:"tolerance" json:"tolerance"`
	// Conversations are the held-out ones that the cost is measured on: all, or
	// answered, those in which there are answers; "" means all.
	Conversations string `yaml:"conversations" json:"conversations"`
}

// The conversations of [TargetPlan].
const (
	ConversationsAll      = "all"
	ConversationsAnswered = "answered"
)

// Defaults of [TargetPlan].
const (
	DefaultTolerance = .03
	defaultBy        = "df_l1"
)

// On tells whether a cost is asked for.
func (p TargetPlan) On() bool { return p.FLOPS > 0 || p.L0 > 0 }

// Cost returns the cost that is asked for.
func (p TargetPlan) Cost() float64 { return max(p.FLOPS, p.L0) }

func (p TargetPlan) resolved() TargetPlan {
	if !p.On() {
		return TargetPlan{}
	}
	if p.By == "" {
		p.By = defaultBy
	}
	if p.Tolerance == 0 {
		p.Tolerance = DefaultTolerance
	}
	if p.Conversations == "" {
		p.Conversations = ConversationsAll
	}
	return p
}

// checkTarget reports what makes no sense in the target beside the terms.
func (p *Plan) checkTarget() error {
	t := p.Target
	resolved := t.resolved()
	by := p.regulariser(resolved.By)
	for _, c := range []check{
		{t.FLOPS >= 0 && t.FLOPS <= Highest && t.L0 >= 0 && t.L0 <= Highest, "target.flops and target.l0 must be from 0 to 1e6"},
		{t.FLOPS == 0 || t.L0 == 0, "target asks for FLOPS and for L0: name one, a weight meets one cost"},
		{t.On() || t == TargetPlan{}, "target names no cost, so that it would do nothing: name flops or l0"},
		{!t.On() || by != nil, "target.by must name a regulariser: df_l1, df_saturating, l1, flops, entropy or l0"},
		{!t.On() || by == nil || by.Weight > 0, "target.by names " + resolved.By + ", which has no weight: give it one to begin with"},
		{t.Tolerance >= 0 && t.Tolerance <= .5, "target.tolerance must be a share, from 0 to .5"},
		{t.Conversations == "" || t.Conversations == ConversationsAll || t.Conversations == ConversationsAnswered, "target.conversations must be all or answered"},
	} {
		if !c.ok {
			return errors.New("objective." + c.what)
		}
	}
	return nil
}

// regulariser returns the schedule of the regulariser with the given name, nil if
// there is none.
func (p *Plan) regulariser(name string) *Schedule {
	for _, s := range p.sections() {
		if _, ok := s.term().(fitted); ok && s.name == name {
			return s.schedule()
		}
	}
	return nil
}
