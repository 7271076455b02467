package collection

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxLine is the length of the longest line that is read, in bytes with its
// line feed. A passage is some kilobytes; a longer line is a file that is not
// what it seems.
const MaxLine = 64 << 20

// Error is a mistake in a file of a collection.
type Error struct {
	File    string `json:"file"`    // its path
	Line    int    `json:"line"`    // from 1; 0 where the mistake is not on one line
	Message string `json:"message"` // what is wrong, and what to do about it
}

// Error names the file and the line.
func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// A lineReader reads the lines of a file of UTF-8 text.
type lineReader struct {
	name   string
	in     *bufio.Reader
	number int    // of the line that next returned, from 1
	long   []byte // a line that does not fit into in's buffer
}

func newLineReader(r io.Reader, name string) *lineReader {
	return &lineReader{name: name, in: bufio.NewReaderSize(r, 1<<18)}
}

// next returns the next line that is not blank, without its line feed. It is
// valid until the next call. After the last line the error is io.EOF; after an
// *Error of a line that was read to its end, next goes on behind it.
func (l *lineReader) next() ([]byte, error) {
	for {
		line, err := l.read()
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		return line, l.validate(line)
	}
}

func (l *lineReader) validate(line []byte) error {
	if l.number == 1 && bytes.HasPrefix(line, []byte("\xef\xbb\xbf")) {
		return l.errorf("starts with a byte order mark: save the file as UTF-8 without one")
	}
	if !utf8.Valid(line) {
		return l.errorf("byte %d is not valid UTF-8: convert the file to UTF-8", invalidByte(line)+1)
	}
	return nil
}

// invalidByte returns the offset of the first byte of p that is no part of a
// UTF-8 sequence.
func invalidByte(p []byte) int {
	for i := 0; i < len(p); {
		r, size := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(p)
}

// read returns the next line, blank or not.
func (l *lineReader) read() ([]byte, error) {
	line, err := l.in.ReadSlice('\n')
	l.number++
	if err == bufio.ErrBufferFull {
		line, err = l.readLong(line)
	}
	switch {
	case err == io.EOF && len(line) == 0:
		return nil, io.EOF
	case err != nil && err != io.EOF:
		return nil, l.readError(err)
	}
	return bytes.TrimSuffix(line, []byte("\n")), nil
}

// readLong reads the rest of a line that starts with head.
func (l *lineReader) readLong(head []byte) ([]byte, error) {
	l.long = append(l.long[:0], head...)
	for {
		part, err := l.in.ReadSlice('\n')
		if len(l.long)+len(part) > MaxLine {
			return nil, l.tooLong(err)
		}
		l.long = append(l.long, part...)
		if err != bufio.ErrBufferFull {
			return l.long, err
		}
	}
}

// tooLong reads to the end of a line over [MaxLine], keeping none of it, so
// that a check can go on behind it; err is that of the read so far.
func (l *lineReader) tooLong(err error) error {
	l.long = nil
	for err == bufio.ErrBufferFull {
		_, err = l.in.ReadSlice('\n')
	}
	if err != nil && err != io.EOF {
		return l.readError(err)
	}
	return l.errorf("the line is longer than %d MiB: write one JSON object a line, and split longer texts into passages", MaxLine>>20)
}

// readError says where reading failed. It ends the file: it is no *Error.
func (l *lineReader) readError(err error) error {
	if bad := new(Error); errors.As(err, &bad) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s:%d: the compressed file is cut short: copy it again", l.name, l.number)
	}
	return fmt.Errorf("%s:%d: cannot read on: %w", l.name, l.number, err)
}

// errorf returns an *Error for the current line.
func (l *lineReader) errorf(format string, args ...any) error {
	return &Error{File: l.name, Line: l.number, Message: fmt.Errorf(format, args...).Error()}
}
