package prune_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	diff "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley/internal/prune"
	"parley/sparse"
)

// passages counts the passages that have terms 0, 1, 2, …, of 100.
type passages []int

func (passages) N() int               { return 100 }
func (p passages) DF(term uint32) int { return p[term] }

func Example() {
	query := sparse.Vector{Terms: []uint32{0, 1, 2}, Weights: []float32{4, 5, 1}}
	index := passages{90, 2, 1}
	// Term 0 is in most passages: it brings .4 of the weight and costs .9.
	fmt.Println(prune.Rule{ValuePerCost: .5}.Apply(query, index))
	fmt.Println(prune.Rule{Mass: .9}.Apply(query, nil))
	rule, costs, _ := prune.Rule{}.ToFLOPS([]sparse.Vector{query}, index, .5)
	fmt.Println(rule, costs)
	// Output:
	// {[1 2] [5 1]}
	// {[0 1] [4 5]}
	// value_per_cost=10 {2 0.03}
}

// vectors draws vectors over eight terms whose weights often are equal.
func vectors() *rapid.Generator[sparse.Vector] {
	return rapid.Custom(func(t *rapid.T) sparse.Vector {
		weight := rapid.OneOf(rapid.Float32Range(.01, 5), rapid.SampledFrom([]float32{1, 2, 1e-5}))
		return sparse.FromMap(rapid.MapOfN(rapid.Uint32Range(0, 7), weight, 0, 8).Draw(t, "weights"))
	})
}

func counts() *rapid.Generator[passages] {
	return rapid.Custom(func(t *rapid.T) passages {
		return rapid.SliceOfN(rapid.IntRange(0, 100), 8, 8).Draw(t, "df")
	})
}

func rules() *rapid.Generator[prune.Rule] {
	return rapid.Custom(func(t *rapid.T) prune.Rule {
		return prune.Rule{
			TopK:         rapid.SampledFrom([]int{0, 0, 1, 3, 9}).Draw(t, "top k"),
			Threshold:    rapid.SampledFrom([]float64{0, 0, .5, 1, 3}).Draw(t, "threshold"),
			Mass:         rapid.SampledFrom([]float64{0, 0, .2, .5, .9, 1}).Draw(t, "mass"),
			ValuePerCost: rapid.SampledFrom([]float64{0, 0, .3, 1, 4}).Draw(t, "value per cost"),
		}
	})
}

// keeps is the definition of a rule without ValuePerCost, for the term with the
// given rank by falling weight.
func keeps(r prune.Rule, ranked []sparse.Entry, rank int) bool {
	sum, before := 0.0, 0.0
	for i, e := range ranked {
		sum += float64(e.Weight)
		if i < rank {
			before += float64(e.Weight)
		}
	}
	return rank == 0 ||
		(r.TopK == 0 || rank < r.TopK) &&
			float64(ranked[rank].Weight) >= r.Threshold &&
			(r.Mass == 0 || r.Mass == 1 || before < r.Mass*sum*(1-1e-12))
}

// worthy is the definition of ValuePerCost, for those entries of v that fulfil the
// rest.
func worthy(r prune.Rule, v sparse.Vector, kept []sparse.Entry, stats passages) []sparse.Entry {
	if r.ValuePerCost == 0 {
		return kept
	}
	ratio := func(e sparse.Entry) float64 { return float64(e.Weight) / v.L1() / (float64(stats.DF(e.Term)) / 100) }
	var worthy []sparse.Entry
	for i, e := range kept {
		best := true
		for j, other := range kept {
			best = best && (ratio(other) < ratio(e) || ratio(other) == ratio(e) && i <= j)
		}
		if best || ratio(e) >= r.ValuePerCost {
			worthy = append(worthy, e)
		}
	}
	return worthy
}

func TestApply(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, stats, rule := vectors().Draw(t, "v"), counts().Draw(t, "stats"), rules().Draw(t, "rule")
		given := sparse.Vector{Terms: slices.Clone(v.Terms), Weights: slices.Clone(v.Weights)}
		got := rule.Apply(v, stats)
		if err := got.Validate(8); err != nil {
			t.Fatal(err)
		}
		var want []sparse.Entry
		ranked := v.Ranked()
		for rank, e := range ranked {
			if keeps(rule, ranked, rank) {
				want = append(want, e)
			}
		}
		slices.SortFunc(want, func(a, b sparse.Entry) int { return cmp.Compare(a.Term, b.Term) })
		want = worthy(rule, v, want, stats)
		if (got.Len() == 0) != (v.Len() == 0) {
			t.Fatalf("%v became %v", v, got)
		}
		if len(want) != got.Len() {
			t.Fatalf("%v of %v became %v, want %v", rule, v, got, want)
		}
		for i, e := range want {
			if got.Terms[i] != e.Term || got.Weights[i] != e.Weight {
				t.Fatalf("%v of %v became %v, want %v", rule, v, got, want)
			}
		}
		if !slices.Equal(v.Terms, given.Terms) || !slices.Equal(v.Weights, given.Weights) {
			t.Fatal("the vector itself was changed")
		}
	})
}

// TestScale holds the conditions that promise it to be free of the scale.
func TestScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, stats := vectors().Draw(t, "v"), counts().Draw(t, "stats")
		rule := prune.Rule{Mass: rapid.Float64Range(0, 1).Draw(t, "mass"), ValuePerCost: rapid.Float64Range(0, 9).Draw(t, "ratio")}
		eight := sparse.Vector{Terms: v.Terms}
		for _, w := range v.Weights {
			eight.Weights = append(eight.Weights, 8*w)
		}
		if a, b := rule.Apply(v, stats), rule.Apply(eight, stats); !slices.Equal(a.Terms, b.Terms) {
			t.Fatalf("%v became %v, eight times it %v", v, a, b)
		}
	})
}

// TestTo compares the calibration with every ratio that could be chosen.
func TestTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(vectors(), 1, 6).Draw(t, "vectors")
		for i := range all { // none of whose weights quantises to 0
			all[i] = (prune.Rule{Threshold: .01}).Apply(all[i], nil)
		}
		stats, rule := counts().Draw(t, "stats"), rules().Draw(t, "rule")
		for i := range stats {
			stats[i] = max(stats[i], 1)
		}
		target := rapid.Float64Range(.01, 4).Draw(t, "target")
		calibrate, cost := rule.ToFLOPS, func(c prune.Costs) float64 { return c.FLOPS }
		if rapid.Bool().Draw(t, "terms") {
			calibrate, cost = rule.ToL0, func(c prune.Costs) float64 { return c.L0 }
		}
		chosen, costs, err := calibrate(all, stats, target)
		at := func(ratio float64) float64 {
			r := rule
			r.ValuePerCost = max(ratio, r.ValuePerCost)
			return cost(r.Costs(all, stats))
		}
		const slack = 1e-9
		if err != nil {
			if least := at(math.MaxFloat64); least <= target-slack {
				t.Fatalf("%v, but the least is %v", err, least)
			}
			return
		}
		if got := cost(chosen.Costs(all, stats)); got > target+slack || got != cost(costs) {
			t.Fatalf("costs %v are told as %v, where %v is the target", got, costs, target)
		}
		if back := chosen; back != rule {
			back.ValuePerCost = rule.ValuePerCost
			if back != rule || chosen.ValuePerCost < rule.ValuePerCost {
				t.Fatalf("%+v became %+v", rule, chosen)
			}
		}
		for _, v := range all { // no ratio between keeps more and is within the target
			for i, w := range v.Weights {
				ratio := float64(w) / v.L1() / (float64(stats.DF(v.Terms[i])) / 100)
				if c := at(ratio); ratio >= rule.ValuePerCost && c > cost(costs)+slack && c < target-slack {
					t.Fatalf("%+v costs %v of %v, but %v would cost %v", chosen, cost(costs), target, ratio, c)
				}
			}
		}
		if c := at(0); c < target-slack && c != cost(costs) {
			t.Fatalf("nothing had to go, but %+v costs %v", chosen, cost(costs))
		}
	})
}

func TestChanged(t *testing.T) {
	folder := prune.Rule{TopK: 3, Mass: .9}
	got, err := folder.Changed(prune.Rule{TopK: -1, Threshold: .5})
	if err != nil {
		t.Fatal(err)
	}
	if d := diff.Diff(prune.Rule{Threshold: .5, Mass: .9}, got); d != "" {
		t.Error(d)
	}
	for _, test := range []struct {
		by   prune.Rule
		want string
	}{
		{prune.Rule{Threshold: math.NaN()}, "a threshold of NaN is not possible: name a weight, or 0 for none"},
		{prune.Rule{Threshold: math.Inf(1)}, "a threshold of +Inf is not possible: name a weight, or 0 for none"},
		{prune.Rule{Mass: 1.5}, "a mass of 1.5 is not possible: name a share of the sum of weights, such as .95, or 0 for all"},
		{prune.Rule{ValuePerCost: math.Inf(1)}, "a value_per_cost of +Inf is not possible: name a ratio, or 0 for none"},
	} {
		if _, err := folder.Changed(test.by); err == nil || err.Error() != test.want {
			t.Errorf("%+v: %v, want %s", test.by, err, test.want)
		}
	}
	if err := (prune.Rule{TopK: -1}).Check(); err == nil {
		t.Error("a negative number of terms passed")
	}
}

// TestNotANumber holds that weights that are no numbers stay, for others to
// refuse.
func TestNotANumber(t *testing.T) {
	v := sparse.Vector{Terms: []uint32{1, 2}, Weights: []float32{1, float32(math.NaN())}}
	if got := (prune.Rule{Threshold: 2, ValuePerCost: 3}).Apply(v, passages{1, 90, 90}); got.Len() != 2 {
		t.Errorf("%v became %v", v, got)
	}
}

func TestToNothing(t *testing.T) {
	stats := passages{50, 60}
	if _, _, err := (prune.Rule{}).ToFLOPS(nil, stats, 1); err == nil {
		t.Error("the costs of no query were lowered")
	}
	v := []sparse.Vector{{Terms: []uint32{0, 1}, Weights: []float32{2, 1}}}
	if _, _, err := (prune.Rule{}).ToFLOPS(v, stats, .4); err == nil || err.Error() != "one term of each query costs too much alone, by 0.1 in the mean: ask for more" {
		t.Error(err)
	}
}
