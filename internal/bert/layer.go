package bert

import "parley/internal/f32"

// activations are what a layer computes on its way forward. Where nothing is
// kept for the way back, several of them share memory.
type activations struct {
	input        f32.View  // x [ΣL×H]
	qkv          f32.View  // [ΣL×3H]
	mixed        f32.View  // [ΣL×H]
	sum          f32.View  // [ΣL×H] x + dropout(out(mixed))
	moments      []moments // [ΣL] of sum
	middle       f32.View  // [ΣL×H] norm(sum); may be input
	inner        f32.View  // [N×I] inner(middle) with bias, N rows at a time
	outer        f32.View  // [ΣL×H] middle + dropout(outer(act(inner))); may be sum
	outerMoments []moments // [ΣL] of outer
}

// forwardLayer runs a layer on a.input; output [ΣL×H] may be a.middle. active
// [N×I], which may be a.inner, takes the activated inner states.
func (e *engine) forwardLayer(i int, a *activations, active, output f32.View) {
	l := &e.weights.layers[i]
	e.multiply(a.qkv, a.input, &l.qkv)
	e.addBias(a.qkv, l.qkv.bias.value)
	e.forwardAttention(i, a.qkv, a.mixed)
	e.multiply(a.sum, a.mixed, &l.out)
	e.residual = residual{
		engine: e, sum: a.sum, x: a.input, out: a.middle, moments: a.moments,
		bias: l.out.bias.value, norm: &l.outNorm, layer: i, site: siteHidden, drop: e.drops(i, siteHidden),
	}
	e.byRows(a.sum.Rows, &e.residual)
	for from := 0; from < output.Rows; from += a.inner.Rows {
		e.feedForward(i, a, active, output, from, min(a.inner.Rows, output.Rows-from))
	}
}

// feedForward runs the feed-forward part of layer i for some rows.
func (e *engine) feedForward(i int, a *activations, active, output f32.View, from, rows int) {
	l := &e.weights.layers[i]
	part := func(v f32.View) f32.View { return v.Sub(from, rows, 0, v.Cols) }
	inner, active := a.inner.Sub(0, rows, 0, a.inner.Cols), active.Sub(0, rows, 0, active.Cols)
	e.multiply(inner, part(a.middle), &l.inner)
	e.activate = activating{inner, active, l.inner.bias.value, e.config.Activation}
	e.byRows(rows, &e.activate)
	e.multiply(part(a.outer), active, &l.outer)
	e.residual = residual{
		engine: e, sum: part(a.outer), x: part(a.middle), out: part(output), first: from, moments: a.outerMoments[from:],
		bias: l.outer.bias.value, norm: &l.outerNorm, layer: i, site: siteOuter, drop: true,
	}
	e.byRows(rows, &e.residual)
}

// addBias adds bias to each row of x.
func (e *engine) addBias(x f32.View, bias []float32) {
	e.activate = activating{x, x, bias, f32.Identity}
	e.byRows(x.Rows, &e.activate)
}

// backwardLayer turns d [ΣL×H], the gradient by a layer's output, into that by
// its input, and adds to the gradients of its weights. Everything else that it
// needs is on the tape.
func (t *Tape) backwardLayer(i int, a *activations, d f32.View) {
	l, rows := &t.weights.layers[i], d.Rows
	t.backwardNorm(d, d, a.outer, a.outerMoments, &l.outerNorm)
	g := t.gradH.view(rows, t.config.Hidden)
	t.dropBackward(g, d, i, siteOuter, l.outer.bias.grad)
	t.reactivate(a.inner, t.active)
	t.backwardWeight(&l.outer, g, t.active)
	inner := t.active // its states are not needed any more
	t.team.Mul(inner, g, l.outer.weight.value, false)
	t.backwardActivation(inner, a.inner, inner, t.config.Activation, l.inner.bias.grad)
	t.backwardWeight(&l.inner, inner, a.middle)
	t.team.Mul(d, inner, l.inner.weight.value, true)

	t.backwardNorm(d, d, a.sum, a.moments, &l.outNorm)
	t.dropBackward(g, d, i, siteHidden, l.out.bias.grad)
	t.backwardWeight(&l.out, g, a.mixed)
	mixed := t.gradMixed.view(rows, t.config.Hidden)
	t.team.Mul(mixed, g, l.out.weight.value, false)
	qkv := t.gradQKV.view(rows, 3*t.config.Hidden)
	t.backwardAttention(i, a.qkv, mixed, qkv)
	t.sumRows(l.qkv.bias.grad, qkv)
	t.backwardWeight(&l.qkv, qkv, a.input)
	t.team.Mul(d, qkv, l.qkv.weight.value, true)
}

// reactivating sets out = act(x), by blocks of rows: x has its bias already.
type reactivating struct {
	x, out f32.View
	act    f32.Activation
}

// Do activates block i.
func (t *reactivating) Do(i, _ int) {
	for row, to := block(i, t.x.Rows); row < to; row++ {
		f32.Activate(t.out.Row(row), t.x.Row(row), t.act)
	}
}

func (t *Tape) reactivate(x, out f32.View) {
	t.reactivating = reactivating{x, out, t.config.Activation}
	t.byRows(x.Rows, &t.reactivating)
}
