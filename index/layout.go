package index

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"unsafe"
)

// The files of an index, beside the manifest and the encoder's folder.
const (
	manifestFile = "index.json"
	postingsFile = "postings"
	forwardFile  = "forward"
	passagesFile = "passages"
)

// Version is the version of the format that this package writes, and the only
// one that it reads.
const Version = 1

// headerSize is the size of what each file begins with: 8 bytes that name the
// kind of file, the version, and 4 bytes of zero. Every section after it is
// aligned to the size of its elements.
const headerSize = 16

// magic names a kind of file in its first 8 bytes.
var magic = map[string]string{
	postingsFile: "PRLYPOST",
	forwardFile:  "PRLYFORW",
	passagesFile: "PRLYPASS",
}

// manifest is the content of index.json.
type manifest struct {
	Format      string  `json:"format"`
	Version     int     `json:"version"`
	Passages    int     `json:"passages"`    // N
	Vocabulary  int     `json:"vocabulary"`  // V
	Postings    int     `json:"postings"`    // P
	TextBytes   int     `json:"text_bytes"`  // B, all ids, titles and texts together
	Scale       float32 `json:"scale"`       // the weight of impact 1
	Fingerprint string  `json:"fingerprint"` // of the vocabulary
	Encoder     string  `json:"encoder"`     // what made the vectors, for people
	Files       []file  `json:"files"`       // all but this one, by path
	Checksum    string  `json:"checksum"`    // of this manifest with this field empty
}

// file is a file of the index with its checksums.
type file struct {
	Path      string   `json:"path"` // from the index folder, with slashes
	Bytes     int64    `json:"bytes"`
	Checksums []string `json:"xxh3"` // of each block of blockSize bytes
}

// sections are the byte offsets at which a file's arrays begin, in file order;
// the last is the file's size.
type sections []int64

// layout returns where the arrays of each file lie, as docs/index-format.md
// draws them.
func (m manifest) layout() map[string]sections {
	n, v, p, b := int64(m.Passages), int64(m.Vocabulary), int64(m.Postings), int64(m.TextBytes)
	forward := align(headerSize + 4*p)
	text := align(headerSize + b)
	return map[string]sections{
		postingsFile: {headerSize, headerSize + 8*(v+1), headerSize + 8*(v+1) + 4*p, headerSize + 8*(v+1) + 5*p},
		forwardFile:  {headerSize, forward, forward + 8*(n+1), forward + 8*(n+1) + p},
		passagesFile: {headerSize, text, text + 8*(3*n+1), text + 8*(3*n+1) + 4*n},
	}
}

// plausible tells whether the counts are such that layout cannot overflow.
func (m manifest) plausible() bool {
	return 0 <= m.Passages && int64(m.Passages) <= math.MaxUint32 &&
		0 <= m.Vocabulary && int64(m.Vocabulary) <= math.MaxUint32 &&
		0 <= m.Postings && int64(m.Postings) < 1<<56 && 0 <= m.TextBytes && int64(m.TextBytes) < 1<<56
}

// align rounds up to a multiple of 8.
func align(n int64) int64 { return (n + 7) &^ 7 }

// writer writes a file of the index front to back. Its first error sticks and
// is returned by close.
type writer struct {
	file    *os.File
	buf     *bufio.Writer
	scratch []byte
	n       int64 // bytes written
	err     error
}

func createFile(path string) (*writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := newWriter(f)
	w.file = f
	return w, nil
}

func newWriter(to io.Writer) *writer { return &writer{buf: bufio.NewWriterSize(to, 1<<18)} }

// header writes the header of a file of the named kind.
func (w *writer) header(kind string) {
	head := binary.LittleEndian.AppendUint32([]byte(magic[kind]), Version)
	w.bytes(binary.LittleEndian.AppendUint32(head, 0))
}

func (w *writer) bytes(b []byte) {
	n, err := w.buf.Write(b)
	w.n += int64(n)
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) string(s string) {
	n, err := w.buf.WriteString(s)
	w.n += int64(n)
	if w.err == nil {
		w.err = err
	}
}

// align pads with zeros to a multiple of 8 bytes.
func (w *writer) align() { w.bytes(make([]byte, align(w.n)-w.n)) }

func (w *writer) uint32s(values []uint32) {
	for len(values) > 0 {
		chunk := values[:min(len(values), 1<<14)]
		w.scratch = w.scratch[:0]
		for _, v := range chunk {
			w.scratch = binary.LittleEndian.AppendUint32(w.scratch, v)
		}
		w.bytes(w.scratch)
		values = values[len(chunk):]
	}
}

func (w *writer) float32s(values []float32) {
	w.scratch = w.scratch[:0]
	for _, v := range values {
		w.scratch = binary.LittleEndian.AppendUint32(w.scratch, math.Float32bits(v))
	}
	w.bytes(w.scratch)
}

func (w *writer) uint64s(values []uint64) {
	for len(values) > 0 {
		chunk := values[:min(len(values), 1<<13)]
		w.scratch = w.scratch[:0]
		for _, v := range chunk {
			w.scratch = binary.LittleEndian.AppendUint64(w.scratch, v)
		}
		w.bytes(w.scratch)
		values = values[len(chunk):]
	}
}

// flush hands what was written to the operating system.
func (w *writer) flush() error {
	if err := w.buf.Flush(); w.err == nil {
		w.err = err
	}
	return w.err
}

// close flushes and closes the file and returns the first error of all.
func (w *writer) close() error {
	err := w.flush()
	if cerr := w.file.Close(); err == nil && !errors.Is(cerr, os.ErrClosed) {
		err = cerr
	}
	return err
}

// view returns the values that b holds in little-endian order: b's own memory
// where the machine orders bytes so, a copy elsewhere. b is aligned and a
// multiple of the values' size.
func view[T uint32 | uint64](b []byte) []T {
	size := int(unsafe.Sizeof(T(0)))
	if len(b) == 0 {
		return nil
	}
	if littleEndian {
		return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/size)
	}
	values := make([]T, len(b)/size)
	if _, err := binary.Decode(b, binary.LittleEndian, values); err != nil {
		panic(fmt.Sprintf("index: %v", err)) // the length is right by construction
	}
	return values
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1
