package distill

import (
	"context"
	"errors"
	"fmt"
	"math"

	"parley/distill/objective"
	"parley/internal/f32"
	"parley/internal/prune"
	"parley/sparse"
)

// A target is a cost that a regulariser is steered to. Its weight λ follows from
// the costs of the held-out turns, measured as search pays them and with nothing
// hidden, at even distances of steps:
//
//	e = ln(cost/goal),  I ← I + ki·e,  ln λ = ln λ₀ + I + kp·e
//
// a controller with a proportional and an integral part, in logarithms. λ₀ makes
// the price a small share of the rest of the loss, so that neither the scale of
// the scores nor that of the price matters. The goal falls with the schedule of
// the regulariser from what the student costs at first to the target, since a
// student that is pressed below it hardly comes back: a term that has no weight
// has no gradient. Once the goal is the target, the integral part hurries while
// costs stay on one side of it: the learning rate falls, and with it the answer.
const (
	proportional = 2.0
	integral     = .4
	beginning    = .005 // the share of the rest of the loss that the price begins with
	lowest       = -7   // of I
	highestSum   = 14   // of I
	hurry        = 4    // looks on one side that make the integral part faster by itself
	mostHurry    = 4    // times
	// looksPerTraining is how often a training measures its costs. With the default
	// share of held-out turns each look reads a twentieth of the turns, forward only.
	looksPerTraining = 60
	mostGain         = 3 // times the integral part, where there are fewer looks than that
)

// Targeted is how near a look found the cost that the plan asks for.
type Targeted struct {
	Cost   float64 `json:"cost"`   // FLOPS or L0, as search pays, of the turns that it is measured on
	Turns  int     `json:"turns"`  // so many
	Weight float64 `json:"weight"` // of the regulariser that is steered
	Within bool    `json:"within"` // the tolerance
}

// steering steers the weight of a regulariser. Its exported fields are its state.
type steering struct {
	plan  objective.TargetPlan
	rise  objective.Weighted // the regulariser, in the plan
	every int                // steps between looks
	gain  float64            // of the integral part
	turns []example          // that costs are measured on

	Looked int     // the step before which the last look was; 0 for none yet
	Start  float64 // the cost at the first look
	Begin  float64 // λ₀
	Sum    float64 // I
	Side   int     // looks since the cost was last on the other side of the target, or near it
	Weight float64 // λ; 0 before the first look
}

// newSteering returns what steers to the plan's target, nil if there is none.
func (t *trainer) newSteering() (*steering, error) {
	plan := t.plan.Objective.Target
	if !plan.On() {
		return nil, nil
	}
	s := &steering{plan: plan, every: max(1, t.schedule.steps/looksPerTraining)}
	for _, term := range t.terms {
		if term.Name() == plan.By {
			s.rise = term
		}
	}
	looks := float64(t.schedule.steps) / float64(s.every)
	s.gain = integral * min(max(looksPerTraining/looks, 1), mostGain)
	for i := range t.held {
		if s.counts(&t.held[i]) {
			s.turns = append(s.turns, t.held[i])
		}
	}
	if len(s.turns) == 0 {
		return nil, fmt.Errorf("objective.target.conversations is answered, and no held-out conversation has an answer: hold out more, or measure on all")
	}
	return s, nil
}

// due tells whether costs are to be measured before a step.
func (s *steering) due(step int) bool { return s != nil && step%s.every == 0 && s.Looked < step }

// goal returns the cost that is steered to at a step.
func (s *steering) goal(step int) float64 {
	target, r := s.plan.Cost(), s.rise
	if step >= r.To || r.Shape == objective.ShapeConstant || s.Start <= target {
		return target
	}
	x := max(0, float64(step-r.From)/float64(r.To-r.From))
	if r.Shape == objective.ShapeQuadratic {
		x *= 2 - x
	}
	return s.Start * math.Pow(target/s.Start, x)
}

// begin sets where the search for the weight begins: at a share of the rest of
// the loss.
func (s *steering) begin(cost float64, losses []Loss) {
	rest, price := 0.0, 0.0
	for _, l := range losses {
		if l.Term == s.plan.By {
			price = l.Value
		} else {
			rest += l.Weight * l.Value
		}
	}
	s.Start, s.Begin = cost, s.rise.Weight // where nothing can be told of the scale
	if rest > 0 && price > 0 {
		s.Begin = beginning * rest / price
	}
}

// steer sets the weight by the cost that was measured before a step.
func (s *steering) steer(step int, cost float64) {
	s.Looked = step
	e := math.Log(max(cost, 1e-6) / s.goal(step))
	gain := s.gain * min(1+math.Abs(float64(s.Side))/hurry, mostHurry)
	switch {
	case step < s.rise.To || math.Abs(e) <= s.plan.Tolerance:
		s.Side = 0
	case e > 0:
		s.Side = max(s.Side, 0) + 1
	default:
		s.Side = min(s.Side, 0) - 1
	}
	s.Sum = min(max(s.Sum+gain*e, lowest), highestSum)
	s.Weight = min(s.Begin*math.Exp(s.Sum+proportional*e), objective.Highest)
}

// far returns how far a cost is from the target: 0 within the tolerance, and else
// the logarithm of their ratio.
func (s *steering) far(cost float64) float64 {
	target := s.plan.Cost()
	if math.Abs(cost-target) <= s.plan.Tolerance*target {
		return 0
	}
	return math.Abs(math.Log(max(cost, 1e-6) / target))
}

// of returns the cost that the target is about.
func (s *steering) of(c prune.Costs) float64 {
	if s.plan.FLOPS > 0 {
		return c.FLOPS
	}
	return c.L0
}

// possible tells whether s can be the state before a step, of steps.
func (s *steering) possible(step int) bool {
	return within(s.Looked, 0, step) && finite(s.Start) && s.Start >= 0 && finite(s.Begin) && s.Begin >= 0 &&
		s.Sum >= lowest && s.Sum <= highestSum && within(s.Side, -step, step) && s.Weight >= 0 && s.Weight <= objective.Highest
}

// take takes over the state of another.
func (s *steering) take(state *steering) {
	s.Looked, s.Start, s.Begin, s.Sum, s.Side, s.Weight = state.Looked, state.Start, state.Begin, state.Sum, state.Side, state.Weight
}

// steerIfDue measures costs before the step to come if it is time to.
func (t *trainer) steerIfDue(ctx context.Context) error {
	if !t.steering.due(t.adam.steps) {
		return nil
	}
	vectors, err := t.vectors(ctx, t.steering.turns)
	if err != nil {
		return err
	}
	s := t.steering
	cost := s.of(t.plan.Prune.Costs(vectors, t.passages))
	if s.Looked == 0 {
		losses := t.running
		if losses.Turns == 0 { // an epoch has just ended
			losses = sums{Turns: 1, Losses: t.history[len(t.history)-1].Terms}
		}
		s.begin(cost, losses.mean(nil).Terms)
	}
	s.steer(t.adam.steps, cost)
	return nil
}

// targeted returns how near the student is to the target, by the vectors of the
// held-out turns as they are served; nil if there is no target.
func (t *trainer) targeted(served []sparse.Vector) *Targeted {
	if t.steering == nil {
		return nil
	}
	s := t.steering
	var vectors []sparse.Vector
	for i := range t.held {
		if s.counts(&t.held[i]) {
			vectors = append(vectors, served[i])
		}
	}
	cost := s.of(prune.Rule{}.Costs(vectors, t.passages))
	return &Targeted{Cost: cost, Turns: len(vectors), Weight: s.Weight, Within: s.far(cost) == 0}
}

// counts tells whether the target is about a turn.
func (s *steering) counts(ex *example) bool {
	return s.plan.Conversations == objective.ConversationsAll || ex.answered
}

// vectors returns copies of what the student makes of turns as it serves.
func (t *trainer) vectors(ctx context.Context, turns []example) ([]sparse.Vector, error) {
	c := &copying{t: t, all: make([]sparse.Vector, len(turns))}
	return c.all, t.encode(ctx, turns, c)
}

// copying copies the vectors of the part on stage.
type copying struct {
	t   *trainer
	all []sparse.Vector
}

func (c *copying) Do(i, _ int) {
	s := &c.t.stage
	c.all[s.batch[s.from+i]] = prune.Rule{}.Apply(s.vectors[i], nil)
}

// weight returns the weight of a term at a step.
func (t *trainer) weight(term objective.Weighted, step int) float64 {
	if t.steering != nil && term.Name() == t.steering.plan.By {
		return t.steering.Weight
	}
	return term.At(step)
}

// unsteered returns the loss of a look without what the steered regulariser adds,
// whose weight differs from look to look.
func (t *trainer) unsteered(e Epoch) float64 {
	loss := e.Loss
	for _, l := range e.Terms {
		if t.steering != nil && l.Term == t.steering.plan.By {
			loss -= l.Weight * l.Value
		}
	}
	return loss
}

// Pruned is what a rule of pruning makes of the queries of held-out turns.
type Pruned struct {
	Rule   prune.Rule  `json:"keep"`
	Turns  int         `json:"turns"` // that costs are measured on
	Before prune.Costs `json:"before"`
	After  prune.Costs `json:"after"`
}

// finish returns by which rule the student that is kept prunes, and what is to be
// known of how it met the target: one that costs too much is cut to it, by value
// per cost on the held-out turns.
func (t *trainer) finish(ctx context.Context, r *Result) error {
	turns, rule := t.held, t.plan.Prune
	if t.steering == nil && rule == (prune.Rule{}) || len(turns) == 0 {
		r.keep = rule
		return nil
	}
	if t.steering != nil {
		turns = t.steering.turns
	}
	vectors, err := t.vectors(ctx, turns)
	if err != nil {
		return err
	}
	p := &Pruned{Rule: rule, Turns: len(vectors), Before: prune.Rule{}.Costs(vectors, t.passages), After: rule.Costs(vectors, t.passages)}
	if t.steering != nil {
		r.Warnings = append(r.Warnings, t.steering.meet(p, vectors, t.passages)...)
	}
	if r.keep = p.Rule; p.Rule != (prune.Rule{}) {
		r.Pruned = p
	}
	return nil
}

// meet says what is to be known where p does not meet the target, and makes it
// meet it where that takes fewer terms.
func (s *steering) meet(p *Pruned, vectors []sparse.Vector, stats prune.Statistics) (warnings []string) {
	target, name, got := s.plan.Cost(), "FLOPS", s.of(p.After)
	if s.plan.L0 > 0 {
		name = "terms"
	}
	switch {
	case s.far(got) == 0:
		return nil
	case got < target:
		return []string{fmt.Sprintf("the student costs %.3g %s on held-out turns, less than the target of %v: the weight of %s was lowered to %.2g and could not raise it; "+
			"a student may be cheaper than that without any regulariser", got, name, target, s.plan.By, s.Weight)}
	}
	lower := p.Rule.ToFLOPS
	if s.plan.L0 > 0 {
		lower = p.Rule.ToL0
	}
	rule, costs, err := lower(vectors, stats, target)
	if err != nil {
		return []string{fmt.Sprintf("the student costs %.3g %s on held-out turns, more than the target of %v, and cannot be pruned to it: %s", got, name, target, err)}
	}
	p.Rule, p.After = rule, costs
	return []string{fmt.Sprintf("the training ended at %.3g %s on held-out turns, outside the tolerance of the target of %v: queries are pruned to it by a value per cost of %v; "+
		"more epochs would let the weight of %s settle", got, name, target, rule.ValuePerCost, s.plan.By)}
}

// checkCosts reports what makes no sense in what the plan says of costs.
func (p Plan) checkCosts() error {
	if p.Objective.Target.On() && p.Validation.Share == 0 {
		return errors.New("objective.target is measured on held-out conversations: validation.share must be above 0")
	}
	if err := p.Prune.Check(); err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	return nil
}

var _ f32.Task = (*copying)(nil)
