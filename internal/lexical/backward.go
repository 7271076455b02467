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
	p.gradient = resize(p.gradient, len(p.used)*3*h)
	clear(p.gradient)
	pieces := (h + columns - 1) / columns
	f32.Parallel(pieces, workers, func(piece int) {
		n.backwardUnits(actives, piece*columns, min((piece+1)*columns, h))
	})
	n.backwardProjection(workers)
}

func (n *Network) featuresOf(a active) []uint16 {
	return n.pass.inputs[a.in].Terms.Features[a.occurrence*input.Families:][:input.Families]
}

// backwardUnits takes the gradients through hidden units from to to.
func (n *Network) backwardUnits(actives []active, from, to int) {
	p, h := &n.pass, n.config.Hidden
	back := make([]float32, to-from)
	for _, a := range actives {
		in := p.inputs[a.in]
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
			slot := n.slotOf(n.row(in.Context, in.Dropped, int(in.Terms.Positions[a.occurrence])+k-1))
			f32.Add(back, p.gradient[(3*slot+k)*h:][from:to])
		}
	}
}

// backwardProjection takes the gradients through E·W: to E by its used rows,
// to W by its rows.
func (n *Network) backwardProjection(workers int) {
	p, d, width := &n.pass, n.config.Dim, 3*n.config.Hidden
	f32.Parallel(len(p.used), workers, func(s int) {
		out, g := n.embed.Grad[int(p.used[s])*d:][:d], p.gradient[s*width:][:width]
		for k := range out {
			out[k] += f32.Dot(g, n.project.Value[k*width:][:width])
		}
	})
	f32.Parallel(d, workers, func(k int) {
		out := n.project.Grad[k*width:][:width]
		for s, r := range p.used {
			f32.Axpy(n.embed.Value[int(r)*d+k], p.gradient[s*width:][:width], out)
		}
	})
}
