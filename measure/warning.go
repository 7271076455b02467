package measure

import (
	"fmt"
	"slices"
	"strings"

	"parley/trec"
)

// Warning is something about the data that a reader of the scores should
// know, and that does not make them wrong.
type Warning struct {
	Kind   WarningKind `json:"kind"`
	Count  int         `json:"count"`            // of the topics it is about
	Of     int         `json:"of,omitempty"`     // among how many topics, where that says something
	Cutoff int         `json:"cutoff,omitempty"` // for Ties
	Topics []string    `json:"topics,omitempty"` // the first few of them, ascending
}

// WarningKind says what a Warning is about.
type WarningKind string

// The kinds of warnings.
const (
	NoCommonTopics WarningKind = "no-common-topics" // the run has hits, but none for a judged topic
	MissingTopics  WarningKind = "missing-topics"   // judged topics without hits in the run score 0
	ExtraTopics    WarningKind = "extra-topics"     // topics of the run that no judgement is for are left out
	NoRelevant     WarningKind = "no-relevant"      // topics without any relevant passage score 0 in every run
	Ties           WarningKind = "ties"             // equal scores on both sides of a cut-off, of passages that differ in grade: the order of the ids decides
	FewTopics      WarningKind = "few-topics"       // too few topics to compare systems by
	Identical      WarningKind = "identical"        // two systems have the same scores throughout
)

// EnoughTopics is the number below which FewTopics warns: with fewer, tests
// in the style of TREC often contradict each other (Buckley and Voorhees,
// SIGIR 2000).
const EnoughTopics = 25

const shownTopics = 3

// String returns the warning as a sentence without its full stop.
func (w Warning) String() string {
	list := ""
	if len(w.Topics) > 0 {
		list = " (" + strings.Join(w.Topics, ", ")
		if w.Count > len(w.Topics) {
			list += ", …"
		}
		list += ")"
	}
	switch w.Kind {
	case NoCommonTopics:
		return fmt.Sprintf("none of the run's %d topics is judged%s: are these the qrels of this run?", w.Count, list)
	case MissingTopics:
		return fmt.Sprintf("%d of %d judged topics are missing from the run and score 0%s", w.Count, w.Of, list)
	case ExtraTopics:
		return fmt.Sprintf("%d of the run's %d topics have no judgement and are left out%s", w.Count, w.Of, list)
	case NoRelevant:
		return fmt.Sprintf("%d of %d judged topics have no relevant passage and score 0%s", w.Count, w.Of, list)
	case Ties:
		return fmt.Sprintf("equal scores straddle rank %d in %d of %d topics, so that passage ids decide the score%s", w.Cutoff, w.Count, w.Of, list)
	case FewTopics:
		return fmt.Sprintf("%d topics are few to compare systems by: take %d or more", w.Count, EnoughTopics)
	case Identical:
		return fmt.Sprintf("the scores are the same in all %d topics", w.Count)
	}
	panic("measure: unknown kind of warning " + string(w.Kind))
}

// about returns the warnings of one kind: none where topics is empty.
func about(kind WarningKind, topics []string, of int) []Warning {
	if len(topics) == 0 {
		return nil
	}
	return []Warning{{
		Kind: kind, Count: len(topics), Of: of,
		Topics: slices.Clone(topics[:min(shownTopics, len(topics))]),
	}}
}

// examine returns what is odd about a run.
func examine(judged []string, rankings []ranking, qrels trec.Qrels, run trec.Run, measures []Measure, level int) []Warning {
	returned := run.Topics()
	extra := slices.DeleteFunc(slices.Clone(returned), func(topic string) bool { return qrels[topic] != nil })
	if len(extra) > 0 && len(extra) == len(returned) {
		return about(NoCommonTopics, extra, len(returned))
	}
	missing := where(judged, rankings, func(r ranking) bool { return len(r.grades) == 0 })
	barren := where(judged, rankings, func(r ranking) bool { return found(r.pool, level) == 0 })
	warnings := slices.Concat(
		about(MissingTopics, missing, len(judged)),
		about(ExtraTopics, extra, len(returned)),
		about(NoRelevant, barren, len(judged)),
	)
	for _, k := range cutoffs(measures) {
		tied := where(judged, rankings, func(r ranking) bool { return r.straddles(k) })
		for _, w := range about(Ties, tied, len(judged)) {
			w.Cutoff = k
			warnings = append(warnings, w)
		}
	}
	return warnings
}

// where returns the topics whose ranking is as wanted.
func where(topics []string, rankings []ranking, wanted func(ranking) bool) []string {
	var found []string
	for i, topic := range topics {
		if wanted(rankings[i]) {
			found = append(found, topic)
		}
	}
	return found
}

// cutoffs returns the cut-offs of the measures, ascending.
func cutoffs(measures []Measure) []int {
	var ks []int
	for _, m := range measures {
		if m.Cutoff > 0 {
			ks = append(ks, m.Cutoff)
		}
	}
	slices.Sort(ks)
	return slices.Compact(ks)
}
