package collection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"

	"parley/trec"
)

// PassageShare says which passages each half of a split gets.
type PassageShare string

// The shares.
const (
	// ShareAll gives the whole corpus to both halves.
	ShareAll PassageShare = "all"
	// ShareOwn keeps from a half the passages that only the other half claims.
	// A half claims a passage by a judgement of one of its turns, whatever the
	// grade, or by an answer with the same text. What both claim, or neither,
	// goes to both.
	ShareOwn PassageShare = "own"
)

// SplitOptions say how a collection is split.
type SplitOptions struct {
	Fraction float64      `json:"fraction"` // of the conversations that go to the first half; 0 means .5
	Seed     uint64       `json:"seed"`     // which conversations
	Passages PassageShare `json:"passages"` // "" means all
	// Exclude holds ids of conversations that go to neither half. It may hold
	// others too.
	Exclude map[string]bool `json:"-"`
}

// Resolved returns the options with their defaults filled in.
func (o SplitOptions) Resolved() SplitOptions {
	if o.Fraction == 0 {
		o.Fraction = .5
	}
	o.Passages = cmp.Or(o.Passages, ShareAll)
	return o
}

// SplitReport says what a split did.
type SplitReport struct {
	Halves   [2]SplitHalf
	Excluded int // conversations that went to neither
}

// SplitHalf counts what one half of a split got.
type SplitHalf struct {
	Dir           string
	Conversations int
	Turns         int
	Judgements    int
	Passages      int
}

// Split writes the conversations of c to two new folders, with their
// judgements and passages: round(fraction · n) of its n conversations to the
// first, the others to the second. Which go where depends on the seed and the
// ids alone, not on their order. Lines are copied as they are, with the fields
// that this package does not know. The corpus is streamed.
func Split(ctx context.Context, c *Collection, dirs [2]string, o SplitOptions) (report SplitReport, err error) {
	o = o.Resolved()
	s := &splitter{collection: c, options: o, report: &report}
	if err := s.create(dirs); err != nil {
		return report, err
	}
	defer s.discard()
	for _, part := range []func(context.Context) error{s.assign, s.turns, s.qrels, s.passages} {
		if err := part(ctx); err != nil {
			return report, err
		}
	}
	return report, s.commit()
}

// A set of halves.
type half uint8

const (
	neither half = 0
	first   half = 1
	second  half = 2
	both         = first | second
)

type splitter struct {
	collection *Collection
	options    SplitOptions
	writers    [2]*Writer
	report     *SplitReport

	conversations map[string]half       // by id; the excluded are there as neither
	topics        map[string]half       // by turn id
	judged        map[string]half       // by passage id
	answers       map[xxh3.Uint128]half // by the answer's hash
}

func (s *splitter) create(dirs [2]string) error {
	if o := s.options; !(o.Fraction > 0 && o.Fraction < 1) {
		return fmt.Errorf("cannot split at the fraction %v: it lies between 0 and 1", o.Fraction)
	}
	if p := s.options.Passages; p != ShareAll && p != ShareOwn {
		return fmt.Errorf("cannot share out passages by %q: say %q or %q", p, ShareAll, ShareOwn)
	}
	if err := apart(s.collection.dir, dirs); err != nil {
		return err
	}
	for i, dir := range dirs {
		w, err := Create(dir)
		if err != nil {
			s.discard()
			return err
		}
		s.writers[i], s.report.Halves[i].Dir = w, dir
	}
	return nil
}

// apart reports folders of which one would overwrite another: from, which is
// read, may lie beside those that are written or hold them, not the reverse.
// Links are followed, since a folder is written where they lead.
func apart(from string, to [2]string) error {
	var places [3]string
	for i, dir := range []string{to[0], to[1], from} {
		place, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		places[i] = followed(place)
	}
	a, b, source := places[0], places[1], places[2]
	switch {
	case a == b:
		return fmt.Errorf("cannot split: the folder %s is named twice", to[1])
	case within(a, b) || within(b, a):
		return fmt.Errorf("cannot split: of the folders %s and %s one lies in the other: name two apart", to[0], to[1])
	case within(source, a):
		return fmt.Errorf("cannot split: the folder %s would overwrite the collection %s: name another", to[0], from)
	case within(source, b):
		return fmt.Errorf("cannot split: the folder %s would overwrite the collection %s: name another", to[1], from)
	}
	return nil
}

// followed returns path, which is absolute, with its links followed as far as
// it exists.
func followed(path string) string {
	if end, err := filepath.EvalSymlinks(path); err == nil {
		return end
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(followed(parent), filepath.Base(path))
	}
	return path
}

// within tells whether path is dir or lies in it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

func (s *splitter) discard() {
	for _, w := range s.writers {
		if w != nil {
			w.Discard()
		}
	}
}

// assign shares out the conversations, after all turns were found valid.
func (s *splitter) assign(ctx context.Context) error {
	s.conversations = make(map[string]half)
	var ids []string
	for c, err := range s.collection.Conversations() {
		if err := firstError(err, ctx.Err()); err != nil {
			return err
		}
		s.conversations[c.ID] = neither
		if s.options.Exclude[c.ID] {
			s.report.Excluded++
		} else {
			ids = append(ids, c.ID)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(s.draw(a), s.draw(b)), cmp.Compare(a, b))
	})
	n := int(math.Round(s.options.Fraction * float64(len(ids))))
	for i, id := range ids {
		s.conversations[id] = first
		if i >= n {
			s.conversations[id] = second
		}
	}
	s.report.Halves[0].Conversations, s.report.Halves[1].Conversations = n, len(ids)-n
	return nil
}

// draw returns the lot of a conversation.
func (s *splitter) draw(id string) uint64 { return xxh3.HashStringSeed(id, s.options.Seed) }

// each calls f for each of the halves.
func (s *splitter) each(h half, f func(w *Writer, half *SplitHalf) error) error {
	for i := range s.writers {
		if h&(first<<i) == 0 {
			continue
		}
		if err := f(s.writers[i], &s.report.Halves[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *splitter) turns(ctx context.Context) error {
	s.topics, s.answers = make(map[string]half), make(map[xxh3.Uint128]half)
	for l, err := range readLines(s.collection.turns, decodeTurn) {
		if err := firstError(err, ctx.Err()); err != nil {
			return err
		}
		h := s.conversations[l.record.Conversation]
		s.topics[l.record.ID] = h
		if l.record.Answer != "" {
			s.answers[xxh3.HashString128(l.record.Answer)] |= h
		}
		err := s.each(h, func(w *Writer, half *SplitHalf) error {
			half.Turns++
			return w.copyLine(turnsOut, l.raw)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *splitter) qrels(ctx context.Context) error {
	s.judged = make(map[string]half)
	if s.collection.qrels == "" {
		return nil
	}
	f, err := openFile(s.collection.qrels)
	if err != nil {
		return err
	}
	defer f.Close()
	for q, err := range trec.ReadQrels(f, s.collection.qrels) {
		if err := firstError(err, ctx.Err()); err != nil {
			return err
		}
		h, exists := s.topics[q.Topic]
		if !exists {
			return &Error{s.collection.qrels, q.Line, fmt.Sprintf("turn %q is judged but does not exist: see parley collection check", q.Topic)}
		}
		s.judged[q.Passage] |= h
		err := s.each(h, func(w *Writer, half *SplitHalf) error {
			half.Judgements++
			return w.AddQrel(q)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *splitter) passages(ctx context.Context) error {
	for l, err := range readLines(s.collection.corpus, decodePassage) {
		if err := firstError(err, ctx.Err()); err != nil {
			return err
		}
		err := s.each(s.owners(l.record), func(w *Writer, half *SplitHalf) error {
			half.Passages++
			return w.copyLine(corpusOut, l.raw)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// owners returns the halves that get a passage.
func (s *splitter) owners(p Passage) half {
	if s.options.Passages == ShareAll {
		return both
	}
	if claimed := s.judged[p.ID] | s.answers[xxh3.HashString128(p.Text)]; claimed != neither {
		return claimed
	}
	return both
}

func (s *splitter) commit() error {
	type splitOrigin struct {
		Collection string `json:"collection"`
		SplitOptions
		Excluded int `json:"excluded"`
		Half     int `json:"half"`
	}
	var errs []error
	for i, w := range s.writers {
		errs = append(errs, w.Commit(origin{"parley collection split", splitOrigin{
			filepath.Base(s.collection.dir), s.options, s.report.Excluded, i + 1,
		}}))
	}
	return errors.Join(errs...)
}
