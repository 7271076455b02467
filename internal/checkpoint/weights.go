package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"parley/internal/bert"
	"parley/internal/safetensors"
)

// weights are the tensors of a network in a weight file, under the names that
// bert has for them.
type weights struct {
	config  bert.Config
	file    *safetensors.File
	rows    int               // of the file's vocabulary, which may be padded beyond the tokenizer's
	names   map[string]string // by bert's name: the file's
	madeUp  bool              // there is no head, and a near-identity one is made up
	special []uint32          // terms that a made-up head gives no weight
}

// openWeights maps the weights in the folder dir: one file, or shards.
func openWeights(dir string) (*safetensors.File, error) {
	f, err := safetensors.Open(filepath.Join(dir, WeightsFile))
	if errors.Is(err, fs.ErrNotExist) {
		f, err = safetensors.OpenSharded(filepath.Join(dir, ShardsFile))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noWeights(dir)
	}
	return f, err
}

// noWeights says what to do about a folder that has no weights in safetensors.
func noWeights(dir string) error {
	if isFile(filepath.Join(dir, "adapter_config.json")) {
		return fmt.Errorf("%s holds an adapter, not a whole model: merge it into its base in Python, with peft's merge_and_unload and save_pretrained", dir)
	}
	others := []string{
		"pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack", "model.onnx", "openvino_model.xml",
	}
	for _, other := range others {
		if isFile(filepath.Join(dir, other)) {
			return fmt.Errorf("%s has its weights in %s alone, and Parley reads %s: convert them in Python, with "+
				"transformers.AutoModelForMaskedLM.from_pretrained(%q).save_pretrained(%q)", dir, other, WeightsFile, dir, dir)
		}
	}
	return fmt.Errorf("%s has neither a %s nor a %s: fetch the weights too", dir, WeightsFile, ShardsFile)
}

// family is what the tensor names of one family have in common.
type family struct {
	prefix  string   // of the names of the bare network, which checkpoints of it leave out
	bare    []string // what such names begin with
	head    string   // what the names of the masked-LM head begin with
	dense   string   // the transform of the head
	norm    string   // its layer norm
	decoder string
	bias    string
	ignored []string // what names begin with that no encoder needs
}

func familyOf(c bert.Config) family {
	if c.Family == bert.DistilBERT {
		return family{
			prefix: "distilbert.", bare: []string{"embeddings.", "transformer."}, head: "vocab_",
			dense: "vocab_transform", norm: "vocab_layer_norm", decoder: "vocab_projector.weight", bias: "vocab_projector.bias",
			ignored: []string{"distilbert.embeddings.position_ids"},
		}
	}
	return family{
		prefix: "bert.", bare: []string{"embeddings.", "encoder.", "pooler."}, head: "cls.predictions.",
		dense: "cls.predictions.transform.dense", norm: "cls.predictions.transform.LayerNorm",
		decoder: "cls.predictions.decoder.weight", bias: "cls.predictions.bias",
		ignored: []string{"bert.embeddings.position_ids", "bert.embeddings.token_type_ids", "bert.pooler.", "cls.seq_relationship."},
	}
}

// decoderBias is the other name of BERT's bias: of an untied decoder it is the one
// that acts.
const decoderBias = "cls.predictions.decoder.bias"

// lexicalPrefix begins the names of a lexical head.
const lexicalPrefix = "tok_proj."

// canonical returns bert's name for what a checkpoint calls name: with the
// family's prefix, and the layer norms' weight and bias for the gamma and beta of
// checkpoints that came from TensorFlow.
func (f family) canonical(name string) string {
	for _, bare := range f.bare {
		if strings.HasPrefix(name, bare) {
			name = f.prefix + name
			break
		}
	}
	if stem, ok := strings.CutSuffix(name, "LayerNorm.gamma"); ok {
		return stem + "LayerNorm.weight"
	}
	if stem, ok := strings.CutSuffix(name, "LayerNorm.beta"); ok {
		return stem + "LayerNorm.bias"
	}
	return name
}

// newWeights finds the tensors of a network of c in file, and settles what c
// leaves to them: whether there is a head, of which kind, and whether its decoder
// is tied. It returns what had to be assumed.
func newWeights(c *bert.Config, file *safetensors.File) (*weights, []string, error) {
	f := familyOf(*c)
	w := &weights{file: file, rows: c.Vocabulary, names: map[string]string{}}
	for _, name := range file.Names() {
		canonical := f.canonical(name)
		if slices.ContainsFunc(f.ignored, func(prefix string) bool { return strings.HasPrefix(canonical, prefix) }) {
			continue
		}
		if other, twice := w.names[canonical]; twice {
			return nil, nil, fmt.Errorf("%s has the tensor %s twice, as %q and as %q: remove one", file.Path(), canonical, other, name)
		}
		w.names[canonical] = name
	}
	notes := w.settleHead(c, f)
	if w.madeUp && c.Layers == 0 {
		return nil, nil, fmt.Errorf("%s has neither layers nor a masked-LM head: there is nothing to encode with", file.Path())
	}
	if tensors := len(file.Names()); c.Layers > tensors { // before they are listed
		return nil, nil, fmt.Errorf("%s has %d tensors, too few for the %d layers of %s", file.Path(), tensors, c.Layers, ConfigFile)
	}
	w.config = *c
	return w, notes, w.check(f)
}

// settleHead settles the kind of head and the ties of the masked-LM head.
func (w *weights) settleHead(c *bert.Config, f family) (notes []string) {
	if w.names[lexicalPrefix+"weight"] != "" {
		if c.Head.Kind != bert.Lexical {
			c.Head = bert.Head{Kind: bert.Lexical, Pooling: bert.Max, Saturation: bert.Linear}
			notes = []string{"the head gives one weight a token, as uniCOIL's: the maximum of relu over a term's occurrences"}
		}
		c.Untied = false
		return notes
	}
	if c.Head.Kind == bert.Lexical {
		return nil
	}
	if w.names[f.dense+".weight"] == "" && !w.hasDecoder(f) {
		c.Untied, w.madeUp = false, true
		return []string{"there is no masked-LM head: one is made up that changes hidden states little, its decoder tied to the embeddings; train before you rely on it"}
	}
	return w.settleTies(c, f)
}

// hasDecoder tells whether there is a part of a masked-LM head behind its
// transform.
func (w *weights) hasDecoder(f family) bool {
	return w.names[f.decoder] != "" || w.names[f.bias] != "" || w.names[f.norm+".weight"] != ""
}

// settleTies settles which decoder and which bias act, as transformers does: what
// is there twice under a tie is untied if it differs; what is there once is tied.
func (w *weights) settleTies(c *bert.Config, f family) (notes []string) {
	embeddings := f.prefix + "embeddings.word_embeddings.weight"
	if w.names[f.decoder] == "" && c.Untied {
		c.Untied = false
		notes = append(notes, "the decoder is tied to the embeddings, though "+ConfigFile+" says that it is not: it has no weights of its own")
	}
	if w.names[f.decoder] != "" && !c.Untied {
		if c.Untied = !w.file.Same(w.names[f.decoder], w.names[embeddings]); c.Untied {
			notes = append(notes, "the decoder has weights of its own, though "+ConfigFile+" says that it is tied to the embeddings")
		}
	}
	if own := w.names[decoderBias]; own != "" && c.Family == bert.BERT {
		if w.names[f.bias] != "" && !w.file.Same(own, w.names[f.bias]) {
			notes = append(notes, "the bias of the output is "+decoderBias+", which acts, and not "+f.bias)
		}
		w.names[f.bias] = own
		delete(w.names, decoderBias)
	}
	return notes
}

// check compares what the network needs with what there is: names and shapes.
func (w *weights) check(f family) error {
	infos := map[string]safetensors.Info{}
	for _, info := range w.file.Tensors() {
		infos[info.Name] = info
	}
	rest := maps.Clone(w.names)
	for _, t := range w.config.Tensors() {
		if w.isMadeUp(t.Name, f) {
			continue
		}
		info, ok := infos[rest[t.Name]]
		if !ok {
			return fmt.Errorf("%s lacks the tensor %s, which %s asks for: fetch or convert the model again", w.file.Path(), t.Name, ConfigFile)
		}
		if err := fits(info, t.Shape); err != nil {
			return err
		}
		delete(rest, t.Name)
	}
	if !w.config.Untied {
		delete(rest, f.decoder) // equal to the embeddings
	}
	if w.config.Head.Kind == bert.Lexical {
		maps.DeleteFunc(rest, func(canonical, _ string) bool { return strings.HasPrefix(canonical, f.head) })
	}
	if left := slices.Sorted(maps.Values(rest)); len(left) > 0 {
		return fmt.Errorf("%s has the tensor %q, for which no %s has a use here: it belongs to another kind of model", w.file.Path(), left[0], w.config.Family)
	}
	return nil
}

// fits checks the shape and the type of a tensor.
func fits(info safetensors.Info, shape []int) error {
	if !slices.Equal(info.Shape, shape) {
		return fmt.Errorf("%s: the tensor %q has shape %v where %s makes it %v: weights and configuration are of two models", info.Path, info.Name, info.Shape, ConfigFile, shape)
	}
	switch info.DType {
	case safetensors.F32, safetensors.F16, safetensors.BF16:
		return nil
	}
	return fmt.Errorf("%s: the tensor %q is of type %s, and Parley reads F32, F16 and BF16: save the model in one of those", info.Path, info.Name, info.DType)
}

// isMadeUp tells whether a tensor of the network is made up.
func (w *weights) isMadeUp(name string, f family) bool {
	return w.madeUp && strings.HasPrefix(name, f.head)
}

// Release tells that values, which F32 returned, are not needed for now.
func (w *weights) Release(values []float32) { w.file.Release(values) }

// F32 returns the tensor name of the network, widened to float32.
func (w *weights) F32(name string, shape ...int) ([]float32, error) {
	f := familyOf(w.config)
	if w.isMadeUp(name, f) {
		return w.madeUpHead(name, f, shape)
	}
	return w.read(name, shape)
}

// read returns a tensor that the file has. Rows of the file's vocabulary beyond
// the tokenizer's are left out.
func (w *weights) read(name string, shape []int) ([]float32, error) {
	at := w.names[name]
	if at == "" {
		return nil, fmt.Errorf("%s has no tensor %s", w.file.Path(), name)
	}
	stored := slices.Clone(shape)
	if w.perTerm(name) && len(stored) > 0 && stored[0] == w.config.Vocabulary {
		stored[0] = w.rows
	}
	t, err := w.file.F32(at, stored...)
	if err != nil {
		return nil, err
	}
	values := t.F32
	if w.perTerm(name) && w.rows > 0 {
		values = values[:len(values)/w.rows*w.config.Vocabulary]
	}
	for i, x := range values {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("%s: weight %d of tensor %q is %v, no finite number: the file is damaged, or its training diverged", w.file.Path(), i, at, x)
		}
	}
	w.file.Release(values) // which the look at each of them has brought into memory
	return values, nil
}

// perTerm tells whether a tensor has a row a term.
func (w *weights) perTerm(name string) bool {
	f := familyOf(w.config)
	return name == f.prefix+"embeddings.word_embeddings.weight" || name == f.decoder || name == f.bias
}
