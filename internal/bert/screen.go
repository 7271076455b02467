package bert

import (
	"math/bits"

	"parley/internal/f32"
	"parley/sparse"
)

// Of a vocabulary's logits, about one in a hundred ends above 0 somewhere in a
// text. An inference screens them first: bounds in whole numbers, four at a time
// for one of float32, tell which terms cannot be in a sequence's vector; the
// rest get the logits that all would have got, bit for bit.

// newScreen returns the screen of a decoder, nil where there is none.
func (w *weights) newScreen() *f32.Screen {
	if w.decoder.bias.value == nil {
		return nil
	}
	n := w.headNorm
	return f32.NewScreen(w.decoder.weight.value, w.decoder.bias.value, n.shift.value, n.gain.value)
}

// Where more than one in denseShare terms is left, screening does not pay, and
// so many batches go without.
const (
	denseShare  = 3
	denseRepeat = 63
)

// decode turns the transformed states into vectors.
func (s *Session) decode(states f32.View) []sparse.Vector {
	screen := s.inference.screen
	if screen == nil {
		return s.forwardDecoder(states, s.weights.decoder.packed, false)
	}
	if s.dense > 0 {
		s.dense--
		return s.forwardDecoder(states, s.inference.decoder(), false)
	}
	b, v := s.batch.Len(), s.config.Vocabulary
	s.rounded.Resize(screen, states.Rows)
	s.certain = resize(s.certain, states.Rows)
	s.round = rounding{&s.rounded, screen, states, s.certain}
	s.byRows(states.Rows, &s.round)
	tiles := (v + tileColumns - 1) / tileColumns
	s.marks = resize(s.marks, b*tiles*tileWords)
	s.screened = screening{s, screen, tiles * tileWords}
	s.team.Do(tiles, &s.screened)
	s.left = resize(s.left, b)
	s.finish = finishing{s, states, tiles * tileWords}
	s.team.Do(b, &s.finish)
	left := 0
	for _, n := range s.left {
		left += n
	}
	if left > b*v/denseShare {
		s.dense = denseRepeat
	}
	return s.vectors[:b]
}

// rounding rounds states, by blocks of rows.
type rounding struct {
	to      *f32.Rounded
	screen  *f32.Screen
	states  f32.View
	certain []bool // [ΣL] out: whether a row can be screened
}

// Do rounds block i.
func (t *rounding) Do(i, _ int) {
	for row, to := block(i, t.states.Rows); row < to; row++ {
		t.certain[row] = t.to.Set(t.screen, row, t.states.Row(row))
	}
}

// tileWords is how many words have a bit for each column of a tile.
const tileWords = tileColumns / 64

// screening marks the terms that a sequence may have. A piece of work is a tile's
// columns for all sequences.
type screening struct {
	*Session
	screen *f32.Screen
	words  int // of a sequence
}

// Do marks the columns of tile i.
func (t *screening) Do(i, worker int) {
	from := i * tileColumns
	to := min(from+tileColumns, t.config.Vocabulary)
	m := t.team.Multiplier(worker)
	for b, end := range t.batch.Ends {
		marks := t.marks[b*t.words+i*tileWords:][:tileWords]
		start := t.batch.start(b)
		if all(t.certain[start:end]) {
			m.Screen(marks, &t.rounded, start, end-start, t.screen, from, to)
			continue
		}
		for w := range marks {
			n := min(max(to-from-64*w, 0), 64)
			marks[w] = 1<<n - 1
		}
	}
}

func all(flags []bool) bool {
	for _, f := range flags {
		if !f {
			return false
		}
	}
	return true
}

// finishing computes the weights of the terms that are left. A piece of work is a
// sequence.
type finishing struct {
	*Session
	states f32.View
	words  int // of marks, of a sequence
}

// Do computes the vector of sequence b.
func (t *finishing) Do(b, worker int) {
	s, v := &t.scratch[worker], &t.vectors[b]
	v.Terms, v.Weights = v.Terms[:0], v.Weights[:0]
	s.terms = s.terms[:0]
	t.left[b] = 0
	for i, word := range t.marks[b*t.words:][:t.words] {
		for ; word != 0; word &= word - 1 {
			s.terms = append(s.terms, uint32(i*64+bits.TrailingZeros64(word)))
			if len(s.terms) == tileColumns {
				t.weigh(b, worker)
			}
		}
	}
	t.weigh(b, worker)
}

// weigh takes up to a tile of terms into the vector of sequence b.
func (t *finishing) weigh(b, worker int) {
	s, v, n := &t.scratch[worker], &t.vectors[b], len(t.scratch[worker].terms)
	if n == 0 {
		return
	}
	t.left[b] += n
	decoder, h := &t.weights.decoder, t.states.Cols
	s.rows, s.bias, s.pooled = resize(s.rows, tileColumns*h), resize(s.bias, tileColumns), resize(s.pooled, tileColumns)
	rows, pool := f32.NewView(s.rows, n, h), pooling{t.config.Head, s.pooled[:n], s.bias[:n], resize(s.arg, tileColumns)[:n]}
	s.arg = pool.winners[:n]
	for j, term := range s.terms {
		copy(rows.Row(j), decoder.weight.value.Row(int(term)))
		s.bias[j] = decoder.bias.value[term]
	}
	s.decoder.PackT(rows)
	start := t.batch.start(b)
	length := t.batch.Ends[b] - start
	s.logits = resize(s.logits, min(tileRows, length)*tileColumns)
	for row := 0; row < length; row += tileRows {
		part := t.states.Sub(start+row, min(tileRows, length-row), 0, h)
		logits := f32.NewView(s.logits, part.Rows, n)
		t.team.Multiplier(worker).MulPacked(logits, part, &s.decoder, false)
		for r := range part.Rows {
			pool.take(logits.Row(r), int32(row+r), row+r == 0)
		}
	}
	pool.finish()
	for j, w := range pool.weights {
		if !(w <= 0) {
			v.Terms, v.Weights = append(v.Terms, s.terms[j]), append(v.Weights, w)
		}
	}
	s.terms = s.terms[:0]
}
