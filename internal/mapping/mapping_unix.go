//go:build unix

package mapping

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapOpen maps the first size bytes of f, which are not none.
func mapOpen(f *os.File, size int) (*File, error) {
	data, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, &os.PathError{Op: "mmap", Path: f.Name(), Err: err}
	}
	return &File{Data: data, close: func() error { return unix.Munmap(data) }, mapped: true}, nil
}
