// Package safetensors reads and writes tensors in the safetensors format: an
// eight-byte little-endian header length, a JSON header, the raw data.
//
// Its guarantee: what it hands out lies within the file, has the size that its
// shape and type demand, and overlaps nothing; every other file is refused.
//
// It reads single files that fit in memory, in the types float32 and int32.
package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// Tensor is a named array. Exactly one of F32 and I32 holds its data, row by
// row.
type Tensor struct {
	Name  string
	Shape []int
	F32   []float32
	I32   []int32
}

// Rows returns the tensor's first dimension, 1 for a scalar.
func (t Tensor) Rows() int {
	if len(t.Shape) == 0 {
		return 1
	}
	return t.Shape[0]
}

// File is the content of a safetensors file.
type File struct {
	path     string
	tensors  map[string]Tensor
	Metadata map[string]string
}

const (
	maxHeader   = 100 << 20 // the reference implementation's limit
	metadataKey = "__metadata__"
)

type entry struct {
	DType   string    `json:"dtype"`
	Shape   []int     `json:"shape"`
	Offsets [2]uint64 `json:"data_offsets"`
}

// Write writes tensors, in the given order, and metadata to w.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	header := map[string]any{}
	if len(metadata) > 0 {
		header[metadataKey] = metadata
	}
	offset := uint64(0)
	for _, t := range tensors {
		size := uint64(4 * max(len(t.F32), len(t.I32)))
		if n, ok := elements(t.Shape); !ok || 4*n != size || t.F32 != nil && t.I32 != nil {
			return fmt.Errorf("tensor %q: shape %v does not fit its data", t.Name, t.Shape)
		}
		dtype := "F32"
		if t.I32 != nil {
			dtype = "I32"
		}
		header[t.Name] = entry{DType: dtype, Shape: append([]int{}, t.Shape...), Offsets: [2]uint64{offset, offset + size}}
		offset += size
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	text = append(text, bytes.Repeat([]byte(" "), -len(text)&7)...)
	if err := binary.Write(w, binary.LittleEndian, uint64(len(text))); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	for _, t := range tensors {
		if err := writeData(w, t); err != nil {
			return err
		}
	}
	return nil
}

func writeData(w io.Writer, t Tensor) error {
	data := make([]byte, 0, 4*max(len(t.F32), len(t.I32)))
	for _, x := range t.F32 {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	for _, x := range t.I32 {
		data = binary.LittleEndian.AppendUint32(data, uint32(x))
	}
	_, err := w.Write(data)
	return err
}

// Open reads the file at path.
func Open(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(data, path)
}

// Parse reads data, the content of the file that path names in errors.
func Parse(data []byte, path string) (*File, error) {
	f := &File{path: path, tensors: map[string]Tensor{}}
	if len(data) < 8 {
		return nil, f.corrupt("it has %d bytes, too few for a header", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader || n > uint64(len(data)-8) {
		return nil, f.corrupt("its header claims %d bytes of %d", n, len(data)-8)
	}
	header, body := data[8:8+n], data[8+n:]
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(header, &raw); err != nil {
		return nil, f.corrupt("its header is no JSON object: %v", err)
	}
	if meta, ok := raw[metadataKey]; ok {
		delete(raw, metadataKey)
		if err := json.Unmarshal(meta, &f.Metadata); err != nil {
			return nil, f.corrupt("its metadata are no text values: %v", err)
		}
	}
	spans := make([][2]uint64, 0, len(raw))
	for name, text := range raw {
		var e entry
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, f.corrupt("tensor %q: %v", name, err)
		}
		t, err := decode(name, e, body)
		if err != nil {
			return nil, f.corrupt("%v", err)
		}
		f.tensors[name] = t
		spans = append(spans, e.Offsets)
	}
	return f, f.covered(spans, uint64(len(body)))
}

// covered checks that spans tile the whole body.
func (f *File) covered(spans [][2]uint64, size uint64) error {
	slices.SortFunc(spans, func(a, b [2]uint64) int { return slices.Compare(a[:], b[:]) })
	end := uint64(0)
	for _, s := range spans {
		if s[0] != end {
			return f.corrupt("its tensors leave a gap or overlap at byte %d", end)
		}
		end = s[1]
	}
	if end != size {
		return f.corrupt("its data have %d bytes where the header says %d", size, end)
	}
	return nil
}

func decode(name string, e entry, body []byte) (Tensor, error) {
	t := Tensor{Name: name, Shape: e.Shape}
	n, ok := elements(e.Shape)
	begin, end := e.Offsets[0], e.Offsets[1]
	switch {
	case e.DType != "F32" && e.DType != "I32":
		return t, fmt.Errorf("tensor %q has type %q where F32 or I32 is read", name, e.DType)
	case begin > end || end > uint64(len(body)):
		return t, fmt.Errorf("tensor %q lies at bytes %d to %d of %d", name, begin, end, len(body))
	case !ok || end-begin != 4*n:
		return t, fmt.Errorf("tensor %q of shape %v has %d bytes", name, e.Shape, end-begin)
	}
	data := body[begin:end]
	if e.DType == "I32" {
		t.I32 = make([]int32, n)
		for i := range t.I32 {
			t.I32[i] = int32(binary.LittleEndian.Uint32(data[4*i:]))
		}
		return t, nil
	}
	t.F32 = make([]float32, n)
	for i := range t.F32 {
		t.F32[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return t, nil
}

// elements returns the product of shape; ok is false if it is negative or
// beyond 2^40.
func elements(shape []int) (n uint64, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 || d > 1<<40 {
			return 0, false
		}
		if n *= uint64(d); n > 1<<40 {
			return 0, false
		}
	}
	return n, true
}

// F32 returns the float32 tensor name, which must have the given shape; a
// negative dimension stands for any.
func (f *File) F32(name string, shape ...int) (Tensor, error) {
	t, err := f.get(name, shape)
	if err == nil && t.F32 == nil {
		err = f.corrupt("tensor %q is not of type F32", name)
	}
	return t, err
}

// I32 is F32 for int32 tensors.
func (f *File) I32(name string, shape ...int) (Tensor, error) {
	t, err := f.get(name, shape)
	if err == nil && t.I32 == nil {
		err = f.corrupt("tensor %q is not of type I32", name)
	}
	return t, err
}

func (f *File) get(name string, shape []int) (Tensor, error) {
	t, ok := f.tensors[name]
	if !ok {
		return t, f.corrupt("it lacks the tensor %q", name)
	}
	same := slices.EqualFunc(t.Shape, shape, func(has, want int) bool { return want < 0 || has == want })
	if !same {
		return t, f.corrupt("tensor %q has shape %v where %v is due", name, t.Shape, shape)
	}
	return t, nil
}

// Names returns the names of the tensors, sorted.
func (f *File) Names() []string {
	names := make([]string, 0, len(f.tensors))
	for name := range f.tensors {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (f *File) corrupt(format string, args ...any) error {
	return fmt.Errorf("%s is not a whole weight file: %s", f.path, fmt.Sprintf(format, args...))
}
