package bert

import (
	"parley/internal/f32"
	"parley/sparse"
)

// engine takes batches forward through weights, for tapes and sessions alike.
// Its tasks are kept here, so that starting one allocates nothing.
type engine struct {
	config  Config
	weights *weights
	team    *f32.Team
	scratch []scratch // by worker

	batch    Batch
	sequence []int32  // [ΣL] which sequence a row belongs to
	seeds    []uint64 // [B] of dropout, nil for none
	hidden   dropout  // of hidden states
	chances  dropout  // of attention probabilities

	vectors []sparse.Vector // [B]

	embed     embedding
	activate  activating
	residual  residual
	attend    attention
	transform transforming
	decode    tiles
	sparsify  sparsifying
	lexical   lexical

	pooled  buffer  // [B×V] weights; of a lexical head [ΣL]
	winners []int32 // as pooled: the rows that won
}

// scratch is what one worker needs for itself.
type scratch struct {
	scores, slopes []float32  // attention: [rows×L] each
	decoder        f32.Packed // head: a tile of the decoder
	logits         []float32  // head: [rows×tile]
	arg            []int32    // head: [tile], where winners are not asked for
	pairs          []pair     // lexical head: [L]

	terms              []uint32 // screened head: [tile], whose rows of the decoder, biases and weights follow
	rows, bias, pooled []float32
}

// grow makes room for the probabilities of sequences of up to length tokens.
func (s *scratch) grow(length int) {
	s.scores = resize(s.scores, min(queryRows, length)*length)
	s.slopes = resize(s.slopes, len(s.scores))
}

func newEngine(c Config, w *weights, workers int) engine {
	team := f32.NewTeam(workers)
	return engine{
		config: c, weights: w, team: team, scratch: make([]scratch, team.Workers()),
		hidden: newDropout(c.Dropout), chances: newDropout(c.AttentionDropout),
	}
}

// begin takes up a batch.
func (e *engine) begin(b Batch, seeds []uint64) {
	if err := e.config.Check(b); err != nil {
		panic("bert: " + err.Error())
	}
	if seeds != nil && len(seeds) != b.Len() {
		panic("bert: as many seeds of dropout as sequences are needed")
	}
	e.batch, e.seeds = b, seeds
	e.sequence = resize(e.sequence, len(b.IDs))
	for i, end := range b.Ends {
		for row := b.start(i); row < end; row++ {
			e.sequence[row] = int32(i)
		}
	}
	longest := 0
	for i, end := range b.Ends {
		longest = max(longest, end-b.start(i))
	}
	for w := range e.scratch {
		e.scratch[w].grow(longest)
		reserve(e.team.Multiplier(w), longest, e.config.headSize())
	}
	for len(e.vectors) < b.Len() {
		e.vectors = append(e.vectors, sparse.Vector{})
	}
}

// reserve makes room for the products of attention over sequences of up to
// length tokens, heads of size d, whichever worker comes to the longest.
func reserve(m *f32.Multiplier, length, d int) {
	rows := min(queryRows, length)
	m.Reserve(rows, d, length)
	m.Reserve(rows, length, d)
	m.Reserve(length, rows, d)
}

// place returns the sequence of a row, and the row's place in it.
func (e *engine) place(row int) (sequence, at int) {
	sequence = int(e.sequence[row])
	return sequence, row - e.batch.start(sequence)
}

// dropRow drops elements of a row of hidden states.
func (e *engine) dropRow(x []float32, row, layer, kind int) {
	if e.seeds == nil || e.hidden.none() {
		return
	}
	sequence, at := e.place(row)
	e.hidden.apply(x, rowKey(site(e.seeds[sequence], layer, kind, 0), at))
}

// multiply sets y [N×out] to x·Wᵀ, without the bias.
func (e *engine) multiply(y, x f32.View, l *linear) {
	if l.packed != nil {
		e.team.MulPacked(y, x, l.packed, false)
		return
	}
	e.team.MulT(y, x, l.weight.value, false)
}

// rowBlock is how many rows one piece of row-wise work covers. Sums over rows,
// of gradients, go block by block.
const rowBlock = 64

func blocks(rows int) int { return (rows + rowBlock - 1) / rowBlock }

// block returns the rows of block i of n.
func block(i, n int) (from, to int) { return i * rowBlock, min((i+1)*rowBlock, n) }

// byRows does a task that takes blocks of rows.
func (e *engine) byRows(rows int, t f32.Task) { e.team.Do(blocks(rows), t) }

// resize returns s with length n, its content unspecified. What grows again
// takes an eighth more than it needs: batches of texts seldom have equal lengths.
func resize[T any](s []T, n int) []T {
	switch {
	case cap(s) >= n:
		return s[:n]
	case cap(s) > 0:
		return make([]T, n, n+n/8)
	}
	return make([]T, n)
}

// buffer is memory for a matrix, used again from batch to batch.
type buffer []float32

// view returns the buffer as a matrix of unspecified content.
func (b *buffer) view(rows, cols int) f32.View {
	*b = resize(*b, rows*cols)
	return f32.NewView(*b, rows, cols)
}
