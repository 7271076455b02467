package bert

import "parley/internal/f32"

// moments are the mean and the inverse deviation of a row before its layer norm,
// for the way back.
type moments struct{ mean, inverse float32 }

// embedding sets, by blocks of rows,
//
//	out = dropout(norm(sum)),  sum = word[id] + position[place] + type[kind]
type embedding struct {
	*engine
	sum, out f32.View  // [ΣL×H]; sum may be out
	moments  []moments // [ΣL]
}

// forwardEmbedding runs the embedding of the batch.
func (e *engine) forwardEmbedding(sum, out f32.View, m []moments) {
	e.embed = embedding{e, sum, out, m}
	e.byRows(out.Rows, &e.embed)
}

// Do embeds block i.
func (t *embedding) Do(i, _ int) {
	w := t.weights
	for row, to := block(i, t.out.Rows); row < to; row++ {
		_, at := t.place(row)
		x := t.sum.Row(row)
		copy(x, w.word.value.Row(int(t.batch.IDs[row])))
		f32.Add(w.position.value.Row(at), x)
		if w.types.value.Rows > 0 {
			f32.Add(w.types.value.Row(t.kind(row)), x)
		}
		y := t.out.Row(row)
		t.moments[row].mean, t.moments[row].inverse = f32.LayerNorm(y, x, w.norm.gain.value, w.norm.shift.value, t.config.Epsilon)
		t.dropRow(y, row, -1, siteHidden)
	}
}

// kind returns the token type of a row.
func (e *engine) kind(row int) int {
	if e.batch.Types == nil {
		return 0
	}
	return int(e.batch.Types[row])
}

// columnStrip is how many columns one piece of work over columns covers.
const columnStrip = 64

// scattering adds the rows of the gradient by the sums to those by the tables
// that they come from, by strips of columns: each element then sums its rows in
// their order.
type scattering struct {
	*engine
	sum f32.View // [ΣL×H] gradient
}

// Do scatters strip i.
func (t *scattering) Do(i, _ int) {
	w := t.weights
	from := i * columnStrip
	to := min(from+columnStrip, t.sum.Cols)
	for row := range t.sum.Rows {
		_, at := t.place(row)
		g := t.sum.Row(row)[from:to]
		f32.Add(g, w.word.grad.Row(int(t.batch.IDs[row]))[from:to])
		f32.Add(g, w.position.grad.Row(at)[from:to])
		if w.types.grad.Rows > 0 {
			f32.Add(g, w.types.grad.Row(t.kind(row))[from:to])
		}
	}
}

// backwardEmbedding takes d [ΣL×H], the gradient by the embedding's output, to
// its tables and norm. It overwrites d.
func (t *Tape) backwardEmbedding(d f32.View) {
	t.dropBackward(d, d, -1, siteHidden, nil)
	t.backwardNorm(d, d, t.embedded, t.embedMoments, &t.weights.norm)
	t.scatter = scattering{&t.engine, d}
	t.team.Do((d.Cols+columnStrip-1)/columnStrip, &t.scatter)
}
