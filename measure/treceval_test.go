package measure

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/trec"
)

// TestHostileRunEqualsTrecEval compares with what trec_eval prints for a run
// with ties, doubles that are one float, missing and unjudged topics, negative
// grades and topics without a relevant passage (see docs/measures.md for how
// the files in testdata were made).
func TestHostileRunEqualsTrecEval(t *testing.T) {
	qrels, run := openHostile(t)
	for level, golden := range map[int]string{1: "hostile.level1.txt", 2: "hostile.level2.txt"} {
		e := evaluate(t, qrels, run, TrecEvalDefault(), level)
		var got bytes.Buffer
		if err := WriteTrecEval(&got, e, true); err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile("testdata/" + golden)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); d != "" {
			t.Errorf("level %d (-trec_eval +ours):\n%s", level, d)
		}
	}
}

func TestTrecEvalOrderAndRefusals(t *testing.T) {
	qrels, run := openHostile(t)
	e := evaluate(t, qrels, run, measures(t, "Success@1 nDCG nDCG@3 AP@5 P@10 P@2 R(rel=1)@5 NumQ"), 1)
	var got bytes.Buffer
	if err := WriteTrecEval(&got, e, false); err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(got.String()) {
		names = append(names, strings.Fields(line)[0])
	}
	want := strings.Fields("num_q P_2 P_10 recall_5 ndcg ndcg_cut_3 map_cut_5 success_1")
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	for _, name := range []string{"RR@10", "Judged@10", "R(rel=2)@5"} {
		e := evaluate(t, qrels, run, measures(t, name), 1)
		if err := WriteTrecEval(&got, e, false); err == nil {
			t.Errorf("%s was written under a name of trec_eval", name)
		}
	}
}

func openHostile(t *testing.T) (trec.Qrels, trec.Run) {
	t.Helper()
	qrels, err := trec.OpenQrels("testdata/hostile.qrels")
	if err != nil {
		t.Fatal(err)
	}
	run, err := trec.OpenRun("testdata/hostile.run")
	if err != nil {
		t.Fatal(err)
	}
	return qrels, run
}

func evaluate(t *testing.T, qrels trec.Qrels, run trec.Run, measures []Measure, level int) *Evaluation {
	t.Helper()
	e, err := Evaluate(qrels, run, measures, Options{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func measures(t *testing.T, list string) []Measure {
	t.Helper()
	ms, err := ParseList(list)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}
