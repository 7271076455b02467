package distill

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"parley/distill/objective"
	"parley/distill/sample"
	"parley/internal/f32"
	"parley/sparse"
)

// stage is what a pass over the turns of a batch works with. It is reused from
// step to step, so that in steady state no step allocates.
type stage struct {
	all       []example
	batch     []int                // places in all
	train     bool                 // draw what is hidden from the student, too
	inputs    []Input              // [batch]
	slots     []slot               // [batch]
	drawn     []*sample.Candidates // [batch] of the slots
	tables    []table              // [workers]
	part      objective.Batch      // the turns that went through the student at once
	from      int                  // the place of the first of them in batch
	vectors   []sparse.Vector
	gradients [][]float32 // [part] by the weights of the vectors
	losses    []Loss
}

// slot is what one turn of a batch needs.
type slot struct {
	source     rand.PCG
	rng        *rand.Rand // over source
	dropped    []bool
	rankings   sample.Rankings
	candidates sample.Candidates
	hits       hits
	others     []int32 // those of other turns that the turn is scored on, by their places among all
}

func newStage(turns, workers, vocabulary int) stage {
	s := stage{
		inputs: make([]Input, turns), slots: make([]slot, turns), tables: make([]table, workers),
		part: objective.Batch{Turns: make([]objective.Turn, turns)}, gradients: make([][]float32, turns),
	}
	for i := range s.slots {
		s.slots[i].rng = rand.New(&s.slots[i].source)
	}
	for i := range s.tables {
		s.tables[i] = newTable(vocabulary)
	}
	return s
}

// begin makes the stage ready for the turns of all at the places in batch.
func (t *trainer) begin(all []example, batch []int, train bool) {
	s := &t.stage
	s.all, s.batch, s.train = all, batch, train
	t.team.Do(len(batch), (*drawing)(t))
	if t.needs.Batch {
		s.drawn = s.drawn[:0]
		for i := range batch {
			s.drawn = append(s.drawn, &s.slots[i].candidates)
		}
		t.team.Do(len(batch), (*sharing)(t))
	}
	if t.others != nil {
		t.others.gather(s.slots[:len(batch)], t.team)
	}
}

// The pieces of a step that a team shares out, a turn each.
type (
	drawing  trainer // draws candidates and what is hidden
	sharing  trainer // draws candidates from those of the others
	scoring  trainer // scores the candidates
	chaining trainer // takes the gradient by the scores to the weights
)

// epochOfValidation stands for the epoch where random numbers are to be the same
// in every look at the held-out turns.
const epochOfValidation = math.MaxUint64

func (d *drawing) Do(i, _ int) {
	t := (*trainer)(d)
	s := &t.stage.slots[i]
	ex := &t.stage.all[t.stage.batch[i]]
	epoch := uint64(t.epoch)
	if !t.stage.train {
		epoch = epochOfValidation
	}
	t.seed(&s.source, streamTurn, epoch, ex.seed)
	rankings := &s.rankings
	*rankings = ex.rankings
	rankings.Gold = ex.relevant
	if t.stage.train && t.ranked.depth > 0 {
		rankings.Student = t.ranked.of(t.stage.batch[i])
	}
	t.sampler.Draw(&s.candidates, rankings, s.rng)
	in := Input{Context: ex.context}
	if t.stage.train {
		s.dropped = drop(s.dropped, t.plan.Optimiser.TokenDropout, ex.context.Len(), s.rng)
		in.Dropped = s.dropped
		in.Seed = s.rng.Uint64() | 1 // never 0
	}
	t.stage.inputs[i] = in
}

func (d *sharing) Do(i, _ int) {
	d.sampler.Share(d.stage.drawn, i, d.stage.slots[i].rng)
}

// drop chooses each of n tokens with the given probability, into buffer; nil
// stands for none.
func drop(buffer []bool, probability float64, n int, rng *rand.Rand) []bool {
	if probability == 0 {
		return nil
	}
	buffer = buffer[:0]
	for range n {
		buffer = append(buffer, rng.Float64() < probability)
	}
	return buffer
}

// next returns where the part of the batch ends that begins at from and goes
// through the student at once: all, unless the plan bounds the tokens.
func (t *trainer) next(from int) int {
	s, bound := &t.stage, t.plan.Optimiser.MicroBatch
	tokens := 0
	for i := from; i < len(s.batch); i++ {
		tokens += s.inputs[i].Context.Len()
		if bound > 0 && tokens > bound && i > from {
			return i
		}
	}
	return len(s.batch)
}

// parts yields the batch on stage in its parts, each gone through the student and
// scored. Terms that couple the turns of a batch see all of them first: then the
// student goes over the parts once more, and makes of them what it made before.
func (t *trainer) parts() iter.Seq[*objective.Batch] {
	return func(yield func(*objective.Batch) bool) {
		s := &t.stage
		if t.next(0) < len(s.batch) && objective.Coupled(t.terms) {
			t.gather()
		}
		for from, to := 0, 0; from < len(s.batch); from = to {
			to = t.next(from)
			if !yield(t.forward(from, to)) {
				return
			}
		}
	}
}

// gather shows the parts of the batch on stage to the terms that couple its turns.
func (t *trainer) gather() {
	s := &t.stage
	s.part.Of = len(s.batch)
	for from, to := 0, 0; from < len(s.batch); from = to {
		to = t.next(from)
		s.part.Turns = s.part.Turns[:to-from]
		for i, v := range t.student.Forward(s.inputs[from:to]) {
			s.part.Turns[i].Query, s.part.Turns[i].Number = v, s.all[s.batch[from+i]].number
		}
		objective.Gather(t.terms, &s.part, from == 0)
	}
}

// forward runs the student on the turns of the batch from from to to and scores
// their candidates.
func (t *trainer) forward(from, to int) *objective.Batch {
	s := &t.stage
	s.from = from
	s.vectors = t.student.Forward(s.inputs[from:to])
	s.part.Turns = s.part.Turns[:to-from]
	s.part.Of = len(s.batch)
	t.team.Do(to-from, (*scoring)(t))
	return &s.part
}

func (d *scoring) Do(i, worker int) {
	t := (*trainer)(d)
	s := &t.stage
	at := &s.slots[s.from+i]
	turn, ex := &s.part.Turns[i], &s.all[s.batch[s.from+i]]
	candidates := at.candidates.Passages
	turn.Reset(s.vectors[i], len(candidates))
	turn.Number, turn.TeacherQuery = ex.number, ex.teacher
	turn.LogInclusion = append(turn.LogInclusion, at.candidates.LogInclusion...)
	if len(ex.relevant) > 0 {
		for c, passage := range candidates {
			if _, relevant := slices.BinarySearch(ex.relevant, passage); relevant {
				turn.Positives = append(turn.Positives, c)
			}
		}
	}
	for j, term := range turn.Query.Terms {
		turn.Cost[j] = float32(float64(t.passages.DF(term)) / float64(t.passages.N()))
	}
	if t.inverted != nil {
		t.inverted.score(turn, ex.teacher, candidates, worker)
	} else {
		s.tables[worker].score(turn, ex.teacher, candidates, t.passages, &at.hits)
	}
	if t.others != nil {
		t.others.score(turn, at, ex.relevant, worker)
	}
}

// backward takes the gradients of the loss to the student's parameters.
func (t *trainer) backward() {
	s := &t.stage
	t.team.Do(len(s.part.Turns), (*chaining)(t))
	t.student.Backward(s.gradients[:len(s.part.Turns)])
}

func (d *chaining) Do(i, worker int) {
	t := (*trainer)(d)
	s := &t.stage
	turn, at := &s.part.Turns[i], &s.slots[s.from+i]
	if t.inverted != nil {
		t.inverted.chain(turn, at.candidates.Passages, worker)
	} else {
		at.hits.backward(turn.ScoreGradient, turn.WeightGradient)
	}
	if t.others != nil {
		t.others.backward(turn, at, worker)
	}
	s.gradients[i] = turn.WeightGradient
}

// step trains on the turns of a batch.
func (t *trainer) step(batch []int) error {
	step := t.adam.steps
	t.begin(t.training, batch, true)
	for b := range t.parts() {
		t.evaluate(b, step)
		t.running.add(b, t.stage.losses)
		t.backward()
	}
	moved := t.adam.step(t.schedule.at(step), t.plan.Optimiser.Clip, t.team)
	if !moved || !finite(t.running.Loss) || t.running.L0 == 0 {
		return &DivergedError{Epoch: t.epoch + 1, Step: step + 1, Steps: t.schedule.steps}
	}
	return nil
}

// DivergedError says that a training came to numbers that are none, or to a
// student that has no weight left. It does so again however often it is run.
type DivergedError struct {
	Epoch, Step int // from 1
	Steps       int // of the whole training
}

// Error says where, and what helps.
func (e *DivergedError) Error() string {
	return fmt.Sprintf("the training diverged in epoch %d, at step %d of %d: "+
		"lower optimiser.learning_rate or the weights of the regularisers, or raise the temperature", e.Epoch, e.Step, e.Steps)
}

// fullWeight stands for the step at which weights have their full height.
const fullWeight = math.MaxInt

// evaluate evaluates the terms on b, each with its weight at a step.
func (t *trainer) evaluate(b *objective.Batch, step int) {
	t.stage.losses = t.stage.losses[:0]
	for _, term := range t.terms {
		w := t.weight(term, step)
		t.stage.losses = append(t.stage.losses, Loss{Term: term.Name(), Weight: w, Value: term.Add(b, w), Temperature: term.Learned()})
	}
}

var (
	_ f32.Task = (*drawing)(nil)
	_ f32.Task = (*sharing)(nil)
	_ f32.Task = (*scoring)(nil)
	_ f32.Task = (*chaining)(nil)
)
