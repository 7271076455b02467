package distill

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"parley/distill/objective"
	"parley/internal/bert"
	"parley/internal/f32"
	"parley/internal/input"
	"parley/internal/wordpiece"
)

// Start is what an encoder's training starts from.
type Start struct {
	Config     bert.Config
	Weights    bert.Source
	Vocabulary *wordpiece.Vocabulary
	Fresh      bool // the weights have no masked-LM head of their own
	// MaxQuery and MaxPassage are the tokens of the longest texts that the encoder
	// reads, special ones included.
	MaxQuery, MaxPassage int
}

// encoderTrainer is the training of an encoder under way.
type encoderTrainer struct {
	plan     EncoderPlan
	start    Start
	reader   *input.Sequencer
	pairs    *pairs
	team     *f32.Team
	query    *tower // of queries
	passage  *tower // of passages; the same as query where they share weights
	towers   []*tower
	adam     *adam
	schedule schedule
	terms    []objective.Weighted // of the objective, by queries and scores
	priced   []objective.Weighted // and by passages
	learned  []*f32.Parameter     // of the terms
	stage    *pairsStage

	epoch   int // the epoch under way, from 0
	at      int // steps done in it
	history []Epoch
	running pairsSums // of the epoch under way
	watch   watch
	best    best
	noted   []Loss // room for what progress is told
}

// TrainEncoder trains an encoder of queries and passages by the plan. It ends
// early with ctx's error when ctx ends, its checkpoint written.
func TrainEncoder(ctx context.Context, start Start, d PairsData, plan EncoderPlan, o Options) (*EncoderResult, error) {
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	t, err := newEncoderTrainer(ctx, start, d, plan, o)
	if err != nil {
		return nil, err
	}
	defer t.close()
	keeper := newKeeper(o, t)
	if err := keeper.restore(ctx); err != nil {
		return nil, err
	}
	for !t.done() {
		if err := t.runEpoch(ctx, o.Progress, keeper); err != nil {
			return nil, err
		}
	}
	t.best.bring(t.adam.parameters)
	return &EncoderResult{
		Plan: t.plan, Counts: t.pairs.counts, History: t.history, Best: t.best.epoch,
		Query: t.query.net, Passage: t.passage.net, start: t.start, keeper: keeper,
	}, nil
}

func newEncoderTrainer(ctx context.Context, start Start, d PairsData, plan EncoderPlan, o Options) (*encoderTrainer, error) {
	plan = plan.Resolved()
	if plan.Encoder.Pooling == bert.Sum.String() {
		start.Config.Head.Pooling = bert.Sum
	} else if plan.Encoder.Pooling == bert.Max.String() {
		start.Config.Head.Pooling = bert.Max
	}
	plan.Encoder.Pooling = start.Config.Head.Pooling.String()
	t := &encoderTrainer{plan: plan, start: start}
	if err := t.read(ctx, d, o); err != nil {
		return nil, err
	}
	var err error
	if t.watch, err = newPoolWatch(plan.Validation, len(t.pairs.held)); err != nil {
		return nil, err
	}
	t.plan.Optimiser.Epochs = plan.Optimiser.epochs(t.items())
	workers := max(1, o.Workers)
	t.team = f32.NewTeam(workers)
	if err := t.build(ctx, workers); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// read reads the data as the encoder does.
func (t *encoderTrainer) read(ctx context.Context, d PairsData, o Options) error {
	budget, passage := &t.plan.Context.Total, &t.plan.Encoder.PassageTokens
	*budget, *passage = limited(*budget, t.start.MaxQuery), limited(*passage, t.start.MaxPassage)
	reader, err := input.NewSequencer(wordpiece.New(t.start.Vocabulary), t.plan.Context, *passage)
	if err != nil {
		return err
	}
	t.reader = reader
	done := 0
	t.pairs, err = newPairs(ctx, d, t.plan, reader, func() {
		done++
		if o.Preparing != nil {
			o.Preparing(done, 0)
		}
	})
	return err
}

// limited returns the limit of tokens that a plan asks for, below 0 for none,
// where the encoder reads no more than most.
func limited(limit, most int) int {
	if limit < 0 {
		return most
	}
	return min(limit, most)
}

// build makes the networks and what trains them.
func (t *encoderTrainer) build(ctx context.Context, workers int) error {
	config := t.start.Config
	config.Dropout, config.AttentionDropout = float32(t.plan.Optimiser.Dropout), float32(t.plan.Optimiser.Dropout)
	var err error
	if t.passage, err = t.tower(config, workers); err != nil {
		return err
	}
	t.query = t.passage
	parameters := t.passage.net.Parameters()
	if t.plan.Encoder.Separate {
		if t.query, err = t.tower(config, workers); err != nil {
			return err
		}
		parameters = append(named("query/", t.query.net.Parameters()), named("passage/", parameters)...)
	}
	o := t.plan.Optimiser
	t.schedule = schedule{rate: o.LearningRate, warm: o.WarmUp, steps: o.Epochs * t.stepsPerEpoch()}
	t.terms, t.priced = t.plan.Objective.Terms(t.schedule.steps)
	t.learned = objective.Parameters(t.terms)
	t.adam = newAdam(slices.Concat(parameters, t.learned), o.WeightDecay)
	t.adam.hasten(len(t.learned), o.LearningRate)
	t.stage = newPairsStage(t, workers)
	if t.start.Fresh && t.plan.Encoder.StartTerms > 0 {
		return t.lighten(ctx)
	}
	return nil
}

func (t *encoderTrainer) tower(config bert.Config, workers int) (*tower, error) {
	net, err := bert.Load(config, t.start.Weights)
	if err != nil {
		return nil, err
	}
	w := newTower(net, workers, t.plan.Optimiser.MicroBatch)
	t.towers = append(t.towers, w)
	return w, nil
}

// named returns parameters that share their arrays with the given ones, under
// names that begin with prefix.
func named(prefix string, parameters []*f32.Parameter) []*f32.Parameter {
	var out []*f32.Parameter
	for _, p := range parameters {
		out = append(out, &f32.Parameter{Name: prefix + p.Name, Shape: p.Shape, Value: p.Value, Grad: p.Grad})
	}
	return out
}

func (t *encoderTrainer) close() {
	t.team.Close()
	for _, w := range t.towers {
		w.tape.Close()
	}
}

// lightened is how many passages tell how many terms a passage has.
const lightened = 64

// lighten makes both sides start with about the number of terms that the plan
// asks for.
func (t *encoderTrainer) lighten(ctx context.Context) error {
	w := t.passage
	w.reset()
	for _, number := range thinned(slices.Clone(t.pairs.pool), lightened) {
		w.add(t.pairs.passages[number].ids, 0)
	}
	if err := w.lighten(ctx, t.plan.Encoder.StartTerms); err != nil {
		return err
	}
	copy(t.query.bias(), w.bias())
	return nil
}

// items returns how many queries an epoch has: those of turns, then the
// pseudo-queries.
func (t *encoderTrainer) items() int {
	return len(t.pairs.training) + len(t.pairs.pseudo)*t.plan.Pairs.Pseudo.Each
}

// seen returns how many queries of an epoch are trained on. A last batch of one,
// which could be told from nothing, is left out.
func (t *encoderTrainer) seen() int {
	n := t.items()
	if n%t.plan.Optimiser.Batch == 1 {
		n--
	}
	return n
}

func (t *encoderTrainer) stepsPerEpoch() int {
	size := t.plan.Optimiser.Batch
	return (t.seen() + size - 1) / size
}

// runEpoch trains to the end of the epoch under way and looks how well the
// encoder does on the held-out queries.
func (t *encoderTrainer) runEpoch(ctx context.Context, progress func(Progress), keeper *keeper) error {
	size, all := t.plan.Optimiser.Batch, t.seen()
	var source rand.PCG
	t.seed(&source, streamOrder, uint64(t.epoch))
	order := rand.New(&source).Perm(t.items())
	for t.at < t.stepsPerEpoch() {
		if err := ctx.Err(); err != nil {
			return keeper.interrupted(err)
		}
		batch := order[t.at*size : min((t.at+1)*size, all)]
		if err := t.step(batch); err != nil {
			return err
		}
		t.at++
		if progress != nil {
			left := (t.plan.Optimiser.Epochs-t.epoch)*all - min(t.at*size, all)
			summary := t.summary(t.noted)
			t.noted = summary.Terms
			progress(Progress{Step: t.adam.steps, Steps: t.schedule.steps, Turns: len(batch), Left: left, Epoch: summary})
		}
		if err := keeper.saveIfDue(); err != nil {
			return err
		}
	}
	summary := t.summary(nil)
	if len(t.pairs.held) > 0 && t.plan.Validation.looks(t.epoch+1, t.plan.Optimiser.Epochs) {
		validation, err := t.validate(ctx)
		if err != nil {
			return keeper.interrupted(err)
		}
		summary.Validation = &validation
		if t.competes(summary) {
			t.best.look(validation.standing(), t.epoch+1, t.adam.parameters)
		}
	}
	t.history = append(t.history, summary)
	t.epoch, t.at, t.running = t.epoch+1, 0, pairsSums{}
	return nil
}

// seed makes source the start of a stream, apart for each n and which.
func (t *encoderTrainer) seed(source *rand.PCG, stream, n uint64, which ...uint64) {
	mix := stream
	for _, w := range which {
		mix = mixed(mix, w)
	}
	source.Seed(t.plan.Seed, mixed(mix, n))
}

// step trains on the items of a batch.
func (t *encoderTrainer) step(batch []int) error {
	step := t.adam.steps
	t.stage.draw(batch)
	if err := t.stage.forward(context.Background(), true); err != nil {
		return err
	}
	t.evaluate(step)
	t.backward()
	moved := t.adam.step(t.schedule.at(step), t.plan.Optimiser.Clip, t.team)
	if !moved || !finite(t.running.Loss) || t.running.L0 == 0 || t.running.PassageL0 == 0 {
		return fmt.Errorf("the training diverged in epoch %d, at step %d of %d: "+
			"lower optimiser.learning_rate or the weights of the regularisers, or raise the temperature", t.epoch+1, step+1, t.schedule.steps)
	}
	return nil
}

// backward takes the gradients of the loss to the parameters.
func (t *encoderTrainer) backward() {
	t.stage.matching.backward(t.team)
	for _, w := range t.towers {
		w.backward()
	}
}

// evaluate evaluates the objective on the batch on stage, each term with its
// weight at a step, and adds it to the running sums.
func (t *encoderTrainer) evaluate(step int) {
	t.running.add(t.stage, t.stage.losses(t.terms, t.priced, step))
}

// validate evaluates the objective, all weights at their full height, and the
// ranks of the relevant passages, on the held-out queries.
func (t *encoderTrainer) validate(ctx context.Context) (Epoch, error) {
	t.stage.show()
	if err := t.stage.forward(ctx, false); err != nil {
		return Epoch{}, err
	}
	var all pairsSums
	all.add(t.stage, t.stage.losses(t.terms, t.priced, fullWeight))
	for _, p := range t.learned {
		clear(p.Grad) // of a look nothing is learned
	}
	e := all.mean(nil, t.epoch)
	e.RR, e.Recall = t.stage.ranks(&t.watch)
	m, err := t.watch.measured(e.Loss)
	e.Measured = &m
	return e, err
}

// competes tells whether the encoder at the end of an epoch may be the one that is
// kept.
func (t *encoderTrainer) competes(e Epoch) bool {
	return t.watch.settled(slices.Concat(t.terms, t.priced), e.Epoch*t.stepsPerEpoch())
}

// done tells whether the training is at its end.
func (t *encoderTrainer) done() bool {
	return t.epoch >= t.plan.Optimiser.Epochs || t.plan.Validation.spent(t.history, t.best.epoch, t.competes)
}

// summary sums up the epoch under way, its losses written over buffer.
func (t *encoderTrainer) summary(buffer []Loss) Epoch { return t.running.mean(buffer, t.epoch) }

// pairsSums are running sums over the queries and passages of some batches.
type pairsSums struct {
	sums
	Passages  float64
	PassageL0 float64
}

func (s *pairsSums) add(stage *pairsStage, losses []Loss) {
	s.sums.add(&stage.queries, losses)
	s.Passages += float64(len(stage.passages.Turns))
	for i := range stage.passages.Turns {
		s.PassageL0 += float64(stage.passages.Turns[i].Query.Len())
	}
}

func (s *pairsSums) mean(buffer []Loss, epoch int) Epoch {
	e := s.sums.mean(buffer)
	e.Epoch, e.PassageL0 = epoch+1, s.PassageL0/s.Passages
	return e
}

// encoderState is the part of a checkpoint that is no array.
type encoderState struct {
	Epoch, At int
	Steps     int
	History   []Epoch
	Running   pairsSums
	Best      []float64 // its standing
	BestEpoch int
}

func (t *encoderTrainer) place() any {
	s := encoderState{Epoch: t.epoch, At: t.at, Steps: t.adam.steps, History: t.history, Running: t.running}
	s.Best, s.BestEpoch = t.best.standing, t.best.epoch
	return s
}

func (t *encoderTrainer) goTo(text []byte) (ok bool) {
	var s encoderState
	if err := json.Unmarshal(text, &s); err != nil || !s.within(t.plan.Optimiser.Epochs, t.stepsPerEpoch()) {
		return false
	}
	t.epoch, t.at, t.adam.steps, t.history, t.running = s.Epoch, s.At, s.Steps, s.History, s.Running
	if s.BestEpoch > 0 {
		t.best.standing, t.best.epoch = s.Best, s.BestEpoch
		t.best.room(t.adam.parameters)
	}
	return true
}

// within tells whether s is a state that a training can be in.
func (s encoderState) within(epochs, steps int) bool {
	return within(s.Epoch, 0, epochs) && within(s.At, 0, steps) && s.Steps == s.Epoch*steps+s.At &&
		len(s.History) == s.Epoch && within(s.BestEpoch, 0, s.Epoch)
}

func (t *encoderTrainer) arrays() []array { return arrays(t.adam, &t.best) }
