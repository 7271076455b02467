package vectors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/zeebo/xxh3"

	"parley/sparse"
)

const (
	magic      = "PRLYVECT"
	preamble   = 16      // bytes before the header's text: magic, version, the size of the text
	mostHeader = 1 << 20 // bytes of the header's text
	counts     = 16      // bytes that a block begins with: its records, the bytes of their ids, their postings
	sumBytes   = 8       // bytes of a checksum
)

// blockRecords is the number of records of every block but the last. An
// interruption costs the work on so many texts at most, and the format as
// little: 24 bytes a block.
const blockRecords = 128

// encodeHeader returns the bytes that a file begins with.
func encodeHeader(h Header) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(text) > mostHeader {
		return nil, fmt.Errorf("the description has %d bytes, and %d at most", len(text), mostHeader)
	}
	data := append([]byte(magic), 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(data[8:], Version)
	binary.LittleEndian.PutUint32(data[12:], uint32(len(text)))
	return seal(append(data, text...)), nil
}

// seal appends the checksum of data.
func seal(data []byte) []byte {
	return binary.LittleEndian.AppendUint64(data, xxh3.Hash(data))
}

// sealed returns data without its checksum, and whether that is right.
func sealed(data []byte) ([]byte, bool) {
	body := data[:len(data)-sumBytes]
	return body, binary.LittleEndian.Uint64(data[len(body):]) == xxh3.Hash(body)
}

// A place is where in a file reading has come, for errors.
type place struct {
	path string
	at   int64
}

func (p place) corrupt(problem string, args ...any) error {
	return &CorruptError{Path: p.path, Offset: p.at, Problem: fmt.Sprintf(problem, args...)}
}

// cut tells that the file ends too early, or why it cannot be read.
func (p place) cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return p.corrupt("the file ends there, within what it should hold")
	}
	return fmt.Errorf("%s: %w", p.path, err)
}

// readHeader reads what a file begins with, and returns how many bytes it is.
func readHeader(r io.Reader, path string) (h Header, size int64, err error) {
	p := place{path: path}
	head := make([]byte, preamble)
	if _, err := io.ReadFull(r, head); err != nil {
		return h, 0, p.cut(err)
	}
	if string(head[:8]) != magic {
		return h, 0, fmt.Errorf("%s is no file of vectors: it begins with %q, not with %q; make one with parley encode", path, head[:8], magic)
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != Version {
		return h, 0, fmt.Errorf("%s: the vectors have format version %d, this program reads version %d: encode again with this program", path, v, Version)
	}
	n := binary.LittleEndian.Uint32(head[12:])
	if n > mostHeader {
		return h, 0, p.corrupt("the description has %d bytes, and %d at most", n, mostHeader)
	}
	data := append(head, make([]byte, int(n)+sumBytes)...)
	if _, err := io.ReadFull(r, data[preamble:]); err != nil {
		return h, 0, p.cut(err)
	}
	body, ok := sealed(data)
	if !ok {
		return h, 0, p.corrupt("the description does not have its checksum")
	}
	decoder := json.NewDecoder(bytes.NewReader(body[preamble:]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&h); err != nil {
		return h, 0, p.corrupt("the description cannot be read: %v", err)
	}
	if err := h.check(); err != nil {
		return h, 0, p.corrupt("%v", err)
	}
	return h, int64(len(data)), nil
}

// block is a block while it is written.
type block struct {
	sources []uint64
	ids     []byte
	idEnds  []uint32
	terms   []uint32
	weights []float32
	ends    []uint32
}

func (b *block) add(r Record) error {
	if uint64(len(b.ids)+len(r.ID)) > math.MaxUint32 || uint64(len(b.terms)+r.Vector.Len()) > math.MaxUint32 {
		return errors.New("the texts have too many terms for one block")
	}
	b.sources = append(b.sources, r.Source)
	b.ids = append(b.ids, r.ID...)
	b.idEnds = append(b.idEnds, uint32(len(b.ids)))
	b.terms = append(b.terms, r.Vector.Terms...)
	b.weights = append(b.weights, r.Vector.Weights...)
	b.ends = append(b.ends, uint32(len(b.terms)))
	return nil
}

func (b *block) reset() {
	*b = block{b.sources[:0], b.ids[:0], b.idEnds[:0], b.terms[:0], b.weights[:0], b.ends[:0]}
}

// encode appends the bytes of the block to data, which is empty.
func (b *block) encode(data []byte, termBytes int) []byte {
	le := binary.LittleEndian
	data = le.AppendUint32(data, uint32(len(b.sources)))
	data = le.AppendUint32(data, uint32(len(b.ids)))
	data = le.AppendUint64(data, uint64(len(b.terms)))
	for _, source := range b.sources {
		data = le.AppendUint64(data, source)
	}
	for _, ends := range [][]uint32{b.idEnds, b.ends} {
		for _, end := range ends {
			data = le.AppendUint32(data, end)
		}
	}
	data = append(data, b.ids...)
	for _, term := range b.terms {
		if termBytes == 2 {
			data = le.AppendUint16(data, uint16(term))
		} else {
			data = le.AppendUint32(data, term)
		}
	}
	for _, w := range b.weights {
		data = le.AppendUint32(data, math.Float32bits(w))
	}
	return seal(data)
}

// blockSize returns the number of bytes of the block that begins with head, and
// the number of its records. left are the bytes that the file still has from
// there on.
func blockSize(head []byte, termBytes int, left int64) (size int64, records int, ok bool) {
	le := binary.LittleEndian
	n, ids, postings := int64(le.Uint32(head)), int64(le.Uint32(head[4:])), le.Uint64(head[8:])
	if n == 0 || n > blockRecords || postings > math.MaxUint32 {
		return 0, 0, false
	}
	size = counts + 16*n + ids + int64(postings)*int64(termBytes+4) + sumBytes
	return size, int(n), size <= left && int64(int(size)) == size
}

// decode returns the records of a block whose size and checksum are right. Their
// vectors are fresh memory.
func decode(data []byte, h Header) ([]Record, error) {
	le, width := binary.LittleEndian, h.termBytes()
	n, idBytes, postings := int(le.Uint32(data)), int(le.Uint32(data[4:])), int(le.Uint64(data[8:]))
	at := counts
	take := func(size int) []byte { at += size; return data[at-size : at] }
	sources, idEnds, ends := take(8*n), take(4*n), take(4*n)
	ids, terms, weights := string(take(idBytes)), take(width*postings), take(4*postings)
	all := sparse.Vector{Terms: make([]uint32, postings), Weights: make([]float32, postings)}
	for i := range postings {
		if width == 2 {
			all.Terms[i] = uint32(le.Uint16(terms[2*i:]))
		} else {
			all.Terms[i] = le.Uint32(terms[4*i:])
		}
		all.Weights[i] = math.Float32frombits(le.Uint32(weights[4*i:]))
	}
	records := make([]Record, n)
	idFrom, from := 0, 0
	for i := range records {
		idTo, to := int(le.Uint32(idEnds[4*i:])), int(le.Uint32(ends[4*i:]))
		if idTo < idFrom || idTo > idBytes || to < from || to > postings || i == n-1 && (idTo != idBytes || to != postings) {
			return nil, fmt.Errorf("record %d of the block ends out of order", i)
		}
		r := Record{ID: ids[idFrom:idTo], Source: le.Uint64(sources[8*i:])}
		r.Vector = sparse.Vector{Terms: all.Terms[from:to:to], Weights: all.Weights[from:to:to]}
		if err := r.Vector.Validate(h.Vocabulary); err != nil {
			return nil, fmt.Errorf("record %d of the block: %w", i, err)
		}
		records[i], idFrom, from = r, idTo, to
	}
	return records, nil
}
