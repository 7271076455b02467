package bert

import (
	"math"

	"parley/internal/f32"
	"parley/sparse"
)

// headTape is what the head keeps for the way back.
type headTape struct {
	raw, active, states       buffer    // [ΣL×H] of the transform: before and after its activation, after its norm
	moments                   []moments // [ΣL]
	steepness                 [][]float32
	logits                    buffer
	rawView, activeView, view f32.View
	gradient                  buffer

	fromTerms  fromTerms
	fromRows   fromRows
	slopes     sloping
	occurrence []float32 // lexical: gradients by the tokens' scores
}

// forwardHead turns the last hidden states into vectors.
func (t *Tape) forwardHead(x f32.View) []sparse.Vector {
	if t.config.Head.Kind == Lexical {
		return t.forwardLexical(x)
	}
	k := &t.head
	rows, h := x.Rows, x.Cols
	k.moments = resize(k.moments, rows)
	k.rawView, k.activeView, k.view = k.raw.view(rows, h), k.active.view(rows, h), k.states.view(rows, h)
	t.forwardTransform(x, k.rawView, k.activeView, k.view, k.moments)
	return t.forwardDecoder(k.view, nil, true)
}

// forwardTransform sets
//
//	raw = x·Wᵀ + b,  active = act(raw),  out = norm(active)
//
// All may share memory, but with x.
func (e *engine) forwardTransform(x, raw, active, out f32.View, m []moments) {
	w := e.weights
	e.multiply(raw, x, &w.transform)
	e.transform = transforming{
		activating: activating{raw, active, w.transform.bias.value, e.config.HeadActivation},
		norm:       &w.headNorm, states: out, moments: m, epsilon: e.config.Epsilon,
	}
	e.byRows(x.Rows, &e.transform)
}

// transforming activates and norms, by blocks of rows.
type transforming struct {
	activating
	norm    *norm
	states  f32.View
	moments []moments
	epsilon float32
}

// Do transforms block i.
func (t *transforming) Do(i, worker int) {
	t.activating.Do(i, worker)
	for row, to := block(i, t.x.Rows); row < to; row++ {
		m := &t.moments[row]
		m.mean, m.inverse = f32.LayerNorm(t.states.Row(row), t.out.Row(row), t.norm.gain.value, t.norm.shift.value, t.epsilon)
	}
}

// Tiles of logits: so many columns of the vocabulary, so many rows at a time.
// They bound the memory and keep it near the processor; the whole matrix
// [ΣL×V] is never made.
const (
	tileColumns = 256
	tileRows    = 384
)

// tiles computes logits tile by tile and pools them over the rows of each
// sequence. A piece of work is the tile's columns over all rows.
type tiles struct {
	*engine
	packed  *f32.Packed // the decoder, nil where it is packed tile by tile
	states  f32.View    // [ΣL×H]
	weights f32.View    // [B×V] out: pooled and saturated
	winners []int32     // [B×V] out: the row of the batch with the largest logit; nil if nobody asks
}

// forwardDecoder turns the transformed states into vectors, and keeps the winner
// of each term if asked for and there is one.
func (e *engine) forwardDecoder(states f32.View, packed *f32.Packed, winners bool) []sparse.Vector {
	v := e.config.Vocabulary
	e.decode = tiles{engine: e, packed: packed, states: states, weights: e.pooled.view(e.batch.Len(), v)}
	if winners && e.config.Head.Pooling == Max {
		e.winners = resize(e.winners, e.batch.Len()*v)
		e.decode.winners = e.winners
	}
	e.team.Do((v+tileColumns-1)/tileColumns, &e.decode)
	e.sparsify = sparsifying{e, e.decode.weights}
	e.team.Do(e.batch.Len(), &e.sparsify)
	return e.vectors[:e.batch.Len()]
}

// Do computes and pools the columns of tile i.
func (t *tiles) Do(i, worker int) {
	s, m := &t.scratch[worker], t.team.Multiplier(worker)
	from := i * tileColumns
	to := min(from+tileColumns, t.config.Vocabulary)
	s.logits = resize(s.logits, min(tileRows, t.states.Rows)*(to-from))
	s.arg = resize(s.arg, tileColumns)
	packed, first := t.packed, from
	if packed == nil {
		s.decoder.PackT(t.engine.weights.decoder.weight.value.Sub(from, to-from, 0, t.states.Cols))
		packed, first = &s.decoder, 0
	}
	for row := 0; row < t.states.Rows; row += tileRows {
		part := t.states.Sub(row, min(tileRows, t.states.Rows-row), 0, t.states.Cols)
		logits := f32.NewView(s.logits, part.Rows, to-from)
		m.MulPackedCols(logits, part, packed, first, first+to-from, false)
		for r := range part.Rows {
			sequence, at := t.place(row + r)
			pool := t.pooling(sequence, from, to, s)
			pool.take(logits.Row(r), int32(row+r), at == 0)
		}
	}
	for b := range t.batch.Len() {
		pool := t.pooling(b, from, to, s)
		pool.finish()
	}
}

// pooling returns that of a sequence's columns.
func (t *tiles) pooling(sequence, from, to int, s *scratch) pooling {
	winners := s.arg[:to-from]
	if t.winners != nil {
		winners = t.winners[sequence*t.config.Vocabulary:][from:to]
	}
	return pooling{t.config.Head, t.weights.Row(sequence)[from:to], t.engine.weights.decoder.bias.value[from:to], winners}
}

// pooling turns the logits of a sequence's rows, in some columns, into weights.
type pooling struct {
	head    Head
	weights []float32 // out
	bias    []float32
	winners []int32 // out, where the largest counts: its row
}

// take takes up a row of logits. Of maxima the first row sets the start, so that
// a NaN in it stays and is seen, and the bias, the same for all rows, is added to
// the largest. Sums are of weights, in the order of the rows.
func (p *pooling) take(logits []float32, row int32, first bool) {
	switch {
	case p.head.Pooling == Sum:
		if first {
			clear(p.weights)
		}
		f32.Add(p.bias, logits)
		p.head.Saturation.apply(logits)
		f32.Add(logits, p.weights)
	case first:
		copy(p.weights, logits)
		for i := range p.winners {
			p.winners[i] = row
		}
	default:
		f32.MaxArg(p.weights, p.winners, logits, row)
	}
}

// finish makes weights of what was taken up.
func (p *pooling) finish() {
	if p.head.Pooling == Max {
		f32.Add(p.bias, p.weights)
		p.head.Saturation.apply(p.weights)
	}
}

// apply turns logits into weights.
func (s Saturation) apply(x []float32) {
	switch s {
	case Linear:
		f32.Activate(x, x, f32.ReLU)
	case DoubleLog:
		f32.Log1pRelu(x, x)
		f32.Log1pRelu(x, x)
	default:
		f32.Log1pRelu(x, x)
	}
}

// slope returns the derivative of the saturation at the logit whose positive
// weight is w.
func (s Saturation) slope(w float32) float32 {
	switch s {
	case Linear:
		return 1
	case DoubleLog:
		// w = log(1+u), u = log(1+x): 1/(1+u) · 1/(1+x)
		return float32(math.Exp(-float64(w) - math.Expm1(float64(w))))
	default:
		return float32(math.Exp(-float64(w)))
	}
}

// sparsifying gathers the terms of each sequence whose weight is above 0. What
// is no number stays, so that somebody sees it.
type sparsifying struct {
	*engine
	weights f32.View // [B×V]
}

// Do gathers the vector of sequence i.
func (t *sparsifying) Do(i, _ int) {
	v := &t.vectors[i]
	v.Terms, v.Weights = v.Terms[:0], v.Weights[:0]
	for term, w := range t.weights.Row(i) {
		if !(w <= 0) {
			v.Terms, v.Weights = append(v.Terms, uint32(term)), append(v.Weights, w)
		}
	}
}
