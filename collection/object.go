package collection

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner reads one JSON value (RFC 8259) from a string of valid UTF-8. It is
// stricter than encoding/json: names are compared exactly, no name may come
// twice, and half of a surrogate pair is an error instead of U+FFFD.
// Strings without escapes are parts of the input, not copies.
type scanner struct {
	in  string
	pos int
}

// maxDepth is the deepest nesting of a value that is skipped.
const maxDepth = 1000

// fail returns an error that names the column, in bytes from 1.
func (s *scanner) fail(format string, args ...any) error {
	if s.pos >= len(s.in) {
		return fmt.Errorf("the JSON is cut short: write each object whole on one line")
	}
	return fmt.Errorf("column %d: %s", s.pos+1, fmt.Sprintf(format, args...))
}

// space skips white space and returns the next byte; 0 at the end.
func (s *scanner) space() byte {
	for ; s.pos < len(s.in); s.pos++ {
		switch c := s.in[s.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	return 0
}

// object reads an object, and gives every name to member, which reads the
// value that follows.
func (s *scanner) object(member func(name string) error) error {
	if s.space() != '{' {
		return s.fail("a JSON object {…} is due, not %s", s.kind())
	}
	s.pos++
	if s.space() == '}' {
		s.pos++
		return nil
	}
	for {
		if err := s.member(member); err != nil {
			return err
		}
		if done, err := s.delimiter('}'); done || err != nil {
			return err
		}
	}
}

func (s *scanner) member(member func(name string) error) error {
	if s.space() != '"' {
		return s.fail("a field's name in double quotes is due")
	}
	name, err := s.text()
	if err != nil {
		return err
	}
	if s.space() != ':' {
		return s.fail("a colon is due after the name %q", name)
	}
	s.pos++
	s.space()
	return member(name)
}

// delimiter reads a comma, or the closing bracket; then done is true.
func (s *scanner) delimiter(closing byte) (done bool, err error) {
	switch s.space() {
	case ',':
		s.pos++
		return false, nil
	case closing:
		s.pos++
		return true, nil
	}
	return false, s.fail("a comma or %q is due", closing)
}

// end reports anything but white space after the value.
func (s *scanner) end() error {
	if s.space(); s.pos < len(s.in) {
		return s.fail("something follows the object: write one object a line")
	}
	return nil
}

// kind names the type of the next value.
func (s *scanner) kind() string {
	switch c := s.space(); {
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == 't' || c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	case c == '-' || isDigit(c):
		return "a number"
	}
	return "this"
}

// null reads a null, if there is one.
func (s *scanner) null() bool {
	if strings.HasPrefix(s.in[s.pos:], "null") {
		s.pos += len("null")
		return true
	}
	return false
}

// plain marks the bytes that stand for themselves in a JSON string.
var plain = func() (t [256]bool) {
	for i := 0x20; i < 256; i++ {
		t[i] = i != '"' && i != '\\'
	}
	return t
}()

// text reads a string.
func (s *scanner) text() (string, error) {
	if s.space() != '"' {
		return "", s.fail("a string is due, not %s", s.kind())
	}
	s.pos++
	start := s.pos
	s.skipPlain()
	if s.pos < len(s.in) && s.in[s.pos] == '"' {
		s.pos++
		return s.in[start : s.pos-1], nil
	}
	return s.escaped(start)
}

func (s *scanner) skipPlain() {
	i := s.pos
	for i < len(s.in) && plain[s.in[i]] {
		i++
	}
	s.pos = i
}

// escaped reads the rest of a string that holds an escape; start is where its
// text starts.
func (s *scanner) escaped(start int) (string, error) {
	out := append(make([]byte, 0, s.pos-start+64), s.in[start:s.pos]...)
	for s.pos < len(s.in) {
		switch c := s.in[s.pos]; c {
		case '"':
			s.pos++
			return string(out), nil
		case '\\':
			var err error
			if out, err = s.escape(out); err != nil {
				return "", err
			}
		default:
			return "", s.fail("a control character (0x%02x) must be escaped in a string", c)
		}
		from := s.pos
		s.skipPlain()
		out = append(out, s.in[from:s.pos]...)
	}
	return "", s.fail("")
}

// escape reads an escape and appends what it stands for.
func (s *scanner) escape(out []byte) ([]byte, error) {
	if s.pos+1 >= len(s.in) {
		s.pos = len(s.in)
		return nil, s.fail("")
	}
	c := s.in[s.pos+1]
	if c == 'u' {
		r, err := s.unicode()
		return utf8.AppendRune(out, r), err
	}
	const names, values = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	i := strings.IndexByte(names, c)
	if i < 0 {
		r, _ := utf8.DecodeRuneInString(s.in[s.pos+1:])
		return nil, s.fail("\\%c is no JSON escape", r)
	}
	s.pos += 2
	return append(out, values[i]), nil
}

// unicode reads an escaped character: one \u with four hex digits, or the two of
// a surrogate pair.
func (s *scanner) unicode() (rune, error) {
	first, err := s.hex()
	if err != nil {
		return 0, err
	}
	r := rune(first)
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	if strings.HasPrefix(s.in[s.pos:], `\u`) {
		second, err := s.hex()
		if err != nil {
			return 0, err
		}
		if r = utf16.DecodeRune(r, rune(second)); r != utf8.RuneError {
			return r, nil
		}
	}
	return 0, s.fail("\\u%04x is half of a surrogate pair: write the character itself, or both halves", first)
}

// hex reads one \u with four hex digits.
func (s *scanner) hex() (uint64, error) {
	if s.pos+6 > len(s.in) {
		s.pos = len(s.in)
		return 0, s.fail("")
	}
	v, err := strconv.ParseUint(s.in[s.pos+2:s.pos+6], 16, 16)
	if err != nil {
		return 0, s.fail("four hexadecimal digits are due after \\u")
	}
	s.pos += 6
	return v, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// whole reads a whole number.
func (s *scanner) whole() (int, error) {
	if c := s.space(); c != '-' && !isDigit(c) {
		return 0, s.fail("a whole number is due, not %s", s.kind())
	}
	start := s.pos
	if err := s.number(); err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s.in[start:s.pos], 10, 64)
	if err != nil || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, fmt.Errorf("%s is not a whole number in reach: number turns 1, 2, 3 …", s.in[start:s.pos])
	}
	return int(n), nil
}

// number skips a number.
func (s *scanner) number() error {
	if s.in[s.pos] == '-' {
		s.pos++
	}
	if s.pos < len(s.in) && s.in[s.pos] == '0' {
		s.pos++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.at('.') {
		s.pos++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.at('e') || s.at('E') {
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		return s.digits()
	}
	return nil
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.in) && s.in[s.pos] == c }

// digits skips one digit or more.
func (s *scanner) digits() error {
	if s.pos >= len(s.in) || !isDigit(s.in[s.pos]) {
		return s.fail("a digit is due")
	}
	for s.pos < len(s.in) && isDigit(s.in[s.pos]) {
		s.pos++
	}
	return nil
}

// skip reads any value and drops it.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return s.fail("the value is nested deeper than %d levels", maxDepth)
	}
	switch c := s.space(); {
	case c == '"':
		_, err := s.text()
		return err
	case c == '{':
		return s.object(func(string) error { return s.skip(depth + 1) })
	case c == '[':
		return s.skipList(depth)
	case c == '-' || isDigit(c):
		return s.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(s.in[s.pos:], word) {
			s.pos += len(word)
			return nil
		}
	}
	return s.fail("a JSON value is due")
}

func (s *scanner) skipList(depth int) error {
	s.pos++
	if s.space() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := s.skip(depth + 1); err != nil {
			return err
		}
		if done, err := s.delimiter(']'); done || err != nil {
			return err
		}
	}
}
