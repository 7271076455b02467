package measure

import (
	"fmt"
	"math"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"parley/trec"
)

// oracle scores one topic straight from the definitions, passage by passage,
// with no care for speed.
type oracle struct {
	order  []string       // passages as ranked
	judged map[string]int // grades
	level  int
}

func newOracle(hits []trec.Hit, judged map[string]int, level int) oracle {
	o := oracle{judged: judged, level: level}
	rest := append([]trec.Hit(nil), hits...)
	for len(rest) > 0 {
		best := 0
		for i, h := range rest {
			if h.Score > rest[best].Score || h.Score == rest[best].Score && h.Passage > rest[best].Passage {
				best = i
			}
		}
		o.order = append(o.order, rest[best].Passage)
		rest = append(rest[:best], rest[best+1:]...)
	}
	return o
}

func (o oracle) relevant(passage string) bool {
	grade, ok := o.judged[passage]
	return ok && grade >= o.level
}

func (o oracle) all() (n float64) {
	for p := range o.judged {
		if o.relevant(p) {
			n++
		}
	}
	return n
}

// foundBy counts the relevant passages up to rank k.
func (o oracle) foundBy(k int) (n float64) {
	for i, p := range o.order {
		if i < k && o.relevant(p) {
			n++
		}
	}
	return n
}

func (o oracle) score(m Measure) float64 {
	if m.Rel > 0 {
		o.level = m.Rel
	}
	k := m.Cutoff
	if k == 0 {
		k = max(len(o.order), len(o.judged))
	}
	all := o.all()
	switch m.Kind {
	case NDCG:
		return o.ndcg(k)
	case RR:
		for r := 1; r <= k; r++ {
			if o.foundBy(r) > 0 {
				return 1 / float64(r)
			}
		}
		return 0
	case R:
		return over(o.foundBy(k), all)
	case AP:
		sum := 0.0
		for r := 1; r <= min(k, len(o.order)); r++ {
			if o.relevant(o.order[r-1]) {
				sum += o.foundBy(r) / float64(r)
			}
		}
		return over(sum, all)
	case P:
		return o.foundBy(k) / float64(k)
	case Success:
		return math.Min(1, o.foundBy(k))
	case Rprec:
		return over(o.foundBy(int(all)), all)
	case Bpref:
		return over(o.bpref(all), all)
	case Judged:
		n := 0.0
		for i, p := range o.order {
			if _, ok := o.judged[p]; ok && i < k {
				n++
			}
		}
		return over(n, float64(min(k, len(o.order))))
	case NumQ:
		return 1
	case NumRet:
		return float64(len(o.order))
	case NumRel:
		return all
	case NumRelRet:
		return o.foundBy(len(o.order))
	}
	panic(m)
}

func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

func (o oracle) ndcg(k int) float64 {
	var best []int
	for _, grade := range o.judged {
		best = append(best, grade)
	}
	sort.Sort(sort.Reverse(sort.IntSlice(best)))
	got, ideal := 0.0, 0.0
	for i := range k {
		discount := math.Ln2 / math.Log(float64(i+2))
		if i < len(o.order) {
			got += math.Max(0, float64(o.judged[o.order[i]])) * discount
		}
		if i < len(best) {
			ideal += math.Max(0, float64(best[i])) * discount
		}
	}
	return over(got, ideal)
}

// bpref asks of each relevant passage found how many of the judged irrelevant
// ones stand above it.
func (o oracle) bpref(all float64) float64 {
	irrelevant := 0.0
	for _, grade := range o.judged {
		if grade >= 0 && grade < o.level {
			irrelevant++
		}
	}
	sum := 0.0
	for i, p := range o.order {
		if !o.relevant(p) {
			continue
		}
		above := 0.0
		for _, q := range o.order[:i] {
			if grade, ok := o.judged[q]; ok && grade >= 0 && grade < o.level {
				above++
			}
		}
		sum += 1 - over(math.Min(above, all), math.Min(irrelevant, all))
	}
	return sum
}

// drawCollection draws qrels and a run full of ties, unjudged hits, negative
// grades, missing and unjudged topics.
func drawCollection(t *rapid.T) (trec.Qrels, trec.Run) {
	qrels, run := make(trec.Qrels), make(trec.Run)
	id := rapid.IntRange(0, 30)
	for topic := range rapid.IntRange(1, 4).Draw(t, "topics") {
		name := fmt.Sprintf("q%d", topic)
		grades := make(map[string]int)
		for _, p := range rapid.SliceOfNDistinct(id, 1, 15, rapid.ID).Draw(t, "judged") {
			grades[fmt.Sprintf("p%d", p)] = rapid.IntRange(-2, 3).Draw(t, "grade")
		}
		qrels[name] = grades
		for _, p := range rapid.SliceOfNDistinct(id, 0, 20, rapid.ID).Draw(t, "hits") {
			score := float64(rapid.IntRange(-3, 3).Draw(t, "score")) / 4
			run[name] = append(run[name], trec.Hit{Passage: fmt.Sprintf("p%d", p), Score: score})
		}
	}
	if rapid.Bool().Draw(t, "unjudged topic") {
		run["z"] = []trec.Hit{{Passage: "p1", Score: 1}}
	}
	return qrels, run
}

const everyMeasure = "nDCG nDCG@1 nDCG@3 RR RR@2 R@1 R@5 R(rel=2)@100 AP AP@4 P@5 P(rel=3)@2 Success@1 Success@6 " +
	"Rprec Rprec(rel=2) Bpref Bpref(rel=2) Judged Judged@3 NumQ NumRet NumRel NumRelRet NumRet(rel=2)"

func TestEvaluateEqualsDefinitions(t *testing.T) {
	all := measures(t, everyMeasure)
	rapid.Check(t, func(t *rapid.T) {
		qrels, run := drawCollection(t)
		level := rapid.IntRange(1, 3).Draw(t, "level")
		e, err := Evaluate(qrels, run, all, Options{Level: level})
		if err != nil {
			t.Fatal(err)
		}
		for i, topic := range e.Topics {
			o := newOracle(run[topic], qrels[topic], level)
			for m, measure := range all {
				if got, want := e.Values[m][i], o.score(measure); math.Abs(got-want) > 1e-12 {
					t.Errorf("%s of %s is %v, by definition %v", measure, topic, got, want)
				}
			}
		}
	})
}

// TestBounds: shares lie between 0 and 1, and the best ranking has nDCG 1.
func TestBounds(t *testing.T) {
	all := measures(t, everyMeasure)
	rapid.Check(t, func(t *rapid.T) {
		qrels, run := drawCollection(t)
		for topic, grades := range qrels {
			best := make([]trec.Hit, 0, len(grades))
			for p, grade := range grades {
				best = append(best, trec.Hit{Passage: p, Score: float64(grade)})
			}
			r, _ := rank(run[topic], grades)
			ideal, _ := rank(best, grades)
			for _, m := range all {
				if v := r.score(m, 1); !m.Counts() && (v < 0 || v > 1) {
					t.Errorf("%s is %v", m, v)
				}
			}
			relevant := found(ideal.pool, 1) > 0
			if v := ideal.score(Measure{Kind: NDCG, Cutoff: 3}, 1); relevant && math.Abs(v-1) > 1e-15 {
				t.Errorf("nDCG@3 of the best ranking is %v", v)
			}
		}
	})
}
