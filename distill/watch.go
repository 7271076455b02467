package distill

import (
	"context"
	"fmt"
	"strconv"

	"parley/internal/f32"
	"parley/internal/prune"
	"parley/measure"
	"parley/sparse"
	"parley/trec"
)

// watch measures rankings for held-out turns, or takes the loss.
type watch struct {
	criterion
	rank   func(q sparse.Vector, k int) []uint32
	qrels  trec.Qrels      // what is to be found, the topics being places among the held-out turns
	wanted [][]uint32      // [held-out turns] the same
	found  [][]uint32      // [held-out turns] the student's ranking, in a look
	turns  int             // held out
	served []sparse.Vector // [held-out turns] the student's vectors, in a look
	first  int             // the place of the first turn of the part under way
}

// newWatch returns what watches a student on the held-out turns.
func newWatch(p ValidationPlan, held []example, rank func(q sparse.Vector, k int) []uint32) (watch, error) {
	c, err := parseCriterion(p.Measure)
	if err != nil || c.depth == 0 || len(held) == 0 {
		return watch{criterion: c, turns: len(held), served: make([]sparse.Vector, len(held))}, err
	}
	w := watch{criterion: c, rank: rank, qrels: trec.Qrels{}, served: make([]sparse.Vector, len(held))}
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

// newPoolWatch returns what watches an encoder on n held-out queries, each with one
// relevant passage in the pool, which stands as 0 for all of them.
func newPoolWatch(p ValidationPlan, n int) (watch, error) {
	c, err := parseCriterion(p.Measure)
	w := watch{criterion: c, qrels: trec.Qrels{}, found: make([][]uint32, n), turns: n}
	for i := range n {
		w.qrels[label(uint32(i))] = relevantAll([]uint32{0})
	}
	return w, err
}

// place notes that the relevant passage of held-out query i has the given rank,
// from 1, the others standing for what is before it.
func (w *watch) place(i, rank int) {
	w.found[i] = w.found[i][:0]
	for other := range rank - 1 {
		w.found[i] = append(w.found[i], uint32(other+1))
	}
	w.found[i] = append(w.found[i], 0)
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

// ranking ranks the turns of the part on stage by the student's vectors, pruned as
// they are to be served.
type ranking trainer

func (d *ranking) Do(i, _ int) {
	w := &d.watch
	at := w.first + i
	w.served[at] = d.plan.Prune.Apply(d.stage.vectors[i], d.passages)
	if w.depth > 0 && len(w.wanted[at]) > 0 {
		w.found[at] = w.rank(w.served[at], w.depth)
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
func (t *trainer) look(ctx context.Context, measured bool) (e Epoch, err error) {
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
		for b := range t.parts() {
			t.evaluate(b, fullWeight)
			all.add(b, t.stage.losses)
			if measured {
				t.watch.first = first + t.stage.from
				t.team.Do(len(b.Turns), (*ranking)(t))
			}
		}
	}
	for _, p := range t.learned {
		clear(p.Grad) // of a look nothing is learned
	}
	e = all.mean(nil)
	e.Epoch = t.epoch + 1
	if !measured {
		return e, nil
	}
	costs := prune.Rule{}.Costs(t.watch.served, t.passages)
	e.Served, e.Target = &costs, t.targeted(t.watch.served)
	m, err := t.watch.measured(t.unsteered(e))
	e.Measured = &m
	return e, err
}

// looksAfter tells whether there is a look at the held-out turns after an epoch,
// from 1.
func (t *trainer) looksAfter(epoch int) bool {
	return len(t.held) > 0 && t.plan.Validation.looks(epoch, t.plan.Optimiser.Epochs)
}

// contends tells whether the student at the end of an epoch may be the one that
// is kept, and how far it is from the target.
func (t *trainer) contends(e Epoch) (far float64, ok bool) {
	if t.steering != nil {
		far = t.steering.far(e.Validation.Target.Cost)
	}
	return far, t.watch.settled(t.terms, e.Epoch*t.stepsPerEpoch())
}

// competes tells whether an epoch counts against the plan's patience: that of one
// that is off the target has nothing to say.
func (t *trainer) competes(e Epoch) bool {
	far, ok := t.contends(e)
	return ok && far == 0
}

// done tells whether the training is at its end: by its plan, or since too many
// looks in a row were no better than the best.
func (t *trainer) done() bool {
	return t.epoch >= t.plan.Optimiser.Epochs || t.plan.Validation.spent(t.history, t.best.epoch, t.competes)
}

var _ f32.Task = (*ranking)(nil)
