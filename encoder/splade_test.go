package encoder_test

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/dialog"
	"parley/encoder"
	"parley/internal/bert"
	"parley/internal/f32"
	"parley/internal/input"
	"parley/internal/model"
	"parley/internal/prune"
	"parley/internal/safetensors"
	"parley/internal/wordpiece"
	"parley/sparse"
)

var spladeTokens = strings.Fields("[PAD] [UNK] [CLS] [SEP] [MASK] the war began in june it was a long peace . ? , when who ##s ##er")

// tiny is a small network; the positions bound what it can read.
func tiny(positions int) bert.Config {
	return bert.Config{
		Family: bert.BERT, Vocabulary: len(spladeTokens), Hidden: 8, Layers: 2, Heads: 2, Inner: 12, Positions: positions, Types: 2,
		Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU,
	}
}

// moved returns a network of c whose weights are all random, so that logits
// differ and about half of them are positive.
func moved(c bert.Config, seed uint64) *bert.Network {
	net, rng := bert.New(c, seed), rand.New(rand.NewPCG(seed, 1))
	for _, p := range net.Parameters() {
		for i := range p.Value {
			p.Value[i] += float32(rng.NormFloat64() * .3)
		}
	}
	return net
}

// put writes files into dir, by their slashed names.
func put(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// checkpointFiles are the files of a network as transformers keeps them.
func checkpointFiles(t testing.TB, net *bert.Network) map[string]string {
	t.Helper()
	c := net.Config()
	var tensors []safetensors.Tensor
	for _, p := range net.Parameters() {
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, Shape: p.Shape, F32: p.Value})
	}
	var weights strings.Builder
	if err := safetensors.Write(&weights, tensors, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"config.json": fmt.Sprintf(`{"model_type": "bert", "vocab_size": %d, "hidden_size": %d, "num_hidden_layers": %d, "num_attention_heads": %d,
			"intermediate_size": %d, "max_position_embeddings": %d, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}`,
			c.Vocabulary, c.Hidden, c.Layers, c.Heads, c.Inner, c.Positions),
		"vocab.txt":         strings.Join(spladeTokens, "\n") + "\n",
		"model.safetensors": weights.String(),
	}
}

// checkpoint writes the folder of a network.
func checkpoint(t testing.TB, net *bert.Network) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, checkpointFiles(t, net))
	return dir
}

func openSplade(t testing.TB, dir string, o encoder.Options) encoder.PassageEncoder {
	t.Helper()
	e, err := encoder.OpenPassages(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if closer, ok := e.(io.Closer); ok {
		t.Cleanup(func() { closer.Close() })
	}
	return e
}

// texts are made-up passages of up to n words.
func texts(count, n int) []encoder.Passage {
	rng := rand.New(rand.NewPCG(6, 7))
	all := make([]encoder.Passage, count)
	for i := range all {
		var words []string
		for range rng.IntN(n) {
			words = append(words, spladeTokens[5+rng.IntN(len(spladeTokens)-7)])
		}
		cut := rng.IntN(len(words) + 1)
		all[i] = encoder.Passage{Title: strings.Join(words[:cut], " "), Text: strings.Join(words[cut:], " ")}
	}
	return all
}

// TestSpladeIsTheNetwork holds both sides against the network itself, over the
// sequences that training reads.
func TestSpladeIsTheNetwork(t *testing.T) {
	net := moved(tiny(64), 1)
	e := openSplade(t, checkpoint(t, net), encoder.Options{})
	sequencer, err := input.NewSequencer(wordpiece.New(e.Vocabulary()), dialog.Budget{Total: 64}, 64)
	if err != nil {
		t.Fatal(err)
	}
	inference, err := bert.NewInference(net.Config(), net.Source())
	if err != nil {
		t.Fatal(err)
	}
	session := inference.Session()
	encode := func(ids []uint32) sparse.Vector {
		return session.Encode(bert.Batch{IDs: ids, Ends: []int{len(ids)}})[0]
	}
	for i, c := range contexts(40) {
		want := encode(sequencer.AppendContext(nil, c))
		if diff := cmp.Diff(want, e.Query(c)); diff != "" {
			t.Fatalf("context %d: %s", i, diff)
		}
	}
	for i, p := range texts(40, 90) {
		got, want := e.Passage(p.Title, p.Text), encode(sequencer.AppendPassage(nil, p.Title, p.Text))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("passage %d: %s", i, diff)
		}
		if got.Len() == 0 || got.Validate(len(spladeTokens)) != nil {
			t.Fatalf("passage %d has the vector %v", i, got)
		}
	}
	if e.Kind() != "splade" || e.Describe() != "splade bert 2×8 max log1p tokens=64" {
		t.Errorf("it is %s, %s", e.Kind(), e.Describe())
	}
}

// TestSpladeBatches says that a passage's vector does not depend on what it is
// encoded with, or by how many at once.
func TestSpladeBatches(t *testing.T) {
	e := openSplade(t, checkpoint(t, moved(tiny(300), 2)), encoder.Options{})
	passages := append(texts(60, 300), encoder.Passage{})
	want := make([]sparse.Vector, len(passages))
	for i, p := range passages {
		want[i] = e.Passage(p.Title, p.Text)
	}
	if got := e.Passages(nil); len(got) != 0 {
		t.Errorf("no passages have %d vectors", len(got))
	}
	var wg sync.WaitGroup
	for _, size := range []int{1, 7, 16, len(passages)} {
		wg.Go(func() {
			for from := 0; from < len(passages); from += size {
				to := min(from+size, len(passages))
				if diff := cmp.Diff(want[from:to], e.Passages(passages[from:to])); diff != "" {
					t.Errorf("%d at once, from %d: %s", size, from, diff)
				}
			}
		})
	}
	wg.Wait()
}

func TestSpladeLengths(t *testing.T) {
	dir := checkpoint(t, moved(tiny(20), 3))
	long := strings.Repeat("the war was long . ", 30)
	question := dialog.Context{{Text: long}}
	plain := openSplade(t, dir, encoder.Options{})
	if got := len(plain.ExplainPassage("june", long).Tokens); got != 20 {
		t.Errorf("a passage is read up to %d tokens, where the checkpoint can 20", got)
	}
	if got := len(plain.ExplainQuery(question).Tokens); got != 20 {
		t.Errorf("a query is read up to %d tokens, where the checkpoint can 20", got)
	}
	short := openSplade(t, dir, encoder.Options{Passage: encoder.Side{Tokens: 7}, Query: encoder.Side{Tokens: 5}})
	if p, q := len(short.ExplainPassage("june", long).Tokens), len(short.ExplainQuery(question).Tokens); p != 7 || q != 5 {
		t.Errorf("read up to %d and %d tokens, want 7 and 5", p, q)
	}
	for _, o := range []encoder.Options{{Passage: encoder.Side{Tokens: 21}}, {Query: encoder.Side{Tokens: 21}}} {
		if _, err := encoder.OpenPassages(dir, o); err == nil || !strings.Contains(err.Error(), "of 21 tokens are longer than the 20 that the model can read") {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	if whole := openSplade(t, dir, encoder.Options{Passage: encoder.Side{Tokens: -1}, Query: encoder.Side{Tokens: -1}}); whole.PassageIdentity() != plain.PassageIdentity() {
		t.Error("no limit is not the checkpoint's limit")
	}
}

func TestSpladePruning(t *testing.T) {
	dir := checkpoint(t, moved(tiny(64), 4))
	plain := openSplade(t, dir, encoder.Options{})
	few := openSplade(t, dir, encoder.Options{Passage: encoder.Side{TopK: 3}, Query: encoder.Side{Threshold: .5}})
	for _, p := range texts(20, 30) {
		whole := plain.Passage(p.Title, p.Text)
		if diff := cmp.Diff(whole.TopK(3), few.Passage(p.Title, p.Text)); diff != "" {
			t.Errorf("top 3: %s", diff)
		}
		question := dialog.Context{{Text: p.Text}}
		want := sparse.FromMap(heavy(plain.Query(question), .5))
		if diff := cmp.Diff(want, few.Query(question)); diff != "" {
			t.Errorf("threshold: %s", diff)
		}
	}
	if few.PassageIdentity() == plain.PassageIdentity() || few.Identity() == plain.Identity() {
		t.Error("other settings have the same identity")
	}
	if queries := openSplade(t, dir, encoder.Options{Query: encoder.Side{TopK: 9}}); queries.PassageIdentity() != plain.PassageIdentity() {
		t.Error("how queries are cut changes the identity of passages")
	}
}

// heavy returns the weights of v from least on.
func heavy(v sparse.Vector, least float32) map[uint32]float32 {
	kept := map[uint32]float32{}
	for i, w := range v.Weights {
		if w >= least {
			kept[v.Terms[i]] = w
		}
	}
	return kept
}

// TestSpladeSave says that what is saved encodes alike, with the settings in
// effect, and has the same identity.
func TestSpladeSave(t *testing.T) {
	dir := checkpoint(t, moved(tiny(64), 5))
	other := checkpoint(t, moved(tiny(32), 6))
	put(t, other, map[string]string{"parley.json": `{"parley_splade": 1, "query": {"top_k": 4, "saturation": "double-log", "context": {"tokens": 30}}, "passage": {"top_k": 1}}`})
	for name, o := range map[string]encoder.Options{
		"plain":    {},
		"settings": {Passage: encoder.Side{Tokens: 12, TopK: 5, Threshold: .1}, Query: encoder.Side{Tokens: 9}},
		"two":      {Queries: other, Passage: encoder.Side{TopK: 6}},
	} {
		e := openSplade(t, dir, o)
		saved := t.TempDir()
		if err := e.Save(saved); err != nil {
			t.Fatal(err)
		}
		back := openSplade(t, saved, encoder.Options{})
		if e.Identity() != back.Identity() || e.PassageIdentity() != back.PassageIdentity() || e.Describe() != back.Describe() {
			t.Errorf("%s: it comes back as %s, and was %s", name, back.Describe(), e.Describe())
		}
		for _, p := range texts(10, 30) {
			if !reflect.DeepEqual(back.Passage(p.Title, p.Text), e.Passage(p.Title, p.Text)) {
				t.Errorf("%s: a passage is encoded differently", name)
			}
		}
		for _, c := range contexts(10) {
			if q := e.Query(c); !reflect.DeepEqual(back.Query(c), q) || name == "two" && q.Len() > 4 {
				t.Errorf("%s: a query is encoded differently", name)
			}
		}
	}
}

// counted are statistics in which every third term is in no passage.
type counted struct{}

func (counted) N() int { return 1000 }

func (counted) DF(term uint32) int { return int(term%3) * int(1+term) }

// TestSpladeIDF weighs queries without a network.
func TestSpladeIDF(t *testing.T) {
	dir := checkpoint(t, moved(tiny(64), 7))
	e, err := encoder.OpenWith(dir, counted{}, encoder.Options{Queries: encoder.IDF})
	if err != nil {
		t.Fatal(err)
	}
	c := dialog.Context{{Text: "the war was the long war ."}, {Role: dialog.Answer, Distance: 1, Text: "It was in June zebra."}}
	want := map[uint32]float32{}
	for _, word := range strings.Fields("the war was long . it in june [UNK]") {
		id, _ := e.Vocabulary().ID(word)
		if df := float64(counted{}.DF(id)); df > 0 {
			want[id] = float32(math.Log(1 + (1000-df+.5)/(df+.5)))
		}
	}
	if len(want) < 3 {
		t.Fatal("the test has too few terms")
	}
	if diff := cmp.Diff(sparse.FromMap(want), e.Query(c)); diff != "" {
		t.Error(diff)
	}
	x := e.ExplainQuery(c)
	for i, term := range x.Vector.Terms {
		if x.Tokens[x.Places[i]] != term {
			t.Errorf("term %d comes from %d", term, x.Tokens[x.Places[i]])
		}
	}
	if _, err := encoder.OpenWith(dir, nil, encoder.Options{Queries: encoder.IDF}); err == nil || !strings.Contains(err.Error(), "name an index") {
		t.Errorf("without statistics: %v", err)
	}
	if q := openSplade(t, dir, encoder.Options{Queries: encoder.IDF}).Query(c); q.Len() != 0 {
		t.Errorf("an encoder of passages asks %v", q)
	}
}

// TestSpladeStatic reads sentence-transformers' folder of an encoder whose
// queries have fixed weights.
func TestSpladeStatic(t *testing.T) {
	dir := t.TempDir()
	for name, text := range checkpointFiles(t, moved(tiny(64), 8)) {
		put(t, dir, map[string]string{"document_0_MLMTransformer/" + name: text})
	}
	idf := make([]float32, len(spladeTokens))
	for i := range idf {
		idf[i] = float32(i) / 4
	}
	var weights strings.Builder
	if err := safetensors.Write(&weights, []safetensors.Tensor{{Name: "weight", Shape: []int{len(idf)}, F32: idf}}, nil); err != nil {
		t.Fatal(err)
	}
	put(t, dir, map[string]string{
		"modules.json": `[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Router"}]`,
		"router_config.json": `{"types": {"query_0_SparseStaticEmbedding": "sentence_transformers.sparse_encoder.models.SparseStaticEmbedding",
			"document_0_MLMTransformer": "sentence_transformers.sparse_encoder.models.MLMTransformer",
			"document_1_SpladePooling": "sentence_transformers.sparse_encoder.models.SpladePooling"},
			"structure": {"query": ["query_0_SparseStaticEmbedding"], "document": ["document_0_MLMTransformer", "document_1_SpladePooling"]},
			"parameters": {"default_route": "query", "allow_empty_key": true}}`,
		"document_1_SpladePooling/config.json":            `{"pooling_strategy": "sum", "activation_function": "log1p_relu"}`,
		"query_0_SparseStaticEmbedding/config.json":       `{"frozen": true}`,
		"query_0_SparseStaticEmbedding/model.safetensors": weights.String(),
		"query_0_SparseStaticEmbedding/vocab.txt":         strings.Join(spladeTokens, "\n") + "\n",
	})
	e := openSplade(t, dir, encoder.Options{})
	q := e.Query(dialog.Context{{Text: "was the war long?"}})
	for i, term := range q.Terms {
		if q.Weights[i] != idf[term] {
			t.Errorf("term %d weighs %v, not %v", term, q.Weights[i], idf[term])
		}
	}
	if q.Len() != 5 {
		t.Errorf("the query has %d terms, want 5", q.Len())
	}
	if want := "splade bert 2×8 sum double-log tokens=64"; e.Describe() != want {
		t.Errorf("it is %s, want %s", e.Describe(), want)
	}
	saved := t.TempDir()
	if err := e.Save(saved); err != nil {
		t.Fatal(err)
	}
	if back := openSplade(t, saved, encoder.Options{}); !reflect.DeepEqual(back.Query(dialog.Context{{Text: "was the war long?"}}), q) || back.PassageIdentity() != e.PassageIdentity() {
		t.Error("saved, it encodes differently")
	}
}

// TestSpladeExplains says that an explanation has the vector itself, also where
// it is pruned, and that a term of weight comes from a token of the text.
func TestSpladeExplains(t *testing.T) {
	for _, settings := range []string{`{"parley_splade": 1, "query": {}, "passage": {}}`, `{"parley_splade": 1, "query": {"top_k": 4, "pooling": "sum"}, "passage": {"threshold": 0.4}}`} {
		dir := checkpoint(t, moved(tiny(64), 9))
		put(t, dir, map[string]string{"parley.json": settings})
		e := openSplade(t, dir, encoder.Options{})
		for _, p := range texts(10, 20) {
			question := dialog.Context{{Text: p.Text}}
			for _, pair := range []struct {
				got  encoder.Explanation
				want sparse.Vector
			}{{e.ExplainPassage(p.Title, p.Text), e.Passage(p.Title, p.Text)}, {e.ExplainQuery(question), e.Query(question)}} {
				if diff := cmp.Diff(pair.want, pair.got.Vector); diff != "" || len(pair.got.Places) != pair.want.Len() {
					t.Fatalf("explained: %s", diff)
				}
				for _, place := range pair.got.Places {
					if int(place) >= len(pair.got.Tokens) {
						t.Fatalf("place %d of %d", place, len(pair.got.Tokens))
					}
				}
			}
		}
	}
}

func TestSpladeRefuses(t *testing.T) {
	good := checkpoint(t, moved(tiny(64), 10))
	dir := func(files map[string]string) string {
		d := checkpoint(t, moved(tiny(64), 10))
		put(t, d, files)
		return d
	}
	settings := func(text string) string { return dir(map[string]string{"parley.json": text}) }
	sealed := t.TempDir()
	if err := openSplade(t, good, encoder.Options{}).Save(sealed); err != nil {
		t.Fatal(err)
	}
	weights := filepath.Join(sealed, "model.safetensors")
	data, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-7] ^= 1
	if err := os.WriteFile(weights, data, 0o600); err != nil {
		t.Fatal(err)
	}
	other := dir(map[string]string{"vocab.txt": strings.Join(spladeTokens, "\n") + "x\n"})
	for _, test := range []struct {
		dir  string
		o    encoder.Options
		want string
	}{
		{settings(`{"parley_splade": 2}`), encoder.Options{}, "has version 2 where this program reads version 1"},
		{settings(`no JSON`), encoder.Options{}, "parley.json is not valid"},
		{settings(`{"parley_splade": 1, "pruning": 3}`), encoder.Options{}, `unknown field "pruning"`},
		{settings(`{"parley_splade": 1, "query": {"pooling": "mean"}}`), encoder.Options{}, `pooling "mean" is not known`},
		{settings(`{"parley_splade": 1, "passage": {"saturation": "sqrt"}}`), encoder.Options{}, `saturation "sqrt" is not known`},
		{settings(`{"parley_splade": 1, "query": {"weights": "bm25"}}`), encoder.Options{}, `weights "bm25" of queries are not known`},
		{settings(`{"parley_splade": 1, "passage": {"top_k": -1}}`), encoder.Options{}, "a top_k of -1"},
		{settings(`{"parley_splade": 1, "passage": {"folder": "../x"}}`), encoder.Options{}, "is not a part of the model"},
		{settings(`{"parley_splade": 1, "passage": {"tokens": 65}}`), encoder.Options{}, "of 65 tokens are longer than the 64"},
		{settings(`{"parley_splade": 1, "splade_sha256": "00"}`), encoder.Options{}, "is damaged or edited"},
		{sealed, encoder.Options{}, "model.safetensors is damaged or was replaced"},
		{good, encoder.Options{Queries: other}, "have different vocabularies"},
		{good, encoder.Options{Passage: encoder.Side{Threshold: math.NaN()}}, "a threshold of NaN is not possible"},
		{filepath.Join(good, "nowhere"), encoder.Options{}, "nowhere"},
		{student(t, networks["features"]), encoder.Options{}, "encodes queries only"},
		{student(t, networks["features"]), encoder.Options{Query: encoder.Side{Tokens: 3}}, "are settings of encoders of kind splade"},
		{settings(`{"parley_splade": 1, "passage": {"value_per_cost": 1}}`), encoder.Options{}, "a value_per_cost of passages is not possible"},
		{settings(`{"parley_splade": 1, "query": {"mass": 2}}`), encoder.Options{}, "a mass of 2 is not possible"},
		{good, encoder.Options{Passage: encoder.Side{ValuePerCost: 1}}, "passages cannot be pruned by value per cost"},
	} {
		_, err := encoder.OpenPassages(test.dir, test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
}

// TestSealedSettings says that what training seals is what serving reads.
func TestSealedSettings(t *testing.T) {
	dir := checkpoint(t, moved(tiny(64), 11))
	s := model.Splade{
		Query:   model.SpladeQuery{Budget: dialog.Budget{Answer: 4, Total: 12}},
		Passage: model.SpladePassage{Tokens: 9, SpladeSide: model.SpladeSide{Rule: prune.Rule{TopK: 2}}},
	}
	if err := model.SealSplade(dir, s); err != nil {
		t.Fatal(err)
	}
	e := openSplade(t, dir, encoder.Options{})
	long := strings.Repeat("the war was long . ", 30)
	if got := len(e.ExplainQuery(dialog.Context{{Text: "when?"}, {Role: dialog.Answer, Distance: 1, Text: long}}).Tokens); got != 1+2+1+4+1 {
		t.Errorf("the context has %d tokens, want 9", got)
	}
	if x := e.ExplainPassage("", long); len(x.Tokens) != 9 || x.Vector.Len() > 2 {
		t.Errorf("the passage has %d tokens and %d terms, want 9 and 2", len(x.Tokens), x.Vector.Len())
	}
}

func BenchmarkSpladeQuery(b *testing.B) {
	e := openSplade(b, checkpoint(b, moved(tiny(64), 12)), encoder.Options{})
	question := dialog.Context{{Text: "was it a long war?"}}
	b.ReportAllocs()
	for b.Loop() {
		e.Query(question)
	}
}
