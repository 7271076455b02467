package prune

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"parley/sparse"
)

// Costs are what the queries of some turns cost to search with, in the mean.
type Costs struct {
	L0    float64 `json:"l0"`    // terms
	FLOPS float64 `json:"flops"` // Σ_j df_j/N over the terms: the share of the passages that they touch, each counted
}

// Costs returns what is kept of vectors costs as search pays it: terms whose
// weight quantises to 0 are not walked through.
func (r Rule) Costs(vectors []sparse.Vector, stats Statistics) Costs {
	var c Costs
	for _, v := range vectors {
		terms := r.Apply(v, stats).Quantise().Terms
		c.L0 += float64(len(terms))
		for _, term := range terms {
			c.FLOPS += price(term, stats)
		}
	}
	n := float64(max(len(vectors), 1))
	return Costs{L0: c.L0 / n, FLOPS: c.FLOPS / n}
}

// ToFLOPS returns r with the lowest ValuePerCost, not below its own and of as few
// digits as will do, under which vectors cost at most the given FLOPS in the
// mean, and what they then cost. It fails where the one term that each keeps costs
// more.
func (r Rule) ToFLOPS(vectors []sparse.Vector, stats Statistics, flops float64) (Rule, Costs, error) {
	return r.to(vectors, flops*float64(len(vectors)), stats, func(term uint32) float64 { return price(term, stats) })
}

// ToL0 returns what ToFLOPS does for a mean number of terms.
func (r Rule) ToL0(vectors []sparse.Vector, stats Statistics, l0 float64) (Rule, Costs, error) {
	return r.to(vectors, l0*float64(len(vectors)), stats, func(uint32) float64 { return 1 })
}

// to lowers the costs of vectors to at most a budget for all of them together.
func (r Rule) to(vectors []sparse.Vector, budget float64, stats Statistics, cost func(term uint32) float64) (Rule, Costs, error) {
	if len(vectors) == 0 {
		return r, Costs{}, errors.New("there is no query whose costs could be lowered")
	}
	var all []item
	for _, v := range vectors {
		least, others := r.items(v, stats, cost)
		budget -= least
		all = append(all, others...)
	}
	if budget < 0 {
		return r, Costs{}, fmt.Errorf("one term of each query costs too much alone, by %.3g in the mean: ask for more", -budget/float64(len(vectors)))
	}
	if r.ValuePerCost = cut(all, budget, r.ValuePerCost); math.IsInf(r.ValuePerCost, 0) {
		return r, Costs{}, errors.New("terms that no passage has are too many alone: ask for more")
	}
	return r, r.Costs(vectors, stats), nil
}

// item is a term of a query: its value per cost, and what it adds to the costs
// that are lowered.
type item struct{ ratio, cost float64 }

// items returns what the one term of v costs that r keeps in any case, and the
// others. Those that quantise to 0 count, too: beside lighter terms they may not.
func (r Rule) items(v sparse.Vector, stats Statistics, cost func(term uint32) float64) (least float64, others []item) {
	kept, sum := r.Apply(v, stats), v.L1()
	best := worthiest(kept, sum, stats)
	for i, term := range kept.Terms {
		if i == best {
			least = cost(term)
		} else {
			others = append(others, item{ratio(kept, i, sum, stats), cost(term)})
		}
	}
	return least, others
}

// cut returns the ratio, at least low, below which items must go to keep to a
// budget. Those of equal ratio stay or go together.
func cut(items []item, budget, low float64) float64 {
	slices.SortFunc(items, func(a, b item) int { return cmp.Compare(b.ratio, a.ratio) })
	stay := math.Inf(1) // the lowest ratio that stays
	for i := 0; i < len(items); {
		from := i
		for ; i < len(items) && items[i].ratio == items[from].ratio; i++ {
			budget -= items[i].cost
		}
		if budget < 0 {
			return between(items[from].ratio, stay)
		}
		stay = items[from].ratio
	}
	return low
}

// between returns a number above low and at most high with as few digits as there
// is one.
func between(low, high float64) float64 {
	for digits := 1; digits < 17; digits++ {
		for _, from := range []float64{high, low} {
			if x, err := strconv.ParseFloat(strconv.FormatFloat(from, 'e', digits, 64), 64); err == nil && low < x && x <= high && !math.IsInf(x, 0) {
				return x
			}
		}
	}
	return math.Nextafter(low, math.Inf(1))
}
