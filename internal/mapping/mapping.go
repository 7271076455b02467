// Package mapping looks at files without reading them into memory of their own.
//
// Its guarantee: what Open returns is the whole of a regular file, aligned to 8
// bytes at least, until Close; a folder or a pipe in its place is told, and not
// waited for.
//
// Where files cannot be mapped they are read. Nobody may write to the bytes, and
// a file that another program cuts short while it is mapped ends this one: files
// that are written through internal/durable are replaced, never cut.
package mapping

import (
	"errors"
	"os"
	"unsafe"
)

// File is a whole file in memory.
type File struct {
	Data  []byte // not to be changed, nor used after Close
	close func() error

	mapped bool
}

// Release tells that part, of Data, is not needed for now: the whole pages of
// memory in it are given back where that can be told, and come again when they
// are looked at.
func (f *File) Release(part []byte) {
	page, first := uintptr(os.Getpagesize()), uintptr(unsafe.Pointer(unsafe.SliceData(part)))
	from := (first+page-1)&^(page-1) - first
	to := (first+uintptr(len(part)))&^(page-1) - first
	if f.mapped && len(part) > 0 && int(from) < int(to) {
		release(part[from:to])
	}
}

// ErrNotRegular means a folder, or another thing, in place of a file.
var ErrNotRegular = errors.New("it is not a regular file")

// Open maps the file at path, or reads it where files cannot be mapped.
func Open(path string) (*File, error) {
	info, err := os.Stat(path) // before it is opened: to open a pipe is to wait for its writer
	if err != nil {
		return nil, err
	}
	size := info.Size()
	switch {
	case !info.Mode().IsRegular():
		return nil, ErrNotRegular
	case int64(int(size)) != size:
		return nil, errors.New("too large for the address space of this machine")
	case size == 0:
		return &File{}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return mapOpen(f, int(size))
}

// Close gives the file back. It may be called again.
func (f *File) Close() error {
	if f.close == nil {
		return nil
	}
	do := f.close
	f.Data, f.close = nil, nil
	return do()
}
