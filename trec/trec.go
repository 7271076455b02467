// Package trec reads and writes the two text formats of TREC: qrels (which
// passage answers which topic, and how well) and runs (which passages a system
// returned for a topic, with scores).
//
// Its one guarantee: what it reads is exactly what the file says. A line that
// is not a whole, well-formed record is an error that names the file and the
// line; nothing is skipped but blank lines, nothing is repaired, and a passage
// given twice for one topic is refused. What RunWriter and WriteQrels write,
// the readers read back unchanged.
//
// It does not judge: measures live in package measure, and whether a topic or a
// passage exists is for package collection to say.
package trec

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// MaxLine is the longest line, in bytes with its line end, that the readers
// accept. Lines of these formats are some dozens of bytes long: a longer one is
// a file of another kind.
const MaxLine = 1 << 20

// lines yields the fields of one line after the other of a qrels or run file,
// and knows where it is for errors.
type lines struct {
	name   string // of the file, for errors
	number int    // of the current line, from 1
	in     *bufio.Reader
}

func newLines(r io.Reader, name string) *lines {
	return &lines{name: name, in: bufio.NewReaderSize(r, MaxLine)}
}

// errorf returns an error that starts with the file and the current line.
func (l *lines) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", l.name, l.number, fmt.Errorf(format, args...))
}

// next fills fields with those of the next line that holds a record, or returns
// io.EOF after the last. The fields are valid until the following call.
func (l *lines) next(fields [][]byte, form string) error {
	for {
		line, err := l.read()
		if err != nil {
			return err
		}
		n := split(line, fields)
		if n == 0 {
			continue
		}
		if n != len(fields) {
			return l.errorf("%d fields instead of %d: write each line as %q", n, len(fields), form)
		}
		return nil
	}
}

// read returns the next line, checked to be text.
func (l *lines) read() ([]byte, error) {
	l.number++
	line, err := l.in.ReadSlice('\n')
	switch {
	case err == io.EOF && len(line) == 0:
		return nil, io.EOF
	case err == bufio.ErrBufferFull:
		return nil, l.errorf("the line is longer than %d bytes: is this a qrels or run file?", MaxLine)
	case err != nil && err != io.EOF:
		return nil, l.readError(err)
	}
	if !utf8.Valid(line) {
		return nil, l.errorf("not valid UTF-8: convert the file to UTF-8")
	}
	if l.number == 1 && bytes.HasPrefix(line, []byte("\ufeff")) {
		return nil, l.errorf("the file starts with a byte order mark: save it as UTF-8 without one")
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return nil, l.errorf("the line holds a zero byte: is this a text file?")
	}
	return line, nil
}

func (l *lines) readError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return l.errorf("the compressed file ends too early: copy it again")
	}
	return l.errorf("read: %w", err)
}

// split puts the blank-separated fields of line into fields and returns how
// many the line has, which may be more than fit.
func split(line []byte, fields [][]byte) int {
	n := 0
	for i := 0; i < len(line); {
		for i < len(line) && blanks[line[i]] {
			i++
		}
		start := i
		for i < len(line) && !blanks[line[i]] {
			i++
		}
		if start == i {
			break
		}
		if n < len(fields) {
			fields[n] = line[start:i]
		}
		n++
	}
	return n
}

// blanks are the characters that separate fields: those for which C's isspace
// holds.
var blanks = [256]bool{' ': true, '\t': true, '\n': true, '\v': true, '\f': true, '\r': true}

// CheckID returns nil if s can stand as a topic, passage or tag in these
// formats, or else an error that says why not: it must be non-empty valid UTF-8
// without blanks and zero bytes.
func CheckID(s string) error {
	switch {
	case s == "":
		return errors.New("the id is empty")
	case !utf8.ValidString(s):
		return fmt.Errorf("id %q is not valid UTF-8", s)
	case strings.ContainsAny(s, " \t\n\v\f\r"):
		return fmt.Errorf("id %q holds a blank, which separates fields", s)
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("id %q holds a zero byte", s)
	}
	return nil
}

// checkTopic is CheckID for the first field of a line, which no byte order mark
// may start.
func checkTopic(s string) error {
	if strings.HasPrefix(s, "\ufeff") {
		return fmt.Errorf("topic %q starts with a byte order mark", s)
	}
	return CheckID(s)
}

// open opens a plain, gzip or zstd file; the two compressed formats are known
// by their first bytes, which no text in UTF-8 starts with.
func open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, closeReader, err := decompress(bufio.NewReaderSize(f, 1<<18))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file{r, closeReader, f}, nil
}

// file reads through a decompressor and closes it with the file beneath.
type file struct {
	io.Reader
	closeReader func()
	under       io.Closer
}

func (f file) Close() error {
	f.closeReader()
	return f.under.Close()
}

func decompress(in *bufio.Reader) (r io.Reader, closeReader func(), err error) {
	magic, err := in.Peek(4)
	if err != nil && err != io.EOF {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, err
		}
		return z, func() { z.Close() }, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return in, func() {}, nil
}
