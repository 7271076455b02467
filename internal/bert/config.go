package bert

import (
	"fmt"
	"math"

	"parley/internal/f32"
)

// Family is a kind of transformer, which tells tensor names and where dropout
// acts.
type Family uint8

// The families, by the model_type of their config.json.
const (
	BERT       Family = iota // transformers' BertForMaskedLM
	DistilBERT               // transformers' DistilBertForMaskedLM: no token types, no dropout after attention
)

// String returns the family's name.
func (f Family) String() string { return name(int(f), "bert", "distilbert") }

// Kind says what gives terms their weights.
type Kind uint8

// The kinds of head.
const (
	MaskedLM Kind = iota // logits of the masked-language-model head, over the whole vocabulary (SPLADE)
	Lexical              // one weight a token, for the terms that occur (uniCOIL)
)

// String returns the kind's name.
func (k Kind) String() string { return name(int(k), "masked-lm", "lexical") }

// Pooling says how the weights that the tokens of a sequence give a term become
// one.
type Pooling uint8

// The ways of pooling.
const (
	Max Pooling = iota
	Sum
)

// String returns the pooling's name.
func (p Pooling) String() string { return name(int(p), "max", "sum") }

// Saturation is the function from a logit to a weight.
type Saturation uint8

// The saturations.
const (
	Log1p     Saturation = iota // log(1 + relu(x))
	DoubleLog                   // log(1 + log(1 + relu(x)))
	Linear                      // relu(x)
)

// String returns the saturation's name.
func (s Saturation) String() string { return name(int(s), "log1p", "double-log", "linear") }

func name(i int, names ...string) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown %d", i)
}

// Head says how a sequence's last hidden states become a sparse vector. The
// zero value is SPLADE's: max pooling of log(1 + relu(logit)).
type Head struct {
	Kind       Kind
	Pooling    Pooling
	Saturation Saturation
	Skip       []uint32 // Lexical: terms that get no weight, as [CLS] and [SEP]
}

// Config are the sizes and functions of a network.
type Config struct {
	Family           Family
	Vocabulary       int // V
	Hidden           int // H
	Layers           int
	Heads            int            // of attention; they divide H
	Inner            int            // width of the feed-forward layers
	Positions        int            // the longest sequence
	Types            int            // token types; 0 for DistilBERT, which has no table of them
	Epsilon          float32        // added to the variance by layer norms
	Activation       f32.Activation // of the feed-forward layers
	HeadActivation   f32.Activation // of the masked-LM transform
	Dropout          float32        // of hidden states
	AttentionDropout float32        // of attention probabilities
	Untied           bool           // the decoder has weights of its own, not the word embeddings
	Head             Head
}

// Validate reports what keeps c from being a network.
func (c Config) Validate() error {
	if err := c.validateSizes(); err != nil {
		return err
	}
	switch {
	case !(c.Epsilon > 0) || math.IsInf(float64(c.Epsilon), 0):
		return fmt.Errorf("the epsilon of the layer norms is %v: it must be positive and finite", c.Epsilon)
	case c.Activation > f32.Tanh:
		return fmt.Errorf("unknown activation %d of the feed-forward layers", c.Activation)
	case c.HeadActivation > f32.Tanh:
		return fmt.Errorf("unknown activation %d of the head", c.HeadActivation)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("dropout of hidden states is %v: it must be at least 0 and below 1", c.Dropout)
	case !(c.AttentionDropout >= 0 && c.AttentionDropout < 1):
		return fmt.Errorf("dropout of attention is %v: it must be at least 0 and below 1", c.AttentionDropout)
	}
	return c.validateHead()
}

// Bounds of sizes, far above real ones: products of two fit an int of 64 bits,
// and the list of tensors stays short, whatever a file says.
const (
	maxSize   = 1 << 24
	maxLayers = 1 << 10
)

func (c Config) validateSizes() error {
	for _, size := range []struct {
		what               string
		value, least, most int
	}{
		{"vocabulary", c.Vocabulary, 1, maxSize},
		{"hidden size", c.Hidden, 1, maxSize},
		{"number of layers", c.Layers, 0, maxLayers},
		{"number of attention heads", c.Heads, 1, maxSize},
		{"inner size", c.Inner, 1, maxSize},
		{"number of positions", c.Positions, 1, maxSize},
		{"number of token types", c.Types, 0, math.MaxUint8 + 1},
	} {
		if size.value < size.least || size.value > size.most {
			return fmt.Errorf("the %s is %d: it must be from %d to %d", size.what, size.value, size.least, size.most)
		}
	}
	switch {
	case c.Family > DistilBERT:
		return fmt.Errorf("unknown family %d of networks", c.Family)
	case c.Hidden%c.Heads != 0:
		return fmt.Errorf("the hidden size %d is no multiple of the %d attention heads", c.Hidden, c.Heads)
	case c.Family == DistilBERT && c.Types != 0:
		return fmt.Errorf("a DistilBERT with %d token types: it has none", c.Types)
	case c.Family == BERT && c.Types == 0:
		return fmt.Errorf("a BERT without token types: it has one at least")
	}
	return nil
}

func (c Config) validateHead() error {
	switch h := c.Head; {
	case h.Kind > Lexical:
		return fmt.Errorf("unknown kind %d of head", h.Kind)
	case h.Pooling > Sum:
		return fmt.Errorf("unknown pooling %d", h.Pooling)
	case h.Saturation > Linear:
		return fmt.Errorf("unknown saturation %d", h.Saturation)
	case h.Kind == Lexical && c.Untied:
		return fmt.Errorf("a lexical head with an untied decoder: it has no decoder")
	case h.Kind == MaskedLM && len(h.Skip) > 0:
		return fmt.Errorf("a masked-LM head with terms to skip: only a lexical head skips terms")
	}
	for _, term := range c.Head.Skip {
		if uint64(term) >= uint64(c.Vocabulary) {
			return fmt.Errorf("term %d to skip is outside the vocabulary of %d", term, c.Vocabulary)
		}
	}
	return nil
}

// headSize returns the width of an attention head.
func (c Config) headSize() int { return c.Hidden / c.Heads }

// Tensor is the name and the shape of an array of weights.
type Tensor struct {
	Name  string
	Shape []int
}

// Tensors returns what a network of c consists of, under the names that
// transformers gives them; a tied decoder is there once, as the embeddings.
func (c Config) Tensors() []Tensor {
	var tensors []Tensor
	c.each(func(name string, shape ...int) { tensors = append(tensors, Tensor{name, shape}) })
	return tensors
}

// names are the names of one family's tensors, those of layers below layer(i).
type names struct {
	base                               string // prefix of the embeddings
	layer                              string // prefix of layer %d
	query, key, value, out, outNorm    string
	inner, outer, outerNorm            string
	transform, headNorm, decoder, bias string
}

var namesOf = [...]names{
	BERT: {
		base: "bert.embeddings.", layer: "bert.encoder.layer.%d.",
		query: "attention.self.query", key: "attention.self.key", value: "attention.self.value",
		out: "attention.output.dense", outNorm: "attention.output.LayerNorm",
		inner: "intermediate.dense", outer: "output.dense", outerNorm: "output.LayerNorm",
		transform: "cls.predictions.transform.dense", headNorm: "cls.predictions.transform.LayerNorm",
		decoder: "cls.predictions.decoder.weight", bias: "cls.predictions.bias",
	},
	DistilBERT: {
		base: "distilbert.embeddings.", layer: "distilbert.transformer.layer.%d.",
		query: "attention.q_lin", key: "attention.k_lin", value: "attention.v_lin",
		out: "attention.out_lin", outNorm: "sa_layer_norm",
		inner: "ffn.lin1", outer: "ffn.lin2", outerNorm: "output_layer_norm",
		transform: "vocab_transform", headNorm: "vocab_layer_norm",
		decoder: "vocab_projector.weight", bias: "vocab_projector.bias",
	},
}

// each calls tensor for every tensor of the network, in the order of its
// Parameters: weights of query, key and value follow each other, and their
// biases, so that they are one matrix.
func (c Config) each(tensor func(name string, shape ...int)) {
	n, h := namesOf[c.Family], c.Hidden
	pair := func(name string, shape ...int) {
		tensor(name+".weight", shape...)
		tensor(name+".bias", shape[0])
	}
	tensor(n.base+"word_embeddings.weight", c.Vocabulary, h)
	tensor(n.base+"position_embeddings.weight", c.Positions, h)
	if c.Types > 0 {
		tensor(n.base+"token_type_embeddings.weight", c.Types, h)
	}
	pair(n.base+"LayerNorm", h)
	for i := range c.Layers {
		layer := fmt.Sprintf(n.layer, i)
		for _, name := range []string{n.query, n.key, n.value} {
			tensor(layer+name+".weight", h, h)
		}
		for _, name := range []string{n.query, n.key, n.value} {
			tensor(layer+name+".bias", h)
		}
		pair(layer+n.out, h, h)
		pair(layer+n.outNorm, h)
		pair(layer+n.inner, c.Inner, h)
		pair(layer+n.outer, h, c.Inner)
		pair(layer+n.outerNorm, h)
	}
	if c.Head.Kind == Lexical {
		pair("tok_proj", 1, h)
		return
	}
	pair(n.transform, h, h)
	pair(n.headNorm, h)
	if c.Untied {
		tensor(n.decoder, c.Vocabulary, h)
	}
	tensor(n.bias, c.Vocabulary)
}
