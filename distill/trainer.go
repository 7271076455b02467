package distill

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"parley/dialog"
	"parley/distill/objective"
	"parley/distill/sample"
	"parley/internal/f32"
	"parley/internal/input"
	"parley/internal/wordpiece"
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
	Turns       int   // trained on in this step
	Left        int   // turns to be trained on in the steps after it
	Epoch       Epoch // so far; its Terms are written over in the next step
}

// trainer is a training under way.
type trainer struct {
	plan     Plan
	workers  int
	team     *f32.Team
	reader   *input.Reader
	read     func(dialog.Context) input.Context // as the student reads
	notes    []string
	passages Passages
	sampler  *sample.Sampler
	needs    sample.Needs
	inverted *inverted // where the candidates are many, else nil
	others   *others   // nil where no term looks at other turns' candidates
	student  Student
	adam     *adam
	counts   Counts
	training []example
	held     []example
	schedule schedule
	terms    []objective.Weighted // of the objective
	learned  []*f32.Parameter     // of the terms
	watch    watch
	steering *steering // nil: no target
	ranked   ranked

	epoch   int // the epoch under way, from 0
	at      int // steps done in it
	history []Epoch
	running sums // of the epoch under way
	best    best
	stage   stage
	told    []Loss // of the progress told last
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
	r := &Result{
		Plan: t.plan, Counts: t.counts, History: t.history, Best: t.best.epoch, Notes: t.notes,
		data: d.Name, student: t.student, keeper: keeper,
	}
	if err := t.finish(ctx, r); err != nil {
		return nil, keeper.interrupted(err)
	}
	return r, nil
}

func newTrainer(ctx context.Context, d Data, plan Plan, o Options) (*trainer, error) {
	if plan.Student.Kind != StudentSplade {
		return newTrainerFrom(ctx, d, plan, o, nil)
	}
	from, err := openOrigin(plan, d.Vocabulary)
	if err != nil {
		return nil, err
	}
	return newTrainerFrom(ctx, d, plan, o, from)
}

// newTrainerFrom returns a trainer whose student starts from a network, or, if
// from is nil, from nothing.
func newTrainerFrom(ctx context.Context, d Data, plan Plan, o Options, from *origin) (*trainer, error) {
	plan = plan.Resolved()
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
		needs: plan.Candidates.Needs(),
		stage: newStage(plan.Optimiser.Batch, max(1, o.Workers), d.Vocabulary.Len()),
	}
	if t.sampler, err = plan.newSampler(d.Passages.N()); err != nil {
		return nil, err
	}
	needs := plan.Objective.Needs()
	if worthInverting(plan.Candidates.Most(d.Passages.N()), d.Passages.N()) {
		t.inverted = newInverted(d.Passages, d.Vocabulary.Len(), t.workers, needs.Norms)
	}
	if needs.Others && !t.needs.Everything { // who is scored on all passages has no others
		t.others = newOthers(d.Passages, t.workers, d.Vocabulary.Len())
	}
	for i := range t.stage.tables {
		t.stage.tables[i].norms = needs.Norms
	}
	t.read = reader.Context
	if from != nil {
		t.read, t.notes = from.read, from.notes
	}
	if err = t.examples(ctx, d, teacher, o.Preparing); err != nil {
		return nil, err
	}
	if t.watch, err = newWatch(plan.Validation, t.held, d.Rank); err != nil {
		return nil, err
	}
	t.plan.Optimiser.Epochs = plan.Optimiser.epochs(len(t.training))
	t.student = t.newStudent(from)
	t.schedule = schedule{
		rate: plan.Optimiser.LearningRate, warm: plan.Optimiser.WarmUp,
		steps: t.plan.Optimiser.Epochs * t.stepsPerEpoch(),
	}
	t.terms = plan.Objective.Terms(t.schedule.steps)
	objective.Fit(t.terms, numbers(t.training))
	if t.steering, err = t.newSteering(); err != nil {
		t.student.Close()
		return nil, err
	}
	t.learned = objective.Parameters(t.terms)
	t.adam = newAdam(slices.Concat(t.student.Parameters(), t.learned), plan.Optimiser.WeightDecay)
	t.adam.hasten(len(t.learned), plan.Optimiser.LearningRate)
	t.team = f32.NewTeam(t.workers)
	if t.ranked = newRanked(plan.Candidates, len(t.training), d.Rank); t.ranked.depth > 0 {
		if err := t.rankHeldOut(ctx); err != nil {
			t.close()
			return nil, err
		}
	}
	return t, nil
}

// newStudent returns the untrained student that the plan asks for.
func (t *trainer) newStudent(from *origin) Student {
	if from != nil {
		return newSpladeStudent(from, t.workers, t.plan.Student.Recompute)
	}
	contexts := make([]input.Context, len(t.training))
	for i, ex := range t.training {
		contexts[i] = ex.context
	}
	return newLexicalStudent(t.plan, t.reader, t.passages, contexts, t.workers)
}

// close ends the goroutines of the training, whose student can be saved still.
func (t *trainer) close() {
	t.team.Close()
	t.student.Close()
}

func (t *trainer) stepsPerEpoch() int {
	return (len(t.training) + t.plan.Optimiser.Batch - 1) / t.plan.Optimiser.Batch
}

// runEpoch trains to the end of the epoch under way and looks how well the
// student does on the held-out turns.
func (t *trainer) runEpoch(ctx context.Context, progress func(Progress), keeper *keeper) error {
	size := t.plan.Optimiser.Batch
	var source rand.PCG
	t.seed(&source, streamOrder, uint64(t.epoch))
	order := rand.New(&source).Perm(len(t.training))
	for t.at < t.stepsPerEpoch() {
		if err := ctx.Err(); err != nil {
			return keeper.interrupted(err)
		}
		if t.ranked.due(t.epoch, t.at, t.adam.steps) {
			if err := t.rankAnew(ctx); err != nil {
				return keeper.interrupted(err)
			}
		}
		if err := t.steerIfDue(ctx); err != nil {
			return keeper.interrupted(err)
		}
		batch := order[t.at*size : min((t.at+1)*size, len(order))]
		if err := t.step(batch); err != nil {
			return err
		}
		t.at++
		if progress != nil {
			left := (t.plan.Optimiser.Epochs-t.epoch)*len(order) - min(t.at*size, len(order))
			summary := t.summary(t.told)
			t.told = summary.Terms
			progress(Progress{Step: t.adam.steps, Steps: t.schedule.steps, Turns: len(batch), Left: left, Epoch: summary})
		}
		if err := keeper.saveIfDue(); err != nil {
			return err
		}
	}
	summary := t.summary(nil)
	if t.looksAfter(t.epoch + 1) {
		validation, err := t.look(ctx, true)
		if err != nil {
			return keeper.interrupted(err)
		}
		summary.Validation = &validation
		if far, ok := t.contends(summary); ok {
			t.best.look([]float64{far, validation.Measured.cost(), t.unsteered(validation)}, t.epoch+1, t.adam.parameters)
		}
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

// seed sets source to the beginning of a stream, apart for each n and, within a
// stream, for each of which.
func (t *trainer) seed(source *rand.PCG, stream, n uint64, which ...uint64) {
	mix := stream
	for _, w := range which {
		mix = mixed(mix, w)
	}
	source.Seed(t.plan.Seed, mixed(mix, n))
}

func mixed(mix, n uint64) uint64 {
	mix = (mix ^ n) * 0x9e3779b97f4a7c15
	return mix ^ mix>>29
}
