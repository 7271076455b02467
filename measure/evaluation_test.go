package measure

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley/trec"
)

var small = trec.Qrels{"a_1": {"p": 1}, "a_2": {"p": 1}, "b_1": {"q": 1}, "b_2": {"q": 0}}

func TestMissingTopicsScoreZero(t *testing.T) {
	e := evaluate(t, small, trec.Run{"a_1": {{Passage: "p", Score: 1}}}, measures(t, "RR NumRel"), 1)
	if d := cmp.Diff([][]float64{{1, 0, 0, 0}, {1, 1, 1, 0}}, e.Values); d != "" {
		t.Error(d)
	}
	if got := e.Aggregate(0); got != .25 {
		t.Errorf("the mean is %v", got)
	}
	if got := e.Aggregate(1); got != 3 {
		t.Errorf("the count is %v", got)
	}
}

// TestEvaluateIgnoresOrder: neither the order of the hits nor the sizes of the
// gaps between scores matter.
func TestEvaluateIgnoresOrder(t *testing.T) {
	all := measures(t, everyMeasure)
	rapid.Check(t, func(t *rapid.T) {
		qrels, run := drawCollection(t)
		want, err := Evaluate(qrels, run, all, Options{})
		if err != nil {
			t.Fatal(err)
		}
		shuffled := make(trec.Run)
		for topic, hits := range run {
			for _, h := range rapid.Permutation(hits).Draw(t, "order") {
				shuffled[topic] = append(shuffled[topic], trec.Hit{Passage: h.Passage, Score: math.Exp(h.Score)})
			}
		}
		got, err := Evaluate(qrels, shuffled, all, Options{})
		if d := cmp.Diff(want.Values, got.Values); d != "" || err != nil {
			t.Fatal(err, d)
		}
	})
}

func TestEvaluateRefuses(t *testing.T) {
	run := trec.Run{"a_1": {{Passage: "p", Score: 1}}}
	rr := measures(t, "RR")
	for want, f := range map[string]func() (*Evaluation, error){
		"the qrels are empty": func() (*Evaluation, error) { return Evaluate(nil, run, rr, Options{}) },
		"no measure is given": func() (*Evaluation, error) { return Evaluate(small, run, nil, Options{}) },
		`topic "a_1": passage "p" is given twice`: func() (*Evaluation, error) {
			return Evaluate(small, trec.Run{"a_1": {{Passage: "p", Score: 1}, {Passage: "p", Score: 2}}}, rr, Options{})
		},
		`topic "a_1": the score of passage "x" is not a number`: func() (*Evaluation, error) {
			return Evaluate(small, trec.Run{"a_1": {{Passage: "x", Score: math.NaN()}}}, rr, Options{})
		},
		"there are no evaluations": func() (*Evaluation, error) { return Average() },
		"the evaluations are of different measures": func() (*Evaluation, error) {
			return Average(evaluate(t, small, run, rr, 1), evaluate(t, small, run, rr, 2))
		},
		"the evaluations are of different topics": func() (*Evaluation, error) {
			return Average(evaluate(t, small, run, rr, 1), evaluate(t, trec.Qrels{"a_1": {"p": 1}}, run, rr, 1))
		},
	} {
		if _, err := f(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s…", err, want)
		}
	}
}

func TestAverageOverSeeds(t *testing.T) {
	rr := measures(t, "RR")
	one := evaluate(t, small, trec.Run{"a_1": {{Passage: "p", Score: 1}}, "a_2": {{Passage: "p", Score: 1}}}, rr, 1)
	two := evaluate(t, small, trec.Run{"a_1": {{Passage: "x", Score: 2}, {Passage: "p", Score: 1}}}, rr, 1)
	e, err := Average(one, two)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]float64{{.75, .5, 0, 0}}, e.Values); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]float64{.5, .125}, e.Seeds(0)); d != "" {
		t.Error(d)
	}
	if got, want := e.Deviation(0), .375/math.Sqrt2; math.Abs(got-want) > 1e-15 {
		t.Errorf("the deviation is %v, want %v", got, want)
	}
	part := e.Select(func(topic string) bool { return strings.HasSuffix(topic, "_1") })
	if d := cmp.Diff([]string{"a_1", "b_1"}, part.Topics); d != "" {
		t.Error(d)
	}
	var printed strings.Builder
	counted := evaluate(t, small, nil, measures(t, "NumRel"), 2).Select(func(topic string) bool { return strings.HasSuffix(topic, "_1") })
	if err := WriteTrecEval(&printed, counted, false); err != nil || !strings.HasSuffix(printed.String(), "\tall\t2\n") {
		t.Errorf("the relevant passages of first turns, as trec_eval counts them: %q %v", &printed, err)
	}
	if got := part.Aggregate(0); got != .375 {
		t.Errorf("the mean over first turns is %v", got)
	}
	if d := cmp.Diff([]float64{.5, .25}, part.Seeds(0)); d != "" {
		t.Error(d)
	}
}

func TestWarnings(t *testing.T) {
	hits := []trec.Hit{
		{Passage: "o", Score: 2},
		{Passage: "p", Score: 1},
		{Passage: "x", Score: 1},
		{Passage: "y", Score: 1},
		{Passage: "z", Score: 0},
		{Passage: "zz", Score: 0},
	}
	cases := []struct {
		run  trec.Run
		want []string
	}{
		{trec.Run{"a_1": hits, "c_1": hits, "d_1": nil}, []string{
			"3 of 4 judged topics are missing from the run and score 0 (a_2, b_1, b_2)",
			"2 of the run's 3 topics have no judgement and are left out (c_1, d_1)",
			"1 of 4 judged topics have no relevant passage and score 0 (b_2)",
			"equal scores straddle rank 2 in 1 of 4 topics, so that passage ids decide the score (a_1)",
			"equal scores straddle rank 3 in 1 of 4 topics, so that passage ids decide the score (a_1)",
		}},
		{trec.Run{"A_1": hits}, []string{"none of the run's 1 topics is judged (A_1): are these the qrels of this run?"}},
		{nil, []string{
			"4 of 4 judged topics are missing from the run and score 0 (a_1, a_2, b_1, …)",
			"1 of 4 judged topics have no relevant passage and score 0 (b_2)",
		}},
	}
	for _, c := range cases {
		e := evaluate(t, small, c.run, measures(t, "R@1 R@2 R@3 P@4 R@5 R@6"), 1)
		var got []string
		for _, w := range e.Warnings {
			got = append(got, w.String())
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Error(d)
		}
	}
}
