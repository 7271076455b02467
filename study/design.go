package study

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"parley/distill"
)

// Kinds of trials.
const (
	KindBaseline  = "baseline"  // no student
	KindTraining  = "training"  // a student, measured on tests
	KindSelection = "selection" // a student, measured on held-out conversations only
)

// wanted is a trial that a plan wants.
type wanted struct {
	Key   string
	Kind  string
	Mode  string // of a baseline
	Tests []string
	plan  distill.Plan
	text  string // of plan
	name  string // for people: EXPERIMENT/POINT, seed 1

	experiments []int // that want it
}

// Seed returns the seed of the training.
func (w *wanted) Seed() uint64 { return w.plan.Seed }

// class groups trials by what they train.
func (w *wanted) class() string {
	if w.Kind == KindBaseline {
		return KindBaseline
	}
	return w.plan.Student.Kind
}

// work is about how much work a trial is, beside others of its class: what making
// ready and the tests take, and for each epoch the forward and backward passes and
// the candidates' scores. It only tells the time left.
func (w *wanted) work(passages int) float64 {
	const (
		ready, tests, epoch, candidate = 1., 1., .3, .006
		usual                          = 6 // epochs, where the plan leaves them to the data
	)
	if w.Kind == KindBaseline {
		return tests
	}
	epochs := w.plan.Optimiser.Epochs
	if epochs == 0 {
		epochs = usual
	}
	sum := ready + float64(epochs)*(epoch+candidate*float64(w.plan.Candidates.Most(passages)))
	if w.Kind == KindTraining {
		sum += tests
	}
	return sum
}

// design is what a plan comes to, as far as it can be known: what selections
// choose between is known only when the trials before are done.
type design struct {
	baselines   []designed
	experiments [][]designed // by experiment; nil for those that wait for a choice
	selections  []*Selection // by experiment; nil where there is none yet
	unchosen    []error      // why selections cannot choose, all of whose trials are done
	trials      []*wanted    // each once
	expected    []int        // by experiment: about how many trials it will want, all in all; 0 where that is known
	later       []int        // by experiment: of those, that are not among the trials yet
}

// missing returns about how many trials will be wanted that are not known yet.
func (d *design) missing() int {
	n := 0
	for _, later := range d.later {
		n += later
	}
	return n
}

// designed is a system with its trials, one for each seed.
type designed struct {
	point
	of     string       // the experiment
	plan   distill.Plan // with the first seed
	trials []*wanted
}

// errPending says that trials have to be run before one can go on.
var errPending = errors.New("trials are pending")

// lookUp returns what is known of a trial; nil where it is not done.
type lookUp func(key string) (*trialRecord, error)

// designer makes a design.
type designer struct {
	plan   *Plan
	facts  *facts
	done   lookUp
	design design
	known  map[string]*wanted // by key
	static map[string]*wanted // trainings that no choice decides about, by the text of their plans
}

// newDesign returns what the plan comes to.
func newDesign(p *Plan, f *facts, done lookUp) (*design, error) {
	d := &designer{
		plan: p, facts: f, done: done, known: map[string]*wanted{}, static: map[string]*wanted{},
		design: design{experiments: make([][]designed, len(p.Experiments)), selections: make([]*Selection, len(p.Experiments)), expected: make([]int, len(p.Experiments)), later: make([]int, len(p.Experiments))},
	}
	d.baselines()
	if err := d.shareTests(); err != nil {
		return nil, err
	}
	for i, e := range p.Experiments {
		chosen, ok, err := d.chosen(e)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			d.design.expected[i] = d.expected(i)
			d.design.later[i] = d.design.expected[i]
		case e.Select != nil:
			err = d.choose(i, chosen)
		default:
			err = d.vary(i, chosen)
		}
		if err != nil {
			return nil, err
		}
	}
	return &d.design, nil
}

// want adds a trial, or returns the one that is wanted already.
func (d *designer) want(w *wanted) *wanted {
	w.Key = d.key(w)
	if known := d.known[w.Key]; known != nil {
		return known
	}
	d.known[w.Key] = w
	d.design.trials = append(d.design.trials, w)
	return w
}

// key returns the checksum of all that decides what a trial ends with.
func (d *designer) key(w *wanted) string {
	of := struct {
		Format, Code, Kind, Mode, Plan, Checkpoint, Train string
		Tests                                             [][2]string
	}{Format: format, Code: d.facts.CodeVersion, Kind: w.Kind, Mode: w.Mode}
	if w.Kind != KindBaseline {
		of.Plan, of.Train, of.Checkpoint = w.text, d.facts.Train, d.facts.Checkpoints[w.plan.Student.From]
	}
	for _, name := range w.Tests {
		of.Tests = append(of.Tests, [2]string{name, d.facts.Tests[name]})
	}
	return fingerprint(of)
}

func (d *designer) baselines() {
	for _, mode := range d.plan.Baselines {
		w := &wanted{Kind: KindBaseline, Mode: mode, name: baselineName(mode)}
		for _, t := range d.plan.Tests {
			if slices.Contains(d.facts.Modes[t.Name], mode) {
				w.Tests = append(w.Tests, t.Name)
			}
		}
		system := designed{point: point{Name: mode}}
		if len(w.Tests) > 0 {
			system.trials = []*wanted{d.want(w)}
		}
		d.design.baselines = append(d.design.baselines, system)
	}
}

// tests returns the tests of an experiment.
func (p *Plan) tests(e ExperimentPlan) []string {
	var names []string
	for _, t := range p.Tests {
		if e.Tests == nil || slices.Contains(e.Tests, t.Name) {
			names = append(names, t.Name)
		}
	}
	return names
}

// seeds returns the seeds of an experiment.
func (p *Plan) seeds(e ExperimentPlan) []uint64 {
	switch {
	case e.Select != nil && e.Select.Seeds != nil:
		return e.Select.Seeds
	case e.Select != nil:
		return p.Seeds[:1]
	case e.Seeds != nil:
		return e.Seeds
	}
	return p.Seeds
}

// shareTests finds the trainings that no choice decides about. One that several
// experiments want is one trial, put to the tests of them all.
func (d *designer) shareTests() error {
	for i, e := range d.plan.Experiments {
		if e.Select != nil || e.From != "" {
			continue
		}
		tests := d.plan.tests(e)
		err := d.each(i, nil, func(_ point, w *wanted) {
			shared := d.static[w.text]
			if shared == nil {
				shared = w
				d.static[w.text] = w
			}
			shared.Tests = slices.DeleteFunc(d.plan.tests(ExperimentPlan{}), func(name string) bool {
				return !slices.Contains(shared.Tests, name) && !slices.Contains(tests, name)
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// each calls do for every training of an experiment, system by system.
func (d *designer) each(i int, chosen []Setting, do func(s point, w *wanted)) error {
	e := d.plan.Experiments[i]
	for _, s := range d.plan.systems(i) {
		settings := slices.Concat(d.plan.resolver.base(), chosen, e.Set, s.Set)
		for _, seed := range d.plan.seeds(e) {
			w, err := d.training(KindTraining, e, settings, seed)
			if err != nil {
				return err
			}
			w.name = fmt.Sprintf("%s/%s, seed %d", e.Name, s.Name, seed)
			do(s, w)
		}
	}
	return nil
}

// training returns the trial of the settings and a seed.
func (d *designer) training(kind string, e ExperimentPlan, settings []Setting, seed uint64) (*wanted, error) {
	plan, err := d.plan.training(settings, seed)
	if err != nil {
		return nil, d.plan.wrongTraining(settings, fmt.Sprintf("experiment %q", e.Name), err)
	}
	return &wanted{Kind: kind, plan: plan, text: d.plan.text(settings, plan), name: fmt.Sprintf("%s, seed %d", e.Name, seed)}, nil
}

// vary adds the systems of an experiment.
func (d *designer) vary(i int, chosen []Setting) error {
	e := d.plan.Experiments[i]
	tests := d.plan.tests(e)
	var systems []designed
	err := d.each(i, chosen, func(s point, w *wanted) {
		w.Tests = tests
		if shared := d.static[w.text]; shared != nil && covers(shared.Tests, tests) {
			w = shared
		}
		if len(systems) == 0 || systems[len(systems)-1].Name != s.Name {
			systems = append(systems, designed{point: s, of: e.Name, plan: w.plan})
		}
		last := &systems[len(systems)-1]
		w = d.want(w)
		w.experiments = append(w.experiments, i)
		last.trials = append(last.trials, w)
	})
	d.design.experiments[i] = systems
	return err
}

// covers tells whether all has each of some.
func covers(all, some []string) bool {
	return !slices.ContainsFunc(some, func(name string) bool { return !slices.Contains(all, name) })
}

// chosen returns what the experiment that e begins from chose, set before all
// else of e; ok is false where it has not chosen yet.
func (d *designer) chosen(e ExperimentPlan) (settings []Setting, ok bool, err error) {
	if e.From == "" {
		return nil, true, nil
	}
	i := slices.IndexFunc(d.plan.Experiments, func(o ExperimentPlan) bool { return o.Name == e.From })
	if d.design.selections[i] == nil {
		return nil, false, nil
	}
	before, ok, err := d.chosen(d.plan.Experiments[i])
	return slices.Concat(before, d.plan.Experiments[i].Set, d.design.selections[i].Chosen.Settings), ok, err
}

// choose adds the trials of a selection that are known, and its choice, if they
// are done.
func (d *designer) choose(i int, chosen []Setting) error {
	e := d.plan.Experiments[i]
	settings := slices.Concat(d.plan.resolver.base(), chosen, e.Set, e.Select.measured())
	plan, err := d.plan.training(settings, 0)
	if err != nil {
		return d.plan.wrongTraining(settings, fmt.Sprintf("experiment %q", e.Name), err)
	}
	asked, evaluated := 0, error(nil)
	evaluate := func(_ context.Context, points []Point, budget float64) ([]Worth, error) {
		worths := make([]Worth, len(points))
		pending := false
		for at, p := range points {
			settings := slices.Concat(settings, p.Settings)
			if budget < 1 {
				epochs := max(1, int(math.Round(budget*float64(plan.Optimiser.Epochs))))
				settings = append(settings, Setting{Path: "optimiser.epochs", Value: epochs})
			}
			worth, ok, err := d.worth(i, settings)
			if err != nil {
				evaluated = err
				return nil, err
			}
			asked += len(d.plan.seeds(e))
			worths[at], pending = worth, pending || !ok
		}
		if pending {
			return nil, errPending
		}
		return worths, nil
	}
	selection, err := Search(context.Background(), *e.Select, distill.LowerIsBetter(plan.Validation.Measure), evaluate)
	if errors.Is(err, errPending) {
		d.design.expected[i] = d.expected(i)
		d.design.later[i] = d.design.expected[i] - asked
		return nil
	}
	if evaluated != nil {
		return evaluated
	}
	if err != nil { // every point failed
		d.design.unchosen = append(d.design.unchosen, fmt.Errorf("experiment %q: %w", e.Name, err))
		return nil
	}
	selection.Measure = plan.Validation.Measure
	d.design.selections[i] = selection
	return nil
}

// worth returns what a point of a selection was found to be worth in the mean
// over the seeds; ok is false while some of its trials are not done.
func (d *designer) worth(i int, settings []Setting) (worth Worth, ok bool, err error) {
	ok = true
	e := d.plan.Experiments[i]
	seeds := d.plan.seeds(e)
	n := float64(len(seeds))
	for _, seed := range seeds {
		w, err := d.training(KindSelection, e, settings, seed)
		if err != nil {
			return worth, false, err
		}
		w = d.want(w)
		w.experiments = append(w.experiments, i)
		record, err := d.done(w.Key)
		switch {
		case err != nil:
			return worth, false, err
		case record == nil:
			ok = false
		case record.Failed != "":
			worth.Value = math.NaN()
		default:
			look := record.kept().Validation
			if look == nil || look.Measured == nil || look.Served == nil {
				return worth, false, fmt.Errorf("experiment %q: the trial %s was not measured on held-out conversations", e.Name, w.Key)
			}
			worth.Value += look.Measured.Value / n
			worth.FLOPS += look.Served.FLOPS / n
			worth.L0 += look.Served.L0 / n
		}
	}
	return worth, ok, nil
}

// expected returns how many trials an experiment will want, about.
func (d *designer) expected(i int) int {
	e := d.plan.Experiments[i]
	seeds := len(d.plan.seeds(e))
	if e.Select == nil {
		return len(d.plan.systems(i)) * seeds
	}
	points, err := e.Select.Points()
	if err != nil {
		return 0
	}
	n := 0
	for _, rung := range e.Select.Rungs(len(points)) {
		n += rung.Points * seeds
	}
	return n
}
