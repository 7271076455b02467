package study

import (
	"math"
	"slices"

	"parley/sparse"
)

// Scores compare a system's scores with the teacher's, over the teacher's best
// 100 passages of each turn that has its rewrite. A score is the inner product
// of a query's vector and the passage's.
type Scores struct {
	Turns   int          `json:"turns"`
	Pairs   int          `json:"pairs"` // of a turn and a passage
	Teacher Distribution `json:"teacher"`
	Student Distribution `json:"student"`
	ByRank  []RankScores `json:"by_rank"` // by the teacher's rank
}

// Distribution describes numbers.
type Distribution struct {
	Mean      float64   `json:"mean"`
	Deviation float64   `json:"deviation"`
	Quantiles []float64 `json:"quantiles"` // the 101 percentiles from 0 to 100, by nearest rank
	Low       float64   `json:"low"`       // where the first bin of the histogram begins
	Width     float64   `json:"width"`     // of a bin; the last one holds what is beyond it, too
	Histogram []int     `json:"histogram"`
}

// RankScores are the mean scores of the passages at one rank of the teacher's.
type RankScores struct {
	Rank    int     `json:"rank"` // from 1
	Turns   int     `json:"turns"`
	Teacher float64 `json:"teacher"`
	Student float64 `json:"student"`
}

// bins is the number of bins of a histogram.
const bins = 50

// tally gathers scores, pair by pair.
type scoreTally struct {
	turns            int
	teacher, student []float64
	sums             []RankScores // of each rank
}

// add takes in the scores of a turn's query q.
func (t *scoreTally) add(q sparse.Vector, r *reference, vector func(passage int, buffer sparse.Vector) sparse.Vector) {
	t.turns++
	var v sparse.Vector
	for i, passage := range r.passages {
		v = vector(passage, v)
		score := sparse.Dot(q, v)
		t.teacher = append(t.teacher, r.scores[i])
		t.student = append(t.student, score)
		if len(t.sums) == i {
			t.sums = append(t.sums, RankScores{Rank: i + 1})
		}
		t.sums[i].Turns++
		t.sums[i].Teacher += r.scores[i]
		t.sums[i].Student += score
	}
}

// scores returns what was gathered; nil for nothing.
func (t *scoreTally) scores() *Scores {
	if t.turns == 0 {
		return nil
	}
	s := &Scores{Turns: t.turns, Pairs: len(t.teacher), ByRank: t.sums}
	for i := range s.ByRank {
		n := float64(s.ByRank[i].Turns)
		s.ByRank[i].Teacher /= n
		s.ByRank[i].Student /= n
	}
	highest := max(slices.Max(t.teacher), slices.Max(t.student))
	width := 1.0
	if highest > 0 {
		width = highest / bins
	}
	s.Teacher, s.Student = distribution(t.teacher, width), distribution(t.student, width)
	return s
}

// distribution describes values from 0 on, which it sorts.
func distribution(values []float64, width float64) Distribution {
	slices.Sort(values)
	d := Distribution{Width: width, Histogram: make([]int, bins), Quantiles: make([]float64, 101)}
	n := float64(len(values))
	for _, v := range values {
		d.Mean += v / n
		d.Histogram[min(int(v/width), bins-1)]++
	}
	for _, v := range values {
		d.Deviation += (v - d.Mean) * (v - d.Mean) / n
	}
	d.Deviation = math.Sqrt(d.Deviation)
	for p := range d.Quantiles {
		d.Quantiles[p] = values[max(int(math.Ceil(float64(p)/100*n))-1, 0)]
	}
	return d
}
