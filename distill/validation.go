package distill

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"parley/internal/f32"
	"parley/measure"
	"parley/sparse"
	"parley/trec"
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

// checks are what must hold of the plan beside its measure.
func (p ValidationPlan) checks() []check {
	return []check{
		{share(p.Share) && p.Share < 1, "validation.share must be at least 0 and below 1"},
		{within(p.Every, 1, 10_000), "validation.every must be from 1 to 10000 epochs"},
		{within(p.Patience, 0, 10_000), "validation.patience must be from 1 to 10000 looks, or 0 to train to the end"},
		{p.Share > 0 || p.Patience == 0, "validation.patience must be 0 where validation.share is 0: there is nothing to look at"},
		{p.Share > 0 || p.Measure == MeasureLoss, "validation.measure must be loss where validation.share is 0: there is nothing to measure"},
	}
}

// Validate reports the first setting that makes no sense.
func (p ValidationPlan) Validate() error {
	if err := firstFailed(p.checks()); err != nil {
		return err
	}
	if _, err := parseCriterion(p.Measure); err != nil {
		return fmt.Errorf("validation.measure: %w", err)
	}
	return nil
}

// watch looks at the held-out turns.
type watch struct {
	criterion
	rank   func(q sparse.Vector, k int) []uint32
	qrels  trec.Qrels // what is to be found, the topics being places among the held-out turns
	wanted [][]uint32 // [held-out turns] the same
	found  [][]uint32 // [held-out turns] the student's ranking, in a look
	turns  int        // held out
	first  int        // the place of the first turn of the part under way
}

// newWatch returns what looks at the held-out turns.
func newWatch(p ValidationPlan, held []example, rank func(q sparse.Vector, k int) []uint32) (watch, error) {
	c, err := parseCriterion(p.Measure)
	if err != nil || c.depth == 0 || len(held) == 0 {
		return watch{criterion: c, turns: len(held)}, err
	}
	w := watch{criterion: c, rank: rank, qrels: trec.Qrels{}}
	w.wanted, w.found = make([][]uint32, len(held)), make([][]uint32, len(held))
	for i, ex := range held {
		w.wanted[i] = ex.relevant
		if !c.judged {
			w.wanted[i] = rank(ex.teacher, c.depth)
		}
		if len(w.wanted[i]) > 0 {
			w.qrels[label(uint32(i))] = relevantAll(w.wanted[i])
		}
	}
	if len(w.qrels) == 0 {
		return w, fmt.Errorf("validation.measure %s cannot be taken: none of the %d held-out turns is judged with passages of the index; "+
			"train with a collection that has judgements, hold out more, or measure loss or overlap@10", c.name, len(held))
	}
	return w, nil
}

// relevantAll gives all passages the grade 1.
func relevantAll(passages []uint32) map[string]int {
	grades := map[string]int{}
	for _, passage := range passages {
		grades[label(passage)] = 1
	}
	return grades
}

func label(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// ranking ranks the turns of the part on stage by the student's vectors.
type ranking trainer

func (d *ranking) Do(i, _ int) {
	w := &d.watch
	if at := w.first + i; len(w.wanted[at]) > 0 {
		w.found[at] = w.rank(d.stage.vectors[i], w.depth)
	}
}

// measured returns what the plan measures, of the rankings found or of the loss.
func (w *watch) measured(loss float64) (Measured, error) {
	if w.depth == 0 {
		return Measured{Measure: w.name, Value: loss, Turns: w.turns}, nil
	}
	run := trec.Run{}
	for i, passages := range w.found {
		hits := make([]trec.Hit, len(passages))
		for r, passage := range passages {
			hits[r] = trec.Hit{Passage: label(passage), Score: float64(len(passages) - r)}
		}
		run[label(uint32(i))] = hits
	}
	e, err := measure.Evaluate(w.qrels, run, []measure.Measure{w.measure}, measure.Options{})
	if err != nil {
		return Measured{}, err
	}
	return Measured{Measure: w.name, Value: e.Aggregate(0), Turns: len(w.qrels)}, nil
}

// look encodes the held-out turns, nothing of them hidden, and returns what they
// cost, the objective with all weights at their full height and, if measured,
// what the plan measures. It changes nothing of the training, and draws none of
// its random numbers.
func (t *trainer) look(ctx context.Context, measured bool) (Epoch, error) {
	var all sums
	size := t.plan.Optimiser.Batch
	var batch []int
	for first := 0; first < len(t.held); first += size {
		if err := ctx.Err(); err != nil {
			return Epoch{}, err
		}
		batch = batch[:0]
		for i := first; i < min(first+size, len(t.held)); i++ {
			batch = append(batch, i)
		}
		t.begin(t.held, batch, false)
		for from, to := 0, 0; from < len(batch); from = to {
			to = t.next(from)
			b := t.forward(from, to)
			t.evaluate(b, fullWeight)
			all.add(b, t.stage.losses)
			if measured && t.watch.depth > 0 {
				t.watch.first = first + from
				t.team.Do(to-from, (*ranking)(t))
			}
		}
	}
	e := all.mean(nil)
	e.Epoch = t.epoch + 1
	if !measured {
		return e, nil
	}
	m, err := t.watch.measured(e.Loss)
	e.Measured = &m
	return e, err
}

// looksAfter tells whether there is a look at the held-out turns after an epoch,
// from 1.
func (t *trainer) looksAfter(epoch int) bool {
	return len(t.held) > 0 && (epoch%t.plan.Validation.Every == 0 || epoch == t.plan.Optimiser.Epochs)
}

// competes tells whether the student at the end of an epoch may be the one that
// is kept. A measure of rankings does not see what queries cost, so that it would
// always choose a student from before the regularisers have their full weight.
func (t *trainer) competes(e Epoch) bool {
	if t.watch.depth == 0 {
		return true
	}
	step := e.Epoch * t.stepsPerEpoch()
	for _, term := range t.terms {
		if term.At(step) != term.At(fullWeight) {
			return false
		}
	}
	return true
}

// done tells whether the training is at its end: by its plan, or since too many
// looks in a row were no better than the best.
func (t *trainer) done() bool {
	if t.epoch >= t.plan.Optimiser.Epochs {
		return true
	}
	patience := t.plan.Validation.Patience
	if patience == 0 || t.best.epoch == 0 {
		return false
	}
	looks := 0
	for _, e := range t.history[t.best.epoch:] {
		if e.Validation != nil && t.competes(e) {
			looks++
		}
	}
	return looks >= patience
}

var _ f32.Task = (*ranking)(nil)
