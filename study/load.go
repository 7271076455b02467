package study

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"parley/measure"
	"parley/trec"
)

// Load reads a study's folder. Everything is measured from the runs, queries and
// judgements that the folder holds, after their checksums were verified; trials
// that are not done are counted, and no process need have ended.
func Load(dir string) (*Results, error) {
	p, f, err := open(dir)
	if err != nil {
		return nil, err
	}
	r := &Results{Dir: dir, Plan: p, CodeVersion: f.CodeVersion, Measures: p.Measures, Collections: f.Collections, Warnings: slices.Clone(f.Warnings)}
	for _, t := range p.Tests {
		test, err := loadTest(dir, t.Name, f)
		if err != nil {
			return nil, err
		}
		r.Tests = append(r.Tests, test)
	}
	ledger := newLedger(dir)
	design, err := newDesign(p, f, ledger.get)
	if err != nil {
		return nil, err
	}
	l := &loader{results: r, trials: map[string]*loaded{}}
	if err := l.load(design, ledger); err != nil {
		return nil, err
	}
	r.Missing = len(design.trials) + design.missing() - len(r.Trials)
	if err := l.join(design); err != nil {
		return nil, err
	}
	for _, err := range design.unchosen {
		r.Warnings = append(r.Warnings, Warning{Where: "study", Text: err.Error()})
	}
	l.warn()
	return r, nil
}

// open reads the plan of a study's folder and what it remembers of the data.
func open(dir string) (*Plan, *facts, error) {
	f := &facts{}
	err := readJSON(within(dir, dataFile), f)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s is no study, or none that was ever begun: it has no %s; run one with parley study run", dir, dataFile)
	}
	if err != nil {
		return nil, nil, err
	}
	data, err := os.ReadFile(within(dir, PlanFile))
	if err != nil {
		return nil, nil, err
	}
	p, err := ReadPlan(bytes.NewReader(data), within(dir, PlanFile))
	if err != nil {
		return nil, nil, err
	}
	if f.Format != format {
		return nil, nil, fmt.Errorf("%s was written by another version of this program: run the study again in a new folder", dir)
	}
	return p, f, nil
}

// loadTest reads the folder of a test.
func loadTest(dir, name string, f *facts) (*Test, error) {
	at := within(dir, testsDir, name)
	var record testRecord
	if err := readJSON(filepath.Join(at, testFile), &record); err != nil {
		return nil, err
	}
	if record.Fingerprint != f.Tests[name] {
		return nil, fmt.Errorf("%s is of another plan: run the study again", at)
	}
	have, err := sums(at, turnsFile, termsFile, qrelsFile)
	if err != nil {
		return nil, err
	}
	for file, sum := range record.Files {
		if have[file] != sum {
			return nil, fmt.Errorf("%s is damaged: remove the folder %s and run the study again", filepath.Join(at, file), at)
		}
	}
	t := &Test{Plan: record.Plan, Passages: record.Passages, Unjudged: record.Unjudged, NoText: record.NoText}
	for turn, err := range readLines[turnRecord](filepath.Join(at, turnsFile)) {
		if err != nil {
			return nil, err
		}
		t.Turns = append(t.Turns, Turn(turn))
	}
	if t.Qrels, err = trec.OpenQrels(filepath.Join(at, qrelsFile)); err != nil {
		return nil, err
	}
	return t, t.readTerms(filepath.Join(at, termsFile))
}

func (t *Test) readTerms(path string) error {
	for line, err := range packedLines(path) {
		if err != nil {
			return err
		}
		quoted, count, _ := strings.Cut(string(line), "\t")
		token, err := strconv.Unquote(quoted)
		df, notNumber := strconv.Atoi(count)
		if err := errors.Join(err, notNumber); err != nil {
			return fmt.Errorf("%s is damaged: %w", path, err)
		}
		t.tokens, t.df = append(t.tokens, token), append(t.df, df)
	}
	return nil
}

// loader measures the trials of a study.
type loader struct {
	results *Results
	trials  map[string]*loaded // by key
}

// loaded is a trial with what its tests say, by name.
type loaded struct {
	*Trial
	tests map[string]*outcome
}

// outcome is what a test says of a trial.
type outcome struct {
	evaluation   *measure.Evaluation
	costs        measure.Costs
	l0, postings []float64 // by turn
	scores       *Scores
}

// load reads the trials of a design that are done.
func (l *loader) load(d *design, ledger *ledger) error {
	var done []*wanted
	for _, w := range d.trials {
		record, err := ledger.get(w.Key)
		if err != nil {
			return err
		}
		if record != nil {
			done = append(done, w)
		}
	}
	trials, failed := make([]*loaded, len(done)), make([]error, len(done))
	parallel(runtime.GOMAXPROCS(0), len(done), func(i int) {
		trials[i], failed[i] = l.trial(done[i], ledger.known(done[i].Key))
	})
	if err := errors.Join(failed...); err != nil {
		return err
	}
	for _, t := range trials {
		l.trials[t.Key] = t
		l.results.Trials = append(l.results.Trials, t.Trial)
	}
	return nil
}

// trial reads a trial and measures it.
func (l *loader) trial(w *wanted, record *trialRecord) (*loaded, error) {
	dir := l.results.Dir
	if err := record.verify(dir); err != nil {
		return nil, err
	}
	took, _ := readTiming(dir, w.Key)
	t := &Trial{
		Key: w.Key, Kind: w.Kind, Name: w.name, Mode: w.Mode, Tests: w.Tests, Seed: record.Seed, Plan: w.plan, Failed: record.Failed,
		History: record.History, Best: record.Best, EndedEarly: record.EndedEarly, ModelBytes: record.ModelBytes, Notes: record.Notes,
		Seconds: took.Training, dir: within(dir, trialsDir, w.Key), record: record, timing: took,
	}
	t.Counts = record.Counts
	if info, err := os.Stat(filepath.Join(t.dir, modelDir)); err == nil && info.IsDir() {
		t.Model = filepath.Join(t.dir, modelDir)
	}
	out := &loaded{t, map[string]*outcome{}}
	if t.Failed != "" {
		return out, nil
	}
	for _, test := range l.results.Tests {
		if !slices.Contains(w.Tests, test.Plan.Name) {
			continue
		}
		o, err := t.measure(test, l.results.Measures)
		if err != nil {
			return nil, fmt.Errorf("%s, test %q: %w", t.dir, test.Plan.Name, err)
		}
		out.tests[test.Plan.Name] = o
	}
	return out, nil
}

// measure computes what a test says of a trial.
func (t *Trial) measure(test *Test, measures []measure.Measure) (*outcome, error) {
	run, err := t.Run(test.Plan.Name)
	if err != nil {
		return nil, err
	}
	o := &outcome{}
	if o.evaluation, err = measure.Evaluate(test.Qrels, run, measures, measure.Options{}); err != nil {
		return nil, err
	}
	queries, err := t.Queries(test.Plan.Name)
	if err != nil {
		return nil, err
	}
	o.l0, o.postings = make([]float64, len(o.evaluation.Topics)), make([]float64, len(o.evaluation.Topics))
	for i, topic := range o.evaluation.Topics {
		q, asked := queries[topic]
		if !asked {
			continue
		}
		o.costs.Queries++
		for _, term := range q.Terms {
			if int(term) >= len(test.df) {
				return nil, fmt.Errorf("the query of turn %q has the term %d, and the vocabulary has %d", topic, term, len(test.df))
			}
			o.postings[i] += float64(test.df[term])
		}
		o.l0[i] = float64(q.Len())
		o.costs.L0 += o.l0[i]
		o.costs.Postings += o.postings[i]
	}
	if n := float64(o.costs.Queries); n > 0 {
		o.costs.L0, o.costs.Postings = o.costs.L0/n, o.costs.Postings/n
		o.costs.FLOPS = o.costs.Postings / float64(test.Passages)
	}
	path := filepath.Join(t.dir, filepath.FromSlash(scoresFile(test.Plan.Name)))
	if t.record.Files[scoresFile(test.Plan.Name)] != "" {
		o.scores = &Scores{}
		return o, readJSON(path, o.scores)
	}
	return o, nil
}

// join joins trials to systems, and systems to experiments.
func (l *loader) join(d *design) error {
	r := l.results
	for i, s := range d.baselines {
		system, err := l.system(s)
		if err != nil {
			return err
		}
		system.Baseline = r.Plan.Baselines[i]
		r.Baselines = append(r.Baselines, system)
	}
	for i, e := range r.Plan.Experiments {
		experiment := &Experiment{Plan: e, Selection: d.selections[i]}
		for _, s := range d.experiments[i] {
			system, err := l.system(s)
			if err != nil {
				return err
			}
			experiment.Systems = append(experiment.Systems, system)
		}
		r.Experiments = append(r.Experiments, experiment)
	}
	return nil
}

// system joins the trials of a system.
func (l *loader) system(d designed) (*System, error) {
	s := &System{
		Name: d.Name, Title: d.Title, Experiment: d.of, X: d.X, Settings: d.Set, Plan: d.plan, Seeds: len(d.trials),
		Measured: make([]*Measured, len(l.results.Tests)),
	}
	var done []*loaded
	for _, w := range d.trials {
		if t := l.trials[w.Key]; t != nil {
			done = append(done, t)
			s.Trials = append(s.Trials, t.Trial)
		}
	}
	var working sync.WaitGroup
	failed := make([]error, len(l.results.Tests))
	for i, test := range l.results.Tests {
		working.Go(func() { s.Measured[i], failed[i] = join(test, done) })
	}
	working.Wait()
	return s, errors.Join(failed...)
}

// join joins what a test says of the trials of a system; nil where it says
// nothing.
func join(test *Test, trials []*loaded) (*Measured, error) {
	m := &Measured{Test: test}
	var evaluations []*measure.Evaluation
	var l0, flops, postings []float64
	for _, t := range trials {
		o := t.tests[test.Plan.Name]
		if o == nil {
			continue
		}
		m.Trials = append(m.Trials, t.Trial)
		m.Scores = append(m.Scores, o.scores)
		evaluations = append(evaluations, o.evaluation)
		l0, flops, postings = append(l0, o.costs.L0), append(flops, o.costs.FLOPS), append(postings, o.costs.Postings)
		m.TurnL0, m.TurnPostings = plus(m.TurnL0, o.l0), plus(m.TurnPostings, o.postings)
		took := t.timing.Tests[test.Plan.Name]
		m.Micros = Latency{m.Micros.Mean + took.Mean, m.Micros.P50 + took.P50, m.Micros.P95 + took.P95}
	}
	n := float64(len(evaluations))
	if n == 0 {
		return nil, nil
	}
	var err error
	if m.Evaluation, err = measure.Average(evaluations...); err != nil {
		return nil, err
	}
	m.L0, m.FLOPS, m.Postings = spread(l0), spread(flops), spread(postings)
	m.Micros = Latency{m.Micros.Mean / n, m.Micros.P50 / n, m.Micros.P95 / n}
	for i := range m.TurnL0 {
		m.TurnL0[i] /= n
		m.TurnPostings[i] /= n
	}
	return m, nil
}

// plus adds values to sums.
func plus(sums, values []float64) []float64 {
	if sums == nil {
		return slices.Clone(values)
	}
	for i, v := range values {
		sums[i] += v
	}
	return sums
}
