package bert

import "parley/internal/f32"

// activating sets out = act(x + bias), by blocks of rows; x keeps the sum.
type activating struct {
	x, out f32.View // [N×C]; out may be x
	bias   []float32
	act    f32.Activation
}

// Do activates block i.
func (t *activating) Do(i, _ int) {
	for row, to := block(i, t.x.Rows); row < to; row++ {
		x := t.x.Row(row)
		f32.Add(t.bias, x)
		f32.Activate(t.out.Row(row), x, t.act)
	}
}

// residual sets, by blocks of rows,
//
//	sum = dropout(sum + bias) + x,  out = norm(sum)
type residual struct {
	*engine
	sum, x, out f32.View // [N×H]; out may be x or sum
	first       int      // the row of the batch that is their row 0
	moments     []moments
	bias        []float32
	norm        *norm
	layer, site int
	drop        bool
}

// Do adds and norms block i.
func (t *residual) Do(i, _ int) {
	for row, to := block(i, t.sum.Rows); row < to; row++ {
		sum := t.sum.Row(row)
		f32.Add(t.bias, sum)
		if t.drop {
			t.dropRow(sum, t.first+row, t.layer, t.site)
		}
		f32.Add(t.x.Row(row), sum)
		m := &t.moments[row]
		m.mean, m.inverse = f32.LayerNorm(t.out.Row(row), sum, t.norm.gain.value, t.norm.shift.value, t.config.Epsilon)
	}
}

// dropping sets dx = dy∘mask and sums its rows, by blocks of rows.
type dropping struct {
	*engine
	dx, dy      f32.View // [N×H]; dx may be dy
	layer, site int
	drop        bool
	sums        f32.View // [blocks×H] of dx, or none
}

// Do takes block i back.
func (t *dropping) Do(i, _ int) {
	sum := clearedRow(t.sums, i)
	for row, to := block(i, t.dx.Rows); row < to; row++ {
		dx := t.dx.Row(row)
		copy(dx, t.dy.Row(row))
		if t.drop {
			t.dropRow(dx, row, t.layer, t.site)
		}
		if sum != nil {
			f32.Add(dx, sum)
		}
	}
}

// clearedRow returns row i of v set to 0, or nil if v has no rows.
func clearedRow(v f32.View, i int) []float32 {
	if v.Rows == 0 {
		return nil
	}
	row := v.Row(i)
	clear(row)
	return row
}

// deactivating sets dx = dy∘act′(x), where x holds the sums that were activated,
// and sums its rows.
type deactivating struct {
	dx, x, dy f32.View // [N×C]; dx may be either
	act       f32.Activation
	sums      f32.View // [blocks×C]
}

// Do takes block i back.
func (t *deactivating) Do(i, _ int) {
	sum := clearedRow(t.sums, i)
	for row, to := block(i, t.x.Rows); row < to; row++ {
		dx := t.dx.Row(row)
		f32.ActivateBackward(dx, t.x.Row(row), t.dy.Row(row), t.act)
		f32.Add(dx, sum)
	}
}

// denorming takes dy through a layer norm to dx, by blocks of rows.
type denorming struct {
	dx, dy, x f32.View // [N×H]; dx may be dy
	moments   []moments
	gain      []float32
	sums      f32.View // [blocks×2H] gradients by gain and shift
}

// Do takes block i back.
func (t *denorming) Do(i, _ int) {
	sum := clearedRow(t.sums, i)
	dgain, dshift := sum[:t.x.Cols], sum[t.x.Cols:]
	for row, to := block(i, t.x.Rows); row < to; row++ {
		m := t.moments[row]
		f32.LayerNormBackward(t.dx.Row(row), t.dy.Row(row), t.x.Row(row), t.gain, m.mean, m.inverse, dgain, dshift)
	}
}

// summing sums rows, by blocks.
type summing struct {
	x    f32.View
	sums f32.View // [blocks×C]
}

// Do sums block i.
func (t *summing) Do(i, _ int) {
	sum := clearedRow(t.sums, i)
	for row, to := block(i, t.x.Rows); row < to; row++ {
		f32.Add(t.x.Row(row), sum)
	}
}

// sums returns room for a sum of each block of rows.
func (t *Tape) sums(rows, cols int) f32.View { return t.partial.view(blocks(rows), cols) }

// dropBackward sets dx to dy through the dropout of a site of a layer, and adds
// its rows to sum if there is one.
func (t *Tape) dropBackward(dx, dy f32.View, layer, site int, sum []float32) {
	t.dropping = dropping{engine: &t.engine, dx: dx, dy: dy, layer: layer, site: site, drop: t.drops(layer, site)}
	if sum != nil {
		t.dropping.sums = t.sums(dx.Rows, dx.Cols)
	}
	t.byRows(dx.Rows, &t.dropping)
	if sum != nil {
		f32.SumRows(sum, t.dropping.sums)
	}
}

// drops reports whether hidden states are dropped at a site: DistilBERT does not
// after attention.
func (e *engine) drops(layer, site int) bool {
	return e.config.Family != DistilBERT || layer < 0 || site != siteHidden
}

// backwardActivation sets dx to dy through an activation of x = sums with a
// bias, whose gradient it adds to.
func (t *Tape) backwardActivation(dx, x, dy f32.View, act f32.Activation, bias []float32) {
	t.deactivating = deactivating{dx, x, dy, act, t.sums(x.Rows, x.Cols)}
	t.byRows(x.Rows, &t.deactivating)
	f32.SumRows(bias, t.deactivating.sums)
}

// backwardNorm sets dx to dy through the norm of x, and adds to the gradients of
// its gain and shift.
func (t *Tape) backwardNorm(dx, dy, x f32.View, m []moments, n *norm) {
	h := x.Cols
	t.denorming = denorming{dx, dy, x, m, n.gain.value, t.sums(x.Rows, 2*h)}
	t.byRows(x.Rows, &t.denorming)
	sums := t.denorming.sums
	f32.SumRows(n.gain.grad, sums.Sub(0, sums.Rows, 0, h))
	f32.SumRows(n.shift.grad, sums.Sub(0, sums.Rows, h, h))
}

// sumRows adds the rows of x to sum, that is the gradient by a bias.
func (t *Tape) sumRows(sum []float32, x f32.View) {
	t.summing = summing{x, t.sums(x.Rows, x.Cols)}
	t.byRows(x.Rows, &t.summing)
	f32.SumRows(sum, t.summing.sums)
}

// backwardWeight adds to the gradient of a linear layer's weights: dy [N×out],
// x [N×in].
func (t *Tape) backwardWeight(l *linear, dy, x f32.View) {
	t.team.TMul(l.weight.grad, dy, x, true)
}
