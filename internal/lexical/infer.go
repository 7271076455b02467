package lexical

import (
	"runtime"
	"sync"

	"parley/internal/f32"
	"parley/sparse"
)

// Inference weighs terms with a network that no longer changes. It is safe for
// concurrent use.
type Inference struct {
	network   *Network
	projected []float32 // [R×3H]
	hidden    sync.Pool // of *[]float32
}

// NewInference prepares n for inference; n must not be trained afterwards.
func NewInference(n *Network) *Inference {
	inf := &Inference{network: n, hidden: sync.Pool{New: func() any { return new([]float32) }}}
	if n.config.Hidden > 0 {
		width, rows := 3*n.config.Hidden, n.embed.Shape[0]
		inf.projected = make([]float32, rows*width)
		f32.Parallel(rows, runtime.GOMAXPROCS(0), func(r int) {
			n.projectRow(int32(r), inf.projected[r*width:][:width])
		})
	}
	return inf
}

// Weigh returns the weights of the terms of in, the same bit for bit as
// Network.Forward's.
func (inf *Inference) Weigh(in Input) sparse.Vector {
	v, _ := inf.weigh(in, nil)
	return v
}

// Explain returns the weights of the terms of in and, for each, the position in
// the context of the occurrence that it owes its weight to.
func (inf *Inference) Explain(in Input) (v sparse.Vector, positions []int32) {
	v, winners := inf.weigh(in, make([]int32, 0, len(in.Terms.IDs)))
	for i, occurrence := range winners {
		winners[i] = in.Terms.Positions[occurrence]
	}
	return v, winners
}

func (inf *Inference) weigh(in Input, winners []int32) (sparse.Vector, []int32) {
	hidden := inf.hidden.Get().(*[]float32)
	defer inf.hidden.Put(hidden)
	*hidden = resize(*hidden, len(in.Terms.Positions)*inf.network.config.Hidden)
	return inf.network.weigh(in, *hidden, func(row int32) int { return int(row) }, inf.projected, winners)
}
