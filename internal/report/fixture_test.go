package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"parley/collection"
	"parley/distill"
	"parley/measure"
	"parley/sparse"
	"parley/study"
	"parley/trec"
)

// fixture makes up the results of a study: nothing is trained, ranks are drawn
// so that better systems find more.
type fixture struct {
	t       testing.TB
	random  *rand.Rand
	results *study.Results
	text    string
	queries map[*study.Trial]map[string]map[string]sparse.Quantised
}

var vocabulary = []string{"bee", "honey", "the", "garden", "when", "did", "it", "bloom", "##s", "rose", "winter", "<script>alert(2)</script>"}

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, random: rand.New(rand.NewPCG(7, 0)), queries: map[*study.Trial]map[string]map[string]sparse.Quantised{}}
	measures, err := measure.ParseList("R@10 RR nDCG@3")
	if err != nil {
		t.Fatal(err)
	}
	f.results = &study.Results{
		Dir: "study", CodeVersion: "v0.0.0-test", Measures: measures,
		Plan:     &study.Plan{Name: "gardens", Seeds: []uint64{1, 2, 3}},
		Warnings: []study.Warning{{Where: "test-b", Text: "3 turns share passages with training"}},
		Missing:  2,
	}
	f.results.Tests = []*study.Test{f.test("test-a", 90, 12), f.test("test-b", 40, 8)}
	f.results.Tests[1].Plan.Title, f.results.Tests[1].Plan.Unseen = "the other garden", true
	for _, name := range []string{"train", "test-a"} {
		f.results.Collections = append(f.results.Collections, study.Collection{Name: name, Of: "whole", Statistics: collection.Statistics{
			Passages: 1200, PassageWords: 80.25, Conversations: 30, Turns: 250, QuestionWords: 6.5, Answers: 240, AnswerWords: 22, JudgedTurns: 90, RelevantPerTurn: 1.25,
			TurnsPerConversation: collection.Spread{Mean: 8.3, Min: 2, Max: 12},
			Rewrites:             []collection.RewriteStatistics{{Rewriter: "human", Turns: 240, Judged: 88, Words: 9.1}},
		}})
	}
	f.text = "name: gardens\nseeds: [1, 2, 3]\n"
	f.baselines()
	f.experiments()
	return f
}

func (f *fixture) test(name string, turns, longest int) *study.Test {
	t := study.NewTest(study.TestPlan{Name: name, Passages: name, Turns: name, Query: "history", Subset: "all", K: 10}, 1000, vocabulary, []int{20, 30, 900, 100, 400, 500, 600, 40, 300, 50, 60, 70})
	t.Qrels = trec.Qrels{}
	for i := range turns {
		turn := study.Turn{Conversation: fmt.Sprintf("c%02d", i/longest), Number: i%longest + 1, Question: "when did it bloom?", Rewrite: "when did the rose bloom?", Context: "when did it bloom? [SEP] a rose"}
		turn.ID = fmt.Sprintf("%s_%02d", turn.Conversation, turn.Number)
		t.Turns = append(t.Turns, turn)
		t.Qrels[turn.ID] = map[string]int{"good": 1}
	}
	return t
}

// system makes up a system that ranks the relevant passage at ranks about 10^hard
// and asks with about l0 terms.
func (f *fixture) system(s *study.System, hard, l0 float64) *study.System {
	s.Seeds = 3
	if s.Baseline != "" {
		s.Seeds = 1
	}
	for seed := range s.Seeds {
		trial := &study.Trial{Key: s.Name + strconv.Itoa(seed), Kind: "training", Seed: uint64(seed + 1), Seconds: 12.5 + float64(seed)}
		f.results.Trials = append(f.results.Trials, trial)
		s.Trials = append(s.Trials, trial)
		f.queries[trial] = map[string]map[string]sparse.Quantised{}
	}
	for _, t := range f.results.Tests {
		s.Measured = append(s.Measured, f.measured(t, s, hard, l0))
	}
	return s
}

func (f *fixture) measured(t *study.Test, s *study.System, hard, l0 float64) *study.Measured {
	m := &study.Measured{Test: t, Trials: s.Trials, TurnL0: make([]float64, len(t.Turns)), TurnPostings: make([]float64, len(t.Turns)), Micros: study.Latency{P50: 800 * l0, P95: 1500 * l0, Mean: 900 * l0}}
	var evaluations []*measure.Evaluation
	for _, trial := range s.Trials {
		run, queries := trec.Run{}, map[string]sparse.Quantised{}
		cost, terms := 0.0, 0.0
		for i, turn := range t.Turns {
			run[turn.ID] = f.hits(hard)
			q := f.query(l0 * (1 + .05*float64(turn.Number)))
			queries[turn.ID] = q
			postings := sum(t, q).Postings
			cost, terms = cost+float64(postings), terms+float64(q.Len())
			m.TurnL0[i] += float64(q.Len()) / float64(s.Seeds)
			m.TurnPostings[i] += float64(postings) / float64(s.Seeds)
		}
		f.queries[trial][t.Plan.Name] = queries
		n := float64(len(t.Turns))
		m.L0.Seeds, m.FLOPS.Seeds, m.Postings.Seeds = append(m.L0.Seeds, terms/n), append(m.FLOPS.Seeds, cost/n/1000), append(m.Postings.Seeds, cost/n)
		e, err := measure.Evaluate(t.Qrels, run, f.results.Measures, measure.Options{})
		if err != nil {
			f.t.Fatal(err)
		}
		evaluations = append(evaluations, e)
		if s.Baseline == "" {
			m.Scores = append(m.Scores, f.scores())
		}
	}
	for _, spread := range []*study.Spread{&m.L0, &m.FLOPS, &m.Postings} {
		spread.Mean, spread.Deviation = moments(spread.Seeds)
	}
	var err error
	if m.Evaluation, err = measure.Average(evaluations...); err != nil {
		f.t.Fatal(err)
	}
	return m
}

func (f *fixture) hits(hard float64) []trec.Hit {
	rank := int(math.Pow(10, hard*f.random.Float64()))
	var hits []trec.Hit
	for i := 1; i <= 10; i++ {
		passage := "bad" + strconv.Itoa(i)
		if i == rank {
			passage = "good"
		}
		hits = append(hits, trec.Hit{Passage: passage, Score: float64(100 - i)})
	}
	return hits
}

func (f *fixture) query(l0 float64) sparse.Quantised {
	q := sparse.Quantised{Step: 1. / 1024}
	for term := range vocabulary {
		if f.random.Float64() < l0/float64(len(vocabulary)) {
			q.Terms, q.Weights = append(q.Terms, uint32(term)), append(q.Weights, uint16(1+f.random.IntN(4000)))
		}
	}
	return q
}

func (f *fixture) scores() *study.Scores {
	s := &study.Scores{Turns: 80, Pairs: 8000}
	for i, d := range []*study.Distribution{&s.Teacher, &s.Student} {
		*d = study.Distribution{Mean: 12 + float64(i), Deviation: 4, Width: .5, Quantiles: make([]float64, 101), Histogram: make([]int, 50)}
		for p := range d.Quantiles {
			d.Quantiles[p] = float64(p) / 4
		}
		for b := range d.Histogram {
			x := float64(b)/2 - d.Mean
			d.Histogram[b] = int(800 * math.Exp(-x*x/(18+9*float64(i))))
		}
	}
	for rank := 1; rank <= 100; rank++ {
		s.ByRank = append(s.ByRank, study.RankScores{Rank: rank, Teacher: 20 / math.Sqrt(float64(rank)), Student: 18 / math.Pow(float64(rank), .4)})
	}
	return s
}

func (f *fixture) baselines() {
	for i, mode := range []string{"last", "history", "rewrite"} {
		f.results.Baselines = append(f.results.Baselines, f.system(&study.System{Name: mode, Baseline: mode}, 1.9-.2*float64(i), 3+float64(i)))
	}
}

func set(path string, value any) []study.Setting {
	return []study.Setting{{Path: path, Value: value}}
}

func (f *fixture) experiment(plan study.ExperimentPlan, systems ...*study.System) {
	f.results.Experiments = append(f.results.Experiments, &study.Experiment{Plan: plan, Systems: systems})
}

func (f *fixture) experiments() {
	f.experiment(study.ExperimentPlan{Name: "objectives", Title: "Objectives", Note: "What a student is taught by."},
		f.system(&study.System{Name: "kld", Title: "KLD"}, 1.5, 6),
		f.system(&study.System{Name: "mix", Title: "KLD + InfoNCE"}, 1.2, 6),
		f.system(&study.System{Name: "infonce", Title: "InfoNCE"}, 1.8, 6))
	var sweep []*study.System
	for i, w := range []float64{0, .05, .1, .2, .5, 1} {
		sweep = append(sweep, f.system(&study.System{Name: fmt.Sprint("weight=", w), Settings: set("objective.infonce.weight", w)}, 1.5-.1*float64(i), 6))
	}
	f.experiment(study.ExperimentPlan{Name: "weight", Title: "Weight of the contrastive term"}, sweep...)
	frontier := []*study.System{f.system(&study.System{Name: "none"}, 1.4, 8)}
	for j, family := range []string{"flops", "l1", "df_l1"} {
		for i, w := range []float64{.01, .1, 1, 10} {
			s := &study.System{Name: fmt.Sprint(family, " ", w), Settings: set("objective."+family+".weight", w)}
			frontier = append(frontier, f.system(s, 1.4+.06*float64(i*i)-.02*float64(j), 6/float64(i+1)))
		}
	}
	f.experiment(study.ExperimentPlan{Name: "frontier", Title: "Regularisers", Show: study.ShowFrontier}, frontier...)
}

// queriesOf returns the queries that were made up for a trial.
func (f *fixture) queriesOf(t *study.Trial, test string) (map[string]sparse.Quantised, error) {
	return f.queries[t][test], nil
}

// anyQueries returns the queries of a trial on its first test.
func (f *fixture) anyQueries(t *study.Trial, _ string) (map[string]sparse.Quantised, error) {
	return f.queries[t]["test-a"], nil
}

func (f *fixture) report(times bool) *Report {
	f.t.Helper()
	r, err := newReport(f.results, times, f.text, f.queriesOf)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// choose adds a search for a weight and the student whose weight was chosen.
func (f *fixture) choose() {
	point := study.Point{Index: 1, Settings: set("objective.df_l1.weight", .3)}
	f.results.Experiments = append(f.results.Experiments, &study.Experiment{
		Plan: study.ExperimentPlan{Name: "choose", Select: &study.SelectPlan{Method: study.SelectGrid}},
		Selection: &study.Selection{Method: study.SelectGrid, Measure: "R@10", Chosen: point, Worth: study.Worth{Value: .7}, Tried: []study.Tried{
			{Point: study.Point{Settings: set("objective.df_l1.weight", .1)}, Budget: 1, Failed: true, Worth: study.Worth{Value: math.NaN()}},
			{Point: point, Budget: 1, Worth: study.Worth{Value: .7, FLOPS: 2, L0: 4}},
		}},
	})
	f.experiment(study.ExperimentPlan{Name: "chosen", From: "choose"}, f.system(&study.System{Name: "chosen", Title: "the chosen one"}, 1.4, 4))
}

// steer adds an experiment about targets: the first is met everywhere, the
// second on held-out conversations alone, the third nowhere.
func (f *fixture) steer() {
	var systems []*study.System
	systems = append(systems, f.system(&study.System{Name: "free"}, 1.4, 8))
	for i, off := range []float64{1.02, 1.3, 2} {
		s := f.system(&study.System{Name: fmt.Sprint("target ", i)}, 1.4, 4)
		s.Plan.Objective.Target.FLOPS = s.Measured[0].FLOPS.Mean * off
		for seed, trial := range s.Trials {
			held := s.Plan.Objective.Target.FLOPS * []float64{1.01, .96, .9}[i] * (1 + .01*float64(seed-1))
			trial.Best = 1
			trial.History = []distill.Epoch{{Epoch: 1, Validation: &distill.Epoch{Target: &distill.Targeted{Cost: held}}}}
		}
		systems = append(systems, s)
	}
	f.experiment(study.ExperimentPlan{Name: "targets"}, systems...)
}
