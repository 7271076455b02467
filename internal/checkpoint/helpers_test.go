package checkpoint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/internal/bert"
	"parley/internal/f32"
	"parley/internal/safetensors"
)

// tokens are the vocabulary of the tests.
const tokens = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ntower\nof\nparis\n##s\nwho\n"

// small returns a small network of a family.
func small(f bert.Family) bert.Config {
	c := bert.Config{
		Family: f, Vocabulary: strings.Count(tokens, "\n"), Hidden: 8, Layers: 2, Heads: 2, Inner: 12, Positions: 16, Types: 2,
		Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU, Dropout: .1, AttentionDropout: .1,
	}
	if f == bert.DistilBERT {
		c.Types = 0
	}
	return c
}

// configs are config.json as transformers writes it for small networks.
var configs = map[bert.Family]string{
	bert.BERT: `{"model_type": "bert", "vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
		"intermediate_size": 12, "max_position_embeddings": 16, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu",
		"pad_token_id": 0, "classifier_dropout": null, "is_decoder": false, "use_cache": true, "_name_or_path": "x"}`,
	bert.DistilBERT: `{"model_type": "distilbert", "vocab_size": 11, "dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 12,
		"max_position_embeddings": 16, "activation": "gelu", "sinusoidal_pos_embds": false, "qa_dropout": 0.1, "tie_weights_": true}`,
}

// network returns the tensors of a network of c, all different.
func network(t testing.TB, c bert.Config) []safetensors.Tensor {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	var tensors []safetensors.Tensor
	for i, p := range bert.New(c, 7).Parameters() {
		for j := range p.Value { // also those that a fresh network has as zeros and ones
			p.Value[j] += .01 * float32((i+j)%5)
		}
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, Shape: p.Shape, F32: p.Value})
	}
	return tensors
}

// folder writes a folder of the files, and returns its path.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// file returns the content of a weight file.
func file(t testing.TB, tensors []safetensors.Tensor) string {
	t.Helper()
	var text strings.Builder
	if err := safetensors.Write(&text, tensors, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// files are those of a folder of transformers of a small network.
func files(t testing.TB, f bert.Family) map[string]string {
	t.Helper()
	return map[string]string{ConfigFile: configs[f], VocabularyFile: tokens, WeightsFile: file(t, network(t, small(f)))}
}

func open(t testing.TB, dir string) *Folder {
	t.Helper()
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// set returns the JSON object text with the member name set to value.
func set(t testing.TB, text, name, value string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		t.Fatal(err)
	}
	members[name] = json.RawMessage(value)
	out, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// vector returns what the side makes of the tokens.
func vector(t testing.TB, s *Side, tokens ...string) map[string]float32 {
	t.Helper()
	n, err := bert.NewInference(s.Config, s.Source())
	if err != nil {
		t.Fatal(err)
	}
	var ids []uint32
	for _, token := range tokens {
		id, ok := s.Vocabulary.ID(token)
		if !ok {
			t.Fatalf("no token %q", token)
		}
		ids = append(ids, id)
	}
	var b bert.Batch
	b.Add(ids)
	weights := map[string]float32{}
	v := n.Session().Encode(b)[0]
	for i, term := range v.Terms {
		weights[s.Vocabulary.Token(term)] = v.Weights[i]
	}
	return weights
}
