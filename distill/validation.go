package distill

import (
	"fmt"
	"strconv"
	"strings"

	"parley/distill/objective"
	"parley/measure"
)

// ValidationPlan says how a training is watched on turns that it does not learn
// from, so that the best of its epochs is kept.
type ValidationPlan struct {
	// Share is that of the conversations that are held out; 0 keeps the last
	// epoch. Which they are does not depend on the seed.
	Share float64 `yaml:"share" json:"share"`
	// Measure decides which epoch is the best: loss, the whole objective with all
	// weights at their full height; overlap@k, the share of the teacher's first k
	// passages that are among the student's first k; or a measure of package
	// measure, over the held-out turns that have judgements.
	Measure string `yaml:"measure" json:"measure"`
	// Every is after how many epochs there is a look at the held-out turns. There
	// is always one after the last.
	Every int `yaml:"every" json:"every"`
	// Patience is after how many looks in a row, none better than the best, the
	// training ends; 0: it never ends early. The learning rate falls as if it
	// did not.
	Patience int `yaml:"patience" json:"patience"`
}

// The measures that package measure does not know.
const (
	MeasureLoss    = "loss"
	MeasureOverlap = "overlap" // overlap@k
)

// Measured is what a look at held-out turns was to find out.
type Measured struct {
	Measure string  `json:"measure"`
	Value   float64 `json:"value"`
	Turns   int     `json:"turns"` // it is the mean of
}

// cost is a number that is the lower, the better m is.
func (m *Measured) cost() float64 {
	if LowerIsBetter(m.Measure) {
		return m.Value
	}
	return -m.Value
}

// standing returns what a look says of a student: what it measured and, where that
// is equal, as on few turns it often is, the loss. The lower, the better.
func (e *Epoch) standing() []float64 { return []float64{e.Measured.cost(), e.Loss} }

// LowerIsBetter tells whether a lower value of a measure of ValidationPlan is
// the better one.
func LowerIsBetter(measure string) bool { return measure == MeasureLoss }

// unbounded is how many passages a measure without a cut-off looks at: as many
// as parley search returns.
const unbounded = 1000

// criterion is what an epoch is judged by.
type criterion struct {
	name    string
	depth   int             // passages ranked for each turn; 0: none, the loss decides
	measure measure.Measure // of the ranking
	judged  bool            // against the judgements, else against the teacher's ranking
}

func parseCriterion(name string) (criterion, error) {
	if name == MeasureLoss {
		return criterion{name: name}, nil
	}
	if cutoff, ok := strings.CutPrefix(name, MeasureOverlap+"@"); ok {
		k, err := strconv.Atoi(cutoff)
		if err != nil || !within(k, 1, 10_000) {
			return criterion{}, fmt.Errorf("%s must have a number from 1 to 10000 behind the @, as in overlap@10", name)
		}
		return criterion{name: name, depth: k, measure: measure.Measure{Kind: measure.R, Cutoff: k}}, nil
	}
	m, err := measure.Parse(name)
	switch {
	case err != nil:
		return criterion{}, fmt.Errorf("it must be loss, overlap@10 or a measure of rankings: %w", err)
	case m.Counts() || m.Kind == measure.Judged || m.Kind == measure.Bpref:
		return criterion{}, fmt.Errorf("%s does not tell how high relevant passages stand: take R@100, RR or nDCG@3", m)
	case m.Rel > 0:
		return criterion{}, fmt.Errorf("%s asks for grades, and training knows only what is relevant: leave out rel", m)
	case m.Cutoff > 10_000:
		return criterion{}, fmt.Errorf("%s looks at more than 10000 passages", m)
	}
	depth := m.Cutoff
	if depth == 0 {
		depth = unbounded
	}
	return criterion{name: m.String(), depth: depth, measure: m, judged: true}, nil
}

// defaultValidation chooses the epoch with the lowest loss on a twentieth of the
// conversations.
func defaultValidation() ValidationPlan {
	return ValidationPlan{Share: .05, Measure: MeasureLoss, Every: 1}
}

// validate reports the first setting that makes no sense. idle is the measure that
// may stand in a plan that holds nothing out.
func (p ValidationPlan) validate(idle string) error {
	if err := firstFailed([]check{
		{share(p.Share) && p.Share < 1, "validation.share must be at least 0 and below 1"},
		{within(p.Every, 1, 10_000), "validation.every must be from 1 to 10000 epochs"},
		{within(p.Patience, 0, 10_000), "validation.patience must be from 1 to 10000 looks, or 0 to train to the end"},
		{p.Share > 0 || p.Patience == 0, "validation.patience must be 0 where validation.share is 0: there is nothing to look at"},
		{p.Share > 0 || p.Measure == idle, fmt.Sprintf("validation.measure must be %s where validation.share is 0: there is nothing to measure", idle)},
	}); err != nil {
		return err
	}
	if _, err := parseCriterion(p.Measure); err != nil {
		return fmt.Errorf("validation.measure: %w", err)
	}
	return nil
}

// looks tells whether there is a look at what is held out after an epoch, from 1.
func (p ValidationPlan) looks(epoch, epochs int) bool {
	return epoch%p.Every == 0 || epoch == epochs
}

// spent tells whether the plan has no patience left: of the epochs after the best
// so many that compete with it were no better.
func (p ValidationPlan) spent(history []Epoch, best int, competes func(Epoch) bool) bool {
	if p.Patience == 0 || best == 0 {
		return false
	}
	looks := 0
	for _, e := range history[best:] {
		if e.Validation != nil && competes(e) {
			looks++
		}
	}
	return looks >= p.Patience
}

// settled tells whether each term has its full weight at a step. A measure of
// rankings does not see what queries cost, so that it would always choose what was
// there before the regularisers have theirs; the loss contains their price.
func (c criterion) settled(terms []objective.Weighted, step int) bool {
	for _, term := range terms {
		if c.depth > 0 && term.At(step) != term.At(fullWeight) {
			return false
		}
	}
	return true
}
