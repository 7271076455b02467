package study

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"parley/distill"
	"parley/internal/durable"
)

// Options say how a study runs; nothing in them but CodeVersion changes what it
// ends with.
type Options struct {
	// Data is the folder that relative paths of the plan start from; "" stands
	// for the current one.
	Data string
	// Workers is how many trials run at once; 0 means 1. When fewer are left, a
	// trial gets several.
	Workers int
	// CodeVersion is a part of every trial's key: trials of another version are
	// not taken for those of this one.
	CodeVersion string
	// Only are names of experiments: the trials of no others are run, but for the
	// baselines and those that they begin from; none stands for all.
	Only []string
	// RetryFailed runs trials again that failed before.
	RetryFailed bool
	// Preparing, if not nil, is told what is made ready.
	Preparing func(what string)
	// Progress, if not nil, is told how far the study is, from several goroutines
	// but one at a time.
	Progress func(Progress)
}

// at returns where a path of the plan leads.
func (o Options) at(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(o.Data, path)
}

func (o Options) preparing(what string) {
	if o.Preparing != nil {
		o.Preparing(what)
	}
}

// Progress is where a study stands.
type Progress struct {
	Done    int // trials, those of before included
	Failed  int // of them
	Total   int // known, and about how many more selections will want
	Running int
	// Left is about how long the rest takes, from how long trials of their kinds
	// took; below 0 where no trial is done yet.
	Left time.Duration
	// Trial names what is told of, and Training how far it is.
	Trial    string
	Training distill.Progress
	// Ended is set when a trial has ended.
	Ended bool
}

// Summary is what a run of a study ended with.
type Summary struct {
	Done      int      // trials in the ledger that the plan wants
	Total     int      // that it wants
	Ran       int      // of them now
	Failed    []string // names of those that ended without a student, each with its reason
	Elsewhere int      // that another process was running at the end
}

// Run runs the trials of a plan that the folder dir does not hold yet. It ends
// early with ctx's error when ctx ends, the checkpoints of trainings written. A
// trial that could not be run does not keep the others from running; its error is
// returned at the end.
func Run(ctx context.Context, p *Plan, dir string, o Options) (_ *Summary, err error) {
	o.Workers = max(1, o.Workers)
	if err := claim(dir); err != nil {
		return nil, err
	}
	only, err := p.only(o.Only)
	if err != nil {
		return nil, err
	}
	b, err := prepare(ctx, p, dir, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r := &runner{
		bench: b, options: o, ledger: newLedger(dir), running: map[string]int{}, retried: map[string]bool{},
		locked: map[string]bool{}, broken: map[string]bool{}, took: map[string]pace{}, only: only,
	}
	r.changed = sync.NewCond(&r.mu)
	if err := r.begin(); err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { r.mu.Lock(); r.changed.Broadcast(); r.mu.Unlock() })()
	var all sync.WaitGroup
	for range o.Workers {
		all.Go(func() { r.work(ctx) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return r.summary()
}

// claim makes dir the folder of a study, and refuses one that holds something
// else.
func claim(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot write the study %s: %w", dir, err)
	}
	if _, err := os.Stat(within(dir, signFile)); err == nil {
		return nil
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") { // what another process stages is hidden
			return fmt.Errorf("cannot write the study %s: it is not empty and has no %s; name another folder", dir, signFile)
		}
	}
	return writeJSON(within(dir, signFile), struct {
		Format string `json:"format"`
	}{format})
}

// runner shares out the trials of a study.
type runner struct {
	bench   *workbench
	options Options
	ledger  *ledger

	mu      sync.Mutex
	changed *sync.Cond
	design  *design
	order   []*wanted      // those that are to be run
	later   int            // that will be wanted, about
	only    []bool         // by experiment: its trials are to be run
	running map[string]int // workers, by key
	ran     int
	retried map[string]bool
	locked  map[string]bool // by key: another process runs it
	errors  []error         // why trials could not be run
	broken  map[string]bool // by key: those
	took    map[string]pace // by class
	told    time.Time
}

// begin finds out what the folder holds already.
func (r *runner) begin() error {
	if err := r.redesign(); err != nil {
		return err
	}
	for _, w := range r.design.trials {
		record, err := r.ledger.get(w.Key)
		if err != nil {
			return err
		}
		if took, ok := readTiming(r.bench.dir, w.Key); ok && record != nil && record.Failed == "" {
			r.measure(w, took)
		}
	}
	return nil
}

// redesign finds out what the plan wants now.
func (r *runner) redesign() error {
	design, err := newDesign(r.bench.plan, &r.bench.facts, r.ledger.get)
	if err != nil {
		return err
	}
	r.design = design
	r.order, r.later = nil, 0
	for _, w := range r.design.trials {
		if w.Kind == KindBaseline || slices.ContainsFunc(w.experiments, func(i int) bool { return r.only[i] }) {
			r.order = append(r.order, w)
		}
	}
	for i, n := range r.design.later {
		if r.only[i] {
			r.later += n
		}
	}
	slices.SortStableFunc(r.order, func(a, b *wanted) int { return a.cost() - b.cost() })
	return nil
}

// cost orders trials: what others wait for first, then what is cheap.
func (w *wanted) cost() int {
	cost := slices.Index([]string{KindBaseline, distill.StudentFeatures, distill.StudentMLP, distill.StudentSplade}, w.class())
	if w.Kind == KindSelection {
		return cost - 10
	}
	return cost
}

// work runs trials until there is none that this process can run.
func (r *runner) work(ctx context.Context) {
	for {
		w, lock, workers := r.next(ctx)
		if w == nil {
			return
		}
		record, took, err := r.bench.run(ctx, w, workers, func(p distill.Progress) { r.tell(w, p, false) })
		r.ended(ctx, w, record, took, errors.Join(err, lock.Unlock()))
	}
}

// ended notes how a trial ended.
func (r *runner) ended(ctx context.Context, w *wanted, record *trialRecord, took timing, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.changed.Broadcast()
	delete(r.running, w.Key)
	switch {
	case err != nil && ctx.Err() != nil: // told by who ended it
		return
	case err != nil:
		r.broken[w.Key] = true
		r.errors = append(r.errors, fmt.Errorf("%s: %w", w.name, err))
		return
	}
	r.ran++
	r.ledger.put(record)
	if record.Failed == "" {
		r.measure(w, took)
	}
	if r.later > 0 {
		if err := r.redesign(); err != nil {
			r.errors = append(r.errors, err)
		}
	}
	r.tellNow(w, distill.Progress{}, true)
}

// next returns a trial to run, its lock held; nil where there is none.
func (r *runner) next(ctx context.Context) (*wanted, *durable.Lock, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for looks := 0; ctx.Err() == nil; {
		w, lock, err := r.take()
		switch {
		case err != nil:
			r.errors = append(r.errors, err)
			return nil, nil, 0
		case w != nil:
			workers := r.share()
			r.running[w.Key] = workers
			return w, lock, workers
		case len(r.running) > 0:
			r.changed.Wait() // what ends may bring others
		case len(r.locked) > 0 && (r.later > 0 || looks < lastLooks):
			looks++
			r.pause(ctx)
			if err := r.redesign(); err != nil {
				r.errors = append(r.errors, err)
				return nil, nil, 0
			}
		default:
			return nil, nil, 0
		}
	}
	return nil, nil, 0
}

// lastLooks is how often a process looks whether another has let go of a trial,
// before it leaves the last ones to it.
const lastLooks = 3

// pause lets go of the runner until another process may have got further.
func (r *runner) pause(ctx context.Context) {
	r.mu.Unlock()
	defer r.mu.Lock()
	select {
	case <-ctx.Done():
	case <-time.After(lookAgain):
	}
}

// take locks the first trial that is neither done nor run by anybody.
func (r *runner) take() (*wanted, *durable.Lock, error) {
	for _, w := range r.order {
		if !r.pending(w) {
			continue
		}
		lock, ok, err := durable.TryLock(within(r.bench.dir, trialsDir, w.Key+".lock"))
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			r.locked[w.Key] = true
			continue
		}
		delete(r.locked, w.Key)
		record, err := r.ledger.get(w.Key) // another may have done it just before
		if err == nil && (record == nil || r.retry(record)) {
			r.retried[w.Key] = true
			return w, lock, nil
		}
		if err := errors.Join(err, lock.Unlock()); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, nil
}

// retry tells whether a trial that is done is to be run again.
func (r *runner) retry(record *trialRecord) bool {
	return record.Failed != "" && r.options.RetryFailed && !r.retried[record.Key]
}

// pending tells whether a trial is still to be run, by this process or another.
func (r *runner) pending(w *wanted) bool {
	if r.running[w.Key] > 0 || r.broken[w.Key] {
		return false
	}
	record := r.ledger.known(w.Key)
	return record == nil || r.retry(record)
}

// share returns how many workers the trial gets that was just taken.
func (r *runner) share() int {
	free, waiting := r.options.Workers, 0
	for _, workers := range r.running {
		free -= workers
	}
	for _, w := range r.order {
		if r.pending(w) && !r.locked[w.Key] {
			waiting++ // the one that was taken is among them
		}
	}
	return max(1, free/max(1, waiting+r.later))
}

// tell tells of a step of a trial, now and then.
func (r *runner) tell(w *wanted, p distill.Progress, ended bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.told) >= tellEvery {
		r.tellNow(w, p, ended)
	}
}

// tellEvery is how far apart reports of steps are.
const tellEvery = 100 * time.Millisecond

func (r *runner) tellNow(w *wanted, p distill.Progress, ended bool) {
	if r.options.Progress == nil {
		return
	}
	r.told = time.Now()
	now := Progress{Total: len(r.order) + r.later, Running: len(r.running), Trial: w.name, Training: p, Ended: ended}
	for _, w := range r.order {
		if record := r.ledger.known(w.Key); record != nil {
			now.Done++
			if record.Failed != "" {
				now.Failed++
			}
		}
	}
	now.Left = r.timeLeft()
	r.options.Progress(now)
}

// pace is how long trials of a class took for how much work.
type pace struct{ seconds, work float64 }

func (r *runner) measure(w *wanted, took timing) {
	p := r.took[w.class()]
	r.took[w.class()] = pace{p.seconds + took.All, p.work + w.work(r.bench.data.Passages.N())}
}

// dearer returns about how many times as long a class takes for the same work as
// students by features, for classes of which no trial is done yet.
func dearer(class string) float64 {
	switch class {
	case distill.StudentMLP:
		return 6
	case distill.StudentSplade:
		return 60
	}
	return 1
}

// speed returns the seconds that a unit of work of a class takes; ok is false
// where nothing is known.
func (r *runner) speed(class string) (seconds float64, ok bool) {
	if p := r.took[class]; p.work > 0 {
		return p.seconds / p.work, true
	}
	for _, other := range []string{distill.StudentSplade, distill.StudentMLP, distill.StudentFeatures, KindBaseline} {
		if p := r.took[other]; p.work > 0 {
			return p.seconds / p.work * dearer(class) / dearer(other), true
		}
	}
	return 0, false
}

// timeLeft returns about how long the trials take that are not done; below 0
// where nothing is known.
func (r *runner) timeLeft() time.Duration {
	left, all, n := 0.0, 0.0, 0.0
	for _, w := range r.order {
		speed, ok := r.speed(w.class())
		if !ok {
			return -1
		}
		seconds := speed * w.work(r.bench.data.Passages.N())
		all, n = all+seconds, n+1
		if r.ledger.known(w.Key) != nil {
			continue
		}
		if r.running[w.Key] > 0 {
			seconds /= 2 // half done, in the mean
		}
		left += seconds
	}
	if r.later > 0 && n > 0 {
		left += float64(r.later) * all / n
	}
	return time.Duration(left / float64(r.options.Workers) * float64(time.Second))
}

// summary tells what the run ended with.
func (r *runner) summary() (*Summary, error) {
	s := &Summary{Total: len(r.order) + r.later, Ran: r.ran}
	for _, w := range r.order {
		record, err := r.ledger.get(w.Key)
		switch {
		case err != nil:
			r.errors = append(r.errors, err)
		case record == nil && r.locked[w.Key]:
			s.Elsewhere++
		case record != nil:
			s.Done++
			if record.Failed != "" {
				s.Failed = append(s.Failed, w.name+": "+record.Failed)
			}
		}
	}
	if len(r.design.unchosen) > 0 && len(r.errors) == 0 {
		return s, errors.Join(r.design.unchosen...)
	}
	if len(r.errors) > 0 {
		return s, fmt.Errorf("%d of %d trials could not be run; the first: %w", len(r.errors), s.Total, r.errors[0])
	}
	return s, nil
}

// ledger knows the trials that a folder holds. It is safe for concurrent use.
type ledger struct {
	dir     string
	mu      sync.Mutex
	records map[string]*trialRecord
}

func newLedger(dir string) *ledger { return &ledger{dir: dir, records: map[string]*trialRecord{}} }

// get returns the record of a trial, read from the folder if it is not known yet;
// nil where there is none.
func (l *ledger) get(key string) (*trialRecord, error) {
	if record := l.known(key); record != nil {
		return record, nil
	}
	record, err := readRecord(l.dir, key)
	if record != nil {
		l.put(record)
	}
	return record, err
}

// known returns the record of a trial that was asked for or put before.
func (l *ledger) known(key string) *trialRecord {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records[key]
}

func (l *ledger) put(record *trialRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records[record.Key] = record
}
