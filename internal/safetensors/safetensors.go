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
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
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

// File is the content of a safetensors file.
type File struct {
	path     string
	tensors  map[string]Tensor
	Metadata map[string]string
}

const (
	maxHeader   uint64 = 100 << 20 // the reference implementation's limit
	maxElements uint64 = 1 << 40   // so that no size in bytes overflows
	metadataKey        = "__metadata__"
)

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
		if _, taken := header[t.Name]; taken || t.Name == metadataKey {
			return fmt.Errorf("tensor %q: the name is taken", t.Name)
		}
		dtype := "F32"
		if t.I32 != nil {
			dtype = "I32"
		}
		header[t.Name] = description{DType: dtype, Shape: append([]int{}, t.Shape...), Offsets: [2]uint64{offset, offset + size}}
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
	entries, metadata, err := readHeader(data[8 : 8+n])
	if err != nil {
		return nil, f.corrupt("%v", err)
	}
	f.Metadata = metadata
	body := data[8+n:]
	for _, e := range entries {
		if f.tensors[e.name], err = e.decode(body); err != nil {
			return nil, f.corrupt("tensor %q %v", e.name, err)
		}
	}
	if err := covered(entries, uint64(len(body))); err != nil {
		return nil, f.corrupt("%v", err)
	}
	return f, nil
}

// covered checks that the tensors tile the whole body, of size bytes.
func covered(entries []entry, size uint64) error {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	end := uint64(0)
	for _, e := range entries {
		if e.begin != end {
			return fmt.Errorf("its tensors leave a gap or overlap at byte %d", end)
		}
		end = e.end
	}
	if end != size {
		return fmt.Errorf("its data have %d bytes where the header says %d", size, end)
	}
	return nil
}

func (e entry) decode(body []byte) (Tensor, error) {
	t := Tensor{Name: e.name, Shape: e.shape}
	n, ok := elements(e.shape)
	switch {
	case e.dtype != "F32" && e.dtype != "I32":
		return t, fmt.Errorf("has type %q where F32 or I32 is read", e.dtype)
	case e.begin > e.end || e.end > uint64(len(body)):
		return t, fmt.Errorf("lies at bytes %d to %d of %d", e.begin, e.end, len(body))
	case !ok || e.end-e.begin != 4*n:
		return t, fmt.Errorf("of shape %v has %d bytes", e.shape, e.end-e.begin)
	}
	data := body[e.begin:e.end]
	if e.dtype == "I32" {
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
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.tensors)) }

// Path returns the path of the file.
func (f *File) Path() string { return f.path }

func (f *File) corrupt(format string, args ...any) error {
	return fmt.Errorf("%s is not a whole weight file: %s", f.path, fmt.Sprintf(format, args...))
}
