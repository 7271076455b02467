// Package input reads text as the encoders see it: a passage or a
// conversation's context becomes token ids, with roles, turn distances and
// features beside them.
//
// Its guarantee: training and serving read through this one code, so that the
// same conversation gives the same input in both.
//
// It knows no weights.
package input

import (
	"fmt"
	"strings"

	"parley/dialog"
	"parley/internal/wordpiece"
)

// Reader turns text into input. It is safe for concurrent use.
type Reader struct {
	tok       *wordpiece.Tokenizer
	budget    dialog.Budget
	separator uint32
	content   []bool // by token id: neither special, [UNK] included, nor only punctuation
	continues []bool // by token id: it goes on a word
}

// NewReader returns a reader with the given tokeniser and token budget. The
// vocabulary must have the token [SEP].
func NewReader(tok *wordpiece.Tokenizer, budget dialog.Budget) (*Reader, error) {
	vocab := tok.Vocabulary()
	separator, ok := vocab.ID(dialog.Separator)
	if !ok {
		return nil, fmt.Errorf("the vocabulary lacks the token %s, which stands between the utterances of a context", dialog.Separator)
	}
	r := &Reader{tok: tok, budget: budget.Resolved(), separator: separator, content: make([]bool, vocab.Len()), continues: make([]bool, vocab.Len())}
	for i := range r.content {
		id := uint32(i)
		r.content[i] = !vocab.OnlyPunctuation(id)
		r.continues[i] = strings.HasPrefix(vocab.Token(id), "##")
	}
	for _, special := range []string{wordpiece.Padding, wordpiece.Unknown, wordpiece.Start, wordpiece.Separator, wordpiece.Masked} {
		if id, ok := vocab.ID(special); ok {
			r.content[id] = false
		}
	}
	return r, nil
}

// Tokenizer returns the reader's tokeniser.
func (r *Reader) Tokenizer() *wordpiece.Tokenizer { return r.tok }

// Budget returns the reader's token budget, its defaults filled in.
func (r *Reader) Budget() dialog.Budget { return r.budget }

// AppendPassage appends the content tokens of a passage, title first, to ids.
func (r *Reader) AppendPassage(ids []uint32, title, text string) []uint32 {
	start := len(ids)
	ids = r.tok.Append(ids, title)
	ids = r.tok.Append(ids, text)
	return append(ids[:start], r.contentOf(ids[start:])...)
}

// contentOf moves the content tokens of ids to its front and returns them.
func (r *Reader) contentOf(ids []uint32) []uint32 {
	kept := ids[:0]
	for _, id := range ids {
		if r.content[id] {
			kept = append(kept, id)
		}
	}
	return kept
}

// Context is a conversation's context as an encoder reads it: L tokens, newest
// utterance first, a [SEP] between two utterances.
type Context struct {
	IDs       []uint32      // [L] token ids
	Roles     []dialog.Role // [L] who said the token; a separator belongs to the utterance that it ends
	Distances []uint8       // [L] turns back from the current question, at most 255
}

// Len returns L, the number of tokens.
func (c Context) Len() int { return len(c.IDs) }

// Context reads c within the reader's budget.
func (r *Reader) Context(c dialog.Context) Context {
	tokens := make([][]uint32, len(c))
	counts := make([]int, len(c))
	for i, u := range c {
		tokens[i] = r.tok.Append(nil, u.Text)
		counts[i] = len(tokens[i])
	}
	var in Context
	for i, n := range r.budget.Keep(c, counts) {
		if n == 0 {
			continue
		}
		if in.Len() > 0 {
			last := in.Len() - 1
			in.add(r.separator, in.Roles[last], in.Distances[last])
		}
		for _, id := range tokens[i][:n] {
			in.add(id, c[i].Role, uint8(min(c[i].Distance, 255)))
		}
	}
	return in
}

func (c *Context) add(id uint32, role dialog.Role, distance uint8) {
	c.IDs = append(c.IDs, id)
	c.Roles = append(c.Roles, role)
	c.Distances = append(c.Distances, distance)
}

// AppendContent appends the content tokens of c to ids.
func (r *Reader) AppendContent(ids []uint32, c Context) []uint32 {
	for _, id := range c.IDs {
		if r.content[id] {
			ids = append(ids, id)
		}
	}
	return ids
}
