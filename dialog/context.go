package dialog

import "strings"

// Role says who spoke.
type Role uint8

// The roles of an utterance.
const (
	Question Role = iota
	Answer
)

// Utterance is one thing said, seen from a later question.
type Utterance struct {
	Role     Role
	Distance int // turns back from the current question, which has distance 0
	Text     string
}

// Context is what is known when a question is asked, newest first:
// q_n, a_{n-1}, q_{n-1}, …, a_1, q_1.
type Context []Utterance

// Separator stands between the utterances of a context written as text.
const Separator = "[SEP]"

// Text writes the context as one line of text, [Separator] between its
// utterances.
func (c Context) Text() string {
	texts := make([]string, len(c))
	for i, u := range c {
		texts[i] = u.Text
	}
	return strings.Join(texts, " "+Separator+" ")
}

// Last returns the context of turn i (from 0) that holds its question only.
func (c Conversation) Last(i int) Context {
	return Context{{Role: Question, Text: c.Turns[i].Question}}
}

// Questions returns the context of turn i (from 0) without answers.
func (c Conversation) Questions(i int) Context { return c.context(i, false) }

// History returns the context of turn i (from 0): its question and all earlier
// questions and answers. Empty answers are left out.
func (c Conversation) History(i int) Context { return c.context(i, true) }

func (c Conversation) context(i int, answers bool) Context {
	ctx := c.Last(i)
	for j := i - 1; j >= 0; j-- {
		if t := c.Turns[j]; answers && t.Answer != "" {
			ctx = append(ctx, Utterance{Role: Answer, Distance: i - j, Text: t.Answer})
		}
		ctx = append(ctx, Utterance{Role: Question, Distance: i - j, Text: c.Turns[j].Question})
	}
	return ctx
}

// Budget says how much of a context is read, in tokens. The zero Budget is the
// default.
type Budget struct {
	// Answer is the most tokens read of each answer; 0 means 48, a negative
	// number means no limit.
	Answer int `yaml:"answer_tokens" json:"answer_tokens"`
	// Total is the most tokens read of the whole, one separator between two
	// utterances included; 0 means 256, a negative number means no limit.
	Total int `yaml:"tokens" json:"tokens"`
	// NoAnswers leaves the answers unread, for conversations that have none or
	// whose answers mislead.
	NoAnswers bool `yaml:"no_answers" json:"no_answers,omitempty"`
}

// Default token budgets: the published recipe reads 256 tokens
// (arXiv 2410.14609); 48 tokens hold the gist of an answer.
const (
	DefaultAnswerTokens = 48
	DefaultTokens       = 256
)

// Resolved returns the budget with its defaults filled in.
func (b Budget) Resolved() Budget {
	if b.Answer == 0 {
		b.Answer = DefaultAnswerTokens
	}
	if b.Total == 0 {
		b.Total = DefaultTokens
	}
	return b
}

// Keep says how many tokens to read of each utterance, given that utterance i
// has counts[i] tokens: each answer is cut to its budget, then the whole is cut
// from the oldest end. An utterance of which nothing is kept takes no
// separator.
func (b Budget) Keep(c Context, counts []int) []int {
	keep, rest := make([]int, len(c)), b.Begin()
	for i, u := range c {
		keep[i] = rest.Keep(u, counts[i])
	}
	return keep
}

// Rest is what is left of a budget while a context is read, newest utterance
// first.
type Rest struct {
	budget Budget
	left   int // tokens, where the budget has a limit
	begun  bool
}

// Begin returns the whole budget.
func (b Budget) Begin() Rest {
	b = b.Resolved()
	return Rest{budget: b, left: b.Total}
}

// Keep says how many of the n tokens of the next utterance to read, and takes
// them off the rest.
func (r *Rest) Keep(u Utterance, n int) int {
	switch {
	case u.Role == Answer && r.budget.NoAnswers:
		n = 0
	case u.Role == Answer && r.budget.Answer >= 0:
		n = min(n, r.budget.Answer)
	}
	if r.budget.Total >= 0 {
		room := r.room()
		if n = max(0, min(n, room)); n > 0 {
			r.left = room - n
		}
	}
	r.begun = r.begun || n > 0
	return n
}

// Spent reports whether nothing more can be read.
func (r *Rest) Spent() bool { return r.budget.Total >= 0 && r.room() <= 0 }

// room returns how many tokens of the next utterance can be read: a separator
// stands before all but the first.
func (r *Rest) room() int {
	if r.begun {
		return r.left - 1
	}
	return r.left
}
