package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"parley/internal/strictjson"
)

// settings are the members of a JSON object in a file. The first member that is
// not as it has to be is kept as an error.
type settings struct {
	path    string
	members map[string]json.RawMessage
	err     error
}

// readObject returns the members of the JSON object in the file at path.
func readObject(path string) (map[string]json.RawMessage, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	members, err := strictjson.Object(data)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return members, nil
}

// readSettings reads the file at path; one that is not there has no members.
func readSettings(path string) (*settings, error) {
	members, err := readObject(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return &settings{path: path, members: members}, err
}

// wrong keeps the error that the setting name is not as it has to be.
func (s *settings) wrong(name, format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%s: %s is %s: %s", s.path, name, shown(s.members[name]), fmt.Sprintf(format, args...))
	}
}

// shown returns the value as an error shows it.
func shown(value []byte) string {
	if len(value) > 60 {
		return string(value[:60]) + "…"
	}
	return string(value)
}

// has tells whether the setting is there, and not null.
func (s *settings) has(name string) bool {
	value, ok := s.members[name]
	return ok && !bytes.Equal(value, []byte("null"))
}

// get returns the setting under the first of names that is there, or otherwise.
// Two of them must agree.
func get[T comparable](s *settings, otherwise T, what string, names ...string) T {
	value, found := otherwise, ""
	for _, name := range names {
		if !s.has(name) {
			continue
		}
		var v T
		if err := json.Unmarshal(s.members[name], &v); err != nil {
			s.wrong(name, "%s is due", what)
			return otherwise
		}
		if found != "" && v != value {
			s.wrong(name, "and %s, which means the same, is %s", found, shown(s.members[found]))
		}
		value, found = v, name
	}
	return value
}

func (s *settings) int(otherwise int, names ...string) int {
	return get(s, otherwise, "a whole number", names...)
}

func (s *settings) float(otherwise float64, names ...string) float64 {
	return get(s, otherwise, "a number", names...)
}

func (s *settings) bool(otherwise bool, names ...string) bool {
	return get(s, otherwise, "true or false", names...)
}

func (s *settings) text(otherwise string, names ...string) string {
	return get(s, otherwise, "a text", names...)
}

// least returns the lesser of most and the setting, a length that may be written
// as a number with a fraction or beyond every integer.
func (s *settings) least(most int, name string) int {
	switch v := s.float(math.Inf(1), name); {
	case v < 1 || math.IsNaN(v):
		s.wrong(name, "a length of at least 1 is due")
	case v < float64(most):
		return int(v)
	}
	return most
}

// isOff tells whether a setting says that something is not there: null, false,
// 0, or an empty text, list or object.
func isOff(value []byte) bool {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return false
	}
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case float64:
		return v == 0
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// refuse refuses the setting name unless it is off.
func (s *settings) refuse(name, why string) {
	if value, ok := s.members[name]; ok && !isOff(value) {
		s.wrong(name, "%s", why)
	}
}

// decodeStrictly decodes JSON that Parley wrote: an unknown member is an error.
func decodeStrictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
