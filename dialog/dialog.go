// Package dialog holds what was said: conversations, their turns and rewrites,
// and a turn's history written as a context.
//
// Its guarantee: a context holds only what was known when its turn's question
// was asked. The answer to that question is never part of it.
//
// It knows no tokeniser and no files. Where a context is cut to a token budget
// it is given the counts.
package dialog

import "fmt"

// Turn is one question of a conversation with what is known about it.
type Turn struct {
	ID           string            // unique in the collection
	Conversation string            // id of the conversation
	Number       int               // position in the conversation, from 1
	Question     string            // as the user asked it
	Answer       string            // as the system answered; may be empty
	Rewrite      string            // the question made self-contained by a human; may be empty
	Rewrites     map[string]string // the same by other rewriters, by their name
}

// Human is the name of the rewriter behind [Turn.Rewrite].
const Human = "human"

// RewriteBy returns the rewrite of the turn by the named rewriter; [Human]
// names Turn.Rewrite. ok is false where there is none.
func (t Turn) RewriteBy(name string) (text string, ok bool) {
	text = t.Rewrites[name]
	if name == Human && t.Rewrite != "" {
		text = t.Rewrite
	}
	return text, text != ""
}

// Conversation is a sequence of turns; Turns[i].Number is i+1.
type Conversation struct {
	ID    string
	Turns []Turn
}

// Validate reports the first turn that is out of place.
func (c Conversation) Validate() error {
	for i, t := range c.Turns {
		if t.Number != i+1 {
			return fmt.Errorf("conversation %q: turn %q has number %d where %d is due", c.ID, t.ID, t.Number, i+1)
		}
		if t.Conversation != c.ID {
			return fmt.Errorf("conversation %q: turn %q belongs to conversation %q", c.ID, t.ID, t.Conversation)
		}
	}
	return nil
}
