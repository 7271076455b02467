package measure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/trec"
)

// skewed is a sample like reciprocal ranks. Its intervals are what scipy
// 1.17's bootstrap gives with 200,000 resamples (method BCa).
var skewed = []float64{0, 0, 0, .1, .2, .25, .5, .5, 1, 1, .33, 0, .05, .9, .75, 0, 0, .2, .6, .4}

func TestIntervalEqualsReference(t *testing.T) {
	low, high := Bootstrap{Resamples: 50_000}.Interval(skewed, nil)
	if !near(low, .2045, .004) || !near(high, .5075, .004) {
		t.Errorf("95 %%: %v to %v", low, high)
	}
	low, high = Bootstrap{Resamples: 50_000, Confidence: .9}.Interval(skewed, nil)
	if !near(low, .224, .004) || !near(high, .4795, .004) {
		t.Errorf("90 %%: %v to %v", low, high)
	}
}

func TestIntervalOfClusters(t *testing.T) {
	// Twenty values, each four times within its cluster, know no more than
	// the twenty.
	var values []float64
	var labels []string
	for i, v := range skewed {
		for range 4 {
			values, labels = append(values, v), append(labels, fmt.Sprint(i))
		}
	}
	low, high := Bootstrap{}.Interval(skewed, nil)
	clow, chigh := Bootstrap{}.Interval(values, labels)
	if !near(clow, low, .001) || !near(chigh, high, .001) {
		t.Errorf("clusters: %v to %v; single: %v to %v", clow, chigh, low, high)
	}
	nlow, nhigh := Bootstrap{}.Interval(values, nil)
	if nhigh-nlow > .7*(high-low) {
		t.Errorf("80 values by themselves give %v to %v", nlow, nhigh)
	}
}

// TestIntervalsDrawClusters checks that the intervals of means and of
// differences are those of whole conversations, where topics are told apart by
// them.
func TestIntervalsDrawClusters(t *testing.T) {
	base, system := paired(t, 40, func(i int) float64 { return float64(i/5%3) / 8 })
	conversation := func(topic string) string { c, _, _ := strings.Cut(topic, "_"); return c }
	var labels []string
	var differences []float64
	for i, topic := range base.Topics {
		labels = append(labels, conversation(topic))
		differences = append(differences, system.Values[0][i]-base.Values[0][i])
	}
	b := Bootstrap{Seed: 2, Cluster: conversation}
	low, high := system.Interval(0, b)
	if wantLow, wantHigh := b.Interval(system.Values[0], labels); low != wantLow || high != wantHigh {
		t.Errorf("mean: %v to %v, want %v to %v", low, high, wantLow, wantHigh)
	}
	all, err := Compare(base, []*Evaluation{system}, CompareOptions{Intervals: &b})
	if err != nil {
		t.Fatal(err)
	}
	c := all[0][0]
	if wantLow, wantHigh := b.Interval(differences, labels); c.Low != wantLow || c.High != wantHigh {
		t.Errorf("difference: %v to %v, want %v to %v", c.Low, c.High, wantLow, wantHigh)
	}
	if low, high := b.Interval(differences, nil); c.Low == low && c.High == high {
		t.Error("the test cannot tell conversations from topics")
	}
}

func TestIntervalWithoutSpread(t *testing.T) {
	for _, values := range [][]float64{{}, {.5}, {.5, .5, .5}} {
		low, high := Bootstrap{}.Interval(values, nil)
		if want := .5 * float64(min(len(values), 1)); low != want || high != want {
			t.Errorf("%v: %v to %v", values, low, high)
		}
	}
	if low, high := (Bootstrap{}).Interval([]float64{0, 1}, []string{"c", "c"}); low != .5 || high != .5 {
		t.Errorf("one cluster: %v to %v", low, high)
	}
}

// TestIntervalCovers draws many samples of a known mean: about 95 % of the
// intervals must hold it.
func TestIntervalCovers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	const trials = 300
	covered := 0
	for range trials {
		values := make([]float64, 60)
		for i := range values {
			values[i] = random.ExpFloat64()
		}
		if low, high := (Bootstrap{Resamples: 500}).Interval(values, nil); low <= 1 && 1 <= high {
			covered++
		}
	}
	if share := float64(covered) / trials; share < .90 || share > .99 {
		t.Errorf("%v of the intervals cover the mean", share)
	}
}

// paired makes two evaluations of n topics; the second is above the first by
// the given gaps.
func paired(t *testing.T, n int, gap func(i int) float64) (base, system *Evaluation) {
	t.Helper()
	qrels := make(trec.Qrels)
	for i := range n {
		qrels[fmt.Sprintf("c%d_%02d", i/5, i)] = map[string]int{"p": 1}
	}
	base = evaluate(t, qrels, nil, measures(t, "RR"), 1)
	system = evaluate(t, qrels, nil, measures(t, "RR"), 1)
	for i := range n {
		base.Values[0][i] = float64(i%4) / 8
		system.Values[0][i] = base.Values[0][i] + gap(i)
	}
	return base, system
}

func TestCompare(t *testing.T) {
	base, above := paired(t, 40, func(i int) float64 { return float64(i*3%7-2) / 16 })
	_, same := paired(t, 40, func(int) float64 { return 0 })
	_, below := paired(t, 40, func(i int) float64 { return -float64(i%3) / 16 })
	for _, test := range []Test{StudentT, Randomised} {
		all, err := Compare(base, []*Evaluation{above, same, below}, CompareOptions{
			Test:      test,
			Intervals: &Bootstrap{Cluster: func(topic string) string { c, _, _ := strings.Cut(topic, "_"); return c }},
		})
		if err != nil {
			t.Fatal(err)
		}
		var marks []int
		for _, c := range all {
			marks = append(marks, c[0].Significant(.05))
		}
		if d := cmp.Diff([]int{1, 0, -1}, marks); d != "" {
			t.Errorf("%s: %s", test, d)
		}
		c := all[0][0]
		if c.Topics != 40 || c.Wins != 23 || c.Losses != 11 || c.Equal != 6 || !near(c.Difference, 41./40/16, 1e-12) {
			t.Errorf("%s: %+v", test, c)
		}
		if !(c.Low < c.Difference && c.Difference < c.High) || !(c.P < c.Corrected) {
			t.Errorf("%s: %+v", test, c)
		}
		if w := all[1][0].Warnings; len(w) != 1 || w[0].Kind != Identical || all[1][0].P != 1 {
			t.Errorf("identical systems: %+v", all[1][0])
		}
	}
}

func TestCompareWarnsOfFewTopics(t *testing.T) {
	base, system := paired(t, 5, func(i int) float64 { return float64(i) / 9 })
	all, err := Compare(base, []*Evaluation{system}, CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if w := all[0][0].Warnings; len(w) != 1 || w[0].Kind != FewTopics || w[0].Count != 5 {
		t.Errorf("%+v", w)
	}
	if _, err := Compare(base, []*Evaluation{base.Select(func(string) bool { return false })}, CompareOptions{}); err == nil {
		t.Error("different topics were compared")
	}
	nothing := base.Select(func(string) bool { return false })
	all, err = Compare(nothing, []*Evaluation{nothing}, CompareOptions{})
	if c := all[0][0]; err != nil || c.P != 1 || math.IsNaN(c.Difference) {
		t.Errorf("no topics: %+v, %v", c, err)
	}
}
