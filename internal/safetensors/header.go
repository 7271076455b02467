package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
)

// description is how a header describes a tensor.
type description struct {
	DType   string    `json:"dtype"`
	Shape   []int     `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`
}

// entry is what the header says of a tensor.
type entry struct {
	name       string
	dtype      string
	shape      []int
	begin, end uint64 // bytes of the body
}

// readHeader returns the entries of a header, by name, and its metadata.
func readHeader(text []byte) ([]entry, map[string]string, error) {
	members, err := object(text)
	if err != nil {
		return nil, nil, fmt.Errorf("its header %w", err)
	}
	metadata, err := readMetadata(members[metadataKey])
	if err != nil {
		return nil, nil, err
	}
	delete(members, metadataKey)
	entries := make([]entry, 0, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		e := entry{name: name}
		if err := e.read(members[name]); err != nil {
			return nil, nil, fmt.Errorf("the description of tensor %q %w", name, err)
		}
		entries = append(entries, e)
	}
	return entries, metadata, nil
}

// readMetadata returns the metadata in text, nil for none.
func readMetadata(text []byte) (map[string]string, error) {
	if text == nil {
		return nil, nil
	}
	members, err := object(text)
	if err != nil {
		return nil, fmt.Errorf("its metadata %w", err)
	}
	metadata := make(map[string]string, len(members))
	for _, key := range slices.Sorted(maps.Keys(members)) {
		var value *string
		if err := json.Unmarshal(members[key], &value); err != nil || value == nil {
			return nil, fmt.Errorf("its metadata %q are no text", key)
		}
		metadata[key] = *value
	}
	return metadata, nil
}

// read fills e in from text, a description. Decoding it as one would let keys of
// another case, lists of another length and nulls pass.
func (e *entry) read(text []byte) error {
	members, err := object(text)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		if key != "dtype" && key != "shape" && key != "data_offsets" {
			return fmt.Errorf("has the unknown key %q", key)
		}
	}
	if err := json.Unmarshal(members["dtype"], &e.dtype); err != nil {
		return errors.New("names no type")
	}
	dimensions, ok := naturals(members["shape"])
	if !ok {
		return errors.New("has no shape of natural numbers")
	}
	e.shape = make([]int, len(dimensions))
	for i, d := range dimensions {
		if d > math.MaxInt {
			return fmt.Errorf("has the dimension %d, more than this machine can count", d)
		}
		e.shape[i] = int(d)
	}
	offsets, ok := naturals(members["data_offsets"])
	if !ok || len(offsets) != 2 {
		return errors.New("has data offsets that are not two natural numbers")
	}
	e.begin, e.end = offsets[0], offsets[1]
	return nil
}

// naturals returns the numbers of the JSON array text.
func naturals(text []byte) ([]uint64, bool) {
	var values []*uint64
	if json.Unmarshal(text, &values) != nil || values == nil {
		return nil, false
	}
	numbers := make([]uint64, len(values))
	for i, value := range values {
		if value == nil {
			return nil, false
		}
		numbers[i] = *value
	}
	return numbers, true
}

// object returns the members of the JSON object text. Unlike decoding into a
// map or a struct, it refuses a name that comes twice and leaves case alone.
func object(text []byte) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	open, err := decoder.Token()
	if err != nil || open != json.Delim('{') || !json.Valid(text) || !utf8.Valid(text) {
		return nil, errors.New("is no JSON object")
	}
	members := map[string]json.RawMessage{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		key, ok := name.(string)
		if _, twice := members[key]; twice || !ok {
			return nil, fmt.Errorf("has the name %q twice", key)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		members[key] = value
	}
	return members, nil
}
