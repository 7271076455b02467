package distill

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"parley/internal/f32"
	"parley/internal/input"
	"parley/internal/wordpiece"
	"parley/sparse"
)

// Options say how a training runs; nothing in them changes what it ends with.
type Options struct {
	// Workers bounds the goroutines; 0 means 1.
	Workers int
	// Checkpoint is the file that an interrupted training is taken up from; ""
	// means none. It is removed when the training ends.
	Checkpoint string
	// CheckpointEvery is how far apart checkpoints are; 0 means
	// DefaultCheckpointEvery, or further where they are costly.
	CheckpointEvery time.Duration
	// Preparing, if not nil, is told how many turns are ready, from several
	// goroutines.
	Preparing func(done, total int)
	// Progress, if not nil, is told of every step.
	Progress func(Progress)
}

// Progress is where a training stands after a step.
type Progress struct {
	Step, Steps int
	Turns       int // trained on in this step
	Left        int // turns to be trained on in the steps after it
	Epoch       Epoch
}

// trainer is a training under way.
type trainer struct {
	plan     Plan
	workers  int
	reader   *input.Reader
	passages Passages
	sampler  Sampler
	student  Student
	adam     *adam
	counts   Counts
	training []example
	held     []example
	schedule schedule

	epoch   int // the epoch under way, from 0
	at      int // steps done in it
	history []Epoch
	running sums // of the epoch under way
	best    best
	scratch []scratch // [batch]
}

// Train trains a student by the plan. It ends early with ctx's error when ctx
// ends, its checkpoint written.
func Train(ctx context.Context, d Data, plan Plan, o Options) (*Result, error) {
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	t, err := newTrainer(ctx, d, plan, o)
	if err != nil {
		return nil, err
	}
	keeper := newKeeper(o, t)
	if err := keeper.restore(ctx); err != nil {
		return nil, err
	}
	for t.epoch < t.plan.Optimiser.Epochs {
		if err := t.runEpoch(ctx, o.Progress, keeper); err != nil {
			return nil, err
		}
	}
	t.best.bring(t.student.Parameters())
	return &Result{Plan: t.plan, Counts: t.counts, History: t.history, Best: t.best.epoch, student: t.student, keeper: keeper}, nil
}

func newTrainer(ctx context.Context, d Data, plan Plan, o Options) (*trainer, error) {
	reader, err := input.NewReader(wordpiece.New(d.Vocabulary), plan.Context)
	if err != nil {
		return nil, err
	}
	teacher := d.Teacher
	if teacher == nil {
		if teacher, err = NewRewriteTeacher(d.Encode, plan.Teacher.Rewriters...); err != nil {
			return nil, err
		}
	}
	t := &trainer{
		plan: plan, workers: max(1, o.Workers), reader: reader, passages: d.Passages,
		sampler: newSampler(plan.Candidates, d.Passages.N()),
		scratch: make([]scratch, plan.Optimiser.Batch),
	}
	if t.training, t.held, err = t.examples(ctx, d, teacher, o.Preparing); err != nil {
		return nil, err
	}
	t.plan.Optimiser.Epochs = plan.Optimiser.epochs(len(t.training))
	contexts := make([]input.Context, len(t.training))
	for i, ex := range t.training {
		contexts[i] = ex.context
	}
	t.student = newStudent(plan, reader, d.Passages, contexts)
	t.adam = newAdam(t.student.Parameters(), 0)
	t.schedule = schedule{
		rate: plan.Optimiser.LearningRate, warm: plan.Optimiser.WarmUp,
		steps: t.plan.Optimiser.Epochs * t.stepsPerEpoch(),
	}
	return t, nil
}

func (t *trainer) stepsPerEpoch() int {
	return (len(t.training) + t.plan.Optimiser.Batch - 1) / t.plan.Optimiser.Batch
}

// runEpoch trains to the end of the epoch under way and looks how well the
// student does on the held-out turns.
func (t *trainer) runEpoch(ctx context.Context, progress func(Progress), keeper *keeper) error {
	size := t.plan.Optimiser.Batch
	order := t.random(streamOrder, uint64(t.epoch)).Perm(len(t.training))
	terms := t.plan.terms(t.schedule.steps)
	for t.at < t.stepsPerEpoch() {
		if err := ctx.Err(); err != nil {
			return keeper.interrupted(err)
		}
		batch := order[t.at*size : min((t.at+1)*size, len(order))]
		if err := t.step(batch, terms); err != nil {
			return err
		}
		t.at++
		if progress != nil {
			left := (t.plan.Optimiser.Epochs-t.epoch)*len(order) - min(t.at*size, len(order))
			progress(Progress{Step: t.adam.steps, Steps: t.schedule.steps, Turns: len(batch), Left: left, Epoch: t.summary()})
		}
		if err := keeper.saveIfDue(); err != nil {
			return err
		}
	}
	summary := t.summary()
	if len(t.held) > 0 {
		validation, err := t.validate(ctx, terms)
		if err != nil {
			return keeper.interrupted(err)
		}
		summary.Validation = &validation
		t.best.look(validation.Loss, t.epoch+1, t.student.Parameters())
	}
	t.history = append(t.history, summary)
	t.epoch, t.at, t.running = t.epoch+1, 0, sums{}
	return nil
}

// Streams of random numbers: each purpose draws from its own.
const (
	streamOrder uint64 = iota + 1
	streamTurn
)

// random returns the generator of a stream, apart for each n and, within a
// stream, for each of which.
func (t *trainer) random(stream, n uint64, which ...uint64) *rand.Rand {
	mix := stream
	for _, w := range append(which, n) {
		mix = (mix ^ w) * 0x9e3779b97f4a7c15
		mix ^= mix >> 29
	}
	return rand.New(rand.NewPCG(t.plan.Seed, mix))
}

// step trains on the turns of a batch.
func (t *trainer) step(batch []int, terms []weighted) error {
	inputs := make([]Input, len(batch))
	f32.Parallel(len(batch), t.workers, func(i int) {
		ex := &t.training[batch[i]]
		rng := t.random(streamTurn, uint64(t.epoch), ex.seed)
		t.scratch[i].candidates = t.sampler.Sample(t.scratch[i].candidates[:0], ex.rankings, rng)
		inputs[i] = Input{Context: ex.context, Dropped: drop(t.plan.Optimiser.TokenDropout, ex.context.Len(), rng)}
	})
	b := t.forward(batch, t.training, inputs)
	step := t.adam.steps
	losses := t.losses(b, terms, func(w weighted) float64 { return w.at(step) })
	t.running.add(b, losses)
	gradients := make([][]float32, len(batch))
	f32.Parallel(len(batch), t.workers, func(i int) {
		t.scratch[i].backward(&b.Turns[i])
		gradients[i] = b.Turns[i].WeightGradient
	})
	t.student.Backward(gradients, t.workers)
	moved := t.adam.step(t.schedule.at(step), t.plan.Optimiser.Clip, t.workers)
	if !moved || !finite(t.running.Loss) || t.running.L0 == 0 {
		return fmt.Errorf("the training diverged in epoch %d, at step %d of %d: "+
			"lower optimiser.learning_rate or the weights of the regularisers, or raise the temperature", t.epoch+1, step+1, t.schedule.steps)
	}
	return nil
}

// losses evaluates the terms on b, each with the weight that weigh gives it.
func (t *trainer) losses(b *Batch, terms []weighted, weigh func(weighted) float64) []Loss {
	losses := make([]Loss, len(terms))
	for i, term := range terms {
		w := weigh(term)
		losses[i] = Loss{Term: term.Name(), Weight: w, Value: term.Add(b, w)}
	}
	return losses
}

// drop chooses each of n tokens with the given probability.
func drop(probability float64, n int, rng *rand.Rand) []bool {
	if probability == 0 {
		return nil
	}
	dropped := make([]bool, n)
	for i := range dropped {
		dropped[i] = rng.Float64() < probability
	}
	return dropped
}

// forward runs the student on inputs, which belong to the examples of all at
// the places in batch, and scores the candidates in t.scratch.
func (t *trainer) forward(batch []int, all []example, inputs []Input) *Batch {
	vectors := t.student.Forward(inputs, t.workers)
	b := &Batch{Turns: make([]Turn, len(batch))}
	f32.Parallel(len(batch), t.workers, func(i int) {
		ex := &all[batch[i]]
		b.Turns[i] = t.scratch[i].score(vectors[i], ex.teacher, t.passages)
	})
	return b
}

// validate evaluates the objective, all weights at their full height, on the
// held-out turns.
func (t *trainer) validate(ctx context.Context, terms []weighted) (Epoch, error) {
	var all sums
	size := t.plan.Optimiser.Batch
	for from := 0; from < len(t.held); from += size {
		if err := ctx.Err(); err != nil {
			return Epoch{}, err
		}
		var batch []int
		var inputs []Input
		for i := from; i < min(from+size, len(t.held)); i++ {
			ex := &t.held[i]
			rng := t.random(streamTurn, math.MaxUint64, ex.seed)
			s := &t.scratch[i-from]
			s.candidates = t.sampler.Sample(s.candidates[:0], ex.rankings, rng)
			batch, inputs = append(batch, i), append(inputs, Input{Context: ex.context})
		}
		b := t.forward(batch, t.held, inputs)
		all.add(b, t.losses(b, terms, func(w weighted) float64 { return w.weight }))
	}
	e := all.mean()
	e.Epoch = t.epoch + 1
	return e, nil
}

// scratch is what the scoring of one turn needs, reused from step to step.
type scratch struct {
	candidates []uint32
	buffer     sparse.Vector
	impacts    []float32 // [K×L0] of the query's terms in the candidates
}

// score returns the turn of the student's vector q, its candidates scored by q
// and by the teacher's.
func (s *scratch) score(q, teacher sparse.Vector, passages Passages) Turn {
	k, l := len(s.candidates), q.Len()
	t := Turn{
		Query: q, WeightGradient: make([]float32, l), Cost: make([]float32, l),
		Scores: make([]float64, k), Teacher: make([]float64, k), ScoreGradient: make([]float64, k),
	}
	for j, term := range q.Terms {
		t.Cost[j] = float32(float64(passages.DF(term)) / float64(passages.N()))
	}
	if cap(s.impacts) < k*l {
		s.impacts = make([]float32, k*l)
	}
	s.impacts = s.impacts[:k*l]
	clear(s.impacts)
	for c, passage := range s.candidates {
		s.buffer = passages.Vector(int(passage), s.buffer)
		t.Teacher[c] = sparse.Dot(teacher, s.buffer)
		row := s.impacts[c*l:][:l]
		align(q.Terms, s.buffer, row)
		for j, w := range q.Weights {
			t.Scores[c] += float64(w) * float64(row[j])
		}
	}
	return t
}

// align writes v's weights of the given increasing terms to out, which is zero.
func align(terms []uint32, v sparse.Vector, out []float32) {
	i := 0
	for j, term := range terms {
		for i < len(v.Terms) && v.Terms[i] < term {
			i++
		}
		if i == len(v.Terms) {
			return
		}
		if v.Terms[i] == term {
			out[j] = v.Weights[i]
		}
	}
}

// backward adds to the gradient of t's weights what comes through its scores.
func (s *scratch) backward(t *Turn) {
	l := t.Query.Len()
	for c, g := range t.ScoreGradient {
		f32.Axpy(float32(g), s.impacts[c*l:][:l], t.WeightGradient)
	}
}
