package lexical

import (
	"parley/internal/f32"
	"parley/internal/input"
)

// active is an occurrence whose score became its term's weight.
type active struct {
	in         int     // input of the batch
	occurrence int     // within the input
	gradient   float32 // of the loss with respect to the score
}

// columns is how many hidden units one piece of work covers in the backward
// pass; each unit's sums run over the whole batch in one order.
const columns = 32

// Backward adds to the gradients of the parameters, given those of the loss
// with respect to the weights that the last Forward returned.
func (n *Network) Backward(gradients [][]float32, workers int) {
	p := &n.pass
	var actives []active
	for i, gs := range gradients {
		for t, g := range gs {
			if g != 0 {
				actives = append(actives, active{i, int(p.winners[i][t]), g})
			}
		}
	}
	for _, a := range actives {
		n.bias.Grad[0] += a.gradient
		for _, f := range n.featuresOf(a) {
			n.additive.Grad[f] += a.gradient
		}
	}
	h := n.config.Hidden
	if h == 0 {
		return
	}
	n.reached(actives)
	p.gradient = resize(p.gradient, len(p.reached)*3*h)
	clear(p.gradient)
	pieces := (h + columns - 1) / columns
	f32.Parallel(pieces, workers, func(piece int) {
		n.backwardUnits(actives, piece*columns, min((piece+1)*columns, h))
	})
	n.backwardProjection(workers)
}

// reached lists the embedding rows that gradients reach: those beside an active
// occurrence. The others, mostly tokens far from any, cost nothing more.
func (n *Network) reached(actives []active) {
	p := &n.pass
	p.places = resize(p.places, len(p.slots))
	for _, r := range p.used {
		p.places[r] = -1
	}
	p.reached = p.reached[:0]
	for _, a := range actives {
		for k := range 3 {
			if r := n.rowBeside(a, k); p.places[r] < 0 {
				p.places[r] = int32(len(p.reached))
				p.reached = append(p.reached, r)
			}
		}
	}
}

// rowBeside returns the embedding row before (0), at (1) or after (2) an active
// occurrence.
func (n *Network) rowBeside(a active, k int) int32 {
	in := n.pass.inputs[a.in]
	return n.row(in.Context, in.Dropped, int(in.Terms.Positions[a.occurrence])+k-1)
}

func (n *Network) featuresOf(a active) []uint16 {
	return n.pass.inputs[a.in].Terms.Features[a.occurrence*input.Families:][:input.Families]
}

// backwardUnits takes the gradients through hidden units from to to.
func (n *Network) backwardUnits(actives []active, from, to int) {
	p, h := &n.pass, n.config.Hidden
	back := make([]float32, to-from)
	for _, a := range actives {
		units := p.hidden[(p.first[a.in]+a.occurrence)*h:][from:to]
		for j, u := range units {
			n.out.Grad[from+j] += a.gradient * u
			back[j] = 0
			if u > 0 {
				back[j] = a.gradient * n.out.Value[from+j]
			}
		}
		f32.Add(back, n.shift.Grad[from:to])
		for _, f := range n.featuresOf(a) {
			f32.Add(back, n.feature.Grad[int(f)*h:][from:to])
		}
		for k := range 3 {
			place := int(p.places[n.rowBeside(a, k)])
			f32.Add(back, p.gradient[(3*place+k)*h:][from:to])
		}
	}
}

// backwardProjection takes the gradients through E·W: to E by its rows that
// they reach, to W by its rows.
func (n *Network) backwardProjection(workers int) {
	p, d, width := &n.pass, n.config.Dim, 3*n.config.Hidden
	f32.Parallel(len(p.reached), workers, func(s int) {
		out, g := n.embed.Grad[int(p.reached[s])*d:][:d], p.gradient[s*width:][:width]
		for k := range out {
			out[k] += f32.Dot(g, n.project.Value[k*width:][:width])
		}
	})
	// The gradient by row k of W is column k of those rows of E, as a row,
	// times the gradient by E·W.
	f32.Parallel(d, workers, func(k int) {
		column := make([]float32, len(p.reached))
		for s, r := range p.reached {
			column[s] = n.embed.Value[int(r)*d+k]
		}
		f32.MulRow(column, p.gradient, n.project.Grad[k*width:][:width])
	})
}
