package bert

import (
	"slices"

	"parley/internal/f32"
)

// backwardHead sets d [ΣL×H] to the gradient by the last hidden states, given
// those by the vectors' weights, and adds to those of the head's parameters.
func (t *Tape) backwardHead(gradients [][]float32, d f32.View) {
	t.steepen(gradients)
	if t.config.Head.Kind == Lexical {
		t.backwardLexical(d)
		return
	}
	k, w := &t.head, t.weights
	g := k.gradient.view(d.Rows, d.Cols)
	if t.config.Head.Pooling == Sum {
		t.backwardSums(g)
	} else {
		t.backwardWinners(g)
	}
	t.backwardNorm(g, g, k.activeView, k.moments, &w.headNorm)
	t.backwardActivation(g, k.rawView, g, t.config.HeadActivation, w.transform.bias.grad)
	t.backwardWeight(&w.transform, g, t.last)
	t.team.Mul(d, g, w.transform.weight.value, false)
}

// steepen turns gradients by weights into gradients by the logits that won,
// where it was one that made the weight.
func (t *Tape) steepen(gradients [][]float32) {
	k := &t.head
	for len(k.steepness) < len(gradients) {
		k.steepness = append(k.steepness, nil)
	}
	for i, g := range gradients {
		v := t.vectors[i]
		if len(g) != v.Len() {
			panic("bert: a gradient for each weight of a vector is needed")
		}
		k.steepness[i] = append(k.steepness[i][:0], g...)
		if t.config.Head.Pooling == Max {
			for j, w := range v.Weights {
				k.steepness[i][j] *= t.config.Head.Saturation.slope(w)
			}
		}
	}
}

// backwardWinners sets g, the gradient by the transformed states, through the
// winning logits only, and adds to those of the decoder.
func (t *Tape) backwardWinners(g f32.View) {
	t.head.fromTerms = fromTerms{t, g}
	t.team.Do(t.batch.Len(), &t.head.fromTerms)
	t.head.fromRows = fromRows{t}
	t.team.Do((t.config.Vocabulary+tileColumns-1)/tileColumns, &t.head.fromRows)
}

// fromTerms gives each winning row what its terms ask for, sequence by sequence.
type fromTerms struct {
	*Tape
	g f32.View // [ΣL×H]
}

// Do gathers for sequence i.
func (t *fromTerms) Do(i, _ int) {
	from, to := t.batch.start(i), t.batch.Ends[i]
	clear(t.g.Data[from*t.g.Stride : to*t.g.Stride])
	winners := t.engine.winners[i*t.config.Vocabulary:][:t.config.Vocabulary]
	decoder := t.weights.decoder.weight.value
	for j, term := range t.vectors[i].Terms {
		if slope := t.head.steepness[i][j]; slope != 0 {
			f32.Axpy(slope, decoder.Row(int(term)), t.g.Row(int(winners[term])))
		}
	}
}

// fromRows gives each term's weights in the decoder what its winning rows ask
// for, term by term and sequence after sequence.
type fromRows struct{ *Tape }

// Do gathers for the terms of strip i.
func (t *fromRows) Do(i, _ int) {
	first := uint32(i * tileColumns)
	w := &t.weights.decoder
	for b := range t.batch.Len() {
		winners := t.engine.winners[b*t.config.Vocabulary:][:t.config.Vocabulary]
		terms := t.vectors[b].Terms
		j, _ := slices.BinarySearch(terms, first)
		for ; j < len(terms) && terms[j] < first+tileColumns; j++ {
			term, slope := int(terms[j]), t.head.steepness[b][j]
			if slope == 0 {
				continue
			}
			w.bias.grad[term] += slope
			f32.Axpy(slope, t.head.view.Row(int(winners[term])), w.weight.grad.Row(term))
		}
	}
}

// sumColumns is how many columns of logits are made again at a time where they
// were summed: all of them have gradients.
const sumColumns = 1024

// backwardSums sets g, the gradient by the transformed states, through the sum of
// all rows' weights, and adds to those of the decoder.
func (t *Tape) backwardSums(g f32.View) {
	w, v := &t.weights.decoder, t.config.Vocabulary
	states := t.head.view
	for from := 0; from < v; from += sumColumns {
		cols := min(sumColumns, v-from)
		logits := t.head.logits.view(states.Rows, cols)
		part := w.weight.value.Sub(from, cols, 0, states.Cols)
		t.team.MulT(logits, states, part, false)
		t.head.slopes = sloping{t, logits, from, t.sums(logits.Rows, cols)}
		t.byRows(logits.Rows, &t.head.slopes)
		f32.SumRows(w.bias.grad[from:from+cols], t.head.slopes.sums)
		t.team.Mul(g, logits, part, from > 0)
		t.team.TMul(w.weight.grad.Sub(from, cols, 0, states.Cols), logits, states, true)
	}
}

// sloping turns logits without bias into the gradients by them, by blocks of
// rows.
type sloping struct {
	*Tape
	logits f32.View // [ΣL×C]
	from   int      // the term of the first column
	sums   f32.View // [blocks×C]
}

// Do turns block i.
func (t *sloping) Do(i, _ int) {
	sum := clearedRow(t.sums, i)
	bias := t.weights.decoder.bias.value[t.from:][:t.logits.Cols]
	for row, to := block(i, t.logits.Rows); row < to; row++ {
		x := t.logits.Row(row)
		f32.Add(bias, x)
		t.slopes(x, int(t.sequence[row]))
		f32.Add(x, sum)
	}
}

// slopes turns a row of logits into the gradients by them: those of the terms of
// the sequence's vector, times the saturation's slope.
func (t *sloping) slopes(x []float32, sequence int) {
	terms := t.vectors[sequence].Terms
	j, _ := slices.BinarySearch(terms, uint32(t.from))
	at := 0
	for ; j < len(terms) && int(terms[j]) < t.from+len(x); j++ {
		column := int(terms[j]) - t.from
		clear(x[at:column])
		at = column + 1
		x[column] = t.head.steepness[sequence][j] * t.config.Head.Saturation.slopeAt(x[column])
	}
	clear(x[at:])
}

// slopeAt returns the derivative of the saturation at a logit.
func (s Saturation) slopeAt(x float32) float32 {
	switch {
	case x <= 0:
		return 0
	case s == Linear:
		return 1
	case s == DoubleLog:
		return 1 / ((1 + x) * (1 + log1p(x)))
	default:
		return 1 / (1 + x)
	}
}
