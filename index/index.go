// Package index keeps passages and their sparse vectors in a folder: posting
// lists with 8-bit impacts for search, the same impacts passage by passage
// (forward vectors) for training and explanation, and the passages themselves.
//
// Its guarantee: an index that [Open] returned is whole. Every checksum and
// every bound was checked, so that no later call on it can fail or panic, and
// a folder written by [Create] holds either all of an index or what it held
// before.
//
// It knows no tokeniser and no neural network. What encoded the passages lies
// beside the index, in the subfolder [EncoderDir], put there and read by others;
// the index records its description and its vocabulary's fingerprint, and
// guards its bytes. It does not search.
//
// docs/index-format.md draws the files.
package index

import (
	"cmp"
	"errors"
	"path/filepath"

	"parley/internal/mapping"
	"parley/sparse"
)

// EncoderDir is the subfolder for the files of the encoder that made an
// index's vectors.
const EncoderDir = "encoder"

// Passage is a passage as it was added.
type Passage struct {
	ID, Title, Text string
}

// Index is an open index of N passages over a vocabulary of V terms. Passages
// are numbered from 0 in the order in which they were added.
//
// Slices that its methods return are views of the index: they must not be
// written to, nor used after Close. An Index may be used by many goroutines at
// once.
type Index struct {
	path     string
	manifest manifest
	mapped   []*mapping.File

	postingEnds []uint64 // [V+1] where each term's postings begin, and the last ends
	postings    []uint32 // [P] passages, increasing within a term
	impacts     []uint8  // [P] their impacts

	forwardEnds    []uint64 // [N+1]
	forwardTerms   []uint32 // [P] terms, increasing within a passage
	forwardImpacts []uint8  // [P]

	textEnds []uint64 // [3N+1] where each id, title and text begins
	text     []byte   // [B]
	byID     []uint32 // [N] passages in the order of their ids
}

// Close releases the index. Nothing of it may be used afterwards.
func (x *Index) Close() error {
	var errs []error
	for _, m := range x.mapped {
		errs = append(errs, m.Close())
	}
	*x = Index{path: x.path}
	return errors.Join(errs...)
}

// Path returns the folder that was opened.
func (x *Index) Path() string { return x.path }

// EncoderPath returns the folder with the files of the encoder that made the
// vectors.
func (x *Index) EncoderPath() string { return filepath.Join(x.path, EncoderDir) }

// Encoder describes what encoded the passages, as told to Create.
func (x *Index) Encoder() string { return x.manifest.Encoder }

// Fingerprint identifies the vocabulary whose ids the terms are.
func (x *Index) Fingerprint() string { return x.manifest.Fingerprint }

// N returns the number of passages.
func (x *Index) N() int { return x.manifest.Passages }

// Vocabulary returns V: terms are below it.
func (x *Index) Vocabulary() int { return x.manifest.Vocabulary }

// Size returns P, the number of postings.
func (x *Index) Size() int { return len(x.postings) }

// Bytes returns the size on disk of posting lists, forward vectors and passages
// together.
func (x *Index) Bytes() int64 {
	total := int64(0)
	for _, at := range x.manifest.layout() {
		total += at[len(at)-1]
	}
	return total
}

// Scale returns the weight of impact 1: a posting with impact i stands for the
// weight i·Scale.
func (x *Index) Scale() float32 { return x.manifest.Scale }

// DF returns the number of passages that have term, 0 for a term outside the
// vocabulary.
func (x *Index) DF(term uint32) int {
	from, to := x.list(term)
	return int(to - from)
}

// Postings returns the passages that have term, in increasing order, and the
// impact, from 1 to 255, that it has in each.
func (x *Index) Postings(term uint32) (passages []uint32, impacts []uint8) {
	from, to := x.list(term)
	return x.postings[from:to:to], x.impacts[from:to:to]
}

func (x *Index) list(term uint32) (from, to uint64) {
	if int64(term) >= int64(x.manifest.Vocabulary) {
		return 0, 0
	}
	return x.postingEnds[term], x.postingEnds[term+1]
}

// Forward returns the terms of passage i, in increasing order, and their
// impacts: the same that Postings has.
func (x *Index) Forward(i int) (terms []uint32, impacts []uint8) {
	from, to := x.forwardEnds[i], x.forwardEnds[i+1]
	return x.forwardTerms[from:to:to], x.forwardImpacts[from:to:to]
}

// Vector returns the vector of passage i with the weights that search uses,
// impact × Scale. It is written over the storage of buf, which is grown where
// it does not suffice.
func (x *Index) Vector(i int, buf sparse.Vector) sparse.Vector {
	terms, impacts := x.Forward(i)
	v := sparse.Vector{Terms: append(buf.Terms[:0], terms...), Weights: buf.Weights[:0]}
	for _, impact := range impacts {
		v.Weights = append(v.Weights, float32(impact)*x.manifest.Scale)
	}
	return v
}

// Passage returns passage i.
func (x *Index) Passage(i int) Passage {
	return Passage{ID: string(x.part(i, 0)), Title: string(x.part(i, 1)), Text: string(x.part(i, 2))}
}

// ID returns the id of passage i, without reading its text.
func (x *Index) ID(i int) string { return string(x.part(i, 0)) }

// part returns the id (0), title (1) or text (2) of passage i.
func (x *Index) part(i, part int) []byte {
	return x.text[x.textEnds[3*i+part]:x.textEnds[3*i+part+1]]
}

// Lookup returns the number of the passage with the given id.
func (x *Index) Lookup(id string) (i int, ok bool) {
	from, to := 0, len(x.byID)
	for from < to {
		middle := int(uint(from+to) / 2)
		i := int(x.byID[middle])
		switch cmp.Compare(string(x.part(i, 0)), id) {
		case 0:
			return i, true
		case -1:
			from = middle + 1
		default:
			to = middle
		}
	}
	return 0, false
}
