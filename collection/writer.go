package collection

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"parley/dialog"
	"parley/internal/durable"
	"parley/trec"
)

// originFile says how a folder was made. Only a folder that has one is ever
// replaced: collections made elsewhere are not ours to overwrite.
const originFile = "origin.json"

// Writer writes a collection's folder, which appears whole on Commit.
type Writer struct {
	name  string // of the folder, for messages
	dir   *durable.Dir
	files [3]*bufio.Writer // corpus, turns, qrels
	under [3]*os.File
	line  []byte
}

const (
	corpusOut = iota
	turnsOut
	qrelsOut
)

var outFiles = [3]string{corpusOut: corpusFile, turnsOut: turnsFile, qrelsOut: qrelsFile}

// Create starts to write a collection to the folder dir. An existing folder is
// replaced on Commit if it is empty or was written by a Writer, else refused.
func Create(dir string) (*Writer, error) {
	d, err := durable.CreateDir(dir, originFile)
	if err != nil {
		return nil, err
	}
	w := &Writer{name: dir, dir: d}
	for i, name := range outFiles {
		if w.under[i], err = os.Create(filepath.Join(d.Path(), name)); err != nil {
			w.Discard()
			return nil, w.failed(name, err)
		}
		w.files[i] = bufio.NewWriterSize(w.under[i], 1<<18)
	}
	return w, nil
}

// AddPassage writes a passage.
func (w *Writer) AddPassage(p Passage) error {
	w.line = appendPassage(w.line[:0], p)
	return w.write(corpusOut, w.line)
}

// AddConversation writes the turns of a conversation.
func (w *Writer) AddConversation(c dialog.Conversation) error {
	if err := c.Validate(); err != nil {
		return err
	}
	for _, t := range c.Turns {
		w.line = appendTurn(w.line[:0], t)
		if err := w.write(turnsOut, w.line); err != nil {
			return err
		}
	}
	return nil
}

// AddQrel writes a judgement.
func (w *Writer) AddQrel(q trec.Qrel) error {
	return w.write(qrelsOut, fmt.Appendf(w.line[:0], "%s 0 %s %d\n", q.Topic, q.Passage, q.Grade))
}

// copyLine writes a line that was read from another collection.
func (w *Writer) copyLine(file int, raw string) error {
	w.line = append(append(w.line[:0], raw...), '\n')
	return w.write(file, w.line)
}

// write writes to one of the files.
func (w *Writer) write(file int, data []byte) error {
	if _, err := w.files[file].Write(data); err != nil {
		return w.failed(outFiles[file], err)
	}
	return nil
}

// failed names the file by the path that it was to have.
func (w *Writer) failed(file string, err error) error {
	if inner := new(fs.PathError); errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Errorf("cannot write %s: %w", filepath.Join(w.name, file), err)
}

// Commit writes origin, which says how the collection was made, and gives the
// folder its name.
func (w *Writer) Commit(origin any) error {
	defer w.Discard()
	data, err := json.MarshalIndent(origin, "", "  ")
	if err != nil {
		return err
	}
	for i, f := range w.files {
		err := errors.Join(f.Flush(), w.under[i].Close())
		if err != nil {
			return w.failed(outFiles[i], err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.dir.Path(), originFile), append(data, '\n'), 0o666); err != nil {
		return w.failed(originFile, err)
	}
	return w.dir.Commit()
}

// Discard drops what was written, unless it was committed. It may be deferred.
func (w *Writer) Discard() {
	for _, f := range w.under {
		if f != nil {
			_ = f.Close() // twice after a Commit, which reported the first
		}
	}
	w.dir.Discard()
}

// appendPassage appends a line of the corpus.
func appendPassage(b []byte, p Passage) []byte {
	b = appendText(append(b, `{"id": `...), p.ID)
	b = appendText(append(b, `, "title": `...), p.Title)
	b = appendText(append(b, `, "text": `...), p.Text)
	return append(b, '}', '\n')
}

// appendTurn appends a line of the turns.
func appendTurn(b []byte, t dialog.Turn) []byte {
	b = appendText(append(b, `{"id": `...), t.ID)
	b = appendText(append(b, `, "conversation": `...), t.Conversation)
	b = fmt.Appendf(b, `, "turn": %d`, t.Number)
	b = appendText(append(b, `, "question": `...), t.Question)
	b = appendText(append(b, `, "answer": `...), t.Answer)
	b = append(b, `, "rewrite": `...)
	if t.Rewrite == "" {
		b = append(b, "null"...)
	} else {
		b = appendText(b, t.Rewrite)
	}
	b = append(b, `, "rewrites": {`...)
	for i, name := range slices.Sorted(maps.Keys(t.Rewrites)) {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendText(append(appendText(b, name), ": "...), t.Rewrites[name])
	}
	return append(b, '}', '}', '\n')
}

// appendText appends a JSON string.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if plain[c] {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(append(b, s[from:]...), '"')
}
