package input

import (
	"fmt"

	"parley/dialog"
	"parley/internal/wordpiece"
)

// Sequencer writes text as transformers read it, special tokens around it:
//
//	a context   [CLS] q_n [SEP] a_{n-1} [SEP] q_{n-1} [SEP] … q_1 [SEP]
//	a passage   [CLS] title text [SEP]
//
// A context is cut to the token budget, whose total counts the special tokens
// too. A passage is the one text "title text", or the text alone where there is
// no title, and is cut to a number of tokens, the special ones among them. What
// is cut away is the end; the last token is always [SEP].
//
// A Sequencer is safe for concurrent use, and allocates nothing where there is
// room in the ids it appends to.
type Sequencer struct {
	tok              *wordpiece.Tokenizer
	budget           dialog.Budget // of a context
	passage          int           // most tokens of a passage
	start, separator uint32
}

// frame is the number of special tokens around a text: [CLS] and [SEP].
const frame = 2

// DefaultPassageTokens is the most tokens of a passage where nothing else is
// said, as in the published recipe (arXiv 2410.14609).
const DefaultPassageTokens = 256

// NewSequencer returns a sequencer for contexts within the budget, and passages
// of at most so many tokens, 0 meaning DefaultPassageTokens; a negative number
// means no limit in both. The vocabulary must have the tokens [CLS] and [SEP].
func NewSequencer(tok *wordpiece.Tokenizer, budget dialog.Budget, passage int) (*Sequencer, error) {
	s := &Sequencer{tok: tok, budget: budget.Resolved(), passage: passage}
	if passage == 0 {
		s.passage = DefaultPassageTokens
	}
	for _, special := range []struct {
		token string
		id    *uint32
	}{{wordpiece.Start, &s.start}, {wordpiece.Separator, &s.separator}} {
		id, ok := tok.Vocabulary().ID(special.token)
		if !ok {
			return nil, fmt.Errorf("the vocabulary lacks the token %s, which transformers read around every text", special.token)
		}
		*special.id = id
	}
	for _, limit := range []int{s.budget.Total, s.passage} {
		if 0 <= limit && limit <= frame {
			return nil, fmt.Errorf("a limit of %d tokens leaves none for text beside %s and %s: allow more", limit, wordpiece.Start, wordpiece.Separator)
		}
	}
	return s, nil
}

// Tokenizer returns the sequencer's tokeniser.
func (s *Sequencer) Tokenizer() *wordpiece.Tokenizer { return s.tok }

// Budget returns the token budget of contexts, its defaults filled in.
func (s *Sequencer) Budget() dialog.Budget { return s.budget }

// PassageTokens returns the most tokens of a passage; below 0 there is no limit.
func (s *Sequencer) PassageTokens() int { return s.passage }

// AppendContext appends the sequence of a context to ids. Utterances that the
// budget leaves no room for are not looked at.
func (s *Sequencer) AppendContext(ids []uint32, c dialog.Context) []uint32 {
	text := s.budget
	if text.Total >= 0 {
		text.Total -= frame
	}
	rest := text.Begin()
	ids = append(ids, s.start)
	begin := len(ids)
	for _, u := range c {
		if rest.Spent() {
			break
		}
		before := len(ids)
		if before > begin {
			ids = append(ids, s.separator)
		}
		from := len(ids)
		ids = s.tok.Append(ids, u.Text)
		if n := rest.Keep(u, len(ids)-from); n > 0 {
			ids = ids[:from+n]
		} else {
			ids = ids[:before]
		}
	}
	return append(ids, s.separator)
}

// AppendPassage appends the sequence of a passage to ids.
func (s *Sequencer) AppendPassage(ids []uint32, title, text string) []uint32 {
	ids = append(ids, s.start)
	from := len(ids)
	ids = s.tok.Append(ids, title)
	ids = s.tok.Append(ids, text)
	if s.passage >= 0 && len(ids)-from > s.passage-frame {
		ids = ids[:from+s.passage-frame]
	}
	return append(ids, s.separator)
}
