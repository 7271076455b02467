package measure

import (
	"fmt"
	"math"
	"slices"

	"parley/trec"
)

// The grades of hits without a judgement. trec_eval keeps the two apart too,
// and both are below every level of relevance.
const (
	unknown  = -1 // not in the qrels
	unjudged = -2 // in the qrels with a grade below 0
)

// ranking is what the measures see of one topic.
type ranking struct {
	scores []float64 // of the hits in order
	grades []int     // of the hits in order: from 0, unknown or unjudged
	pool   []int     // the grades from 0 of all judged passages, highest first
}

// rank orders the hits and looks up their grades. A judged passage that is
// given twice, which would count twice, is an error.
func rank(hits []trec.Hit, judged map[string]int) (ranking, error) {
	hits = slices.Clone(hits)
	trec.SortHits(hits)
	r := ranking{scores: make([]float64, len(hits)), grades: make([]int, len(hits))}
	seen := make(map[string]bool)
	for i, h := range hits {
		if math.IsNaN(h.Score) {
			return ranking{}, fmt.Errorf("the score of passage %q is not a number", h.Passage)
		}
		grade, inPool := judged[h.Passage]
		if inPool && seen[h.Passage] {
			return ranking{}, fmt.Errorf("passage %q is given twice", h.Passage)
		}
		if inPool {
			seen[h.Passage] = true
		}
		r.scores[i], r.grades[i] = h.Score, effective(grade, inPool)
	}
	for _, grade := range judged {
		if grade >= 0 {
			r.pool = append(r.pool, grade)
		}
	}
	slices.SortFunc(r.pool, func(a, b int) int { return b - a })
	return r, nil
}

func effective(grade int, inPool bool) int {
	switch {
	case !inPool:
		return unknown
	case grade < 0:
		return unjudged
	}
	return grade
}

// straddles tells whether hits with equal scores stand on both sides of rank k
// and differ in what they gain, so that the order of their ids decides what is
// among the first k.
func (r ranking) straddles(k int) bool {
	if len(r.scores) <= k || r.scores[k-1] != r.scores[k] {
		return false
	}
	first, last := k-1, k
	for first > 0 && r.scores[first-1] == r.scores[k] {
		first--
	}
	for last+1 < len(r.scores) && r.scores[last+1] == r.scores[k] {
		last++
	}
	for _, grade := range r.grades[first : last+1] {
		if max(grade, 0) != max(r.grades[k], 0) {
			return true
		}
	}
	return false
}

// top returns the grades of the first k hits, of all for k = 0.
func (r ranking) top(k int) []int {
	if k == 0 {
		return r.grades
	}
	return r.grades[:min(k, len(r.grades))]
}

// score returns the value of m, where grades from level count as relevant.
func (r ranking) score(m Measure, level int) float64 {
	if m.Rel > 0 {
		level = m.Rel
	}
	top, relevant := r.top(m.Cutoff), found(r.pool, level)
	switch m.Kind {
	case NDCG:
		return ratio(gain(top), gain(r.pool[:min(cutoffOr(m.Cutoff, len(r.pool)), len(r.pool))]))
	case RR:
		return reciprocalRank(top, level)
	case R:
		return ratio(float64(found(top, level)), float64(relevant))
	case AP:
		return ratio(precisions(top, level), float64(relevant))
	case P:
		return float64(found(top, level)) / float64(m.Cutoff)
	case Success:
		return min(float64(found(top, level)), 1)
	case Rprec:
		return ratio(float64(found(r.grades[:min(relevant, len(r.grades))], level)), float64(relevant))
	case Bpref:
		return ratio(r.preferences(level, relevant), float64(relevant))
	case Judged:
		return ratio(float64(len(top)-number(top, unknown)), float64(len(top)))
	case NumQ:
		return 1
	case NumRet:
		return float64(len(r.grades))
	case NumRel:
		return float64(relevant)
	case NumRelRet:
		return float64(found(top, level))
	}
	panic("measure: unknown kind " + string(m.Kind))
}

// ratio returns a/b, and 0 where there is nothing to find.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func cutoffOr(cutoff, all int) int {
	if cutoff == 0 {
		return all
	}
	return cutoff
}

// found counts the grades from level.
func found(grades []int, level int) int {
	n := 0
	for _, g := range grades {
		if g >= level {
			n++
		}
	}
	return n
}

// number counts the grades equal to grade.
func number(grades []int, grade int) int {
	n := 0
	for _, g := range grades {
		if g == grade {
			n++
		}
	}
	return n
}

// gain is the discounted cumulative gain with the grade itself as the gain
// (Järvelin and Kekäläinen, TOIS 2002, in the form with log2(1+rank)).
func gain(grades []int) float64 {
	sum := 0.0
	for i, g := range grades {
		if g > 0 {
			sum += float64(g) / math.Log2(float64(i+2))
		}
	}
	return sum
}

func reciprocalRank(grades []int, level int) float64 {
	for i, g := range grades {
		if g >= level {
			return 1 / float64(i+1)
		}
	}
	return 0
}

// precisions sums the precision at the rank of each relevant hit.
func precisions(grades []int, level int) float64 {
	sum, n := 0.0, 0
	for i, g := range grades {
		if g >= level {
			n++
			sum += float64(n) / float64(i+1)
		}
	}
	return sum
}

// preferences sums, over the relevant hits, the share of the first R judged
// irrelevant passages that do not stand above it.
func (r ranking) preferences(level, relevant int) float64 {
	sum, above := 0.0, 0
	worst := min(len(r.pool)-relevant, relevant)
	for _, g := range r.grades {
		switch {
		case g < 0:
		case g < level:
			above++
		case above == 0:
			sum++
		default:
			sum += 1 - float64(min(above, relevant))/float64(worst)
		}
	}
	return sum
}
