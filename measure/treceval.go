package measure

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// TrecEvalDefault returns the measures that WriteTrecEval is mostly wanted
// for, in its order.
func TrecEvalDefault() []Measure {
	measures := []Measure{
		{Kind: NumQ},
		{Kind: NumRet},
		{Kind: NumRel},
		{Kind: NumRelRet},
		{Kind: AP},
		{Kind: Rprec},
		{Kind: Bpref},
		{Kind: RR},
	}
	for _, group := range []struct {
		kind Kind
		cuts []int
	}{
		{P, []int{5, 10}},
		{R, []int{5, 10, 100, 1000}},
		{NDCG, []int{0, 3, 5, 10, 20}},
		{Success, []int{1, 5, 10}},
	} {
		for _, k := range group.cuts {
			measures = append(measures, Measure{Kind: group.kind, Cutoff: k})
		}
	}
	return measures
}

// trecNames holds trec_eval's name of each kind, without and with a cut-off,
// in the order in which it prints them.
var trecNames = [...]struct {
	kind  Kind
	name  string
	isCut bool
}{
	{NumQ, "num_q", false},
	{NumRet, "num_ret", false},
	{NumRel, "num_rel", false},
	{NumRelRet, "num_rel_ret", false},
	{AP, "map", false},
	{Rprec, "Rprec", false},
	{Bpref, "bpref", false},
	{RR, "recip_rank", false},
	{P, "P", true},
	{R, "recall", true},
	{NDCG, "ndcg", false},
	{NDCG, "ndcg_cut", true},
	{AP, "map_cut", true},
	{Success, "success", true},
}

// trecLine is one measure as trec_eval prints it.
type trecLine struct {
	name  string
	order int
	index int // of the measure in the evaluation
	m     Measure
}

// WriteTrecEval writes the evaluation as trec_eval 10 prints it under -c and,
// where each is true, -q: its names, its order whatever that of the measures,
// its number of digits. Measures that trec_eval does not know are an error.
func WriteTrecEval(w io.Writer, e *Evaluation, each bool) error {
	lines, err := trecLines(e)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	if each {
		for t, topic := range e.Topics {
			for _, l := range lines {
				if l.m.Kind != NumQ {
					l.write(out, topic, e.Values[l.index][t])
				}
			}
		}
	}
	for _, l := range lines {
		l.write(out, "all", e.trecAggregate(l))
	}
	return out.Flush()
}

// trecAggregate is Aggregate, but for num_rel: trec_eval counts it anew for the
// summary under -c, and then takes every grade above 0 for relevant, whatever
// the level.
func (e *Evaluation) trecAggregate(l trecLine) float64 {
	if l.m.Kind == NumRel {
		return e.aggregate(l.index, e.positives)
	}
	return e.Aggregate(l.index)
}

func (l trecLine) write(w io.Writer, topic string, value float64) {
	if l.m.Counts() {
		fmt.Fprintf(w, "%-22s\t%s\t%d\n", l.name, topic, int(value))
	} else {
		fmt.Fprintf(w, "%-22s\t%s\t%6.4f\n", l.name, topic, value)
	}
}

func trecLines(e *Evaluation) ([]trecLine, error) {
	lines := make([]trecLine, 0, len(e.Measures))
	for i, m := range e.Measures {
		l, err := trecLineOf(m, e.Level)
		if err != nil {
			return nil, err
		}
		l.index = i
		lines = append(lines, l)
	}
	slices.SortStableFunc(lines, func(a, b trecLine) int {
		if a.order != b.order {
			return a.order - b.order
		}
		return a.m.Cutoff - b.m.Cutoff
	})
	return lines, nil
}

func trecLineOf(m Measure, level int) (trecLine, error) {
	if m.Rel > 0 && m.Rel != level {
		return trecLine{}, fmt.Errorf("trec_eval has one level of relevance for all measures, so that %v needs level %d", m, m.Rel)
	}
	for order, n := range trecNames {
		if n.kind == m.Kind && n.isCut == (m.Cutoff > 0) {
			name := n.name
			if n.isCut {
				name += "_" + strconv.Itoa(m.Cutoff)
			}
			return trecLine{name: name, order: order, m: m}, nil
		}
	}
	return trecLine{}, fmt.Errorf("trec_eval has no measure %v", m)
}
