package index

import (
	"cmp"
	"io"
	"path/filepath"

	"parley/internal/mapping"
)

// writePostings transposes the forward vectors, which are complete, into
// posting lists: one pass for each range of terms whose postings fit the
// buffer.
func (b *Builder) writePostings() error {
	forward, err := mapping.Open(filepath.Join(b.Dir(), forwardFile))
	if err != nil {
		return err
	}
	defer forward.Close()
	m := b.manifest(0)
	at := m.layout()[forwardFile]
	t := transposer{
		ends:    b.forwardEnds,
		terms:   view[uint32](forward.Data[headerSize : headerSize+4*m.Postings]),
		impacts: forward.Data[at[2]:at[3]],
	}
	begins := cumulate(b.df)
	passages := b.create(postingsFile)
	if passages == nil {
		return b.err
	}
	// The lists' two arrays grow side by side in one file.
	split := m.layout()[postingsFile][2]
	impacts := newWriter(io.NewOffsetWriter(passages.file, split))
	passages.header(postingsFile)
	passages.uint64s(begins)
	for first := 0; first < len(b.df); {
		last := first + 1
		for last < len(b.df) && begins[last+1]-begins[first] <= uint64(b.buffer) {
			last++
		}
		p, i := t.transpose(begins[first:last+1], uint32(first))
		passages.uint32s(p)
		impacts.bytes(i)
		first = last
	}
	return cmp.Or(impacts.flush(), passages.close())
}

// cumulate returns the sums of all leading parts of counts: where each begins
// when they are laid end to end, and where the last ends.
func cumulate(counts []uint32) []uint64 {
	begins := make([]uint64, len(counts)+1)
	for i, n := range counts {
		begins[i+1] = begins[i] + uint64(n)
	}
	return begins
}

// transposer turns forward vectors into posting lists.
type transposer struct {
	ends    []uint64
	terms   []uint32
	impacts []uint8
}

// transpose returns the postings of the terms from first on; begins are their
// places in the whole, and where the last one ends.
func (t transposer) transpose(begins []uint64, first uint32) (passages []uint32, impacts []uint8) {
	count := begins[len(begins)-1] - begins[0]
	passages, impacts = make([]uint32, count), make([]uint8, count)
	next := make([]uint64, len(begins)-1)
	for i := range next {
		next[i] = begins[i] - begins[0]
	}
	for passage := range len(t.ends) - 1 {
		for at := t.ends[passage]; at < t.ends[passage+1]; at++ {
			// Terms below first wrap around to numbers beyond the range.
			if term := t.terms[at] - first; uint64(term) < uint64(len(next)) {
				passages[next[term]], impacts[next[term]] = uint32(passage), t.impacts[at]
				next[term]++
			}
		}
	}
	return passages, impacts
}
