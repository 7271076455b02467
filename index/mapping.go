package index

import (
	"errors"
	"os"
)

// mapping is a whole file in memory.
type mapping struct {
	data  []byte
	close func() error
}

// errNotRegular means a folder, or another thing, in place of a file.
var errNotRegular = errors.New("it is not a regular file")

// mapFile maps the file at path, or reads it where files cannot be mapped.
// data is aligned to 8 bytes at least.
func mapFile(path string) (mapping, error) {
	info, err := os.Stat(path) // before it is opened: to open a pipe is to wait for its writer
	if err != nil {
		return mapping{}, err
	}
	size := info.Size()
	switch {
	case !info.Mode().IsRegular():
		return mapping{}, errNotRegular
	case int64(int(size)) != size:
		return mapping{}, errors.New("too large for the address space of this machine")
	case size == 0:
		return mapping{close: func() error { return nil }}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return mapping{}, err
	}
	defer f.Close()
	return mapOpen(f, int(size))
}
