package collection

import (
	"cmp"
	"maps"
	"slices"
	"unicode"

	"parley/dialog"
)

// Statistics describe a collection as a paper would. Words are runs of
// characters without white space; means are over what there is, and 0 where
// there is nothing.
type Statistics struct {
	Passages     int     `json:"passages"`
	PassageWords float64 `json:"passage_words"` // mean, titles left out

	Conversations        int     `json:"conversations"`
	Turns                int     `json:"turns"`
	TurnsPerConversation Spread  `json:"turns_per_conversation"`
	QuestionWords        float64 `json:"question_words"` // mean
	Answers              int     `json:"answers"`        // turns that have one
	AnswerWords          float64 `json:"answer_words"`   // mean of those

	Rewrites []RewriteStatistics `json:"rewrites"` // the human first, then by name

	Judgements      int           `json:"judgements"`
	Grades          []GradeCount  `json:"grades"` // ascending
	JudgedTurns     int           `json:"judged_turns"`
	RelevantPerTurn float64       `json:"relevant_per_judged_turn"` // with a grade of 1 or more
	ByTurn          []NumberCount `json:"by_turn"`                  // ascending
}

// Spread describes numbers by their mean and range.
type Spread struct {
	Mean float64 `json:"mean"`
	Min  int     `json:"min"`
	Max  int     `json:"max"`
}

// RewriteStatistics describe one rewriter's rewrites.
type RewriteStatistics struct {
	Rewriter string  `json:"rewriter"`
	Turns    int     `json:"turns"`        // that it rewrote
	Judged   int     `json:"judged_turns"` // among them
	Words    float64 `json:"words"`        // mean
}

// GradeCount counts the judgements of one grade.
type GradeCount struct {
	Grade      int `json:"grade"`
	Judgements int `json:"judgements"`
}

// NumberCount counts the turns of one number.
type NumberCount struct {
	Number int `json:"turn"`
	Turns  int `json:"turns"`
	Judged int `json:"judged_turns"`
}

// tally counts what statistics are made of.
type tally struct {
	passages, questions, answers mean
	turnsOf                      map[string]int // by conversation
	rewrites                     map[string]*rewriteTally
	grades                       map[int]int
	byNumber                     map[int]*NumberCount
	judgedTurns, relevant        int
}

type rewriteTally struct {
	words  mean
	judged int
}

// mean is of numbers of words.
type mean struct{ n, words int }

func (m *mean) add(text string) {
	m.n++
	m.words += countWords(text)
}

func (m mean) value() float64 { return ratio(m.words, m.n) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// countWords returns the number of runs without white space, as
// len(strings.Fields(s)) does, without making them.
func countWords(s string) (n int) {
	blank := true
	for _, r := range s {
		was := blank
		if blank = r == ' ' || r < '!' && '\t' <= r && r <= '\r' || r > '~' && unicode.IsSpace(r); was && !blank {
			n++
		}
	}
	return n
}

func newTally() *tally {
	return &tally{
		turnsOf: make(map[string]int), rewrites: make(map[string]*rewriteTally),
		grades: make(map[int]int), byNumber: make(map[int]*NumberCount),
	}
}

// turn counts a turn; judged says whether it has judgements, relevant how many
// passages they call relevant.
func (t *tally) turn(turn dialog.Turn, judged bool, relevant int) {
	t.turnsOf[turn.Conversation]++
	t.questions.add(turn.Question)
	if turn.Answer != "" {
		t.answers.add(turn.Answer)
	}
	if turn.Rewrite != "" {
		t.rewrite(dialog.Human, turn.Rewrite, judged)
	}
	for name, text := range turn.Rewrites {
		if name != dialog.Human || turn.Rewrite == "" { // else it was counted: Turn.Rewrite goes before
			t.rewrite(name, text, judged)
		}
	}
	count := t.byNumber[turn.Number]
	if count == nil {
		count = &NumberCount{Number: turn.Number}
		t.byNumber[turn.Number] = count
	}
	count.Turns++
	if judged {
		count.Judged++
		t.judgedTurns++
		t.relevant += relevant
	}
}

func (t *tally) rewrite(name, text string, judged bool) {
	r := t.rewrites[name]
	if r == nil {
		r = &rewriteTally{}
		t.rewrites[name] = r
	}
	r.words.add(text)
	if judged {
		r.judged++
	}
}

func (t *tally) statistics() Statistics {
	s := Statistics{
		Passages: t.passages.n, PassageWords: t.passages.value(),
		Conversations: len(t.turnsOf), Turns: t.questions.n, TurnsPerConversation: spread(t.turnsOf),
		QuestionWords: t.questions.value(), Answers: t.answers.n, AnswerWords: t.answers.value(),
		Rewrites: []RewriteStatistics{}, Grades: []GradeCount{}, ByTurn: []NumberCount{},
		JudgedTurns: t.judgedTurns, RelevantPerTurn: ratio(t.relevant, t.judgedTurns),
	}
	for _, name := range slices.SortedFunc(maps.Keys(t.rewrites), humanFirst) {
		r := t.rewrites[name]
		s.Rewrites = append(s.Rewrites, RewriteStatistics{name, r.words.n, r.judged, r.words.value()})
	}
	for _, grade := range slices.Sorted(maps.Keys(t.grades)) {
		s.Grades = append(s.Grades, GradeCount{grade, t.grades[grade]})
		s.Judgements += t.grades[grade]
	}
	for _, number := range slices.Sorted(maps.Keys(t.byNumber)) {
		s.ByTurn = append(s.ByTurn, *t.byNumber[number])
	}
	return s
}

func humanFirst(a, b string) int {
	if a == dialog.Human || b == dialog.Human {
		return cmp.Compare(btoi(a != dialog.Human), btoi(b != dialog.Human))
	}
	return cmp.Compare(a, b)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func spread(counts map[string]int) Spread {
	if len(counts) == 0 {
		return Spread{}
	}
	values, sum := slices.Collect(maps.Values(counts)), 0
	for _, n := range values {
		sum += n
	}
	return Spread{ratio(sum, len(values)), slices.Min(values), slices.Max(values)}
}
