package bert

import (
	"math"

	"parley/internal/f32"
)

// attention lets the tokens of each sequence read each other, head by head:
//
//	mixed = dropout(softmax(Q·Kᵀ/√d))·V
//
// Probabilities are not kept; the way back computes them again. A piece of work
// is one head of one sequence.
type attention struct {
	*engine
	qkv, mixed   f32.View // [ΣL×3H], [ΣL×H]
	dqkv, dmixed f32.View // their gradients, for the way back
	layer        int
}

// queryRows bounds the queries that are taken at a time, hence the memory of
// their probabilities.
const queryRows = 256

// forwardAttention runs the attention of a layer.
func (e *engine) forwardAttention(layer int, qkv, mixed f32.View) {
	e.attend = attention{engine: e, qkv: qkv, mixed: mixed, layer: layer}
	e.team.Do(e.batch.Len()*e.config.Heads, &e.attend)
}

// head are the parts of the matrices that belong to one head of one sequence.
type head struct {
	sequence, head int
	q, k, v        f32.View // [L×d]
}

func (t *attention) head(i int, of f32.View) head {
	sequence, h := i/t.config.Heads, i%t.config.Heads
	from, to := t.batch.start(sequence), t.batch.Ends[sequence]
	d := t.config.headSize()
	part := func(which int) f32.View { return of.Sub(from, to-from, which*t.config.Hidden+h*d, d) }
	return head{sequence, h, part(0), part(1), part(2)}
}

// part returns the part of a matrix [ΣL×H] that belongs to a head.
func (t *attention) part(of f32.View, h head) f32.View {
	d := t.config.headSize()
	return of.Sub(t.batch.start(h.sequence), h.q.Rows, h.head*d, d)
}

// Do computes head i.
func (t *attention) Do(i, worker int) {
	h := t.head(i, t.qkv)
	m, s := t.team.Multiplier(worker), &t.scratch[worker]
	mixed, length := t.part(t.mixed, h), h.q.Rows
	for from := 0; from < length; from += queryRows {
		rows := min(queryRows, length-from)
		p := t.probabilities(m, h, from, rows, s)
		t.drop(p, h, from)
		m.Mul(mixed.Sub(from, rows, 0, mixed.Cols), p, h.v, false)
	}
}

// probabilities returns those of some queries of h, before dropout.
func (t *attention) probabilities(m *f32.Multiplier, h head, from, rows int, s *scratch) f32.View {
	s.scores = resize(s.scores, rows*h.k.Rows)
	p := f32.NewView(s.scores, rows, h.k.Rows)
	m.MulT(p, h.q.Sub(from, rows, 0, h.q.Cols), h.k, false)
	for r := range rows {
		f32.Softmax(p.Row(r), t.scale())
	}
	return p
}

func (t *attention) scale() float32 { return float32(1 / math.Sqrt(float64(t.config.headSize()))) }

// drop drops probabilities [rows×L] of queries from from on, or their gradients.
func (t *attention) drop(p f32.View, h head, from int) {
	if t.seeds == nil || t.chances.none() {
		return
	}
	key := site(t.seeds[h.sequence], t.layer, siteAttention, h.head)
	for r := range p.Rows {
		t.chances.apply(p.Row(r), rowKey(key, from+r))
	}
}

// detention takes gradients back through an attention.
type detention struct{ attention }

// backwardAttention sets dqkv, given dmixed.
func (t *Tape) backwardAttention(layer int, qkv, dmixed, dqkv f32.View) {
	t.detain = detention{attention{engine: &t.engine, qkv: qkv, dmixed: dmixed, dqkv: dqkv, layer: layer}}
	t.team.Do(t.batch.Len()*t.config.Heads, &t.detain)
}

// Do takes head i back.
func (t *detention) Do(i, worker int) {
	h, g := t.head(i, t.qkv), t.head(i, t.dqkv)
	m, s := t.team.Multiplier(worker), &t.scratch[worker]
	dmixed := t.part(t.dmixed, h)
	for from := 0; from < h.q.Rows; from += queryRows {
		rows := min(queryRows, h.q.Rows-from)
		out := dmixed.Sub(from, rows, 0, dmixed.Cols)
		p := t.probabilities(m, h, from, rows, s)
		s.slopes = resize(s.slopes, rows*p.Cols)
		d := f32.NewView(s.slopes, rows, p.Cols)
		copy(d.Data, p.Data)
		t.drop(d, h, from)
		m.TMul(g.v, d, out, from > 0)
		m.MulT(d, out, h.v, false)
		t.drop(d, h, from)
		for r := range rows {
			f32.SoftmaxBackward(d.Row(r), p.Row(r), t.scale())
		}
		m.Mul(g.q.Sub(from, rows, 0, g.q.Cols), d, h.k, false)
		m.TMul(g.k, d, h.q.Sub(from, rows, 0, h.q.Cols), from > 0)
	}
}
