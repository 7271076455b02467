package bert

import (
	"cmp"
	"math"
	"slices"

	"parley/internal/f32"
	"parley/sparse"
)

func log1p(x float32) float32 { return float32(math.Log1p(float64(x))) }

// lexical weighs the terms that occur, each by the score w·h + b of its tokens
// (Lin and Ma, arXiv 2106.14807). A piece of work is a sequence.
type lexical struct {
	*engine
	x       f32.View  // [ΣL×H] last hidden states
	weights []float32 // [ΣL] out: of the tokens
	winners []int32   // [ΣL] out: for each term of the vectors, from the start of its sequence on, the row that won
}

// pair is a token and its row.
type pair struct {
	term uint32
	row  int32
}

// forwardLexical turns the last hidden states into vectors.
func (e *engine) forwardLexical(x f32.View) []sparse.Vector {
	e.winners = resize(e.winners, x.Rows)
	e.lexical = lexical{engine: e, x: x, weights: e.pooled.view(1, x.Rows).Data, winners: e.winners}
	e.team.Do(e.batch.Len(), &e.lexical)
	return e.vectors[:e.batch.Len()]
}

// Do weighs sequence i.
func (t *lexical) Do(i, worker int) {
	s, v := &t.scratch[worker], &t.vectors[i]
	v.Terms, v.Weights = v.Terms[:0], v.Weights[:0]
	s.pairs = s.pairs[:0]
	from, to := t.batch.start(i), t.batch.Ends[i]
	for row := from; row < to; row++ {
		t.weights[row] = f32.Dot(t.engine.weights.token.weight.value.Data, t.x.Row(row)) + t.engine.weights.token.bias.value[0]
		if !slices.Contains(t.config.Head.Skip, t.batch.IDs[row]) {
			s.pairs = append(s.pairs, pair{t.batch.IDs[row], int32(row)})
		}
	}
	t.config.Head.Saturation.apply(t.weights[from:to])
	slices.SortFunc(s.pairs, func(a, b pair) int { return cmp.Or(cmp.Compare(a.term, b.term), cmp.Compare(a.row, b.row)) })
	for rest := s.pairs; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].term == rest[0].term {
			n++
		}
		if w, winner := t.pool(rest[:n]); !(w <= 0) {
			t.winners[from+v.Len()] = winner
			v.Terms, v.Weights = append(v.Terms, rest[0].term), append(v.Weights, w)
		}
		rest = rest[n:]
	}
}

// pool returns the weight of a term, and the first row of those that give it
// most.
func (t *lexical) pool(tokens []pair) (weight float32, winner int32) {
	largest, winner := t.weights[tokens[0].row], tokens[0].row
	sum := largest
	for _, p := range tokens[1:] {
		w := t.weights[p.row]
		sum += w
		if w > largest {
			largest, winner = w, p.row
		}
	}
	if t.config.Head.Pooling == Sum {
		return sum, winner
	}
	return largest, winner
}

// backwardLexical sets d [ΣL×H] to the gradient by the last hidden states, and
// adds to those of the head.
func (t *Tape) backwardLexical(d f32.View) {
	k, w := &t.head, &t.weights.token
	k.occurrence = resize(k.occurrence, d.Rows)
	clear(k.occurrence)
	for i, v := range t.vectors[:t.batch.Len()] {
		from, to := t.batch.start(i), t.batch.Ends[i]
		if t.config.Head.Pooling == Max {
			for j := range v.Terms {
				k.occurrence[t.engine.winners[from+j]] = k.steepness[i][j]
			}
			continue
		}
		for row := from; row < to; row++ {
			if j, ok := slices.BinarySearch(v.Terms, t.batch.IDs[row]); ok && t.lexical.weights[row] > 0 {
				k.occurrence[row] = k.steepness[i][j] * t.config.Head.Saturation.slope(t.lexical.weights[row])
			}
		}
	}
	clear(d.Data)
	for row, g := range k.occurrence {
		if g != 0 {
			f32.Axpy(g, w.weight.value.Data, d.Row(row))
			f32.Axpy(g, t.last.Row(row), w.weight.grad.Data)
			w.bias.grad[0] += g
		}
	}
}
