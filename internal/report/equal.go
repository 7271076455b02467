package report

import (
	"cmp"
	"math"
	"slices"
)

// Equal says what a family costs at an effectiveness that no system of it may
// have: interpolated along its points, seed by seed.
type Equal struct {
	Family string  `json:"family"`
	Loss   float64 `json:"loss"` // relative; the effectiveness is the base's less this
	// FLOPS is nil where the family does not come down to that effectiveness for
	// every seed.
	FLOPS  *Number `json:"flops,omitempty"`
	Saving *Number `json:"saving,omitempty"` // FLOPS of the base over these
	// Against is FLOPS of the first family over these; nil for that family itself,
	// or where it does not come down so far.
	Against *Number `json:"against_first,omitempty"`
}

// spot is a system of one seed.
type spot struct{ flops, value float64 }

// seedsOf returns what each seed of a number is: its mean where there is one.
func seedsOf(n Number) []float64 {
	if len(n.Seeds) == 0 {
		return []float64{n.Mean}
	}
	return n.Seeds
}

// equal interpolates what each family costs at equal effectiveness.
func (f *Frontier) equal(base string) []Equal {
	at := slices.IndexFunc(f.Points, func(p FrontierPoint) bool { return p.System == base })
	all := []Equal{}
	if at < 0 {
		return all
	}
	origin := f.Points[at]
	families := f.families()
	for _, loss := range losses {
		var first []float64
		for i, family := range families {
			costs := f.crossings(origin, family, loss)
			e := Equal{Family: family, Loss: loss}
			if costs != nil {
				e.FLOPS, e.Saving = summed(costs), ratios(seedsOf(origin.FLOPS), costs)
			}
			if i == 0 {
				first = costs
			} else if first != nil && costs != nil {
				e.Against = ratios(first, costs)
			}
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Equal) int {
		return cmp.Compare(slices.Index(families, a.Family), slices.Index(families, b.Family))
	})
	return all
}

// crossings returns for each seed what the family costs where it falls below the
// effectiveness; nil where a seed's does not. Points that lack seeds are left out.
func (f *Frontier) crossings(origin FrontierPoint, family string, loss float64) []float64 {
	seeds := len(seedsOf(origin.FLOPS))
	var costs []float64
	for seed := range seeds {
		of := func(p FrontierPoint) spot { return spot{seedsOf(p.FLOPS)[seed], seedsOf(p.Value)[seed]} }
		start := of(origin)
		line := []spot{start}
		for _, p := range f.Points {
			if p.Family == family && len(seedsOf(p.FLOPS)) == seeds {
				line = append(line, of(p))
			}
		}
		cost, crossed := crossing(line, start.value*(1-loss))
		if !crossed {
			return nil
		}
		costs = append(costs, cost)
	}
	return costs
}

// crossing follows a line from its dearest spot to its cheapest, and returns the
// FLOPS where it first falls below a level: between two spots the logarithm of
// FLOPS is linear in the value.
func crossing(line []spot, level float64) (flops float64, crossed bool) {
	line = slices.DeleteFunc(line, func(s spot) bool { return s.flops <= 0 })
	slices.SortStableFunc(line, func(a, b spot) int { return cmp.Compare(b.flops, a.flops) })
	for i := 1; i < len(line); i++ {
		above, below := line[i-1], line[i]
		if above.value < level || below.value >= level {
			continue
		}
		share := (above.value - level) / (above.value - below.value)
		return math.Exp(math.Log(above.flops) + share*(math.Log(below.flops)-math.Log(above.flops))), true
	}
	return 0, false
}

// summed returns the mean of the values of seeds, with their deviation.
func summed(values []float64) *Number {
	mean, deviation := moments(values)
	n := number(values, mean, deviation)
	return &n
}

// ratios returns the quotients of the values of two, seed by seed.
func ratios(of, by []float64) *Number {
	values := make([]float64, len(by))
	for i := range values {
		values[i] = of[i] / by[i]
	}
	return summed(values)
}
