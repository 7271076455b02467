package checkpoint

import (
	"fmt"
	"math"

	"parley/internal/bert"
	"parley/internal/f32"
)

// A made-up head. A checkpoint of a bare network has no masked-LM head, whose
// logits are E·LN(act(W·h + b)) + c, E being the word embeddings [V×H]. The one
// that is made up for it changes hidden states as little as such a head can:
//
//   - W is the identity and b one number so large that act(h + b) = h + b for
//     every h that the last layer norm can give (|h| ≤ |gain|·√(H-1) + |shift|).
//     The layer norm that follows takes b away again, so that the transform is
//     LN(h), whatever the activation, and transformers computes the same.
//   - Tanh has no such range: there W is so small that tanh is straight.
//   - The gain of LN is 1 over the root mean square of the embeddings' norms. The
//     logit of a term is then √H·cos(term, h)·(its norm, relative to the others'):
//     at most about √H, some 20, as those of masked-LMs are, whatever the scale
//     of E.
//   - The output bias is -noise times the relative norm. A hidden state that has
//     nothing to do with a term gives a logit of about that norm times a standard
//     normal, so that half of all logits would be positive, where a masked-LM's
//     are negative but for the few terms that may stand in a place. With the bias,
//     a term gets a weight where it is noise standard deviations nearer than by
//     chance. Special tokens, which are in every text, never get one: their bias
//     is the least that a logit can be.
//
// The network's embeddings are untouched, and the decoder is tied to them.
const (
	noise     = 4
	straight  = 20   // gelu and silu are the identity there to float32's precision
	tanhReach = 1e-2 // tanh is straight below it, to 3e-5
)

// madeUpHead returns the tensor name of the made-up head.
func (w *weights) madeUpHead(name string, f family, shape []int) ([]float32, error) {
	hidden := w.config.Hidden
	reach, err := w.reach()
	if err != nil {
		return nil, err
	}
	diagonal, shift := float32(1), float32(reach+straight)
	if w.config.HeadActivation == f32.Tanh {
		diagonal, shift = float32(tanhReach/reach), 0
	}
	var values []float32
	switch name {
	case f.dense + ".weight":
		values = make([]float32, hidden*hidden)
		for i := range hidden {
			values[i*hidden+i] = diagonal
		}
	case f.dense + ".bias":
		values = filled(hidden, shift)
	case f.norm + ".bias":
		values = filled(hidden, 0)
	default:
		bias, mean, err := w.biases(f)
		if err != nil {
			return nil, err
		}
		if values = filled(hidden, float32(1/mean)); name == f.bias {
			values = bias
		}
	}
	if n := product(shape); n != len(values) {
		return nil, fmt.Errorf("%s: the made-up tensor %s has %d values where %v is asked for", w.file.Path(), name, len(values), shape)
	}
	return values, nil
}

// reach returns the largest value that a hidden state of the last layer can have.
func (w *weights) reach() (float64, error) {
	stem := fmt.Sprintf("bert.encoder.layer.%d.output.LayerNorm", w.config.Layers-1)
	if w.config.Family == bert.DistilBERT {
		stem = fmt.Sprintf("distilbert.transformer.layer.%d.output_layer_norm", w.config.Layers-1)
	}
	gain, err := w.read(stem+".weight", []int{w.config.Hidden})
	if err != nil {
		return 0, err
	}
	shift, err := w.read(stem+".bias", []int{w.config.Hidden})
	if err != nil {
		return 0, err
	}
	reach, root := 0., math.Sqrt(float64(w.config.Hidden))
	for i := range gain {
		reach = max(reach, math.Abs(float64(gain[i]))*root+math.Abs(float64(shift[i])))
	}
	return max(reach, 1e-6), nil
}

// biases returns the bias of each term, and the root mean square of the norms of
// the embeddings.
func (w *weights) biases(f family) (bias []float32, mean float64, err error) {
	terms, hidden := w.config.Vocabulary, w.config.Hidden
	embeddings, err := w.read(f.prefix+"embeddings.word_embeddings.weight", []int{terms, hidden})
	if err != nil {
		return nil, 0, err
	}
	squares, sum := make([]float64, terms), 0.
	for i := range squares {
		for _, x := range embeddings[i*hidden : (i+1)*hidden] {
			squares[i] += float64(x) * float64(x)
		}
		sum += squares[i]
	}
	mean = max(math.Sqrt(sum/float64(terms)), 1e-6)
	bias = make([]float32, terms)
	for i, square := range squares {
		bias[i] = float32(-noise * math.Sqrt(square) / mean)
	}
	for _, term := range w.special {
		bias[term] = float32(-math.Sqrt(float64(hidden)*squares[term])/mean - 1)
	}
	return bias, mean, nil
}

func filled(n int, value float32) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = value
	}
	return values
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
