package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"parley/internal/bert"
	"parley/internal/f32"
)

// activations are the names that transformers has for functions that Parley has.
// Those with tanh differ in how they are computed, not in what.
func activations() map[string]f32.Activation {
	return map[string]f32.Activation{
		"gelu": f32.GELU, "gelu_python": f32.GELU,
		"gelu_new": f32.GELUTanh, "gelu_pytorch_tanh": f32.GELUTanh, "gelu_python_tanh": f32.GELUTanh, "gelu_fast": f32.GELUTanh, "gelu_accurate": f32.GELUTanh,
		"relu": f32.ReLU, "silu": f32.SiLU, "swish": f32.SiLU, "tanh": f32.Tanh, "linear": f32.Identity,
	}
}

// refused are the settings of config.json that change the result and that Parley
// does not have, unless they are off. Other settings that transformers has for
// these families, as dropout of classifiers and names of labels, change nothing
// here, and it ignores those that it does not know.
func refused() [][2]string {
	const noDecoder = "only encoders can be read"
	const noPositions = "only learned absolute positions can be read"
	return [][2]string{
		{"is_decoder", noDecoder},
		{"add_cross_attention", noDecoder},
		{"is_encoder_decoder", noDecoder},
		{"pruned_heads", "only networks with all their heads can be read: load it in transformers and save it as it is then"},
		{"per_layer_config", "only layers that are all alike can be read"},
		{"quantization_config", "only weights in float32, float16 or bfloat16 can be read: convert the model back"},
		{"auto_map", "a model with code of its own cannot be read"},
		{"rope_scaling", noPositions},
		{"rope_parameters", noPositions},
		{"alibi_starting_size", noPositions},
	}
}

// readConfig reads the config.json of transformers in the folder dir.
func readConfig(dir string) (bert.Config, error) {
	path := filepath.Join(dir, ConfigFile)
	members, err := readObject(path)
	if errors.Is(err, fs.ErrNotExist) {
		return bert.Config{}, fmt.Errorf("%s has no %s: name the folder of a transformers model", dir, ConfigFile)
	}
	if err != nil {
		return bert.Config{}, err
	}
	s := &settings{path: path, members: members}
	c := s.config()
	if s.err != nil {
		return bert.Config{}, s.err
	}
	if err := c.Validate(); err != nil {
		return bert.Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// config returns the configuration that s holds, with transformers' defaults for
// what it leaves out.
func (s *settings) config() bert.Config {
	c := bert.Config{
		Vocabulary: s.int(30522, "vocab_size"),
		Positions:  s.int(512, "max_position_embeddings"),
		Epsilon:    1e-12,
		Untied:     !s.bool(true, "tie_word_embeddings"),
	}
	var function string
	switch family := s.text("", "model_type"); family {
	case "bert":
		c.Family = bert.BERT
		c.Hidden, c.Layers, c.Heads = s.int(768, "hidden_size"), s.int(12, "num_hidden_layers"), s.int(12, "num_attention_heads")
		c.Inner, c.Types = s.int(3072, "intermediate_size"), s.int(2, "type_vocab_size")
		c.Epsilon, function = float32(s.float(1e-12, "layer_norm_eps")), "hidden_act"
		c.Dropout, c.AttentionDropout = float32(s.float(.1, "hidden_dropout_prob")), float32(s.float(.1, "attention_probs_dropout_prob"))
	case "distilbert":
		c.Family = bert.DistilBERT
		c.Hidden, c.Layers, c.Heads = s.int(768, "dim", "hidden_size"), s.int(6, "n_layers", "num_hidden_layers"), s.int(12, "n_heads", "num_attention_heads")
		c.Inner, function = s.int(4*768, "hidden_dim"), "activation"
		c.Dropout, c.AttentionDropout = float32(s.float(.1, "dropout")), float32(s.float(.1, "attention_dropout"))
	case "":
		s.fail("it names no model_type: add that of the model, bert or distilbert")
	default:
		s.wrong("model_type", "only bert and distilbert can be read")
	}
	c.Activation = s.activation(function)
	c.HeadActivation = c.Activation
	if kind := s.text("absolute", "position_embedding_type"); kind != "absolute" {
		s.wrong("position_embedding_type", "only absolute positions can be read")
	}
	for _, setting := range refused() {
		s.refuse(setting[0], setting[1])
	}
	s.ownHead(&c)
	return c
}

// fail keeps an error about the file.
func (s *settings) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%s: %s", s.path, fmt.Sprintf(format, args...))
	}
}

func (s *settings) activation(name string) f32.Activation {
	known := activations()
	a, ok := known[s.text("gelu", name)]
	if !ok {
		s.wrong(name, "the activations that can be read are %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	return a
}

// ownHeadSetting is a setting of config.json, which transformers ignores, that
// says of a head what its own settings and those of sentence-transformers cannot.
const ownHeadSetting = "parley_head"

// ownHead is the value of ownHeadSetting.
type ownHead struct {
	Kind       string   `json:"kind"`
	Pooling    string   `json:"pooling"`
	Saturation string   `json:"saturation"`
	Skip       []uint32 `json:"skip,omitempty"`
}

// ownHead reads the head that Parley wrote, if there is one.
func (s *settings) ownHead(c *bert.Config) {
	if !s.has(ownHeadSetting) {
		return
	}
	var h ownHead
	if err := decodeStrictly(s.members[ownHeadSetting], &h); err != nil {
		s.wrong(ownHeadSetting, "%v", err)
		return
	}
	for _, kind := range []bert.Kind{bert.MaskedLM, bert.Lexical} {
		for _, pooling := range []bert.Pooling{bert.Max, bert.Sum} {
			for _, saturation := range []bert.Saturation{bert.Log1p, bert.DoubleLog, bert.Linear} {
				if h.Kind == kind.String() && h.Pooling == pooling.String() && h.Saturation == saturation.String() {
					c.Head = bert.Head{Kind: kind, Pooling: pooling, Saturation: saturation, Skip: h.Skip}
					return
				}
			}
		}
	}
	s.wrong(ownHeadSetting, "there is no such head")
}
