package collection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Severity says how bad a finding is.
type Severity string

// The severities. Errors make a collection unfit for use, warnings do not.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Finding is one kind of mistake, with the places where it was found.
type Finding struct {
	Kind     string   `json:"kind"`
	Severity Severity `json:"severity"`
	Count    int      `json:"count"` // all of them
	Places   []*Error `json:"places"`
}

// The kinds of findings.
const (
	badLine           = "bad line"
	duplicatePassage  = "duplicate passage id"
	duplicateTurn     = "duplicate turn id"
	turnOutOfOrder    = "turn out of order"
	emptyPassage      = "empty passage"
	emptyQuestion     = "empty question"
	unknownTurn       = "judged turn unknown"
	unknownPassage    = "judged passage unknown"
	duplicateJudgment = "duplicate judgement"
	sameText          = "passage text twice"
	blankRewrite      = "blank rewrite"
	replacementRune   = "replacement character"
	nothingRelevant   = "nothing relevant"
)

// severities holds every kind, in the order of the report.
var severities = []struct {
	kind string
	Severity
}{
	{badLine, SeverityError},
	{duplicatePassage, SeverityError},
	{emptyPassage, SeverityError},
	{duplicateTurn, SeverityError},
	{turnOutOfOrder, SeverityError},
	{emptyQuestion, SeverityError},
	{unknownTurn, SeverityError},
	{unknownPassage, SeverityError},
	{duplicateJudgment, SeverityError},
	{sameText, SeverityWarning},
	{blankRewrite, SeverityWarning},
	{replacementRune, SeverityWarning},
	{nothingRelevant, SeverityWarning},
}

// Report is what [Check] found out about a collection.
type Report struct {
	Collection string     `json:"collection"`
	Errors     int        `json:"errors"`
	Warnings   int        `json:"warnings"`
	Findings   []Finding  `json:"findings"` // errors first
	Statistics Statistics `json:"statistics"`
}

// CheckOptions say how much of what is wrong is listed.
type CheckOptions struct {
	// Places is the most places listed of each kind of finding, the first of
	// the file; 0 means 5. All are counted.
	Places int
}

// DefaultPlaces is the default of [CheckOptions.Places].
const DefaultPlaces = 5

// Check reads all of the collection in dir, as far as it can be read, and
// reports what is wrong with it and what it holds. It needs 32 bytes of memory
// a passage, and the turns and judgements. An error means that there was
// nothing to check, or that a file could not be read to its end.
func Check(ctx context.Context, dir string, o CheckOptions) (*Report, error) {
	c, err := Open(dir)
	if err != nil {
		return nil, err
	}
	if o.Places == 0 {
		o.Places = DefaultPlaces
	}
	k := &checker{collection: c, places: o.Places, findings: make(map[string]*Finding), tally: newTally()}
	for _, part := range []func(context.Context) error{k.qrels, k.turns, k.corpus} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	k.judgements()
	return k.report(), nil
}

// checker gathers what is found while the files of a collection are read.
type checker struct {
	collection *Collection
	places     int
	findings   map[string]*Finding
	tally      *tally

	topics   map[string]*topic   // by turn
	passages map[string]*mention // that are judged, by id
}

// topic is what the qrels say of a turn.
type topic struct {
	line     int // first
	found    bool
	relevant int
	lineOf   map[string]int // by passage
}

// mention is a passage that the qrels judge.
type mention struct {
	line  int // first
	found bool
}

// find notes a mistake on a line of a file.
func (k *checker) find(kind, file string, line int, format string, args ...any) {
	k.note(kind, &Error{file, line, fmt.Sprintf(format, args...)})
}

func (k *checker) note(kind string, e *Error) {
	f := k.findings[kind]
	if f == nil {
		f = &Finding{Kind: kind}
		k.findings[kind] = f
	}
	f.Count++
	if f.Places = append(f.Places, e); len(f.Places) > 2*k.places {
		f.trim(k.places)
	}
}

// trim keeps the first n places of the file.
func (f *Finding) trim(n int) {
	slices.SortStableFunc(f.Places, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	f.Places = f.Places[:min(n, len(f.Places))]
}

// goOn notes a bad line, after which reading goes on; any other error, such as
// that of ctx, ends the check.
func (k *checker) goOn(ctx context.Context, err error) error {
	if err == nil {
		return ctx.Err()
	}
	bad := new(Error)
	if !errors.As(err, &bad) {
		return err
	}
	k.note(badLine, bad)
	return nil
}

// judgements looks at the qrels as a whole, once everything was read.
func (k *checker) judgements() {
	file := k.collection.qrels
	for id, t := range k.topics {
		switch {
		case !t.found:
			k.find(unknownTurn, file, t.line, "turn %q is judged but does not exist: remove its judgements, or add the turn", id)
		case t.relevant == 0:
			k.find(nothingRelevant, file, t.line, "no passage judged for turn %q has a grade of 1 or more: every measure of it is 0", id)
		}
	}
	for id, m := range k.passages {
		if !m.found {
			k.find(unknownPassage, file, m.line, "passage %q is judged but does not exist: remove its judgements, or add the passage", id)
		}
	}
}

func (k *checker) report() *Report {
	r := &Report{Collection: k.collection.dir, Findings: []Finding{}, Statistics: k.tally.statistics()}
	for _, s := range severities {
		f := k.findings[s.kind]
		if f == nil {
			continue
		}
		f.trim(k.places)
		f.Severity = s.Severity
		r.Findings = append(r.Findings, *f)
		if s.Severity == SeverityError {
			r.Errors += f.Count
		} else {
			r.Warnings += f.Count
		}
	}
	return r
}
