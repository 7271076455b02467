package distill

import (
	"context"
	"slices"

	"parley/internal/bert"
	"parley/internal/f32"
	"parley/sparse"
)

// tower takes the texts of a batch forward and back through a network: those of
// one side, or of both where queries and passages share weights.
//
// A batch with more tokens than bound goes through it in parts. A loss that sees
// the whole batch needs all vectors before it has a gradient, but activations of
// one part only are held at a time: so each part goes forward, and once more
// before it goes back (Gao et al., arXiv 2101.06983). The dropout of a text comes
// from its seed, so that both times it has the same vector.
type tower struct {
	net   *bert.Network
	tape  *bert.Tape
	bound int        // most tokens of a part, but a text at least; 0 for no bound
	texts bert.Batch // [T] of the whole batch
	seeds []uint64   // [T] of dropout; nil for none

	part      bert.Batch
	rows      [][]float32 // [part] gradients
	terms     []uint32    // of the vectors of all texts
	weights   []float32
	gradients []float32 // of the loss by the weights
	ends      []int     // [T] where the vector of each text ends
}

// looked is how many tokens go forward at once where none go back: vectors do not
// depend on what else goes forward with them.
const looked = 2048

func newTower(net *bert.Network, workers, bound int) *tower {
	return &tower{net: net, tape: net.NewTape(workers, bert.TapeOptions{}), bound: bound}
}

// reset makes the tower ready for the next batch.
func (w *tower) reset() {
	w.texts.Reset()
	w.seeds = w.seeds[:0]
}

// add adds a text with the seed of its dropout and returns its place.
func (w *tower) add(ids []uint32, seed uint64) int {
	w.texts.Add(ids)
	w.seeds = append(w.seeds, seed)
	return w.texts.Len() - 1
}

// next returns where the part of at most bound tokens ends that begins with the
// text at from.
func (w *tower) next(from, bound int) int {
	to, start := from, w.begin(from)
	for to < w.texts.Len() && (to == from || bound == 0 || w.texts.Ends[to]-start <= bound) {
		to++
	}
	return to
}

// begin returns where text i begins.
func (w *tower) begin(i int) int {
	if i == 0 {
		return 0
	}
	return w.texts.Ends[i-1]
}

// forward computes the vectors of all texts, with dropout where it trains, and
// makes their gradients 0. It ends early with ctx's error when ctx ends.
func (w *tower) forward(ctx context.Context, train bool) error {
	w.terms, w.weights, w.ends = w.terms[:0], w.weights[:0], w.ends[:0]
	bound := w.bound
	if !train {
		bound = looked
	}
	for from, to := 0, 0; from < w.texts.Len(); from = to {
		if err := ctx.Err(); err != nil {
			return err
		}
		to = w.next(from, bound)
		for _, v := range w.pass(from, to, train) {
			w.terms, w.weights = append(w.terms, v.Terms...), append(w.weights, v.Weights...)
			w.ends = append(w.ends, len(w.terms))
		}
	}
	w.gradients = f32.Zeroed(w.gradients, len(w.weights))
	return nil
}

// pass takes the texts from from to to forward.
func (w *tower) pass(from, to int, train bool) []sparse.Vector {
	w.part.Reset()
	for i := from; i < to; i++ {
		w.part.Add(w.texts.IDs[w.begin(i):w.texts.Ends[i]])
	}
	if !train {
		return w.tape.Forward(w.part, nil)
	}
	return w.tape.Forward(w.part, w.seeds[from:to])
}

// span returns where the vector of text i lies.
func (w *tower) span(i int) (from, to int) {
	if i > 0 {
		from = w.ends[i-1]
	}
	return from, w.ends[i]
}

// vector returns the vector of text i, and the gradient of the loss by its
// weights to be added to. Both hold until the next forward.
func (w *tower) vector(i int) (v sparse.Vector, gradient []float32) {
	from, to := w.span(i)
	return sparse.Vector{Terms: w.terms[from:to:to], Weights: w.weights[from:to:to]}, w.gradients[from:to:to]
}

// backward takes the gradients to the network's parameters. The last part goes
// first: its activations are still there.
func (w *tower) backward() {
	last := 0
	for to := w.next(0, w.bound); to < w.texts.Len(); to = w.next(to, w.bound) {
		last = to
	}
	w.back(last, w.texts.Len())
	for from, to := 0, 0; from < last; from = to {
		to = w.next(from, w.bound)
		w.pass(from, to, true)
		w.back(from, to)
	}
}

func (w *tower) back(from, to int) {
	w.rows = w.rows[:0]
	for i := from; i < to; i++ {
		at, end := w.span(i)
		w.rows = append(w.rows, w.gradients[at:end:end])
	}
	w.tape.Backward(w.rows)
}

// lighten lowers the bias of the output until the texts have at most so many
// terms on average. Where a masked-LM head is fresh, the logits of a text lie
// around 0, so that half of the vocabulary would begin with a weight.
func (w *tower) lighten(ctx context.Context, terms int) error {
	bias := w.bias()
	start := slices.Clone(bias)
	shift := func(by float32) (dense bool, err error) {
		for i := range bias {
			bias[i] = start[i] - by
		}
		err = w.forward(ctx, false)
		return len(w.terms) > terms*w.texts.Len(), err
	}
	dense, err := shift(0)
	low, high := float32(0), float32(0)
	for high < farthest && dense && err == nil {
		low, high = high, max(1, 2*high)
		dense, err = shift(high)
	}
	for i := 0; i < halvings && high > 0 && err == nil; i++ {
		middle := (low + high) / 2
		if dense, err = shift(middle); dense {
			low = middle
		} else {
			high = middle
		}
	}
	if err != nil {
		return err
	}
	_, err = shift(high)
	return err
}

// How far the bias is lowered at most, and how often the step is halved.
const (
	farthest = 1 << 20
	halvings = 10
)

// bias returns the bias of the output, one for each term.
func (w *tower) bias() []float32 {
	parameters := w.net.Parameters()
	return parameters[len(parameters)-1].Value
}
