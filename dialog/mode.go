package dialog

import (
	"fmt"
	"strings"
)

// Mode is a way to ask a turn: which text of the conversation becomes the
// query. Its text form is that of the command line: last, questions, history,
// rewrite, or rewrite:NAME.
type Mode struct {
	kind     string
	rewriter string
}

// The modes that need no rewriter's name.
var (
	LastMode      = Mode{kind: "last"}
	QuestionsMode = Mode{kind: "questions"}
	HistoryMode   = Mode{kind: "history"}
)

// RewriteMode asks by the named rewriter's rewrite; [Human] names the human one.
func RewriteMode(rewriter string) Mode { return Mode{kind: "rewrite", rewriter: rewriter} }

// ParseMode reads a mode's text form.
func ParseMode(s string) (Mode, error) {
	switch name, isRewrite := strings.CutPrefix(s, "rewrite:"); {
	case s == "last" || s == "questions" || s == "history":
		return Mode{kind: s}, nil
	case s == "rewrite":
		return RewriteMode(Human), nil
	case isRewrite && name != "":
		return RewriteMode(name), nil
	}
	return Mode{}, fmt.Errorf("query mode %q is unknown: use last, questions, history, rewrite or rewrite:NAME", s)
}

// String returns the mode's text form, which ParseMode reads.
func (m Mode) String() string {
	switch {
	case m.kind != "rewrite":
		return m.kind
	case m.rewriter == Human:
		return "rewrite"
	}
	return "rewrite:" + m.rewriter
}

// Context returns the context of turn i (from 0) of c in this mode; ok is
// false where the turn lacks the rewrite that the mode asks for.
func (m Mode) Context(c Conversation, i int) (ctx Context, ok bool) {
	switch m.kind {
	case "last":
		return c.Last(i), true
	case "questions":
		return c.Questions(i), true
	case "history":
		return c.History(i), true
	}
	text, ok := c.Turns[i].RewriteBy(m.rewriter)
	return Context{{Role: Question, Text: text}}, ok
}
