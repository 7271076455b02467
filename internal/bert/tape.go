package bert

import (
	"parley/internal/f32"
	"parley/sparse"
)

// TapeOptions choose how a tape works. The zero value is the fastest.
type TapeOptions struct {
	// Recompute keeps only the input of each layer and computes the rest again
	// on the way back: less memory for the time of one more forward pass. Results
	// are the same, bit for bit.
	Recompute bool
}

// Tape takes batches forward and back through a network, and keeps its memory
// from one to the next. Several tapes of one network must not be at work at the
// same time.
type Tape struct {
	engine
	recompute bool

	inputs  []buffer // by layer, and of the head
	kept    []kept   // by layer; one for all layers when they are computed again
	active  f32.View // [ΣL×I]
	actives buffer

	embedded     f32.View // [ΣL×H] before the norm
	embeddings   buffer
	embedMoments []moments
	last         f32.View // [ΣL×H] the last hidden states
	head         headTape

	gradient, gradH, gradMixed, gradQKV, partial buffer

	scatter      scattering
	dropping     dropping
	deactivating deactivating
	denorming    denorming
	summing      summing
	reactivating reactivating
	detain       detention
}

// kept is the memory of a layer's activations.
type kept struct {
	qkv, mixed, sum, middle, inner, outer buffer
	moments, outerMoments                 []moments
}

// of returns activations in this memory.
func (k *kept) of(c Config, input f32.View) activations {
	rows, h := input.Rows, c.Hidden
	k.moments, k.outerMoments = resize(k.moments, rows), resize(k.outerMoments, rows)
	return activations{
		input: input, qkv: k.qkv.view(rows, 3*h), mixed: k.mixed.view(rows, h), sum: k.sum.view(rows, h), moments: k.moments,
		middle: k.middle.view(rows, h), inner: k.inner.view(rows, c.Inner), outer: k.outer.view(rows, h), outerMoments: k.outerMoments,
	}
}

// NewTape returns a tape that works with the given number of goroutines.
func (n *Network) NewTape(workers int, o TapeOptions) *Tape {
	t := &Tape{engine: newEngine(n.config, &n.weights, workers), recompute: o.Recompute}
	t.inputs = make([]buffer, n.config.Layers+1)
	t.kept = make([]kept, n.config.Layers)
	if o.Recompute {
		t.kept = t.kept[:min(1, n.config.Layers)]
	}
	return t
}

// Close ends the goroutines of the tape, which is not used afterwards.
func (t *Tape) Close() { t.team.Close() }

// Forward returns the vector of each sequence of b, which Config.Check accepts,
// and keeps what Backward needs. The vectors hold until the next Forward.
// dropout gives each sequence the seed of its masks: they depend on the seed,
// the layer and the place in the sequence; nil is for no dropout.
func (t *Tape) Forward(b Batch, dropout []uint64) []sparse.Vector {
	t.begin(b, dropout)
	rows, h := len(b.IDs), t.config.Hidden
	t.active = t.actives.view(rows, t.config.Inner)
	t.embedded = t.embeddings.view(rows, h)
	t.embedMoments = resize(t.embedMoments, rows)
	x := t.inputs[0].view(rows, h)
	t.forwardEmbedding(t.embedded, x, t.embedMoments)
	for i := range t.config.Layers {
		a := t.activations(i, x)
		x = t.inputs[i+1].view(rows, h)
		t.forwardLayer(i, &a, t.active, x)
	}
	t.last = x
	return t.forwardHead(x)
}

// activations returns the memory of layer i.
func (t *Tape) activations(i int, input f32.View) activations {
	return t.kept[min(i, len(t.kept)-1)].of(t.config, input)
}

// Backward adds to the gradients of the network's parameters, given those of
// the loss by the weights of the vectors that the last Forward returned:
// gradients[i][j] belongs to weight j of vector i.
func (t *Tape) Backward(gradients [][]float32) {
	if len(gradients) != t.batch.Len() {
		panic("bert: as many gradients as vectors are needed")
	}
	rows, h := len(t.batch.IDs), t.config.Hidden
	d := t.gradient.view(rows, h)
	t.backwardHead(gradients, d)
	for i := t.config.Layers - 1; i >= 0; i-- {
		a := t.activations(i, t.inputs[i].view(rows, h))
		if t.recompute && i < t.config.Layers-1 { // the last layer's are still there
			t.forwardLayer(i, &a, t.active, t.inputs[i+1].view(rows, h))
		}
		t.backwardLayer(i, &a, d)
	}
	t.backwardEmbedding(d)
}
