package vectors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"parley/internal/durable"
)

// Writer writes a file of vectors.
type Writer struct {
	path   string
	header Header
	to     *durable.Resumable
	kept   *File // the whole blocks that an interrupted writer left
	block  block
	buffer []byte
	n      int // records added, and those kept
	err    error
}

// ErrOther is in the error of Create where what an interrupted writer left has
// another header.
var ErrOther = errors.New("it was begun with another encoder, other settings or other texts")

// Create starts to write the file of vectors at path, which appears on Commit.
// It takes up what an interrupted writer of the same header left: the records
// that Kept yields are there and are not to be added again.
func Create(path string, h Header) (*Writer, error) {
	head, err := encodeHeader(h)
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", path, err)
	}
	to, err := durable.Resume(path)
	if err != nil {
		return nil, err
	}
	w := &Writer{path: path, header: h, to: to}
	if err := w.begin(head); err != nil {
		to.Close()
		return nil, err
	}
	return w, nil
}

// begin writes the header, or finds what of the partial file is whole.
func (w *Writer) begin(head []byte) error {
	size, err := w.to.Size()
	if err != nil {
		return err
	}
	found := make([]byte, min(size, int64(len(head))))
	if _, err := w.to.ReadAt(found, 0); err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", w.to.Partial(), err)
	}
	w.kept = &File{path: w.to.Partial(), header: w.header, body: int64(len(head)), size: size, from: w.to}
	switch {
	case bytes.Equal(found, head):
	case bytes.HasPrefix(head, found): // torn before the first block, or just begun
		if err := w.to.Keep(0); err != nil {
			return err
		}
		_, err := w.to.Write(head)
		return err
	default:
		return fmt.Errorf("%s is in the way: %w; finish it with the same command, or remove it", w.to.Partial(), ErrOther)
	}
	n, end, err := w.kept.whole()
	if err != nil {
		return err
	}
	w.n, w.kept.size = n, end
	return w.to.Keep(end)
}

// N returns the number of records that are there.
func (w *Writer) N() int { return w.n }

// Kept yields the first n records, which an interrupted writer left.
func (w *Writer) Kept(n int) iter.Seq2[Record, error] { return w.kept.records(n) }

// All yields the records, once all that the header announces are there. It is for
// those who need no file of them: they drop it by Discard.
func (w *Writer) All() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := w.complete(); err != nil {
			yield(Record{}, err)
			return
		}
		size, err := w.to.Size()
		if err != nil {
			yield(Record{}, err)
			return
		}
		whole := *w.kept
		whole.size = size
		whole.All()(yield)
	}
}

// Add adds a record, which is copied.
func (w *Writer) Add(r Record) error {
	if w.err != nil {
		return w.err
	}
	if w.n == w.header.Count {
		return fmt.Errorf("cannot write %s: %q is one vector more than the %d announced", w.path, r.ID, w.header.Count)
	}
	if err := r.Vector.Validate(w.header.Vocabulary); err != nil {
		return fmt.Errorf("%q: %w", r.ID, err)
	}
	if err := w.block.add(r); err != nil {
		return fmt.Errorf("%q: %w", r.ID, err)
	}
	w.n++
	if len(w.block.sources) == blockRecords || w.n == w.header.Count {
		w.flush()
	}
	return w.err
}

// flush writes the block in one piece.
func (w *Writer) flush() {
	w.buffer = w.block.encode(w.buffer[:0], w.header.termBytes())
	w.block.reset()
	_, w.err = w.to.Write(w.buffer)
}

// Commit completes the file and gives it its name.
func (w *Writer) Commit() error {
	if err := w.complete(); err != nil {
		return err
	}
	return w.to.Commit()
}

// complete tells what is missing.
func (w *Writer) complete() error {
	if w.err == nil && w.n != w.header.Count {
		return fmt.Errorf("cannot write %s: it has %d vectors of the %d announced", w.path, w.n, w.header.Count)
	}
	return w.err
}

// Partial returns the path at which the file grows.
func (w *Writer) Partial() string { return w.to.Partial() }

// Close leaves what was written for later, unless it was committed. It may be
// deferred.
func (w *Writer) Close() { w.to.Close() }

// Discard removes what was written, unless it was committed.
func (w *Writer) Discard() { w.to.Discard() }
