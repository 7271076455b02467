package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"parley/internal/bert"
	"parley/internal/durable"
	"parley/internal/f32"
	"parley/internal/safetensors"
	"parley/internal/wordpiece"
)

// Writing is what Write makes a folder of.
type Writing struct {
	Passage Part
	// Query is the encoder of queries; nil: the same as Passage.
	Query *Part
	// MostTerms is how many of a vector's terms are kept, the heaviest; 0: all.
	MostTerms int
	Card      Card
}

// Part is an encoder to be written.
type Part struct {
	Config     bert.Config
	Vocabulary *wordpiece.Vocabulary
	Parameters []*f32.Parameter // as Config.Tensors lists them
	// MaxQuery and MaxPassage are the tokens of the longest input, special ones
	// included; 0: as many as there are positions.
	MaxQuery, MaxPassage int
	// Static, in place of a network, holds the weight of each term in a query [V].
	Static []float32
}

// Write writes a folder that Open, transformers and, where it knows the head,
// sentence-transformers read: whole or not at all. What lies at path is replaced
// if it is an empty folder or one of the same kind.
func Write(path string, w Writing) error {
	dir, err := durable.CreateDir(path, w.marker())
	if err != nil {
		return err
	}
	defer dir.Discard()
	if err := WriteFiles(dir.Path(), w); err != nil {
		return err
	}
	return dir.Commit()
}

// marker returns the file that tells folders of this kind from others.
func (w *Writing) marker() string {
	if w.Query != nil {
		return ModulesFile
	}
	return ConfigFile
}

// WriteFiles writes the files of Write into the folder dir, which exists.
func WriteFiles(dir string, w Writing) error {
	if err := w.check(); err != nil {
		return err
	}
	if w.Query == nil {
		if err := w.Passage.write(dir); err != nil {
			return err
		}
		if w.Passage.isSplade() {
			if err := errors.Join(writeModules(dir, "", "1_SpladePooling"), w.Passage.writePooling(filepath.Join(dir, "1_SpladePooling"))); err != nil {
				return err
			}
		}
	} else if err := w.writeRouter(dir); err != nil {
		return err
	}
	if w.Query != nil || w.Passage.isSplade() {
		if err := w.writeSentences(dir); err != nil {
			return err
		}
	}
	return durable.WriteFile(filepath.Join(dir, ReadmeFile), w.readme())
}

// check says what cannot be written.
func (w *Writing) check() error {
	if w.Passage.Static != nil {
		return errors.New("passages have fixed weights and no network: only queries may")
	}
	if err := w.Passage.check(); err != nil {
		return err
	}
	if w.Query == nil {
		return nil
	}
	if !w.Passage.isSplade() || w.Query.Static == nil && !w.Query.isSplade() {
		return errors.New("sentence-transformers has no model whose encoders of queries and passages are apart, and have such heads: write two folders")
	}
	if w.Query.Vocabulary.Fingerprint() != w.Passage.Vocabulary.Fingerprint() {
		return errors.New("the encoders of queries and passages have two vocabularies: their vectors have no terms in common")
	}
	return w.Query.check()
}

func (p *Part) check() error {
	tokens := p.Vocabulary.Len()
	if p.Static != nil {
		if len(p.Static) != tokens {
			return fmt.Errorf("%d fixed weights for a vocabulary of %d tokens", len(p.Static), tokens)
		}
		return finite("weight", p.Static)
	}
	c := p.Config
	if err := c.Validate(); err != nil {
		return err
	}
	switch {
	case c.Vocabulary != tokens:
		return fmt.Errorf("a network of %d terms for a vocabulary of %d tokens", c.Vocabulary, tokens)
	case c.Head.Kind == bert.MaskedLM && c.HeadActivation != c.Activation:
		return fmt.Errorf("the head's activation is %v, the layers' %v, and transformers has one for both", c.HeadActivation, c.Activation)
	case c.Family == bert.DistilBERT && c.Epsilon != 1e-12:
		return fmt.Errorf("the epsilon of the layer norms is %v, and DistilBERT's is 1e-12", c.Epsilon)
	case p.MaxQuery < 0 || p.MaxPassage < 0 || max(p.MaxQuery, p.MaxPassage) > c.Positions:
		return fmt.Errorf("inputs of up to %d tokens for a network of %d positions", max(p.MaxQuery, p.MaxPassage), c.Positions)
	}
	return p.checkParameters()
}

// checkParameters demands that the parameters are the network's.
func (p *Part) checkParameters() error {
	tensors := p.Config.Tensors()
	if len(tensors) != len(p.Parameters) {
		return fmt.Errorf("%d parameters for a network of %d tensors", len(p.Parameters), len(tensors))
	}
	for i, t := range tensors {
		has := p.Parameters[i]
		if has.Name != t.Name || !slices.Equal(has.Shape, t.Shape) {
			return fmt.Errorf("parameter %s %v stands where %s %v is due", has.Name, has.Shape, t.Name, t.Shape)
		}
		if err := finite(t.Name, has.Value); err != nil {
			return err
		}
	}
	return nil
}

func finite(name string, values []float32) error {
	for i, x := range values {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fmt.Errorf("weight %d of tensor %s is %v, no finite number: it cannot be written", i, name, x)
		}
	}
	return nil
}

// isSplade tells whether sentence-transformers has the part's head.
func (p *Part) isSplade() bool {
	return p.Config.Head.Kind == bert.MaskedLM && p.Config.Head.Saturation != bert.Linear
}

// write writes the files of transformers into the folder dir, and those that
// sentence-transformers looks for beside them.
func (p *Part) write(dir string) error {
	if err := writeJSON(dir, ConfigFile, p.config()); err != nil {
		return err
	}
	if err := p.writeWeights(dir); err != nil {
		return err
	}
	if p.Static == nil && p.isSplade() {
		if err := writeJSON(dir, sentenceFiles()[0], p.sentences()); err != nil {
			return err
		}
	}
	return p.writeTokenizer(dir)
}

// lengths returns the longest inputs of queries, of passages and of both.
func (p *Part) lengths() (query, passage, both int) {
	query, passage = p.MaxQuery, p.MaxPassage
	if query == 0 {
		query = p.Config.Positions
	}
	if passage == 0 {
		passage = p.Config.Positions
	}
	return query, passage, max(query, passage)
}

// sentences returns what sentence-transformers is told of the transformer. The
// lengths of the sides are left out where they are one, since its older versions
// know one only.
func (p *Part) sentences() map[string]any {
	query, passage, both := p.lengths()
	members := map[string]any{"max_seq_length": both, "do_lower_case": false}
	if query < both {
		members["query_length"] = query
	}
	if passage < both {
		members["document_length"] = passage
	}
	return members
}

// config returns the config.json of the part.
func (p *Part) config() map[string]any {
	if p.Static != nil {
		return map[string]any{"frozen": true}
	}
	c := p.Config
	members := map[string]any{
		"model_type": c.Family.String(), "vocab_size": c.Vocabulary, "max_position_embeddings": c.Positions, "initializer_range": 0.02,
		"pad_token_id": nil, "tie_word_embeddings": !c.Untied, "torch_dtype": "float32",
	}
	if id, ok := p.Vocabulary.ID(wordpiece.Padding); ok {
		members["pad_token_id"] = id
	}
	class := map[bert.Family]string{bert.BERT: "Bert", bert.DistilBERT: "DistilBert"}[c.Family]
	members["architectures"] = []string{class + map[bert.Kind]string{bert.MaskedLM: "ForMaskedLM", bert.Lexical: "Model"}[c.Head.Kind]}
	if c.Family == bert.DistilBERT {
		members["dim"], members["n_layers"], members["n_heads"], members["hidden_dim"] = c.Hidden, c.Layers, c.Heads, c.Inner
		members["activation"], members["sinusoidal_pos_embds"] = nameOf(c.Activation), false
		members["dropout"], members["attention_dropout"] = exact(c.Dropout), exact(c.AttentionDropout)
	} else {
		members["hidden_size"], members["num_hidden_layers"], members["num_attention_heads"], members["intermediate_size"] = c.Hidden, c.Layers, c.Heads, c.Inner
		members["type_vocab_size"], members["layer_norm_eps"] = c.Types, exact(c.Epsilon)
		members["hidden_act"], members["position_embedding_type"] = nameOf(c.Activation), "absolute"
		members["hidden_dropout_prob"], members["attention_probs_dropout_prob"] = exact(c.Dropout), exact(c.AttentionDropout)
	}
	if !p.isSplade() {
		members[ownHeadSetting] = ownHead{c.Head.Kind.String(), c.Head.Pooling.String(), c.Head.Saturation.String(), c.Head.Skip}
	}
	return members
}

// exact returns x as JSON writes the shortest number that is x as a float32.
func exact(x float32) json.Number { return json.Number(strconv.FormatFloat(float64(x), 'g', -1, 32)) }

// nameOf returns the name that transformers has for an activation.
func nameOf(a f32.Activation) string {
	return map[f32.Activation]string{
		f32.GELU: "gelu", f32.GELUTanh: "gelu_new", f32.ReLU: "relu", f32.SiLU: "silu", f32.Tanh: "tanh", f32.Identity: "linear",
	}[a]
}

// writeWeights streams the part's tensors into the weight file of the folder dir.
func (p *Part) writeWeights(dir string) error {
	tensors := []safetensors.Tensor{{Name: "weight", Shape: []int{len(p.Static)}, F32: p.Static}}
	if p.Static == nil {
		tensors = tensors[:0]
	}
	for _, parameter := range p.Parameters {
		tensors = append(tensors, safetensors.Tensor{Name: parameter.Name, Shape: parameter.Shape, F32: parameter.Value})
		if c := p.Config; c.Family == bert.BERT && c.Untied && parameter.Name == familyOf(c).bias {
			// The bias that acts where the decoder is untied: transformers 5 does not tie it to the other.
			tensors = append(tensors, safetensors.Tensor{Name: decoderBias, Shape: parameter.Shape, F32: parameter.Value})
		}
	}
	f, err := durable.Create(filepath.Join(dir, WeightsFile))
	if err != nil {
		return err
	}
	defer f.Discard()
	if err := safetensors.Write(f, tensors, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	return f.Commit()
}

// writeTokenizer writes the tokenizer files into the folder dir.
func (p *Part) writeTokenizer(dir string) error {
	var plain, full bytes.Buffer
	if err := p.Vocabulary.WriteTokenizer(&full); err != nil {
		return err
	}
	files := map[string][]byte{TokenizerFile: full.Bytes()}
	class := map[bert.Family]string{bert.BERT: "BertTokenizer", bert.DistilBERT: "DistilBertTokenizer"}[p.Config.Family]
	o := p.Vocabulary.Options()
	if p.Vocabulary.Write(&plain) == nil {
		files[VocabularyFile] = plain.Bytes()
	}
	if o.KeepControls || files[VocabularyFile] == nil { // of which BertTokenizer knows nothing
		class = generic()[0]
		delete(files, VocabularyFile)
	}
	settings := map[string]any{"tokenizer_class": class, "do_lower_case": !o.Cased, "tokenize_chinese_chars": !o.JoinIdeographs, "strip_accents": nil}
	if o.Accents != wordpiece.AccentsByCase {
		settings["strip_accents"] = o.Accents == wordpiece.AccentsStripped
	}
	if _, _, both := p.lengths(); both > 0 {
		settings["model_max_length"] = both
	}
	if p.Config.Family == bert.DistilBERT {
		settings["model_input_names"] = []string{"input_ids", "attention_mask"} // it takes no token types
	}
	specials := map[string]string{}
	for _, special := range specialTokens() {
		if _, ok := p.Vocabulary.ID(special[1]); ok {
			settings[special[0]], specials[special[0]] = special[1], special[1]
		}
	}
	for _, name := range []string{VocabularyFile, TokenizerFile} {
		if files[name] == nil {
			continue
		}
		if err := durable.WriteFile(filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	return errors.Join(writeJSON(dir, SettingsFile, settings), writeJSON(dir, SpecialsFile, specials))
}

// writePooling writes the module that pools the part's logits into the folder dir.
func (p *Part) writePooling(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	function := "relu"
	if p.Config.Head.Saturation == bert.DoubleLog {
		function = "log1p_relu"
	}
	return writeJSON(dir, ConfigFile, map[string]any{
		"pooling_strategy": p.Config.Head.Pooling.String(), "activation_function": function, "word_embedding_dimension": p.Config.Vocabulary,
	})
}

// The types of sentence-transformers' modules, under the names that all its
// versions with sparse encoders know.
const (
	modelsOf      = "sentence_transformers.sparse_encoder.models."
	transformerOf = modelsOf + "MLMTransformer"
	poolingOf     = modelsOf + "SpladePooling"
	staticOf      = modelsOf + "SparseStaticEmbedding"
	routerOf      = "sentence_transformers.models.Router"
)

// writeModules writes the modules.json of a transformer and its pooling.
func writeModules(dir, transformer, pooling string) error {
	return writeJSON(dir, ModulesFile, []map[string]any{
		{"idx": 0, "name": "0", "path": transformer, "type": transformerOf},
		{"idx": 1, "name": "1", "path": pooling, "type": poolingOf},
	})
}

// writeRouter writes the two encoders, and the router to them, into the folder dir.
func (w *Writing) writeRouter(dir string) error {
	types, structure := map[string]string{}, map[string][]string{}
	for i, p := range []*Part{w.Query, &w.Passage} {
		route := []string{"query", "document"}[i]
		first, second := route+"_0_MLMTransformer", route+"_1_SpladePooling"
		if p.Static != nil {
			first, second = route+"_0_SparseStaticEmbedding", ""
		}
		types[first], structure[route] = transformerOf, []string{first}
		if p.Static != nil {
			types[first] = staticOf
		} else {
			types[second], structure[route] = poolingOf, []string{first, second}
			if err := p.writePooling(filepath.Join(dir, second)); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(filepath.Join(dir, first), 0o777); err != nil {
			return err
		}
		if err := p.write(filepath.Join(dir, first)); err != nil {
			return err
		}
	}
	return errors.Join(
		writeJSON(dir, ModulesFile, []map[string]any{{"idx": 0, "name": "0", "path": "", "type": routerOf}}),
		writeJSON(dir, "router_config.json", map[string]any{
			"types": types, "structure": structure, "parameters": map[string]any{"default_route": "document", "allow_empty_key": true},
		}))
}

// writeSentences writes what sentence-transformers keeps of the whole model.
func (w *Writing) writeSentences(dir string) error {
	members := map[string]any{
		"model_type": "SparseEncoder", "prompts": map[string]string{"query": "", "document": ""},
		"default_prompt_name": nil, "similarity_fn_name": "dot",
	}
	if w.MostTerms > 0 {
		members["max_active_dims"] = w.MostTerms
	}
	return writeJSON(dir, SentencesFile, members)
}

// writeJSON writes value, its maps in the order of their keys, into a file of the
// folder dir.
func writeJSON(dir, name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, name), append(text, '\n'))
}

// Writing returns what writes f again: in float32, in one file, and with the head
// that was made up where there was none. Its parameters are f's own memory.
func (f *Folder) Writing() (Writing, error) {
	w := Writing{MostTerms: f.MostTerms}
	var err error
	if w.Passage, err = f.Passage.part(); err != nil || f.Query == f.Passage {
		return w, err
	}
	query, err := f.Query.part()
	w.Query = &query
	return w, err
}

// part returns what writes s again.
func (s *Side) part() (Part, error) {
	p := Part{Config: s.Config, Vocabulary: s.Vocabulary, Static: s.Static}
	if s.Static != nil {
		if s.MaxQuery < math.MaxInt32 {
			p.MaxQuery = s.MaxQuery
		}
		return p, nil
	}
	p.MaxQuery, p.MaxPassage = s.MaxQuery, s.MaxPassage
	for _, t := range s.Config.Tensors() {
		values, err := s.weights.F32(t.Name, t.Shape...)
		if err != nil {
			return p, err
		}
		p.Parameters = append(p.Parameters, &f32.Parameter{Name: t.Name, Shape: t.Shape, Value: values})
	}
	return p, nil
}
