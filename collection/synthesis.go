package collection

import (
	"context"
	"fmt"
	"iter"

	"parley/dialog"
	"parley/internal/world"
	"parley/trec"
)

// SynthesisOptions say which made-up collection is wanted.
type SynthesisOptions struct {
	Seed          uint64 `json:"seed"`
	Passages      int    `json:"passages"`      // 0 means 5,000
	Conversations int    `json:"conversations"` // 0 means 1,500
}

// Sizes of the made-up collection that the demo uses: enough to train on in a
// minute, and to measure on.
const (
	DefaultPassages      = 5000
	DefaultConversations = 1500
)

// Resolved returns the options with their defaults filled in.
func (o SynthesisOptions) Resolved() SynthesisOptions {
	if o.Passages == 0 {
		o.Passages = DefaultPassages
	}
	if o.Conversations == 0 {
		o.Conversations = DefaultConversations
	}
	return o
}

// Synthetic is a made-up collection: a small world of towns, people, companies,
// works and animals, passages about them, and conversations with two rewriters
// ([dialog.Human], and [SyntheticRewriter], which makes mistakes). It is made
// anew on each reading, in constant memory, and always the same.
type Synthetic struct {
	options SynthesisOptions
	world   *world.World
}

// SyntheticRewriter is the name of the second rewriter of a [Synthetic].
const SyntheticRewriter = world.Machine

// Synthesise returns the made-up collection of the options.
func Synthesise(o SynthesisOptions) (*Synthetic, error) {
	o = o.Resolved()
	if o.Passages < world.MinPassages || o.Conversations < 0 {
		return nil, fmt.Errorf("cannot make up %d passages and %d conversations: ask for at least %d and 0", o.Passages, o.Conversations, world.MinPassages)
	}
	return &Synthetic{o, world.New(o.Seed, o.Passages)}, nil
}

// Passages yields the passages. The error is always nil; it is there so that a
// Synthetic reads like a [Collection].
func (s *Synthetic) Passages() iter.Seq2[Passage, error] {
	return func(yield func(Passage, error) bool) {
		for i := range s.options.Passages {
			if !yield(Passage(s.world.Passage(i)), nil) {
				return
			}
		}
	}
}

// Conversations yields the conversations. The error is always nil.
func (s *Synthetic) Conversations() iter.Seq2[dialog.Conversation, error] {
	return func(yield func(dialog.Conversation, error) bool) {
		for i := range s.options.Conversations {
			if c, _ := s.world.Conversation(i); !yield(c, nil) {
				return
			}
		}
	}
}

// Qrels returns all judgements: grade 2 for the passage that tells of what was
// asked, 1 for another that says it too. The error is always nil.
func (s *Synthetic) Qrels() (trec.Qrels, error) {
	qrels := make(trec.Qrels)
	for i := range s.options.Conversations {
		_, judgements := s.world.Conversation(i)
		for _, j := range judgements {
			if qrels[j.Turn] == nil {
				qrels[j.Turn] = make(map[string]int)
			}
			qrels[j.Turn][j.Passage] = j.Grade
		}
	}
	return qrels, nil
}

// origin is what [Writer.Commit] writes beside a collection.
type origin struct {
	Command string `json:"command"`
	Options any    `json:"options"`
}

// Write writes the collection to the folder dir, whole or not at all, and not
// at all once ctx is done. It calls wrote, if that is not nil, after each
// passage.
func (s *Synthetic) Write(ctx context.Context, dir string, wrote func()) error {
	w, err := Create(dir)
	if err != nil {
		return err
	}
	defer w.Discard()
	for p := range s.Passages() {
		if err := firstError(ctx.Err(), w.AddPassage(p)); err != nil {
			return err
		}
		if wrote != nil {
			wrote()
		}
	}
	for i := range s.options.Conversations {
		if err := firstError(ctx.Err(), s.writeConversation(w, i)); err != nil {
			return err
		}
	}
	return w.Commit(origin{"parley collection synthesize", s.options})
}

func (s *Synthetic) writeConversation(w *Writer, i int) error {
	c, judgements := s.world.Conversation(i)
	if err := w.AddConversation(c); err != nil {
		return err
	}
	for _, j := range judgements {
		if err := w.AddQrel(trec.Qrel{Topic: j.Turn, Passage: j.Passage, Grade: j.Grade}); err != nil {
			return err
		}
	}
	return nil
}

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
