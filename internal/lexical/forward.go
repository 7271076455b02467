package lexical

import (
	"parley/internal/f32"
	"parley/internal/input"
	"parley/sparse"
)

// Input is one context to weigh.
type Input struct {
	Context input.Context
	Terms   input.Terms
	Dropped []bool // [L] tokens to leave out, nil for none
}

// pass holds what a forward pass keeps for the backward pass, its buffers
// reused from batch to batch.
type pass struct {
	inputs  []Input
	first   []int     // [B] the first occurrence of each input among those of the batch
	hidden  []float32 // [O×H] after the activation
	winners [][]int32 // [B] for each term of the output vector, its best occurrence

	used      []int32   // [S] embedding rows that occur in the batch
	slots     []int32   // [R] the slot of each used row
	projected []float32 // [S×3H]

	reached  []int32   // [G] embedding rows that the gradient reaches
	places   []int32   // [R] the place of each reached row
	gradient []float32 // [G×3H] with respect to their projections
}

// Forward returns the weights of the terms of each input and keeps what
// Backward needs. It is not safe for concurrent use; workers bounds its own
// goroutines.
func (n *Network) Forward(inputs []Input, workers int) []sparse.Vector {
	p := &n.pass
	p.inputs, p.first = inputs, p.first[:0]
	p.winners = resize(p.winners, len(inputs))
	occurrences := 0
	for _, in := range inputs {
		p.first = append(p.first, occurrences)
		occurrences += len(in.Terms.Positions)
	}
	if n.config.Hidden > 0 {
		p.hidden = resize(p.hidden, occurrences*n.config.Hidden)
		n.projectUsed(workers)
	}
	vectors := make([]sparse.Vector, len(inputs))
	f32.Parallel(len(inputs), workers, func(i int) {
		hidden := p.hidden[p.first[i]*n.config.Hidden:]
		vectors[i], p.winners[i] = n.weigh(inputs[i], hidden, n.slotOf, p.projected, p.winners[i][:0])
	})
	return vectors
}

// projectUsed computes E·W for the rows that the batch needs.
func (n *Network) projectUsed(workers int) {
	p := &n.pass
	if p.slots == nil {
		p.slots = make([]int32, n.embed.Shape[0])
		for r := range p.slots {
			p.slots[r] = -1
		}
	}
	for _, r := range p.used {
		p.slots[r] = -1
	}
	p.used = p.used[:0]
	for _, in := range p.inputs {
		for at := -1; at <= in.Context.Len(); at++ {
			if r := n.row(in.Context, in.Dropped, at); p.slots[r] < 0 {
				p.slots[r] = int32(len(p.used))
				p.used = append(p.used, r)
			}
		}
	}
	width := 3 * n.config.Hidden
	p.projected = resize(p.projected, len(p.used)*width)
	f32.Parallel(len(p.used), workers, func(s int) {
		n.projectRow(p.used[s], p.projected[s*width:][:width])
	})
}

// projectRow sets out to row r of E·W.
func (n *Network) projectRow(r int32, out []float32) {
	clear(out)
	d := n.config.Dim
	f32.MulRow(n.embed.Value[int(r)*d:][:d], n.project.Value, out)
}

func (n *Network) slotOf(row int32) int { return int(n.pass.slots[row]) }

// weigh returns the vector of in and the winning occurrence of each of its
// terms. hidden [O×H] receives the activations; projected holds E·W, the row of
// it that belongs to a row of E being told by slot.
func (n *Network) weigh(in Input, hidden []float32, slot func(int32) int, projected []float32, winners []int32) (sparse.Vector, []int32) {
	v := sparse.Vector{
		Terms:   make([]uint32, 0, len(in.Terms.IDs)),
		Weights: make([]float32, 0, len(in.Terms.IDs)),
	}
	for t, id := range in.Terms.IDs {
		best, winner := float32(0), int32(-1)
		for o := in.Terms.Start[t]; o < in.Terms.Start[t+1]; o++ {
			if in.Dropped != nil && in.Dropped[in.Terms.Positions[o]] {
				continue
			}
			if s := n.score(in, int(o), hidden, slot, projected); s > best {
				best, winner = s, o
			}
		}
		if winner >= 0 {
			v.Terms, v.Weights = append(v.Terms, id), append(v.Weights, best)
			winners = append(winners, winner)
		}
	}
	return v, winners
}

// score returns the score of occurrence o of in.
func (n *Network) score(in Input, o int, hidden []float32, slot func(int32) int, projected []float32) float32 {
	features := in.Terms.Features[o*input.Families:][:input.Families]
	s := n.bias.Value[0]
	for _, f := range features {
		s += n.additive.Value[f]
	}
	h := n.config.Hidden
	if h == 0 {
		return s
	}
	units := hidden[o*h:][:h]
	copy(units, n.shift.Value)
	for k := range 3 {
		at := slot(n.row(in.Context, in.Dropped, int(in.Terms.Positions[o])+k-1))
		f32.Add(projected[(3*at+k)*h:][:h], units)
	}
	for _, f := range features {
		f32.Add(n.feature.Value[int(f)*h:][:h], units)
	}
	for j, u := range units {
		units[j] = max(u, 0)
	}
	return s + f32.Dot(units, n.out.Value)
}

// resize returns s with length n, its content unspecified.
func resize[T any](s []T, n int) []T {
	if cap(s) >= n {
		return s[:n]
	}
	return append(s[:cap(s)], make([]T, n-cap(s))...)
}
