package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"unicode/utf8"

	"parley/collection"
)

// maxLine is the length of the longest line of text that is read, in bytes.
const maxLine = 256 << 20

// textLines yields the lines of a UTF-8 text without their ends, each valid
// until the next; an error names the line and ends them.
func textLines(r io.Reader, name string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 1<<16), maxLine)
		n := 0
		for lines.Scan() {
			n++
			if n == 1 && bytes.HasPrefix(lines.Bytes(), []byte("\ufeff")) {
				yield(nil, fmt.Errorf("%s:1: starts with a byte order mark: save the file as UTF-8 without one", name))
				return
			}
			if !utf8.Valid(lines.Bytes()) {
				yield(nil, fmt.Errorf("%s:%d: not valid UTF-8: convert the text to UTF-8", name, n))
				return
			}
			if !yield(lines.Bytes(), nil) {
				return
			}
		}
		switch err := lines.Err(); err {
		case nil:
		case bufio.ErrTooLong:
			yield(nil, fmt.Errorf("%s:%d: the line is longer than %d MiB: split it", name, n+1, maxLine>>20))
		default:
			if path := new(fs.PathError); errors.As(err, &path) {
				err = path.Err
			}
			yield(nil, fmt.Errorf("%s:%d: cannot read on: %w", name, n+1, err))
		}
	}
}

// readIDs reads a file of ids; the empty path stands for none.
func readIDs(path string) (map[string]bool, error) {
	if path == "" {
		return nil, nil
	}
	return collection.OpenIDs(path)
}
