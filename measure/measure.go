// Package measure scores runs against judgements, compares systems turn by
// turn, and counts what queries cost.
//
// Its one guarantee: the effectiveness of a run is what trec_eval 10 prints
// for it with -c. Every judged topic counts, one that is missing from the run
// as 0; scores are compared as doubles, and hits with equal scores stand in
// descending order of their passage ids.
//
// It knows no system: runs come as [trec.Run], queries as [sparse.Vector].
// What is odd about a run comes back as [Warning] values, for the caller to
// show; nothing is printed here.
package measure

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Measure is an effectiveness measure with its parameters.
type Measure struct {
	Kind   Kind
	Cutoff int // how many hits count; 0: all of them
	Rel    int // the lowest grade that counts as relevant; 0: what Options.Level says
}

// Kind is a family of measures under the name that ir_measures gives it.
type Kind string

// The kinds of measures. In their definitions R is the number of relevant
// passages of the topic, and k the cut-off.
const (
	NDCG      Kind = "nDCG"      // Σ grade/log2(1+rank), over that of the best possible ranking; a grade below 0 gains nothing
	RR        Kind = "RR"        // 1 / rank of the first relevant passage
	R         Kind = "R"         // share of the relevant passages that are among the first k
	AP        Kind = "AP"        // Σ over the relevant passages found of the precision at their rank, over R
	P         Kind = "P"         // relevant passages among the first k, over k
	Success   Kind = "Success"   // 1 if a relevant passage is among the first k, else 0
	Rprec     Kind = "Rprec"     // precision among the first R
	Bpref     Kind = "Bpref"     // share of judged preferences that the ranking keeps (Buckley and Voorhees, SIGIR 2004)
	Judged    Kind = "Judged"    // share of the first k passages, or of those there are, that the qrels hold
	NumQ      Kind = "NumQ"      // number of judged topics
	NumRet    Kind = "NumRet"    // number of passages returned
	NumRel    Kind = "NumRel"    // number of relevant passages
	NumRelRet Kind = "NumRelRet" // number of relevant passages returned
)

// cut says whether a kind takes a cut-off.
type cut int

const (
	noCut cut = iota
	mayCut
	mustCut
)

// form says how the measures of a kind are written.
type form struct {
	kind  Kind
	alias string // another name that ir_measures knows
	cut   cut
	rel   bool // whether there is a parameter rel
}

var forms = [...]form{
	{NDCG, "NDCG", mayCut, false},
	{RR, "MRR", mayCut, true},
	{R, "Recall", mustCut, true},
	{AP, "MAP", mayCut, true},
	{P, "Precision", mustCut, true},
	{Success, "", mustCut, true},
	{Rprec, "RPrec", noCut, true},
	{Bpref, "BPref", noCut, true},
	{Judged, "", mayCut, false},
	{NumQ, "", noCut, false},
	{NumRet, "", noCut, true},
	{NumRel, "", noCut, true},
	{NumRelRet, "", noCut, false},
}

// String returns the measure as ir_measures writes it and Parse reads it.
func (m Measure) String() string {
	s := string(m.Kind)
	if m.Rel > 0 {
		if m.Kind == NumRelRet {
			s = string(NumRet) // with rel, ir_measures knows it by this name alone
		}
		s += "(rel=" + strconv.Itoa(m.Rel) + ")"
	}
	if m.Cutoff > 0 {
		s += "@" + strconv.Itoa(m.Cutoff)
	}
	return s
}

// MarshalText returns the measure as String does.
func (m Measure) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads the measure as Parse does.
func (m *Measure) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	*m = parsed
	return err
}

// Parse reads a measure in the notation of ir_measures: a name, the lowest
// relevant grade in brackets where one is meant, and a cut-off, as in nDCG@3,
// RR, R(rel=2)@100.
func Parse(name string) (Measure, error) {
	m, err := parse(strings.TrimSpace(name))
	if err != nil {
		return Measure{}, fmt.Errorf("measure %q: %w", name, err)
	}
	return m, nil
}

func parse(s string) (Measure, error) {
	s, cutoff, hasCut := strings.Cut(s, "@")
	s, rel, hasRel, err := cutRel(s)
	if err != nil {
		return Measure{}, err
	}
	f, err := lookUp(s)
	if err != nil {
		return Measure{}, err
	}
	switch {
	case hasRel && !f.rel:
		return Measure{}, fmt.Errorf("%s takes no rel", f.kind)
	case hasCut && f.cut == noCut:
		return Measure{}, fmt.Errorf("%s takes no cut-off", f.kind)
	case !hasCut && f.cut == mustCut:
		return Measure{}, fmt.Errorf("%s needs a cut-off, as in %s@10", f.kind, f.kind)
	}
	m := Measure{Kind: f.kind}
	if hasRel {
		if m.Rel, err = positive("rel", rel); err != nil {
			return Measure{}, err
		}
		if m.Kind == NumRet {
			m.Kind = NumRelRet
		}
	}
	if hasCut {
		if m.Cutoff, err = positive("the cut-off", cutoff); err != nil {
			return Measure{}, err
		}
	}
	return m, nil
}

// cutRel takes the parameter in brackets off the end of s.
func cutRel(s string) (name, rel string, found bool, err error) {
	name, params, found := strings.Cut(s, "(")
	if !found {
		return s, "", false, nil
	}
	params, closed := strings.CutSuffix(params, ")")
	key, rel, assigned := strings.Cut(params, "=")
	if !closed || !assigned || strings.TrimSpace(key) != "rel" {
		return "", "", false, errors.New("only one parameter is known, written (rel=2)")
	}
	return name, strings.TrimSpace(rel), true, nil
}

func lookUp(name string) (form, error) {
	known := make([]string, 0, len(forms))
	for _, f := range forms {
		if name == string(f.kind) || name == f.alias && name != "" {
			return f, nil
		}
		known = append(known, string(f.kind))
	}
	return form{}, fmt.Errorf("unknown name; known are %s", strings.Join(known, ", "))
}

// positive reads a number as String writes it: digits, from 1.
func positive(what, s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || s[0] == '+' {
		return 0, fmt.Errorf("%s is %q, not a whole number from 1", what, s)
	}
	return n, nil
}

// ParseList reads measures separated by blanks or commas, at least one, and
// each once.
func ParseList(list string) ([]Measure, error) {
	var measures []Measure
	seen := make(map[Measure]bool)
	for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		m, err := Parse(name)
		if err != nil {
			return nil, err
		}
		if seen[m] {
			return nil, fmt.Errorf("measure %q is given twice", m)
		}
		seen[m] = true
		measures = append(measures, m)
	}
	if len(measures) == 0 {
		return nil, errors.New("no measure is given, as in nDCG@3,RR,R@100")
	}
	return measures, nil
}

// Counts tells whether the measure is a number of passages or topics, which is
// summed over topics; the others are averaged.
func (m Measure) Counts() bool {
	switch m.Kind {
	case NumQ, NumRet, NumRel, NumRelRet:
		return true
	}
	return false
}
