// Package vectors keeps encoded texts on disk: the sparse vectors of passages or
// queries with their ids, in a file that grows block by block.
//
// Its guarantee: what is read is what was written, of the encoder and the texts
// that the file names. Every block has a checksum, and its bounds are checked
// before anything is made of it. A file that a killed writer left is taken up
// behind its last whole block, and ends with the same bytes as one that was
// written in one go.
//
// It encodes nothing and searches nothing. docs/vectors-format.md draws the file.
package vectors

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/zeebo/xxh3"

	"parley/sparse"
)

// Version is the version of the format that this package writes, and the only
// one that it reads.
const Version = 1

// Header says what the vectors of a file are. Two files whose headers differ in
// Of, Vocabulary, Fingerprint, Identity or Total do not belong together.
type Header struct {
	Of          string `json:"of"`          // what was encoded: "passages", or "queries" and how they are asked
	Vocabulary  int    `json:"vocabulary"`  // V: terms are below it
	Fingerprint string `json:"fingerprint"` // of the vocabulary
	Encoder     string `json:"encoder"`     // what encoded, for people
	Identity    string `json:"identity"`    // of the encoder: its weights and settings
	First       int    `json:"first"`       // place of the first vector among all that were to be encoded
	Count       int    `json:"count"`       // vectors in the file
	Total       int    `json:"total"`       // all that were to be encoded, in this file and others
}

// Passages is what Header.Of says of passages.
const Passages = "passages"

// check says what a header cannot be.
func (h Header) check() error {
	switch {
	case h.Vocabulary <= 0 || int64(h.Vocabulary) > math.MaxUint32:
		return fmt.Errorf("a vocabulary of %d terms is not possible", h.Vocabulary)
	case h.Count < 0 || h.First < 0 || h.Total < h.Count || h.First > h.Total-h.Count:
		return fmt.Errorf("%d vectors from %d on cannot be among %d", h.Count, h.First, h.Total)
	}
	return nil
}

// termBytes is the width of a term id in the file: two bytes where that is
// enough for the vocabulary, four where not.
func (h Header) termBytes() int {
	if h.Vocabulary <= 1<<16 {
		return 2
	}
	return 4
}

// Record is an encoded text.
type Record struct {
	ID     string
	Source uint64 // what Source says of the text
	Vector sparse.Vector
}

// Source returns a checksum of the parts of a text, by which to tell later
// whether a vector is that of a text.
func Source(parts ...string) uint64 {
	h := xxh3.New()
	var size [8]byte
	for _, part := range parts {
		binary.LittleEndian.PutUint64(size[:], uint64(len(part)))
		_, _ = h.Write(size[:])
		_, _ = h.WriteString(part)
	}
	return h.Sum64()
}

// CorruptError is damage to a file of vectors.
type CorruptError struct {
	Path    string
	Offset  int64  // of the damage, or of the first byte of the block that holds it
	Problem string // what is wrong there
}

// Error says what is damaged where, and what to do.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: damaged at byte %d: %s: encode again or restore the file from a copy", e.Path, e.Offset, e.Problem)
}
