// Package strictjson takes apart JSON objects that other programs wrote.
//
// Its guarantee: names are told apart by their case, one that comes twice is
// refused, and the values are slices of the text, so that little is allocated
// whatever the text says. (Decoding into a struct or a map does none of it.)
//
// It does not decode the values.
package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrNoObject means something else in place of a JSON object.
var ErrNoObject = errors.New("is no JSON object")

// Object returns the values of the members of the JSON object text, by name.
func Object(text []byte) (map[string]json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	err := Each(text, func(name string, value []byte) error {
		if _, twice := members[name]; twice {
			return fmt.Errorf("has the name %q twice", name)
		}
		members[name] = value
		return nil
	})
	return members, err
}

// Each calls do with the members of the JSON object text in their order, until
// it returns an error. It does not look for a name that comes twice.
func Each(text []byte, do func(name string, value []byte) error) error {
	if !json.Valid(text) || !utf8.Valid(text) {
		return ErrNoObject
	}
	s := scanner{text: text}
	if s.next() != '{' {
		return ErrNoObject
	}
	for s.at++; s.next() != '}'; {
		var name string
		if err := json.Unmarshal(s.value(), &name); err != nil {
			return err
		}
		s.next()
		s.at++ // the colon
		s.next()
		if err := do(name, s.value()); err != nil {
			return err
		}
		if s.next() == ',' {
			s.at++
		}
	}
	return nil
}

// scanner walks over valid JSON.
type scanner struct {
	text []byte
	at   int
}

// next skips white space and returns the byte behind it.
func (s *scanner) next() byte {
	for {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
}

// value returns the value that begins here, and goes behind it.
func (s *scanner) value() []byte {
	begin, depth := s.at, 0
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '"':
			s.string()
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case ',', ':', ' ', '\t', '\r', '\n':
			s.at++
		default:
			s.literal()
		}
		if depth == 0 {
			break
		}
	}
	return s.text[begin:s.at:s.at]
}

// string goes behind the string that begins here.
func (s *scanner) string() {
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

// literal goes behind the number, truth value or null that begins here.
func (s *scanner) literal() {
	for ; s.at < len(s.text); s.at++ {
		switch s.text[s.at] {
		case ',', ']', '}', ' ', '\t', '\r', '\n':
			return
		}
	}
}
