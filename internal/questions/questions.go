// Package questions says which turns of a collection are searched for, with what
// text, and which passages each of them leaves out.
//
// Its guarantee: a turn that is wanted is a question, or is counted as lacking
// the text that is asked.
//
// It knows which passages are judged relevant, too. It encodes nothing and
// searches nothing.
package questions

import (
	"parley/dialog"
	"parley/index"
	"parley/trec"
)

// Question is a turn that is searched for.
type Question struct {
	Conversation dialog.Conversation
	At           int            // of the turn in the conversation, from 0
	Context      dialog.Context // what is asked
	Judged       map[string]int // grades of passages for the turn; nil where it has none

	seen []string // earlier answers of the conversation
}

// Turn returns the turn that is asked.
func (q *Question) Turn() dialog.Turn { return q.Conversation.Turns[q.At] }

// List are the turns that are searched for.
type List struct {
	Questions []Question
	Lacking   []dialog.Turn // that are wanted and lack the text that is asked

	repeats map[string][]int // by answer: the passages with the same text
}

// Add adds those turns of a conversation that are wanted, to be asked in the
// given mode.
func (l *List) Add(c dialog.Conversation, mode dialog.Mode, qrels trec.Qrels, wanted func(t dialog.Turn, judged bool) bool) {
	var seen []string
	for i, turn := range c.Turns {
		judged, ok := qrels[turn.ID]
		if wanted(turn, ok) {
			if context, ok := mode.Context(c, i); ok {
				l.Questions = append(l.Questions, Question{c, i, context, judged, seen[:len(seen):len(seen)]})
			} else {
				l.Lacking = append(l.Lacking, turn)
			}
		}
		if turn.Answer != "" {
			seen = append(seen, turn.Answer)
		}
	}
}

// FindRepeats finds the passages of ix whose text repeats an answer, which Skip
// leaves out.
func (l *List) FindRepeats(ix *index.Index) {
	l.repeats = map[string][]int{}
	for _, q := range l.Questions {
		for _, answer := range q.seen {
			l.repeats[answer] = nil
		}
	}
	for i := range ix.N() {
		text := ix.Passage(i).Text
		if passages, ok := l.repeats[text]; ok {
			l.repeats[text] = append(passages, i)
		}
	}
}

// Skip returns which passages of ix are left out for q, a question of the list:
// repeats of earlier answers, unless the passage is judged for the turn. It
// returns nil where there are none, or where none were looked for.
func (l *List) Skip(q *Question, ix *index.Index) func(passage int) bool {
	var repeats map[int]bool
	for _, answer := range q.seen {
		for _, i := range l.repeats[answer] {
			if _, judged := q.Judged[ix.ID(i)]; judged {
				continue
			}
			if repeats == nil {
				repeats = map[int]bool{}
			}
			repeats[i] = true
		}
	}
	if repeats == nil {
		return nil
	}
	return func(passage int) bool { return repeats[passage] }
}
