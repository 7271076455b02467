// Package collection holds what is searched, who asks, and what is relevant: a
// folder with a corpus of passages, the turns of conversations, and judgements.
// It reads such folders, checks them, splits them, and makes up one.
//
// Its guarantee: what it yields is exactly what the files say. A line that is
// not whole, of the right types and valid UTF-8 is an error that names file and
// line; nothing is repaired, replaced or passed over, except blank lines and
// fields that it does not know.
//
// It holds no corpus in memory, knows no tokeniser, and imports no published
// format. The format is described in docs/collection-format.md.
package collection

import (
	"fmt"
	"io"
	"iter"
	"os"

	"parley/dialog"
	"parley/trec"
)

// Collection is a folder of files. It is read anew by each method, so that a
// method may be called often and concurrently.
type Collection struct {
	dir    string
	corpus string // path of the passages
	turns  string // path of the turns
	qrels  string // path of the judgements; "" where there are none
}

// Open finds the files of the collection in the folder dir: corpus.jsonl,
// turns.jsonl and qrels.txt, each plain or compressed (.gz, .zst). They may be
// empty, and qrels.txt may be missing.
func Open(dir string) (*Collection, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("cannot open the collection: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("cannot open the collection %s: it is a file; name the folder that holds %s", dir, corpusFile)
	}
	c := &Collection{dir: dir}
	for _, f := range []struct {
		name     string
		path     *string
		optional bool
	}{{corpusFile, &c.corpus, false}, {turnsFile, &c.turns, false}, {qrelsFile, &c.qrels, true}} {
		path, err := find(dir, f.name)
		if err != nil {
			return nil, fmt.Errorf("cannot open the collection: %w", err)
		}
		if path == "" && !f.optional {
			return nil, fmt.Errorf("cannot open the collection %s: it has no %s (nor %[2]s.gz or %[2]s.zst); make an empty one if there is nothing to put in it", dir, f.name)
		}
		*f.path = path
	}
	return c, nil
}

// Dir returns the folder as it was given to [Open].
func (c *Collection) Dir() string { return c.dir }

// Passages yields the passages in the order of the corpus, one line in memory
// at a time. After an error it stops. Ids may come twice: telling needs them
// all in memory, and is left to [Check] and to whoever keeps them anyway.
func (c *Collection) Passages() iter.Seq2[Passage, error] {
	return func(yield func(Passage, error) bool) {
		for l, err := range readLines(c.corpus, decodePassage) {
			if !yield(l.record, err) || err != nil {
				return
			}
		}
	}
}

// Conversations yields the conversations in the order of their first turns,
// each whole and valid. The turns of a conversation come in their order in the
// file, from 1 without gaps; those of several may be interleaved, so all turns
// are read before the first conversation is yielded. After an error it stops.
func (c *Collection) Conversations() iter.Seq2[dialog.Conversation, error] {
	return func(yield func(dialog.Conversation, error) bool) {
		g := newGrouping(c.turns)
		for l, err := range readLines(c.turns, decodeTurn) {
			if err == nil {
				err = g.add(l.record, l.number)
			}
			if err != nil {
				yield(dialog.Conversation{}, err)
				return
			}
		}
		for _, conversation := range g.conversations {
			if !yield(*conversation, nil) {
				return
			}
		}
	}
}

// Qrels returns all judgements; none, not nil, where the file is missing.
func (c *Collection) Qrels() (trec.Qrels, error) {
	if c.qrels == "" {
		return trec.Qrels{}, nil
	}
	return trec.OpenQrels(c.qrels)
}

// line is a line of a file with what it says.
type line[T any] struct {
	number int    // from 1
	raw    string // as in the file, without its line feed
	record T
}

// readLines yields the lines of a file with their records. After an *Error
// it goes on with the next line, after any other error it stops.
func readLines[T any](path string, decode func(string) (T, error)) iter.Seq2[line[T], error] {
	return func(yield func(line[T], error) bool) {
		f, err := openFile(path)
		if err != nil {
			yield(line[T]{}, err)
			return
		}
		defer f.Close()
		readLinesFrom(f, path, decode)(yield)
	}
}

func readLinesFrom[T any](r io.Reader, name string, decode func(string) (T, error)) iter.Seq2[line[T], error] {
	return func(yield func(line[T], error) bool) {
		lines := newLineReader(r, name)
		for {
			raw, err := lines.next()
			if err == io.EOF {
				return
			}
			l := line[T]{number: lines.number}
			if err == nil {
				l.raw = string(raw)
				if l.record, err = decode(l.raw); err != nil {
					err = lines.errorf("%w", err)
				}
			}
			if !yield(l, err) || err != nil && !isMistake(err) {
				return
			}
		}
	}
}

// isMistake tells a bad line from a file that cannot be read.
func isMistake(err error) bool {
	_, ok := err.(*Error)
	return ok
}

// grouping gathers the turns of a file into conversations.
type grouping struct {
	name          string // of the file
	conversations []*dialog.Conversation
	byID          map[string]*dialog.Conversation
	lineOf        map[string]int // by turn id
}

func newGrouping(name string) *grouping {
	return &grouping{name: name, byID: make(map[string]*dialog.Conversation), lineOf: make(map[string]int)}
}

// add puts a turn, found on a line, into its conversation.
func (g *grouping) add(t dialog.Turn, number int) error {
	if first, twice := g.lineOf[t.ID]; twice {
		return duplicateTurnError(g.name, number, t, first)
	}
	g.lineOf[t.ID] = number
	conversation := g.byID[t.Conversation]
	if conversation == nil {
		conversation = &dialog.Conversation{ID: t.Conversation}
		g.byID[t.Conversation] = conversation
		g.conversations = append(g.conversations, conversation)
	}
	conversation.Turns = append(conversation.Turns, t)
	if due := len(conversation.Turns); t.Number != due {
		return turnOrderError(g.name, number, t, due)
	}
	return nil
}

func duplicateTurnError(file string, line int, t dialog.Turn, first int) *Error {
	return &Error{file, line, fmt.Sprintf("duplicate turn id %q (first on line %d): give each turn its own id", t.ID, first)}
}

func turnOrderError(file string, line int, t dialog.Turn, due int) *Error {
	return &Error{file, line, fmt.Sprintf(
		"turn %q has number %d of conversation %q where %d is due: number its turns 1, 2, 3 … in the order of the file",
		t.ID, t.Number, t.Conversation, due)}
}
