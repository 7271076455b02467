package measure

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for name, want := range map[string]Measure{
		"nDCG@3":              {NDCG, 3, 0},
		" nDCG ":              {NDCG, 0, 0},
		"NDCG@10":             {NDCG, 10, 0},
		"RR":                  {RR, 0, 0},
		"MRR@10":              {RR, 10, 0},
		"R(rel=2)@100":        {R, 100, 2},
		"Recall@5":            {R, 5, 0},
		"AP( rel = 1 )":       {AP, 0, 1},
		"P@5":                 {P, 5, 0},
		"Success@1":           {Success, 1, 0},
		"Rprec":               {Rprec, 0, 0},
		"Bpref(rel=2)":        {Bpref, 0, 2},
		"Judged@10":           {Judged, 10, 0},
		"NumRet":              {NumRet, 0, 0},
		"NumRet(rel=1)":       {NumRelRet, 0, 1},
		"NumRelRet":           {NumRelRet, 0, 0},
		"NumRel":              {NumRel, 0, 0},
		"NumQ":                {NumQ, 0, 0},
		"R(rel=2)@1000000000": {R, 1e9, 2},
	} {
		got, err := Parse(name)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v; want %v", name, got, err, want)
		}
		if again, err := Parse(got.String()); err != nil || again != got {
			t.Errorf("%q is written %q, which reads as %v, %v", name, got, again, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"":                       `measure "": unknown name; known are nDCG, RR,`,
		"ndcg@3":                 `measure "ndcg@3": unknown name`,
		"R":                      `measure "R": R needs a cut-off, as in R@10`,
		"Rprec@5":                `measure "Rprec@5": Rprec takes no cut-off`,
		"nDCG(rel=2)":            `measure "nDCG(rel=2)": nDCG takes no rel`,
		"RR@0":                   `measure "RR@0": the cut-off is "0", not a whole number from 1`,
		"RR@-1":                  `measure "RR@-1": the cut-off is "-1"`,
		"RR@+1":                  `measure "RR@+1": the cut-off is "+1"`,
		"RR@":                    `measure "RR@": the cut-off is ""`,
		"RR(rel=0)":              `measure "RR(rel=0)": rel is "0"`,
		"RR(judged_only=True)":   `measure "RR(judged_only=True)": only one parameter is known, written (rel=2)`,
		"RR(rel=1":               `measure "RR(rel=1": only one parameter`,
		"R@99999999999999999999": `measure "R@99999999999999999999": the cut-off is`,
	} {
		_, err := Parse(name)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Parse(%q): %v, want %s…", name, err, want)
		}
	}
}

func TestParseList(t *testing.T) {
	got, err := ParseList("nDCG@3, RR  R@10,\nR(rel=2)@100")
	if err != nil {
		t.Fatal(err)
	}
	want := []Measure{{NDCG, 3, 0}, {RR, 0, 0}, {R, 10, 0}, {R, 100, 2}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, list := range []string{"", " , ", "RR RR", "RR MRR", "RR nope"} {
		if _, err := ParseList(list); err == nil {
			t.Errorf("ParseList(%q) was accepted", list)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"nDCG@3", "R(rel=2)@100", "MRR", "NumRet(rel=1)", "AP(rel=)@", "@", "("} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := Parse(s)
		if err != nil {
			return
		}
		if again, err := Parse(m.String()); err != nil || again != m {
			t.Errorf("%q is written %q, which reads as %v, %v", s, m, again, err)
		}
	})
}
