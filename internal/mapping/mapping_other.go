//go:build !unix

package mapping

import (
	"io"
	"os"
	"unsafe"
)

// mapOpen reads the first size bytes of f, which are not none. The memory is
// taken as 64-bit words for their alignment.
func mapOpen(f *os.File, size int) (*File, error) {
	words := make([]uint64, (size+7)/8)
	data := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	return &File{Data: data}, nil
}
