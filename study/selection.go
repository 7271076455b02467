package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Methods of selection.
const (
	SelectGrid    = "grid"    // all points
	SelectRandom  = "random"  // points drawn
	SelectHalving = "halving" // many points with few epochs, the best of them with more
)

// Costs of a query that a selection can go by.
const (
	CostFLOPS = "flops"
	CostL0    = "l0"
)

// SelectPlan says how a point of a space is chosen: by the measure that trainings
// take on held-out conversations, never on a test collection.
type SelectPlan struct {
	Method string `yaml:"method" json:"method"` // grid, random or halving
	// Trials is how many points are drawn. Of a grid it must be 0, and of halving
	// it may be: then they are all points of the grid.
	Trials int `yaml:"trials" json:"trials"`
	// Eta is what part of the points goes on from a rung of halving to the next,
	// one in eta, with eta times the epochs; 0 means 3.
	Eta int `yaml:"eta" json:"eta"`
	// Least is the smallest share of the epochs that a point is tried with in
	// halving; 0 means 1/eta².
	Least float64 `yaml:"least" json:"least"`
	// Measure is the measure of validation that chooses; "" is that of the plan.
	Measure string `yaml:"measure" json:"measure"`
	// Within, if it is not 0, is the share of the best value that may be given up
	// for what is cheaper: of the points so near to the best the cheapest is chosen,
	// by Cost: flops, or l0; "" is flops.
	Within float64 `yaml:"within" json:"within"`
	Cost   string  `yaml:"cost" json:"cost"`
	// Seeds are those that each point is trained from; the mean of their measures
	// counts.
	Seeds []uint64 `yaml:"seeds" json:"seeds"`
	// Seed is that of the points drawn.
	Seed  uint64 `yaml:"seed" json:"seed"`
	Space Space  `yaml:"space" json:"space"`
}

// Rung is a step of a selection: so many points are tried, less those that failed
// before, each with a share of the epochs.
type Rung struct {
	Points int
	Budget float64 // share of the epochs, above 0 and at most 1
}

// Worth is what a training was found to be worth on held-out conversations, in
// the mean over the seeds.
type Worth struct {
	Value float64 `json:"value"` // of the measure
	FLOPS float64 `json:"flops"` // of a query
	L0    float64 `json:"l0"`    // of a query
}

// Evaluate returns what each point is worth, trained with the given share of the
// epochs. One without a value, whose training failed, has NaN, and is not tried
// again.
type Evaluate func(ctx context.Context, points []Point, budget float64) ([]Worth, error)

// Tried is a point with what it was found to be worth.
type Tried struct {
	Point  Point   `json:"point"`
	Rung   int     `json:"rung"`   // from 0
	Budget float64 `json:"budget"` // share of the epochs
	Worth
	Failed bool `json:"failed"` // is worth nothing
}

// Selection is what a selection ended with.
type Selection struct {
	Method  string  `json:"method"`
	Measure string  `json:"measure"`
	Within  float64 `json:"within"` // of the best value, the cheapest was chosen; 0: the best
	Cost    string  `json:"cost"`   // by which it was; "" for the best
	Chosen  Point   `json:"chosen"`
	Worth           // of the chosen point, with all epochs
	// Spent is what was spent on each seed, in trainings of all epochs.
	Spent float64 `json:"spent"`
	Tried []Tried `json:"tried"` // rung by rung, in each in the order of the points
}

// Validate reports the first setting that makes no sense.
func (p SelectPlan) Validate() error {
	if err := p.Space.validate(); err != nil {
		return fmt.Errorf("select.space %w", err)
	}
	size, counted := p.Space.size()
	listed := true
	for _, d := range p.Space {
		listed = listed && d.Range == nil
	}
	halving := p.Method == SelectHalving
	all := p.Method == SelectGrid || halving && p.Trials == 0
	switch {
	case p.Method != SelectGrid && p.Method != SelectRandom && !halving:
		return fmt.Errorf("select.method must be grid, random or halving")
	case p.Method == SelectGrid && p.Trials != 0:
		return errors.New("select.trials must be left out of a grid, whose points are all tried")
	case p.Method == SelectRandom && p.Trials < 1 || p.Trials < 0 || p.Trials > mostPoints:
		return fmt.Errorf("select.trials must be from 1 to %d", mostPoints)
	case all && !listed:
		return errors.New("select.space has a range, of which not all points can be tried: list values, or draw points with method random or trials")
	case all && !counted:
		return fmt.Errorf("select.space has more than %d points: draw some of them with select.trials", mostPoints)
	case counted && p.Trials > size:
		return fmt.Errorf("select.trials is %d, and select.space has %d points", p.Trials, size)
	}
	return p.options(halving)
}

// options reports the first of the settings beside method and space that makes no
// sense.
func (p SelectPlan) options(halving bool) error {
	switch {
	case halving && spendsEpochs(p.Space):
		return errors.New("select.space has optimiser.epochs, which method halving spends itself: leave it out, or take another method")
	case !halving && (p.Eta != 0 || p.Least != 0):
		return errors.New("select.eta and select.least are for method halving")
	case halving && p.Within != 0:
		return errors.New("select.within is not for method halving: points go on by the measure alone, so that cheap ones would be lost")
	case !(p.Within >= 0 && p.Within < 1):
		return errors.New("select.within must be at least 0 and below 1, a share of the best value")
	case p.Cost != "" && p.Within == 0:
		return errors.New("select.cost acts on points within a share of the best: name that in select.within")
	case p.Cost != "" && p.Cost != CostFLOPS && p.Cost != CostL0:
		return errors.New("select.cost must be flops or l0")
	case p.Eta != 0 && (p.Eta < 2 || p.Eta > 100):
		return errors.New("select.eta must be from 2 to 100")
	case p.Least != 0 && !(p.Least >= 1e-4 && p.Least <= 1):
		return errors.New("select.least must be from 0.0001 to 1, a share of the epochs")
	}
	for i, seed := range p.Seeds {
		if slices.Contains(p.Seeds[:i], seed) {
			return fmt.Errorf("select.seeds has %d twice", seed)
		}
	}
	return nil
}

// spendsEpochs tells whether a space sets the number of epochs.
func spendsEpochs(s Space) bool {
	_, epochs := s["optimiser.epochs"]
	_, all := s["optimiser"]
	return epochs || all
}

// Points returns the points that are tried, in the order of their indexes.
func (p SelectPlan) Points() ([]Point, error) {
	if p.Trials == 0 {
		return p.Space.grid(), nil
	}
	return p.Space.draw(p.Trials, p.Seed)
}

// Rungs returns the steps for a selection from n points. With halving
// (Jamieson and Talwalkar, arXiv 1502.07943) there are as many as the least share
// of the epochs and the number of points allow; the last has all epochs.
func (p SelectPlan) Rungs(n int) []Rung {
	if p.Method != SelectHalving {
		return []Rung{{Points: n, Budget: 1}}
	}
	eta := cmp.Or(p.Eta, 3)
	least := cmp.Or(p.Least, 1/float64(eta*eta))
	budgets := []float64{1} // descending
	for parts, left := eta, n/eta; left > 0 && 1/float64(parts) >= least; parts, left = parts*eta, left/eta {
		budgets = append(budgets, 1/float64(parts))
	}
	slices.Reverse(budgets)
	rungs := make([]Rung, len(budgets))
	for i, budget := range budgets {
		rungs[i] = Rung{Points: n, Budget: budget}
		n /= eta
	}
	return rungs
}

// Search chooses the best point that evaluate finds. It is a function of its
// arguments alone, and asks always for the same points in the same order, so that
// an evaluate that remembers what it returned makes a search that can be taken up.
// Of equal values, or costs, the point with the lower index is the better one.
func Search(ctx context.Context, p SelectPlan, lowerIsBetter bool, evaluate Evaluate) (*Selection, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	points, err := p.Points()
	if err != nil {
		return nil, err
	}
	s := &Selection{Method: p.Method, Measure: p.Measure, Within: p.Within}
	if p.Within > 0 {
		s.Cost = cmp.Or(p.Cost, CostFLOPS)
	}
	for number, rung := range p.Rungs(len(points)) {
		points = inOrder(points[:min(rung.Points, len(points))])
		worths, err := evaluate(ctx, points, rung.Budget)
		if err != nil {
			return nil, err
		}
		if len(worths) != len(points) {
			panic(fmt.Sprintf("study: %d points were evaluated, %d were asked for", len(worths), len(points)))
		}
		tried := note(points, worths, number, rung.Budget)
		s.Tried = append(s.Tried, tried...)
		s.Spent += rung.Budget * float64(len(points))
		if tried = ranked(tried, lowerIsBetter); len(tried) == 0 {
			return nil, fmt.Errorf("nothing can be chosen: each of the %d points that were tried with %.3g of the epochs failed", len(points), rung.Budget)
		}
		points = points[:0]
		for _, t := range tried {
			points = append(points, t.Point)
		}
		best := p.cheapest(tried)
		s.Chosen, s.Worth = best.Point, best.Worth
	}
	return s, nil
}

// inOrder returns points in the order of their indexes.
func inOrder(points []Point) []Point {
	points = slices.Clone(points)
	slices.SortFunc(points, func(a, b Point) int { return a.Index - b.Index })
	return points
}

// note returns points with their values.
func note(points []Point, worths []Worth, rung int, budget float64) []Tried {
	tried := make([]Tried, len(points))
	for i, w := range worths {
		tried[i] = Tried{Point: points[i], Rung: rung, Budget: budget, Worth: w}
		for _, x := range []float64{w.Value, w.FLOPS, w.L0} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				tried[i].Worth, tried[i].Failed = Worth{}, true
			}
		}
	}
	return tried
}

// cheapest returns the one of what was tried, the best first, that is chosen.
func (p SelectPlan) cheapest(tried []Tried) Tried {
	best := tried[0]
	if p.Within == 0 {
		return best
	}
	for _, t := range tried {
		near := math.Abs(t.Value-tried[0].Value) <= p.Within*math.Abs(tried[0].Value)
		cost, least := t.cost(p.Cost), best.cost(p.Cost)
		if near && (cost < least || cost == least && t.Point.Index < best.Point.Index) {
			best = t
		}
	}
	return best
}

func (w Worth) cost(name string) float64 {
	if name == CostL0 {
		return w.L0
	}
	return w.FLOPS
}

// ranked returns what was tried and has a value, the best first.
func ranked(tried []Tried, lowerIsBetter bool) []Tried {
	tried = slices.DeleteFunc(slices.Clone(tried), func(t Tried) bool { return t.Failed })
	slices.SortStableFunc(tried, func(a, b Tried) int {
		if lowerIsBetter {
			return cmp.Compare(a.Value, b.Value)
		}
		return cmp.Compare(b.Value, a.Value)
	})
	return tried
}
