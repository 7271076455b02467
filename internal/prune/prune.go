// Package prune keeps those terms of a sparse vector that are worth what they
// cost.
//
// Its guarantee: what is kept of a vector has the weights that it had, and a
// vector that has terms keeps one: no query becomes empty.
//
// It knows neither encoders nor indexes, only how many passages have a term.
package prune

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"parley/sparse"
)

// Rule says which terms of a vector are kept: those that fulfil TopK, Threshold
// and Mass, and the heaviest; of them those that fulfil ValuePerCost, and the one
// for which its ratio is highest. The zero value keeps all.
type Rule struct {
	// TopK keeps the heaviest terms, at most so many; 0: all.
	TopK int `yaml:"top_k" json:"top_k,omitempty"`
	// Threshold is the least weight of a term.
	Threshold float64 `yaml:"threshold" json:"threshold,omitempty"`
	// Mass keeps the fewest of the heaviest terms that have this share of the sum
	// of weights; 0: all.
	Mass float64 `yaml:"mass" json:"mass,omitempty"`
	// ValuePerCost is the least ratio of a term's share of the sum of weights to
	// the share of the passages that it makes a search walk through,
	//
	//	(q_j / Σ_i q_i) / (df_j/N)
	//
	// so that 1 asks that a term brings at least the share that it costs. To keep
	// items by their ratio of value to cost is the solution of the continuous
	// knapsack problem (Dantzig, Discrete-Variable Extremum Problems, 1957). It does
	// not depend on the scale of the weights.
	ValuePerCost float64 `yaml:"value_per_cost" json:"value_per_cost,omitempty"`
}

// Statistics are the counts of the passages that are searched: their number N,
// and for a term the number DF of passages that have it.
type Statistics interface {
	N() int
	DF(term uint32) int
}

// Check reports the first condition that makes no sense.
func (r Rule) Check() error {
	switch {
	case r.TopK < 0:
		return fmt.Errorf("a top_k of %d is not possible: name a number of terms, or 0 for all", r.TopK)
	case !(r.Threshold >= 0) || math.IsInf(r.Threshold, 0):
		return fmt.Errorf("a threshold of %v is not possible: name a weight, or 0 for none", r.Threshold)
	case !(r.Mass >= 0 && r.Mass <= 1):
		return fmt.Errorf("a mass of %v is not possible: name a share of the sum of weights, such as .95, or 0 for all", r.Mass)
	case !(r.ValuePerCost >= 0) || math.IsInf(r.ValuePerCost, 0):
		return fmt.Errorf("a value_per_cost of %v is not possible: name a ratio, or 0 for none", r.ValuePerCost)
	}
	return nil
}

// Changed returns r with other conditions: of each number in by, 0 leaves what r
// says and one below 0 lifts it.
func (r Rule) Changed(by Rule) (Rule, error) {
	change := func(condition *float64, by float64) {
		if by != 0 { // no number is kept, for Check to refuse
			*condition = max(by, 0)
		}
	}
	change(&r.Threshold, by.Threshold)
	change(&r.Mass, by.Mass)
	change(&r.ValuePerCost, by.ValuePerCost)
	if by.TopK != 0 {
		r.TopK = max(by.TopK, 0)
	}
	return r, r.Check()
}

// String names the conditions as a plan does, or says that there is none.
func (r Rule) String() string {
	var conditions []string
	for _, c := range []struct {
		name  string
		value float64
	}{{"top_k", float64(r.TopK)}, {"threshold", r.Threshold}, {"mass", r.Mass}, {"value_per_cost", r.ValuePerCost}} {
		if c.value > 0 {
			conditions = append(conditions, fmt.Sprintf("%s=%.4g", c.name, c.value))
		}
	}
	return cmp.Or(strings.Join(conditions, " "), "none")
}

// Apply returns a copy of what is kept of v. stats may be nil where ValuePerCost
// is 0. A weight that is no number is kept: who takes the vector in refuses it.
func (r Rule) Apply(v sparse.Vector, stats Statistics) sparse.Vector {
	heaviest, last := r.head(v)
	kept := filter(v, func(i int) bool {
		return i == heaviest || !(float64(v.Weights[i]) < r.Threshold) && !lighter(v, i, last)
	})
	if r.ValuePerCost == 0 {
		return kept
	}
	sum := v.L1()
	best := worthiest(kept, sum, stats)
	return filter(kept, func(i int) bool {
		return i == best || !(ratio(kept, i, sum, stats) < r.ValuePerCost)
	})
}

// filter returns the terms of v at the places that keep tells.
func filter(v sparse.Vector, keep func(i int) bool) sparse.Vector {
	kept := sparse.Vector{Terms: make([]uint32, 0, v.Len()), Weights: make([]float32, 0, v.Len())}
	for i, term := range v.Terms {
		if keep(i) {
			kept.Terms, kept.Weights = append(kept.Terms, term), append(kept.Weights, v.Weights[i])
		}
	}
	return kept
}

// head returns the place of the heaviest term of v, and of the last one by
// falling weight that TopK and Mass keep; -1 for no limit, or where there is
// none.
func (r Rule) head(v sparse.Vector) (heaviest, last int) {
	heaviest, last = -1, -1
	for i := range v.Weights {
		if heaviest < 0 || lighter(v, heaviest, i) {
			heaviest = i
		}
	}
	if v.Len() == 0 || (r.TopK == 0 || r.TopK >= v.Len()) && (r.Mass == 0 || r.Mass == 1) {
		return heaviest, last
	}
	order := make([]int, v.Len())
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(v.Weights[b], v.Weights[a]), cmp.Compare(a, b))
	})
	if r.TopK > 0 {
		order = order[:min(r.TopK, len(order))]
	}
	sum, due := 0.0, r.Mass*v.L1()
	for n, i := range order {
		if last = i; r.Mass > 0 && n > 0 && sum >= due {
			return heaviest, order[n-1]
		}
		sum += float64(v.Weights[i])
	}
	return heaviest, last
}

// lighter tells whether term i of v comes after term last by falling weight, ties
// to the lower term; -1 is behind all.
func lighter(v sparse.Vector, i, last int) bool {
	return last >= 0 && (v.Weights[i] < v.Weights[last] || v.Weights[i] == v.Weights[last] && i > last)
}

// ratio is the share that term i of v has of a sum of weights, to its price;
// infinite for a term that costs nothing.
func ratio(v sparse.Vector, i int, sum float64, stats Statistics) float64 {
	return float64(v.Weights[i]) / sum / price(v.Terms[i], stats)
}

// worthiest returns the place of the term of v with the highest ratio, the first
// of several; -1 if there is none.
func worthiest(v sparse.Vector, sum float64, stats Statistics) int {
	best, highest := -1, 0.0
	for i := range v.Terms {
		if x := ratio(v, i, sum, stats); best < 0 || x > highest {
			best, highest = i, x
		}
	}
	return best
}

// price is the share of the passages that have a term; there may be none.
func price(term uint32, stats Statistics) float64 {
	return float64(stats.DF(term)) / float64(max(stats.N(), 1))
}
