package checkpoint

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"parley/internal/bert"
	"parley/internal/safetensors"
)

const (
	transformerType = "sentence_transformers.base.modules.transformer.Transformer"
	poolingType     = "sentence_transformers.sparse_encoder.modules.splade_pooling.SpladePooling"
	routerType      = "sentence_transformers.base.modules.router.Router"
	staticType      = "sentence_transformers.sparse_encoder.modules.sparse_static_embedding.SparseStaticEmbedding"
)

// under returns the files in the folder dir.
func under(dir string, files map[string]string) map[string]string {
	out := map[string]string{}
	for name, text := range files {
		out[dir+"/"+name] = text
	}
	return out
}

func join(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, files := range all {
		maps.Copy(out, files)
	}
	return out
}

// modulesJSON returns a modules.json of pairs of a type and a path.
func modulesJSON(pairs ...string) map[string]string {
	var modules []string
	for i := 0; i < len(pairs); i += 2 {
		modules = append(modules, `{"idx": 0, "name": "0", "type": "`+pairs[i]+`", "path": "`+pairs[i+1]+`"}`)
	}
	return map[string]string{ModulesFile: "[" + strings.Join(modules, ", ") + "]"}
}

func pooling(text string) map[string]string {
	return map[string]string{"1_SpladePooling/config.json": text}
}

func TestModules(t *testing.T) {
	here := files(t, bert.BERT)
	for _, test := range []struct {
		files map[string]string
		want  bert.Head
	}{
		{join(here, modulesJSON(transformerType, "", poolingType, "1_SpladePooling"), pooling(`{"pooling_strategy": "max", "activation_function": "relu", "embedding_dimension": 11}`)), bert.Head{}},
		{join(here, modulesJSON("sentence_transformers.sparse_encoder.models.MLMTransformer", "", "sentence_transformers.sparse_encoder.models.SpladePooling", "1_SpladePooling"),
			pooling(`{"pooling_strategy": "sum", "activation_function": "log1p_relu", "word_embedding_dimension": null, "chunk_size": 8}`)), bert.Head{Pooling: bert.Sum, Saturation: bert.DoubleLog}},
		{join(under("0_MLMTransformer", here), modulesJSON("sentence_transformers.models.MLMTransformer", "0_MLMTransformer", poolingType, "1_SpladePooling"), pooling(`{}`)), bert.Head{}},
	} {
		f := open(t, folder(t, test.files))
		if got := f.Passage.Config.Head; got.Pooling != test.want.Pooling || got.Saturation != test.want.Saturation || len(f.Notes) != 0 || f.Query != f.Passage {
			t.Errorf("head %+v, notes %q, want %+v", got, f.Notes, test.want)
		}
	}
	dense := open(t, folder(t, join(here, modulesJSON(transformerType, "", "sentence_transformers.models.Pooling", "1_Pooling", "sentence_transformers.models.Normalize", "2"))))
	if len(dense.Notes) != 1 || !strings.Contains(dense.Notes[0], "dense") {
		t.Errorf("notes %q", dense.Notes)
	}
}

// router returns the files of a router of the modules, ids before types.
func router(query, document string, types ...string) map[string]string {
	var list []string
	for i := 0; i < len(types); i += 2 {
		list = append(list, `"`+types[i]+`": "`+types[i+1]+`"`)
	}
	return join(modulesJSON(routerType, ""), map[string]string{"router_config.json": `{"types": {` + strings.Join(list, ", ") + `},
		"structure": {"query": [` + query + `], "document": [` + document + `]}, "parameters": {"default_route": "document", "route_mappings": {}}}`})
}

func TestRouter(t *testing.T) {
	two := join(
		router(`"q", "qp"`, `"d", "dp"`, "q", transformerType, "qp", poolingType, "d", transformerType, "dp", poolingType),
		under("q", files(t, bert.BERT)), under("d", files(t, bert.DistilBERT)),
		map[string]string{"qp/config.json": `{"pooling_strategy": "sum"}`, "dp/config.json": `{}`, "q/sentence_bert_config.json": `{"max_seq_length": 12, "query_length": 9}`},
	)
	f := open(t, folder(t, two))
	if f.Query.Config.Family != bert.BERT || f.Query.Config.Head.Pooling != bert.Sum || f.Passage.Config.Family != bert.DistilBERT {
		t.Errorf("query %+v, passage %+v", f.Query.Config, f.Passage.Config)
	}
	if f.Query.MaxQuery != 9 || f.Query.MaxPassage != 12 || f.Passage.MaxPassage != 16 {
		t.Errorf("lengths %d, %d and %d", f.Query.MaxQuery, f.Query.MaxPassage, f.Passage.MaxPassage)
	}
	shared := join(router(`"m", "p"`, `"m", "p"`, "m", transformerType, "p", poolingType), under("m", files(t, bert.BERT)), map[string]string{"p/config.json": `{}`})
	if f := open(t, folder(t, shared)); f.Query != f.Passage {
		t.Error("one encoder for both sides is opened twice")
	}
}

func TestStatic(t *testing.T) {
	weights := []float32{0, 0, 0, 0, 0, 1, 2.5, 1, 3, .5, 0}
	static := map[string]string{
		"q/config.json": `{"frozen": true}`, "q/vocab.txt": tokens,
		"q/model.safetensors": file(t, []safetensors.Tensor{{Name: "weight", Shape: []int{11}, F32: weights}}),
	}
	idf := map[string]string{
		"q/config.json": `{"path": "idf.json"}`, "q/vocab.txt": tokens,
		"q/idf.json": `{"the": 1, "tower": 2.5, "of": 1, "paris": 3, "##s": 0.5}`,
	}
	base := join(router(`"q"`, `"d", "dp"`, "q", staticType, "d", transformerType, "dp", poolingType), under("d", files(t, bert.BERT)), map[string]string{"dp/config.json": `{}`})
	for _, query := range []map[string]string{static, idf} {
		f := open(t, folder(t, join(base, query)))
		if !slices.Equal(f.Query.Static, weights) || f.Passage.Static != nil || f.Query.Source() != nil {
			t.Errorf("weights %v", f.Query.Static)
		}
	}
	for _, test := range []struct {
		name, text, want string
	}{
		{"q/idf.json", `{"nothing": 1}`, `weighs "nothing", which is no token of the vocabulary`},
		{"q/idf.json", `{"the": "1"}`, `the weight of "the" is "1", where a number is due`},
		{"q/vocab.txt", tokens + "more\n", "encoders of two vocabularies"},
	} {
		if _, err := Open(folder(t, join(base, idf, map[string]string{test.name: test.text}))); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v\nwant %s", err, test.want)
		}
	}
	if _, err := Open(folder(t, join(modulesJSON(staticType, "q"), static))); err == nil || !strings.Contains(err.Error(), "fixed weights for passages too") {
		t.Errorf("no network: %v", err)
	}
}

// TestFiles lists what was read of a folder, and nothing else that lies there.
func TestFiles(t *testing.T) {
	all := whole(t)
	all["q/optimizer.safetensors"], all["notes.json"], all["q/pytorch_model.bin"] = "x", "x", "x"
	want := []string{
		SentencesFile, "d/a.safetensors", "d/added_tokens.json", "d/config.json", "d/model.safetensors.index.json", "d/tokenizer_config.json", "d/vocab.txt", "dp/config.json",
		ModulesFile, "q/config.json", "q/model.safetensors", "q/sentence_bert_config.json", "q/special_tokens_map.json", "q/tokenizer.json", "q/tokenizer_config.json", "qp/config.json",
		"router_config.json",
	}
	if got := open(t, folder(t, all)).Files(); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	static := join(
		router(`"q"`, `"d", "dp"`, "q", staticType, "d", transformerType, "dp", poolingType), under("d", files(t, bert.BERT)),
		map[string]string{"dp/config.json": `{}`, "q/config.json": `{"path": "idf.json"}`, "q/vocab.txt": tokens, "q/idf.json": `{"the": 1}`})
	want = []string{"d/config.json", "d/model.safetensors", "d/vocab.txt", "dp/config.json", ModulesFile, "q/config.json", "q/idf.json", "q/vocab.txt", "router_config.json"}
	if got := open(t, folder(t, static)).Files(); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestModulesRefused(t *testing.T) {
	here := join(files(t, bert.BERT), pooling(`{}`))
	good := modulesJSON(transformerType, "", poolingType, "1_SpladePooling")
	for _, test := range []struct {
		files map[string]string
		want  string
	}{
		{modulesJSON("mine.Transformer", ""), `its type is "mine.Transformer": only modules of sentence_transformers`},
		{modulesJSON(transformerType, "../x"), `it lies in "../x", outside the model's folder`},
		{modulesJSON(transformerType, "", "sentence_transformers.x.SparseAutoEncoder", "x"), "a model of the modules Transformer, SparseAutoEncoder cannot be read"},
		{modulesJSON(transformerType, "", poolingType, "none"), "no such file"},
		{join(good, pooling(`{"pooling_strategy": "mean"}`)), `pooling_strategy is "mean": max or sum is due`},
		{join(good, pooling(`{"activation_function": "exp"}`)), `activation_function is "exp": relu or log1p_relu is due`},
		{join(good, map[string]string{SentencesFile: `{"prompts": {"query": "q: "}}`}), `query is "q: ": texts that are put before others cannot be read`},
		{join(good, map[string]string{SentencesFile: `{"max_active_dims": -3}`}), "max_active_dims is -3"},
		{join(modulesJSON(routerType, ""), map[string]string{"router_config.json": `{"types": {}, "structure": {"image": []}, "parameters": {}}`}), `has the route "image"`},
		{join(modulesJSON(routerType, ""), map[string]string{"router_config.json": `{"types": {}, "structure": {"query": []}, "parameters": {}}`}), "has no list of modules for the route query"},
		{join(modulesJSON(routerType, ""), map[string]string{"router_config.json": `{"types": {}, "structure": {"query": ["q"], "document": ["q"]}, "parameters": {"route_mappings": {"x": "y"}}}`}), "route_mappings is"},
		{router(`"../q"`, `"d"`, "../q", transformerType), `it lies in "../q", outside`},
	} {
		if _, err := Open(folder(t, join(here, test.files))); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v\nwant %s", err, test.want)
		}
	}
	f := open(t, folder(t, join(here, good, map[string]string{SentencesFile: `{"max_active_dims": 3, "prompts": {"query": ""}}`})))
	if f.MostTerms != 3 {
		t.Errorf("%d terms are kept", f.MostTerms)
	}
}
