// Package safetensors reads and writes tensors in the safetensors format: an
// eight-byte little-endian header length, a JSON header, the raw data; one file,
// or several shards with an index of which tensor lies where.
//
// Its guarantee: what it hands out lies within its file, has the size that its
// shape and type demand, and overlaps nothing; every other file is refused, and
// what is allocated is bounded by the file, whatever it claims.
//
// Files are mapped, and a float32 tensor is the file's own memory where the
// machine and the place in the file allow: nobody may write to what is read.
// float16 and bfloat16 are widened to float32, each time that they are asked
// for. Tensors of the format's other types are listed, but not read.
package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"unsafe"

	"parley/internal/f32"
	"parley/internal/mapping"
)

// The types that are read.
const (
	F32  = "F32"
	F16  = "F16"
	BF16 = "BF16"
	I32  = "I32"
)

// Tensor is a named array. Exactly one of F32 and I32 holds its data, row by
// row.
type Tensor struct {
	Name  string
	Shape []int
	F32   []float32
	I32   []int32
}

// Info is what a file says of a tensor.
type Info struct {
	Name  string
	Path  string // of the file that holds it
	DType string
	Shape []int
	Bytes int
}

// File is the content of a safetensors file, or of several that are one.
type File struct {
	path     string
	entries  []entry // in the order of their names
	mapped   []*mapping.File
	Metadata map[string]string // of a sharded file none
}

// Release tells that values, which F32 returned, are not needed for now: the
// memory that maps them is given back until they are looked at again.
func (f *File) Release(values []float32) {
	part := raw(values)
	if part == nil {
		return
	}
	first := uintptr(unsafe.Pointer(unsafe.SliceData(part)))
	for _, m := range f.mapped {
		start := uintptr(unsafe.Pointer(unsafe.SliceData(m.Data)))
		if start <= first && first+uintptr(len(part)) <= start+uintptr(len(m.Data)) {
			m.Release(part)
		}
	}
}

const (
	maxHeader   uint64 = 100_000_000 // the reference implementation's limit
	maxElements uint64 = 1 << 40     // so that no size in bytes overflows
	metadataKey        = "__metadata__"
)

// Open maps the file at path. What is read of it must not be used after Close.
func Open(path string) (*File, error) {
	m, err := mapping.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	f, err := Parse(m.Data, path)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	f.mapped = append(f.mapped, m)
	return f, nil
}

// Close gives the files back that Open mapped.
func (f *File) Close() error {
	var errs []error
	for _, m := range f.mapped {
		errs = append(errs, m.Close())
	}
	f.entries, f.mapped = nil, nil
	return errors.Join(errs...)
}

// Parse reads data, the content of the file that path names in errors. What is
// read of it is data itself where that can be.
func Parse(data []byte, path string) (*File, error) {
	f := &File{path: path}
	if len(data) < 8 {
		return nil, corrupt(path, "it has %d bytes, too few for a header", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader || n > uint64(len(data)-8) {
		return nil, corrupt(path, "its header claims %d bytes of %d, where %d are the most", n, len(data)-8, maxHeader)
	}
	entries, metadata, err := readHeader(data[8 : 8+n])
	if err != nil {
		return nil, corrupt(path, "%v", err)
	}
	body, known := data[8+n:], widths()
	for i := range entries {
		entries[i].path = path
		if err := entries[i].place(body, known); err != nil {
			return nil, corrupt(path, "tensor %q %v", entries[i].name, err)
		}
	}
	if err := covered(entries, uint64(len(body))); err != nil {
		return nil, corrupt(path, "%v", err)
	}
	f.entries, f.Metadata = entries, metadata
	return f, nil
}

// F32 returns the tensor name of type F32, F16 or BF16, which must have the
// given shape; a negative dimension stands for any.
func (f *File) F32(name string, shape ...int) (Tensor, error) {
	e, err := f.get(name, shape)
	if err != nil {
		return Tensor{}, err
	}
	t := Tensor{Name: name, Shape: e.shape}
	switch e.dtype {
	case F32:
		t.F32 = view[float32](e.data)
	case F16:
		t.F32 = widen(e.data, f32.WidenF16)
	case BF16:
		t.F32 = widen(e.data, f32.WidenBF16)
	default:
		return Tensor{}, corrupt(e.path, "tensor %q is of type %s where F32, F16 or BF16 is due", name, e.dtype)
	}
	return t, nil
}

// I32 returns the tensor name of type I32; shape is as for F32.
func (f *File) I32(name string, shape ...int) (Tensor, error) {
	e, err := f.get(name, shape)
	if err == nil && e.dtype != I32 {
		err = corrupt(e.path, "tensor %q is of type %s where I32 is due", name, e.dtype)
	}
	if err != nil {
		return Tensor{}, err
	}
	return Tensor{Name: name, Shape: e.shape, I32: view[int32](e.data)}, nil
}

func (f *File) get(name string, shape []int) (*entry, error) {
	e, ok := f.find(name)
	if !ok {
		return nil, corrupt(f.path, "it lacks the tensor %q", name)
	}
	same := slices.EqualFunc(e.shape, shape, func(has, want int) bool { return want < 0 || has == want })
	if !same {
		return nil, corrupt(e.path, "tensor %q has shape %v where %v is due", name, e.shape, shape)
	}
	return e, nil
}

func (f *File) find(name string) (*entry, bool) {
	i, ok := slices.BinarySearchFunc(f.entries, name, func(e entry, name string) int { return cmp.Compare(e.name, name) })
	if !ok {
		return nil, false
	}
	return &f.entries[i], true
}

// Has tells whether there is a tensor of that name.
func (f *File) Has(name string) bool {
	_, ok := f.find(name)
	return ok
}

// Names returns the names of the tensors, sorted.
func (f *File) Names() []string {
	names := make([]string, len(f.entries))
	for i, e := range f.entries {
		names[i] = e.name
	}
	return names
}

// Tensors returns what the file says of its tensors, sorted by their names.
func (f *File) Tensors() []Info {
	infos := make([]Info, len(f.entries))
	for i, e := range f.entries {
		infos[i] = Info{Name: e.name, Path: e.path, DType: e.dtype, Shape: e.shape, Bytes: len(e.data)}
	}
	return infos
}

// Path returns the path of the file.
func (f *File) Path() string { return f.path }

func corrupt(path, format string, args ...any) error {
	return fmt.Errorf("%s is not a whole weight file: %s", path, fmt.Sprintf(format, args...))
}

// Same tells whether there are two tensors of these names, equal in type, shape
// and every bit.
func (f *File) Same(a, b string) bool {
	x, ok := f.find(a)
	if !ok {
		return false
	}
	y, ok := f.find(b)
	return ok && x.dtype == y.dtype && slices.Equal(x.shape, y.shape) && bytes.Equal(x.data, y.data)
}
