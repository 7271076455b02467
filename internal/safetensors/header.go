package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"parley/internal/strictjson"
)

// description is how a header describes a tensor.
type description struct {
	DType   string    `json:"dtype"`
	Shape   []int     `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`
}

// entry is what a header says of a tensor, and the bytes of its values.
type entry struct {
	name       string
	path       string // of its file
	dtype      string
	shape      []int
	begin, end uint64 // bytes of the body
	data       []byte
}

// maxDimensions is what NumPy and PyTorch can count.
const maxDimensions = 64

// widths returns the bits of a value, by type.
func widths() map[string]uint64 {
	return map[string]uint64{
		"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
		"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
		"U16": 16, "I16": 16, F16: 16, BF16: 16,
		"U32": 32, I32: 32, F32: 32,
		"U64": 64, "I64": 64, "F64": 64, "C64": 64,
	}
}

// readHeader returns the entries of a header in the order of their names, and
// its metadata.
func readHeader(text []byte) ([]entry, map[string]string, error) {
	if !bytes.HasPrefix(text, []byte("{")) {
		return nil, nil, errors.New("its header is no JSON object")
	}
	var entries []entry
	var metadata map[string]string
	known, seen := widths(), false
	err := strictjson.Each(text, func(name string, value []byte) (err error) {
		if name == metadataKey {
			if seen {
				return errors.New("its header has its metadata twice")
			}
			seen = true
			metadata, err = readMetadata(value)
			return err
		}
		e := entry{name: name}
		if err := e.read(value, known); err != nil {
			return fmt.Errorf("the description of tensor %q %w", name, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err == strictjson.ErrNoObject { // itself, not one within
		err = fmt.Errorf("its header %w", err)
	}
	if err != nil {
		return nil, nil, err
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	for i := range entries {
		if i > 0 && entries[i].name == entries[i-1].name {
			return nil, nil, fmt.Errorf("its header has the name %q twice", entries[i].name)
		}
	}
	return entries, metadata, nil
}

// readMetadata returns the metadata in text.
func readMetadata(text []byte) (map[string]string, error) {
	members, err := strictjson.Object(text)
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

// read fills e in from text, a description; known are the types that there are.
func (e *entry) read(text []byte, known map[string]uint64) error {
	var dtype, shape, offsets []byte
	err := strictjson.Each(text, func(key string, value []byte) error {
		for _, member := range []struct {
			key   string
			value *[]byte
		}{{"dtype", &dtype}, {"shape", &shape}, {"data_offsets", &offsets}} {
			if key != member.key {
				continue
			}
			if *member.value != nil {
				return fmt.Errorf("has the name %q twice", key)
			}
			*member.value = value
			return nil
		}
		return fmt.Errorf("has the unknown key %q", key)
	})
	if err != nil {
		return err
	}
	if e.dtype, err = readType(dtype, known); err != nil {
		return err
	}
	if e.shape, err = readShape(shape); err != nil {
		return err
	}
	ends, ok := naturals(offsets, 2)
	if !ok || len(ends) != 2 {
		return errors.New("has data offsets that are not two natural numbers")
	}
	e.begin, e.end = ends[0], ends[1]
	return nil
}

func readType(text []byte, known map[string]uint64) (string, error) {
	var dtype string
	if err := json.Unmarshal(text, &dtype); err != nil || dtype == "" {
		return "", errors.New("names no type")
	}
	if known[dtype] == 0 {
		return "", fmt.Errorf("names the type %q, which the format does not have", dtype)
	}
	return dtype, nil
}

func readShape(text []byte) ([]int, error) {
	if bytes.Count(text, []byte(",")) >= maxDimensions {
		return nil, fmt.Errorf("has more than %d dimensions", maxDimensions)
	}
	dimensions, ok := naturals(text, maxDimensions)
	if !ok {
		return nil, errors.New("has no shape of natural numbers")
	}
	shape := make([]int, len(dimensions))
	for i, d := range dimensions {
		if d > math.MaxInt {
			return nil, fmt.Errorf("has the dimension %d, more than this machine can count", d)
		}
		shape[i] = int(d)
	}
	return shape, nil
}

// naturals returns the numbers of the JSON array text, at most most of them.
func naturals(text []byte, most int) ([]uint64, bool) {
	var values []*uint64
	if bytes.Count(text, []byte(",")) >= most || json.Unmarshal(text, &values) != nil || values == nil {
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

// place finds the values of e in the body and checks that they are as many as
// its shape says.
func (e *entry) place(body []byte, known map[string]uint64) error {
	n, ok := elements(e.shape)
	switch {
	case e.begin > e.end || e.end > uint64(len(body)):
		return fmt.Errorf("lies at bytes %d to %d of %d", e.begin, e.end, len(body))
	case !ok || n*known[e.dtype]%8 != 0 || e.end-e.begin != n*known[e.dtype]/8:
		return fmt.Errorf("of type %s and shape %v has %d bytes", e.dtype, e.shape, e.end-e.begin)
	}
	e.data = body[e.begin:e.end:e.end]
	return nil
}

// covered checks that the tensors tile the whole body, of size bytes.
func covered(entries []entry, size uint64) error {
	order := make([]int32, len(entries))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(i, j int32) int {
		a, b := &entries[i], &entries[j]
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end), strings.Compare(a.name, b.name))
	})
	end := uint64(0)
	for _, i := range order {
		if entries[i].begin != end {
			return fmt.Errorf("its tensors leave a gap or overlap at byte %d, where tensor %q is due", end, entries[i].name)
		}
		end = entries[i].end
	}
	if end != size {
		return fmt.Errorf("its data have %d bytes where the header says %d", size, end)
	}
	return nil
}

// elements returns the product of shape; ok is false if a dimension is negative
// or the product beyond maxElements.
func elements(shape []int) (n uint64, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > maxElements/uint64(d) {
			return 0, false
		}
		n *= uint64(d)
	}
	return n, true
}
