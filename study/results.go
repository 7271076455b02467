package study

import (
	"fmt"
	"path/filepath"
	"slices"

	"parley/distill"
	"parley/measure"
	"parley/sparse"
	"parley/trec"
)

// Results are all that a study's folder holds, measured.
type Results struct {
	Dir         string
	Plan        *Plan
	CodeVersion string
	Measures    []measure.Measure
	Collections []Collection
	Tests       []*Test
	Baselines   []*System
	Experiments []*Experiment
	Trials      []*Trial // of the plan, each once
	Missing     int      // trials of the plan that are not done
	Warnings    []Warning
}

// System returns the system of a name as a report's plan has it, EXPERIMENT/POINT
// or baseline/MODE; nil where there is none.
func (r *Results) System(name string) *System {
	for _, s := range r.all() {
		if s.path() == name {
			return s
		}
	}
	return nil
}

// all returns all systems, baselines first.
func (r *Results) all() []*System {
	all := slices.Clone(r.Baselines)
	for _, e := range r.Experiments {
		all = append(all, e.Systems...)
	}
	return all
}

// path is the name of a system among all.
func (s *System) path() string {
	if s.Baseline != "" {
		return baselineName(s.Baseline)
	}
	return s.Experiment + "/" + s.Name
}

// Test is a test with what it asks.
type Test struct {
	Plan     TestPlan
	Passages int        // that are searched
	Turns    []Turn     // the judged ones of the subset, by id
	Qrels    trec.Qrels // of these
	Unjudged int        // turns of the subset that are left out: they have no judgements
	NoText   int        // of Turns: they lack the text that is asked, and score 0

	tokens []string
	df     []int
}

// NewTest returns a test without turns over so many passages, from the tokens of
// the vocabulary and the numbers of passages that each is in: results that were
// not read from a folder are made of it.
func NewTest(p TestPlan, passages int, tokens []string, df []int) *Test {
	return &Test{Plan: p, Passages: passages, tokens: tokens, df: df}
}

// Token returns the token of a term.
func (t *Test) Token(term uint32) string { return t.tokens[term] }

// DF returns in how many passages a term is.
func (t *Test) DF(term uint32) int { return t.df[term] }

// Turn is a turn of a test.
type Turn struct {
	ID, Conversation string
	Number           int // in its conversation, from 1
	Question         string
	Rewrite          string            // by the human; "" for none
	Rewrites         map[string]string // by others
	Context          string            // what is asked, newest first; "" where the turn has no such text
}

// Experiment is an experiment with its systems.
type Experiment struct {
	Plan      ExperimentPlan
	Systems   []*System  // in the order of the plan; none of a selection
	Selection *Selection // what it chose; nil where it does not choose, or has not yet
}

// Base returns the system that the others are compared with; nil where there is
// none.
func (e *Experiment) Base() *System {
	for i, s := range e.Systems {
		if s.Name == e.Plan.Compare || e.Plan.Compare == "" && i == 0 {
			return s
		}
	}
	return nil
}

// System is a way to ask: a baseline, or students that differ in their seeds
// alone.
type System struct {
	Name, Title string
	Experiment  string       // its name; "" of a baseline
	X           *float64     // its place in a chart, where the plan says one
	Baseline    string       // its mode; "" of students
	Settings    []Setting    // what sets it apart in its experiment
	Plan        distill.Plan // of students, with the first seed
	Seeds       int          // trials that the plan wants
	Trials      []*Trial     // that are done, in the order of the seeds
	Measured    []*Measured  // by test; nil where it is not tested, or no trial is done
}

// Trial is a trial that is done.
type Trial struct {
	Key        string
	Kind       string // KindTraining, KindSelection or KindBaseline
	Name       string // for people
	Mode       string // of a baseline
	Tests      []string
	Seed       uint64
	Plan       distill.Plan
	Failed     string // why it ended without a student; "" if it did not
	Counts     distill.Counts
	History    []distill.Epoch
	Best       int // the epoch that was kept, from 1; 0 for the last
	EndedEarly bool
	ModelBytes int64
	Notes      []string
	Model      string  // folder of the student, if it was kept
	Seconds    float64 // of training; timing, not reproducible

	dir    string
	record *trialRecord
	timing timing
}

// Kept returns the epoch whose student was kept.
func (t *Trial) Kept() distill.Epoch {
	return (&trialRecord{History: t.History, Best: t.Best}).kept()
}

// Queries returns the queries of a test, by turn id, as they were searched with.
func (t *Trial) Queries(test string) (map[string]sparse.Quantised, error) {
	queries := map[string]sparse.Quantised{}
	for q, err := range readLines[queryRecord](filepath.Join(t.dir, filepath.FromSlash(queriesFile(test)))) {
		if err != nil {
			return nil, err
		}
		queries[q.ID] = q.vector()
	}
	return queries, nil
}

// Run returns what was found in a test. Scores are whole numbers of steps, which
// differ from turn to turn.
func (t *Trial) Run(test string) (trec.Run, error) {
	return trec.OpenRun(filepath.Join(t.dir, filepath.FromSlash(runFile(test))))
}

// Measured is what a test says of a system.
type Measured struct {
	Test       *Test
	Trials     []*Trial            // by seed
	Evaluation *measure.Evaluation // of each turn the mean over the seeds
	// Costs of a query in the mean over the queries asked: its terms, the share of
	// the passages that a term is in, summed over its terms, and the postings that
	// a search walks through.
	L0, FLOPS, Postings Spread
	// TurnL0 and TurnPostings are those of each turn, in the order of
	// Evaluation.Topics, in the mean over the seeds; 0 where nothing was asked.
	TurnL0, TurnPostings []float64
	Micros               Latency   // timing, not reproducible
	Scores               []*Scores // by seed; nil where no turn has the teacher's rewrite
}

// Spread is a number of each of several seeds.
type Spread struct {
	Mean      float64
	Deviation float64 // n−1; 0 of one seed
	Seeds     []float64
}

// Number sums up the turns of one number in their conversations: means over the
// turns, and 95 % intervals of a bootstrap over conversations.
type Number struct {
	Number        int
	Turns         int
	Values        []float64 // by measure
	Low, High     []float64
	L0            float64
	L0Low, L0High float64
	Postings      float64
}

// Latency is how long a turn took in one thread, encoding and searching, in
// microseconds and in the mean over the seeds, while other trials may have run.
type Latency struct{ Mean, P50, P95 float64 }

// Label returns the title of a system, or its name.
func (s *System) Label() string {
	if s.Title != "" {
		return s.Title
	}
	return s.Name
}

// String names the warning's subject and says it.
func (w Warning) String() string { return fmt.Sprintf("%s: %s", w.Where, w.Text) }
