package checkpoint

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/internal/bert"
	"parley/internal/f32"
	"parley/internal/safetensors"
	"parley/internal/wordpiece"
)

var families = []bert.Family{bert.BERT, bert.DistilBERT}

// checkSource demands that the side has exactly these tensors.
func checkSource(t *testing.T, s *Side, want []safetensors.Tensor) {
	t.Helper()
	byName := map[string]safetensors.Tensor{}
	for _, tensor := range want {
		byName[tensor.Name] = tensor
	}
	for _, tensor := range s.Config.Tensors() {
		got, err := s.Source().F32(tensor.Name, tensor.Shape...)
		if err != nil {
			t.Error(err)
		} else if !slices.Equal(got, byName[tensor.Name].F32) {
			t.Errorf("tensor %s is another", tensor.Name)
		}
	}
}

func TestOpen(t *testing.T) {
	for _, family := range families {
		f := open(t, folder(t, files(t, family)))
		if f.Query != f.Passage || !f.Passage.HasHead || len(f.Notes) != 0 || f.Passage.MaxQuery != 16 {
			t.Errorf("%v: %+v, notes %q", family, f.Passage, f.Notes)
		}
		if !reflect.DeepEqual(f.Passage.Config, small(family)) {
			t.Errorf("%v: configuration %+v", family, f.Passage.Config)
		}
		checkSource(t, f.Passage, network(t, small(family)))
		if v := vector(t, f.Passage, "[CLS]", "the", "tower", "[SEP]"); len(v) == 0 {
			t.Errorf("%v: an empty vector", family)
		}
		if _, err := f.Passage.Source().F32("nothing", 1); err == nil {
			t.Errorf("%v: a tensor that is not there", family)
		}
	}
}

// renamed returns the tensors under other names; a name that becomes empty is
// dropped.
func renamed(tensors []safetensors.Tensor, name func(string) string) []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, tensor := range tensors {
		if tensor.Name = name(tensor.Name); tensor.Name != "" {
			out = append(out, tensor)
		}
	}
	return out
}

// TestNames reads the names that the field's checkpoints have.
func TestNames(t *testing.T) {
	bare := renamed(network(t, small(bert.BERT)), func(name string) string { return strings.TrimPrefix(name, "bert.") })
	old := renamed(network(t, small(bert.BERT)), func(name string) string {
		return strings.ReplaceAll(strings.ReplaceAll(name, "LayerNorm.weight", "LayerNorm.gamma"), "LayerNorm.bias", "LayerNorm.beta")
	})
	heads := append(network(t, small(bert.BERT)),
		safetensors.Tensor{Name: "bert.pooler.dense.weight", Shape: []int{1}, F32: []float32{1}},
		safetensors.Tensor{Name: "cls.seq_relationship.bias", Shape: []int{1}, F32: []float32{1}},
		safetensors.Tensor{Name: "bert.embeddings.position_ids", Shape: []int{1}, I32: []int32{1}})
	for what, tensors := range map[string][]safetensors.Tensor{"bare": bare, "gamma and beta": old, "left-over heads": heads} {
		all := files(t, bert.BERT)
		all[WeightsFile] = file(t, tensors)
		f := open(t, folder(t, all))
		t.Log(what)
		checkSource(t, f.Passage, network(t, small(bert.BERT)))
	}
}

// TestTies settles what transformers settles about the decoder.
func TestTies(t *testing.T) {
	untied := small(bert.BERT)
	untied.Untied = true
	own := network(t, untied)
	twice := append(network(t, small(bert.BERT)), safetensors.Tensor{Name: "cls.predictions.decoder.weight", Shape: []int{11, 8}, F32: own[0].F32})
	bias := make([]float32, 11)
	both := append(slices.Clone(own), safetensors.Tensor{Name: decoderBias, Shape: []int{11}, F32: bias})
	onlyOther := renamed(network(t, small(bert.BERT)), func(name string) string {
		return strings.Replace(name, "cls.predictions.bias", decoderBias, 1)
	})
	for _, test := range []struct {
		what, tie string
		tensors   []safetensors.Tensor
		untied    bool
		note      string
	}{
		{"tied, no decoder", "true", network(t, small(bert.BERT)), false, ""},
		{"tied, the same decoder", "true", twice, false, ""},
		{"tied, another decoder", "true", own, true, "weights of its own, though"},
		{"untied", "false", own, true, ""},
		{"untied, no decoder", "false", network(t, small(bert.BERT)), false, "tied to the embeddings, though"},
		{"two biases", "false", both, true, "which acts"},
		{"the other bias", "true", onlyOther, false, ""},
	} {
		all := files(t, bert.BERT)
		all[ConfigFile] = set(t, all[ConfigFile], "tie_word_embeddings", test.tie)
		all[WeightsFile] = file(t, test.tensors)
		f := open(t, folder(t, all))
		if f.Passage.Config.Untied != test.untied || (len(f.Notes) > 0) != (test.note != "") || !strings.Contains(strings.Join(f.Notes, " "), test.note) {
			t.Errorf("%s: untied %t, notes %q", test.what, f.Passage.Config.Untied, f.Notes)
		}
		got, err := f.Passage.Source().F32("cls.predictions.bias", 11)
		if err != nil || test.what == "two biases" != slices.Equal(got, bias) {
			t.Errorf("%s: bias %v, %v", test.what, got, err)
		}
	}
}

// TestMadeUpHead demands that the made-up transform is a layer norm, whatever the
// activation, and that its vectors are neither empty nor full.
func TestMadeUpHead(t *testing.T) {
	for _, family := range families {
		for name, act := range map[string]f32.Activation{"gelu": f32.GELU, "gelu_new": f32.GELUTanh, "silu": f32.SiLU, "relu": f32.ReLU, "tanh": f32.Tanh, "linear": f32.Identity} {
			checkMadeUp(t, family, name, act)
		}
	}
}

func checkMadeUp(t *testing.T, family bert.Family, name string, act f32.Activation) {
	t.Helper()
	all := files(t, family)
	key := map[bert.Family]string{bert.BERT: "hidden_act", bert.DistilBERT: "activation"}[family]
	all[ConfigFile] = set(t, all[ConfigFile], key, `"`+name+`"`)
	head := familyOf(small(family)).head
	all[WeightsFile] = file(t, renamed(network(t, small(family)), func(name string) string {
		if strings.HasPrefix(name, head) {
			return ""
		}
		return name
	}))
	f := open(t, folder(t, all))
	if f.Passage.HasHead || len(f.Notes) != 1 || f.Passage.Config.HeadActivation != act {
		t.Fatalf("%v %s: head %t, notes %q, %+v", family, name, f.Passage.HasHead, f.Notes, f.Passage.Config)
	}
	names := familyOf(f.Passage.Config)
	dense, err := f.Passage.Source().F32(names.dense+".weight", 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	shift, err := f.Passage.Source().F32(names.dense+".bias", 8)
	if err != nil {
		t.Fatal(err)
	}
	hidden := []float32{.5, -1, 2.5, -2.5, 0, 1, -.25, .125} // within what a layer norm can give
	out, want := make([]float32, 8), make([]float32, 8)
	for i := range out {
		out[i] = shift[i]
		for j, x := range hidden {
			out[i] += dense[8*i+j] * x
		}
	}
	f32.Activate(out, out, act)
	normalise(out)
	copy(want, hidden)
	normalise(want)
	for i := range out {
		if math.Abs(float64(out[i]-want[i])) > 1e-3 {
			t.Errorf("%v %s: %v where %v is due", family, name, out, want)
			break
		}
	}
	bias, err := f.Passage.Source().F32(names.bias, 11)
	if err != nil || bias[5] >= 0 {
		t.Errorf("%v %s: biases %v, %v", family, name, bias, err)
	}
	if v := vector(t, f.Passage, "[CLS]", "the", "tower", "[SEP]"); v["[CLS]"] != 0 || v["[SEP]"] != 0 {
		t.Errorf("%v %s: special tokens have a weight: %v", family, name, v)
	}
}

// normalise takes the mean from x and divides by the standard deviation.
func normalise(x []float32) {
	mean, square := 0., 0.
	for _, v := range x {
		mean += float64(v) / float64(len(x))
	}
	for _, v := range x {
		square += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	for i, v := range x {
		x[i] = float32((float64(v) - mean) / math.Sqrt(square))
	}
}

// TestPaddedVocabulary leaves out the rows that have no tokens.
func TestPaddedVocabulary(t *testing.T) {
	c := small(bert.BERT)
	c.Vocabulary = 16
	all := files(t, bert.BERT)
	all[ConfigFile] = set(t, all[ConfigFile], "vocab_size", "16")
	all[WeightsFile] = file(t, network(t, c))
	f := open(t, folder(t, all))
	got, err := f.Passage.Source().F32("bert.embeddings.word_embeddings.weight", 11, 8)
	if err != nil || !slices.Equal(got, network(t, c)[0].F32[:88]) || f.Passage.Config.Vocabulary != 11 || len(f.Notes) != 1 {
		t.Errorf("%v, %v, %d terms, notes %q", got, err, f.Passage.Config.Vocabulary, f.Notes)
	}
	vector(t, f.Passage, "[CLS]", "who", "[SEP]")
}

// TestHalves reads weights in float16 and bfloat16, and shards.
func TestHalves(t *testing.T) {
	all := files(t, bert.BERT)
	want := network(t, small(bert.BERT))
	all[WeightsFile] = halved(t, want)
	f := open(t, folder(t, all))
	for _, tensor := range want {
		got, err := f.Passage.Source().F32(tensor.Name, tensor.Shape...)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range tensor.F32 {
			if got[i] != math.Float32frombits(math.Float32bits(x)&^0xffff) {
				t.Fatalf("%s: %v where %v is due", tensor.Name, got[i], x)
			}
		}
	}
	shards := files(t, bert.BERT)
	delete(shards, WeightsFile)
	shards["a.safetensors"], shards["b.safetensors"] = file(t, want[:5]), file(t, want[5:])
	places := make([]string, len(want))
	for i, tensor := range want {
		places[i] = fmt.Sprintf("%q: %q", tensor.Name, map[bool]string{true: "a.safetensors", false: "b.safetensors"}[i < 5])
	}
	shards[ShardsFile] = `{"weight_map": {` + strings.Join(places, ", ") + `}}`
	checkSource(t, open(t, folder(t, shards)).Passage, want)
}

// halved returns a weight file of the upper halves of the tensors' numbers.
func halved(t *testing.T, tensors []safetensors.Tensor) string {
	t.Helper()
	var header []string
	var data []byte
	for _, tensor := range tensors {
		begin := len(data)
		for _, x := range tensor.F32 {
			data = binary.LittleEndian.AppendUint16(data, uint16(math.Float32bits(x)>>16))
		}
		shape := strings.Join(strings.Fields(fmt.Sprint(tensor.Shape)), ",")
		header = append(header, fmt.Sprintf(`%q:{"dtype":"BF16","shape":%s,"data_offsets":[%d,%d]}`, tensor.Name, shape, begin, len(data)))
	}
	text := "{" + strings.Join(header, ",") + "}"
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(text)))) + text + string(data)
}

// TestLexicalHead reads a head that gives one weight a token.
func TestLexicalHead(t *testing.T) {
	c := small(bert.BERT)
	c.Head.Kind = bert.Lexical
	all := files(t, bert.BERT)
	all[WeightsFile] = file(t, network(t, c))
	f := open(t, folder(t, all))
	want := bert.Head{Kind: bert.Lexical, Saturation: bert.Linear, Skip: []uint32{0, 1, 2, 3, 4}}
	if !reflect.DeepEqual(f.Passage.Config.Head, want) || len(f.Notes) != 1 {
		t.Errorf("head %+v, notes %q", f.Passage.Config.Head, f.Notes)
	}
	checkSource(t, f.Passage, network(t, c))
}

// TestFolding follows transformers, as measured with version 5: its tokenizers for
// BERT go by tokenizer_config.json, generic ones by tokenizer.json.
func TestFolding(t *testing.T) {
	cased := wordpiece.Options{Cased: true}
	for _, test := range []struct {
		settings, json string
		want           wordpiece.Options
	}{
		{"", "", wordpiece.Options{}},
		{`{"do_lower_case": false}`, "", cased},
		{`{"do_lower_case": false, "strip_accents": true, "tokenize_chinese_chars": false}`, "", wordpiece.Options{Cased: true, Accents: wordpiece.AccentsStripped, JoinIdeographs: true}},
		{`{"strip_accents": false}`, "", wordpiece.Options{Accents: wordpiece.AccentsKept}},
		{"", "false", wordpiece.Options{}},
		{`{"tokenizer_class": "BertTokenizer", "do_lower_case": true}`, "false", wordpiece.Options{}},
		{`{"tokenizer_class": "DistilBertTokenizer", "do_lower_case": false}`, "true", cased},
		{`{"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": true}`, "false", cased},
		{`{"tokenizer_class": "TokenizersBackend"}`, "true", wordpiece.Options{}},
	} {
		all := files(t, bert.BERT)
		if test.settings != "" {
			all[SettingsFile] = test.settings
		}
		if test.json != "" {
			all[TokenizerFile] = tokenizerJSON(test.json)
			delete(all, VocabularyFile)
		}
		if got := open(t, folder(t, all)).Passage.Vocabulary.Options(); got != test.want {
			t.Errorf("%s, lowercase %s: %+v", test.settings, test.json, got)
		}
	}
}

// tokenizerJSON returns a tokenizer.json of the tests' vocabulary.
func tokenizerJSON(lowercase string) string {
	var vocabulary []string
	for i, token := range strings.Fields(tokens) {
		vocabulary = append(vocabulary, fmt.Sprintf("%q: %d", token, i))
	}
	return `{"added_tokens": [], "post_processor": {"type": "TemplateProcessing", "single": ["[CLS]", "[SEP]"]}, "normalizer": {"type": "BertNormalizer", "lowercase": ` + lowercase + `},
		"pre_tokenizer": {"type": "BertPreTokenizer"}, "model": {"type": "WordPiece", "unk_token": "[UNK]",
		"continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {` + strings.Join(vocabulary, ", ") + `}}}`
}

func TestRefuses(t *testing.T) {
	for _, test := range []struct{ file, setting, value, want string }{
		{ConfigFile, "model_type", `"roberta"`, `model_type is "roberta": only bert and distilbert can be read`},
		{ConfigFile, "model_type", `null`, "it names no model_type"},
		{ConfigFile, "hidden_size", `"8"`, `hidden_size is "8": a whole number is due`},
		{ConfigFile, "hidden_size", `-8`, "hidden size is -8"},
		{ConfigFile, "hidden_size", `16`, "has shape [11 8] where config.json makes it [11 16]: weights and configuration are of two models"},
		{ConfigFile, "hidden_act", `"gelu_10"`, `hidden_act is "gelu_10": the activations that can be read are gelu, `},
		{ConfigFile, "num_hidden_layers", `3`, "lacks the tensor bert.encoder.layer.2.attention.self.query.weight"},
		{ConfigFile, "num_hidden_layers", `1000`, "too few for the 1000 layers of config.json"},
		{ConfigFile, "num_hidden_layers", `1`, `has the tensor "bert.encoder.layer.1.attention.output.LayerNorm.bias", for which no bert has a use`},
		{ConfigFile, "num_attention_heads", `3`, "no multiple of the 3 attention heads"},
		{ConfigFile, "position_embedding_type", `"relative_key"`, "only absolute positions"},
		{ConfigFile, "is_decoder", `true`, "is_decoder is true: only encoders can be read"},
		{ConfigFile, "add_cross_attention", `true`, "add_cross_attention is true"},
		{ConfigFile, "pruned_heads", `{"0": [1]}`, "pruned_heads is"},
		{ConfigFile, "quantization_config", `{"bits": 8}`, "quantization_config is"},
		{ConfigFile, "auto_map", `{"AutoModel": "x.Y"}`, "a model with code of its own"},
		{ConfigFile, "layer_norm_eps", `0`, "epsilon"},
		{ConfigFile, "vocab_size", `12`, "has shape [11 8] where config.json makes it [12 8]"},
		{SettingsFile, "tokenizer_class", `"XLMRobertaTokenizer"`, "only BERT's WordPiece tokenizers"},
		{SettingsFile, "cls_token", `"[BOS]"`, `cls_token is "[BOS]": only [CLS] can be read`},
		{SettingsFile, "sep_token", `{"content": "</s>"}`, "only [SEP] can be read"},
		{SettingsFile, "model_max_length", `0`, "a length of at least 1 is due"},
		{SettingsFile, "added_tokens_decoder", `{"11": {"content": "<q>"}}`, `adds the token "<q>" to its vocab.txt`},
		{SettingsFile, "tokenizer_class", `"PreTrainedTokenizerFast"`, "tokenizer.json is missing, which"},
		{SpecialsFile, "unk_token", `"<unk>"`, "only [UNK] can be read"},
		{"added_tokens.json", "<q>", `11`, `adds the token "<q>"`},
		{"sentence_bert_config.json", "query_expansion", `{"length": 3}`, "queries cannot be expanded"},
		{"sentence_bert_config.json", "max_seq_length", `-1`, "a length of at least 1 is due"},
	} {
		all := files(t, bert.BERT)
		if all[test.file] == "" {
			all[test.file] = "{}"
		}
		all[test.file] = set(t, all[test.file], test.setting, test.value)
		f, err := Open(folder(t, all))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %s: got %v\nwant %s", test.setting, test.value, err, test.want)
		}
		if err == nil {
			f.Close()
		}
	}
}

func TestRefusesFolders(t *testing.T) {
	without := func(name string, more map[string]string) map[string]string {
		all := files(t, bert.BERT)
		delete(all, name)
		maps.Copy(all, more)
		return all
	}
	left := append(network(t, small(bert.BERT)), safetensors.Tensor{Name: "classifier.bias", Shape: []int{1}, F32: []float32{1}})
	bad := network(t, small(bert.BERT))
	bad[3].F32 = slices.Clone(bad[3].F32)
	twice := append(network(t, small(bert.BERT)), safetensors.Tensor{Name: "embeddings.LayerNorm.beta", Shape: []int{8}, F32: make([]float32, 8)})
	for _, test := range []struct {
		files map[string]string
		want  string
	}{
		{without(ConfigFile, nil), "has no config.json: name the folder of a transformers model"},
		{without(VocabularyFile, nil), "has neither a tokenizer.json nor a vocab.txt"},
		{without(WeightsFile, nil), "has neither a model.safetensors nor a model.safetensors.index.json"},
		{without(WeightsFile, map[string]string{"pytorch_model.bin": "x"}), "has its weights in pytorch_model.bin alone"},
		{without(WeightsFile, map[string]string{"adapter_config.json": "x"}), "holds an adapter"},
		{without("", map[string]string{VocabularyFile: tokens + "more\n"}), "has a vocabulary of 12 tokens, where config.json says 11"},
		{without("", map[string]string{WeightsFile: file(t, left)}), `has the tensor "classifier.bias", for which no bert has a use`},
		{without("", map[string]string{WeightsFile: file(t, twice)}), "has the tensor bert.embeddings.LayerNorm.bias twice"},
		{without("", map[string]string{ConfigFile: "[]"}), "config.json is no JSON object"},
		{without("", map[string]string{ConfigFile: `{"model_type": "bert", "model_type": "bert"}`}), `has the name "model_type" twice`},
		{without("", map[string]string{ModulesFile: "{}"}), "is no list of modules"},
	} {
		if _, err := Open(folder(t, test.files)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v\nwant %s", err, test.want)
		}
	}
	bare := without(VocabularyFile, map[string]string{
		TokenizerFile: strings.Replace(tokenizerJSON("true"), `"single": ["[CLS]", "[SEP]"]`, `"single": ["[CLS]"]`, 1),
		SettingsFile:  `{"tokenizer_class": "PreTrainedTokenizerFast"}`,
	})
	if _, err := Open(folder(t, bare)); err == nil || !strings.Contains(err.Error(), "has a post_processor that sets no [SEP]") {
		t.Errorf("a generic tokenizer without [SEP]: %v", err)
	}
	path := filepath.Join(folder(t, files(t, bert.BERT)), ConfigFile)
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "is a file, where the folder") {
		t.Errorf("a file: %v", err)
	}
	if _, err := Open(path + ".none"); !os.IsNotExist(err) {
		t.Errorf("nothing: %v", err)
	}
}

// TestNotFinite refuses weights that are no numbers, when they are asked for.
func TestNotFinite(t *testing.T) {
	tensors := network(t, small(bert.BERT))
	tensors[1].F32 = slices.Clone(tensors[1].F32)
	tensors[1].F32[3] = float32(math.NaN())
	all := files(t, bert.BERT)
	all[WeightsFile] = file(t, tensors)
	f := open(t, folder(t, all))
	if _, err := bert.NewInference(f.Passage.Config, f.Passage.Source()); err == nil || !strings.Contains(err.Error(), "weight 3 of tensor") {
		t.Errorf("got %v", err)
	}
}

func Example() {
	_, err := Open("no-such-model")
	fmt.Println(err)
	// Output:
	// stat no-such-model: no such file or directory
}
