package collection

import (
	"errors"
	"fmt"
	"strings"

	"parley/dialog"
	"parley/trec"
)

// Passage is a text that a search can find.
type Passage struct {
	ID    string // unique in the collection
	Title string // may be empty
	Text  string
}

// fields keeps the names that an object gave, to find missing ones and those
// that come twice.
type fields struct {
	names []string // of the known fields
	seen  uint     // bit i: names[i] was there
}

// mark notes a name; known is false where it is of no interest.
func (f *fields) mark(name string) (known bool, err error) {
	for i, n := range f.names {
		if n != name {
			continue
		}
		if f.seen&(1<<i) != 0 {
			return true, fmt.Errorf("field %q comes twice: keep one", name)
		}
		f.seen |= 1 << i
		return true, nil
	}
	return false, nil
}

// require reports the first of the first n names that was not there.
func (f *fields) require(n int) error {
	for i, name := range f.names[:n] {
		if f.seen&(1<<i) == 0 {
			return fmt.Errorf("field %q is missing", name)
		}
	}
	return nil
}

// The known fields, the first of which are required.
var (
	passageFields = []string{"id", "text", "title"}
	turnFields    = []string{"id", "conversation", "turn", "question", "answer", "rewrite", "rewrites"}
)

const (
	requiredOfPassage = 2
	requiredOfTurn    = 4
)

// decode reads the object on a line; value reads the value of each known
// field.
func decode(line string, names []string, required int, value func(s *scanner, name string) error) error {
	s := scanner{in: line}
	f := fields{names: names}
	err := s.object(func(name string) error {
		known, err := f.mark(name)
		if err != nil {
			return err
		}
		if !known {
			return s.skip(0)
		}
		if err := value(&s, name); err != nil {
			return fmt.Errorf("field %q: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return errors.Join(s.end(), f.require(required))
}

// decodePassage reads a line of the corpus. line must be valid UTF-8.
func decodePassage(line string) (Passage, error) {
	var p Passage
	err := decode(line, passageFields, requiredOfPassage, func(s *scanner, name string) (err error) {
		switch name {
		case "id":
			p.ID, err = s.id()
		case "title":
			p.Title, err = s.optional()
		case "text":
			p.Text, err = s.text()
		}
		return err
	})
	return p, err
}

// decodeTurn reads a line of the turns. line must be valid UTF-8.
func decodeTurn(line string) (dialog.Turn, error) {
	var t dialog.Turn
	err := decode(line, turnFields, requiredOfTurn, func(s *scanner, name string) (err error) {
		switch name {
		case "id":
			t.ID, err = s.topic()
		case "conversation":
			t.Conversation, err = s.id()
		case "turn":
			t.Number, err = s.turnNumber()
		case "question":
			t.Question, err = s.text()
		case "answer":
			t.Answer, err = s.optional()
		case "rewrite":
			t.Rewrite, err = s.optional()
		case "rewrites":
			t.Rewrites, err = s.rewrites()
		}
		return err
	})
	return t, err
}

// id reads an identifier that TREC files can hold.
func (s *scanner) id() (string, error) {
	id, err := s.text()
	if err != nil {
		return "", err
	}
	return id, trec.CheckID(id)
}

// topic reads an identifier that can start a line of a TREC file.
func (s *scanner) topic() (string, error) {
	id, err := s.id()
	switch {
	case err != nil:
	case id[0] == '#':
		err = fmt.Errorf("id %q starts with \"#\", which some readers of qrels and runs take for a comment: choose another", id)
	case strings.HasPrefix(id, "\ufeff"):
		err = fmt.Errorf("id %q starts with a byte order mark, which qrels and runs may not: choose another", id)
	}
	return id, err
}

// optional reads a string; null stands for the empty one.
func (s *scanner) optional() (string, error) {
	if s.null() {
		return "", nil
	}
	return s.text()
}

func (s *scanner) turnNumber() (int, error) {
	n, err := s.whole()
	if err == nil && n < 1 {
		err = fmt.Errorf("%d: number turns from 1", n)
	}
	return n, err
}

// rewrites reads an object of texts by rewriter; null texts are left out.
func (s *scanner) rewrites() (map[string]string, error) {
	if s.null() {
		return nil, nil
	}
	texts := make(map[string]string)
	err := s.object(func(name string) error {
		if _, twice := texts[name]; twice {
			return fmt.Errorf("rewriter %q comes twice: keep one", name)
		}
		text, err := s.optional()
		if err != nil {
			return fmt.Errorf("rewriter %q: %w", name, err)
		}
		if texts[name] = text; text == "" {
			delete(texts, name)
		}
		return nil
	})
	return texts, err
}
