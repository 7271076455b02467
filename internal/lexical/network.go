// Package lexical holds the networks that weigh the terms of a context:
// additive weights of features, alone or with a multi-layer perceptron over
// each occurrence and its two neighbours.
//
// Its guarantee: forward and backward results do not depend on the number of
// workers, and Inference.Weigh gives the very weights of Forward.
//
// It knows no text and no objective.
package lexical

import (
	"math"
	"math/rand/v2"
	"slices"

	"parley/internal/f32"
	"parley/internal/input"
)

// Config are the sizes of a network. With Hidden 0 it is the feature student:
// additive weights alone.
type Config struct {
	Dim    int `json:"dim,omitempty"`    // D, width of the term embeddings
	Hidden int `json:"hidden,omitempty"` // H, width of the hidden layer
}

// Embedding rows that stand for no single term.
const (
	rowOther = iota // a term without an embedding of its own, or a dropped one
	rowEdge         // beyond the first or the last token
	reserved
)

// Network weighs terms. With x the occurrence of a term t at position p,
//
//	score(x) = bias + Σ_f u_f + v·relu(b + W₋E[p-1] + W₀E[p] + W₊E[p+1] + Σ_f F_f)
//	weight(t) = max(0, max over the occurrences x of t of score(x))
//
// f running over the features of x. A network without hidden layer has no v.
type Network struct {
	config Config
	terms  []uint32 // embedded terms, increasing; row i+reserved of E is theirs

	bias     *f32.Parameter // [1]
	additive *f32.Parameter // u [F]
	embed    *f32.Parameter // E [R×D]
	project  *f32.Parameter // W [D×3H]: for the previous, this and the next token
	feature  *f32.Parameter // F [F×H]
	shift    *f32.Parameter // b [H]
	out      *f32.Parameter // v [H]

	rows []int32 // by term id: row of E
	pass pass
}

// New returns a network for a vocabulary of the given size that embeds the
// given terms (increasing ids), its weights drawn from seed. It starts as the
// bag of the context's terms: every weight is 1, up to the small random
// contribution of the hidden layer.
func New(c Config, vocabulary int, terms []uint32, seed uint64) *Network {
	n := assemble(c, vocabulary, slices.Clone(terms), f32.NewParameter)
	n.bias.Value[0] = 1
	rng := rand.New(rand.NewPCG(seed, 0x6c65786963616c)) // "lexical"
	normal := func(p *f32.Parameter, deviation float64) {
		for i := range p.Value {
			p.Value[i] = float32(rng.NormFloat64() * deviation)
		}
	}
	if c.Hidden > 0 {
		normal(n.embed, .3)
		normal(n.project, 1/math.Sqrt(float64(3*c.Dim)))
		normal(n.out, .1/math.Sqrt(float64(c.Hidden)))
	}
	return n
}

// assemble returns a network of the parameters that it asks for by name and
// shape.
func assemble(c Config, vocabulary int, terms []uint32, parameter func(name string, shape ...int) *f32.Parameter) *Network {
	n := &Network{config: c, bias: parameter("bias", 1), additive: parameter("additive", input.Features)}
	if c.Hidden == 0 {
		return n
	}
	n.terms = terms
	n.rows = make([]int32, vocabulary)
	for i, term := range n.terms {
		n.rows[term] = int32(i + reserved)
	}
	n.embed = parameter("embed", len(terms)+reserved, c.Dim)
	n.project = parameter("project", c.Dim, 3*c.Hidden)
	n.feature = parameter("feature", input.Features, c.Hidden)
	n.shift = parameter("shift", c.Hidden)
	n.out = parameter("out", c.Hidden)
	return n
}

// Config returns the network's sizes.
func (n *Network) Config() Config { return n.config }

// Parameters returns the trainable arrays in a fixed order.
func (n *Network) Parameters() []*f32.Parameter {
	if n.config.Hidden == 0 {
		return []*f32.Parameter{n.bias, n.additive}
	}
	return []*f32.Parameter{n.bias, n.additive, n.embed, n.project, n.feature, n.shift, n.out}
}

// row returns the embedding row of the token at position p of c; dropped
// tokens, where given, are read as any other term.
func (n *Network) row(c input.Context, dropped []bool, p int) int32 {
	switch {
	case p < 0 || p >= c.Len():
		return rowEdge
	case dropped != nil && dropped[p]:
		return rowOther
	}
	return n.rows[c.IDs[p]]
}
