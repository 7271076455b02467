package checkpoint

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"parley/internal/bert"
)

// allocated returns the bytes that do allocates.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// whole returns a folder with all the files that Open knows, two encoders in it.
func whole(t testing.TB) map[string]string {
	t.Helper()
	query := files(t, bert.BERT)
	query[SettingsFile] = `{"do_lower_case": false, "model_max_length": 512, "cls_token": {"content": "[CLS]"}, "tokenizer_class": "PreTrainedTokenizerFast"}`
	added := `{"id": 0, "content": "[PAD]"}, {"id": 1, "content": "[UNK]"}, {"id": 2, "content": "[CLS]"}, {"id": 3, "content": "[SEP]"}, {"id": 4, "content": "[MASK]"}`
	query[TokenizerFile] = strings.Replace(tokenizerJSON("false"), `"added_tokens": []`, `"added_tokens": [`+added+`]`, 1)
	query[SpecialsFile] = `{"unk_token": "[UNK]"}`
	query["sentence_bert_config.json"] = `{"max_seq_length": 12, "query_length": 8, "do_lower_case": true}`
	passage := files(t, bert.DistilBERT)
	passage[SettingsFile] = `{"do_lower_case": true, "strip_accents": false}`
	passage["added_tokens.json"] = `{"[MASK]": 4}`
	tensors := network(t, small(bert.DistilBERT))
	delete(passage, WeightsFile)
	passage["a.safetensors"] = file(t, tensors)
	places, size := make([]string, len(tensors)), 0
	for i, tensor := range tensors {
		size += 4 * len(tensor.F32)
		places[i] = `"` + tensor.Name + `": "a.safetensors"`
	}
	passage[ShardsFile] = `{"metadata": {"total_size": ` + strconv.Itoa(size) + `}, "weight_map": {` + strings.Join(places, ", ") + `}}`
	return join(
		router(`"q", "qp"`, `"d", "dp"`, "q", transformerType, "qp", poolingType, "d", transformerType, "dp", poolingType),
		under("q", query), under("d", passage),
		map[string]string{"qp/config.json": `{"pooling_strategy": "sum"}`, "dp/config.json": `{"activation_function": "log1p_relu"}`, SentencesFile: `{"prompts": {}, "max_active_dims": 8}`},
	)
}

// FuzzOpen puts the text in place of one of a folder's files: Open returns an
// error or what can be read, and allocates no more than a small multiple of the
// files.
func FuzzOpen(f *testing.F) {
	all := whole(f)
	all["q/vocab.txt"], all["q/config.json"] = tokens, configs[bert.BERT]
	names := slices.Sorted(maps.Keys(all))
	sizes, dir := 0, folder(f, all)
	for i, name := range names {
		f.Add(uint8(i), []byte(all[name]))
		f.Add(uint8(i), []byte(all[name][:len(all[name])/2]))
		f.Add(uint8(i), []byte(strings.Repeat("[", 1000)))
		sizes += len(all[name])
	}
	for _, bomb := range []string{
		set(f, configs[bert.BERT], "num_hidden_layers", "1000"), set(f, configs[bert.BERT], "vocab_size", "16777216"),
		set(f, configs[bert.BERT], "hidden_size", "16777216"), set(f, configs[bert.BERT], "max_position_embeddings", "99999999999999999999"),
	} {
		f.Add(uint8(slices.Index(names, "q/config.json")), []byte(bomb))
	}
	if _, err := Open(dir); err != nil { // what is made once is made now
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, which uint8, text []byte) {
		name := names[int(which)%len(names)]
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		took := allocated(func() { openAndRead(t, dir) })
		if err := os.WriteFile(path, []byte(all[name]), 0o600); err != nil {
			t.Fatal(err)
		}
		if limit := uint64(1<<20 + 64*(sizes+len(text))); took > limit {
			t.Errorf("%d bytes allocated for %d bytes in place of %s", took, len(text), name)
		}
	})
}

// openAndRead opens the folder dir and, if it opens, reads all that it holds.
func openAndRead(t *testing.T, dir string) {
	f, err := Open(dir)
	if err != nil {
		if strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("an error of two lines: %q", err)
		}
		return
	}
	if _, err := f.Writing(); err == nil && f.Passage.Source() != nil {
		for _, tensor := range f.Passage.Config.Tensors() {
			if values, err := f.Passage.Source().F32(tensor.Name, tensor.Shape...); err != nil || len(values) != product(tensor.Shape) {
				t.Errorf("tensor %s: %d values, %v", tensor.Name, len(values), err)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
