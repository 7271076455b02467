package encoder

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"parley/dialog"
	"parley/internal/input"
	"parley/internal/model"
	"parley/internal/prune"
	"parley/internal/wordpiece"
	"parley/sparse"
)

// BM25Options are the parameters of BM25. The zero value means K1 .9 and B .4;
// a negative number stands for 0.
type BM25Options struct {
	K1 float64 // how slowly repeated terms saturate
	B  float64 // how much long passages pay
}

// Default parameters of BM25.
const (
	DefaultK1 = .9
	DefaultB  = .4
)

func (o BM25Options) resolved() BM25Options {
	fill := func(x, unset float64) float64 {
		switch {
		case x == 0:
			return unset
		case x < 0:
			return 0
		}
		return x
	}
	return BM25Options{K1: fill(o.K1, DefaultK1), B: fill(o.B, DefaultB)}
}

// BM25Counter counts the passages of a collection, which BM25 needs before it
// can weigh the first. Counters of parts of a collection can be merged. A
// counter is not safe for concurrent use.
type BM25Counter struct {
	reader *input.Reader
	counts model.Counts
	tokens int64
	buffer []uint32
}

// NewBM25Counter returns a counter of content tokens: those of tok that are
// neither special nor only punctuation.
func NewBM25Counter(tok *wordpiece.Tokenizer) (*BM25Counter, error) {
	reader, err := input.NewReader(tok, dialog.Budget{Answer: -1, Total: -1})
	if err != nil {
		return nil, err
	}
	return &BM25Counter{reader: reader, counts: model.Counts{Having: make([]int32, tok.Vocabulary().Len())}}, nil
}

// Add counts a passage.
func (c *BM25Counter) Add(title, text string) {
	c.buffer = c.reader.AppendPassage(c.buffer[:0], title, text)
	c.counts.Passages++
	c.tokens += int64(len(c.buffer))
	slices.Sort(c.buffer)
	for _, id := range slices.Compact(c.buffer) {
		c.counts.Having[id]++
	}
}

// Merge adds what other counted; both have the same vocabulary.
func (c *BM25Counter) Merge(other *BM25Counter) {
	c.counts.Passages += other.counts.Passages
	c.tokens += other.tokens
	for id, n := range other.counts.Having {
		c.counts.Having[id] += n
	}
}

// BM25 returns the encoder for what was counted.
func (c *BM25Counter) BM25(o BM25Options) *BM25 {
	o = o.resolved()
	counts := model.Counts{Passages: c.counts.Passages, Having: slices.Clone(c.counts.Having)}
	average := 0.0
	if counts.Passages > 0 {
		average = float64(c.tokens) / float64(counts.Passages)
	}
	return &BM25{reader: c.reader, counts: counts, parameters: model.BM25{K1: o.K1, B: o.B, AverageLength: average}}
}

// BM25 is the encoder that needs statistics only. A passage's weights are the
// impacts of BM25, the inverse document frequency on the passage side; a query
// is the bag of its context's terms, each of weight 1, so that their inner
// product is the BM25 score and any other query vector works as well.
type BM25 struct {
	reader     *input.Reader
	parameters model.BM25
	counts     model.Counts
	keep       prune.Rule // of queries
	searched   Statistics // that keep asks; nil where it keeps all
}

// Kind returns bm25.
func (b *BM25) Kind() string { return model.KindBM25 }

// Vocabulary returns the vocabulary of the vectors' terms.
func (b *BM25) Vocabulary() *wordpiece.Vocabulary { return b.reader.Tokenizer().Vocabulary() }

// Query returns the bag of the content terms of c, which is read whole.
func (b *BM25) Query(c dialog.Context) sparse.Vector {
	return b.keep.Apply(sparse.Bag(b.reader.AppendContent(nil, b.reader.Context(c))), b.searched)
}

// Passage returns the impacts of a passage's terms,
//
//	idf · tf·(k1+1) / (tf + k1·(1 − b + b·length/average)),   idf = ln(1 + (N − df + ½)/(df + ½))
//
// length and tf counting content tokens of title and text (Robertson and
// Zaragoza, The Probabilistic Relevance Framework, 2009; this idf is Lucene's,
// which is never negative).
func (b *BM25) Passage(title, text string) sparse.Vector {
	ids := b.reader.AppendPassage(nil, title, text)
	slices.Sort(ids)
	p := b.parameters
	norm := p.K1 * (1 - p.B + p.B*float64(len(ids))/max(p.AverageLength, 1e-9))
	var v sparse.Vector
	for i := 0; i < len(ids); {
		j := i
		for j < len(ids) && ids[j] == ids[i] {
			j++
		}
		tf := float64(j - i)
		v.Terms = append(v.Terms, ids[i])
		v.Weights = append(v.Weights, float32(b.idf(ids[i])*tf*(p.K1+1)/(tf+norm)))
		i = j
	}
	return v
}

func (b *BM25) idf(term uint32) float64 {
	df := float64(b.counts.DF(term))
	return math.Log1p((float64(b.counts.N()) - df + .5) / (df + .5))
}

// Passages returns the vectors of passages.
func (b *BM25) Passages(passages []Passage) []sparse.Vector { return each(passages, b.Passage) }

// Identity is a checksum over the counts, the parameters and the vocabulary, and
// over what is kept of queries where that is not all.
func (b *BM25) Identity() string {
	if b.keep != (prune.Rule{}) {
		return identity(b.keep, []string{b.PassageIdentity()})
	}
	return b.PassageIdentity()
}

// PassageIdentity is a checksum over the counts, the parameters and the
// vocabulary.
func (b *BM25) PassageIdentity() string {
	h := sha256.New()
	p := b.parameters
	fmt.Fprintln(h, b.Kind(), p.K1, p.B, p.AverageLength, b.counts.Passages, b.Vocabulary().Fingerprint())
	_ = binary.Write(h, binary.LittleEndian, b.counts.Having) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))
}

// Describe returns the parameters.
func (b *BM25) Describe() string {
	return fmt.Sprintf("%s k1=%v b=%v", b.Kind(), b.parameters.K1, b.parameters.B)
}

// Notes are none.
func (b *BM25) Notes() []string { return nil }

// Save writes the encoder as a model folder's files into dir, which exists.
func (b *BM25) Save(dir string) error {
	return model.Write(dir, model.Config{Kind: model.KindBM25, Budget: b.reader.Budget(), BM25: &b.parameters}, b.Vocabulary(), b.counts, nil)
}
