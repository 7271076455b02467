package wordpiece

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// bert is what lies in a tokenizer.json before the vocabulary, but for the
// added tokens.
const bert = `
"version": "1.0", "truncation": null, "padding": null,
"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
"pre_tokenizer": {"type": "BertPreTokenizer"},
"post_processor": {"type": "TemplateProcessing"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
`

func TestReadTokenizerOptions(t *testing.T) {
	for _, test := range []struct {
		old, new string
		want     Options
	}{
		{"", "", Options{}},
		{`"lowercase": true`, `"lowercase": false`, Options{Cased: true}},
		{`"strip_accents": null`, `"strip_accents": true`, Options{Accents: AccentsStripped}},
		{`"strip_accents": null`, `"strip_accents": false`, Options{Accents: AccentsKept}},
		{`"handle_chinese_chars": true`, `"handle_chinese_chars": false`, Options{JoinIdeographs: true}},
		{`"clean_text": true`, `"clean_text": false`, Options{KeepControls: true}},
	} {
		text := "{" + strings.Replace(bert, test.old, test.new, 1) + `"vocab": {"[UNK]": 0, "a": 1}}}`
		v, err := ReadTokenizer(strings.NewReader(text), "tokenizer.json")
		if err != nil {
			t.Errorf("%s: %v", test.new, err)
		} else if v.Options() != test.want {
			t.Errorf("%s: got %+v, want %+v", test.new, v.Options(), test.want)
		}
	}
}

// TestReadTokenizerAddedTokens finds added tokens in text as it stands, and
// covers no words with those that the model does not have.
func TestReadTokenizerAddedTokens(t *testing.T) {
	text := `{"added_tokens": [{"id": 2, "content": "Up"}, {"id": 3, "content": "down"}],` + bert + `"vocab": {"[UNK]": 0, "[SEP]": 1, "Up": 2}}}`
	v, err := ReadTokenizer(strings.NewReader(text), "tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := v.ID("down"); !ok || id != 3 {
		t.Errorf("ID(down) = %d, %t, want 3", id, ok)
	}
	got := New(v).Append(nil, "Updown DOWN sep")
	if want := []uint32{2, 3, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestSameFingerprint demands that a vocabulary is the same in either format.
func TestSameFingerprint(t *testing.T) {
	text := `{"added_tokens": [{"id": 0, "content": "[SEP]"}, {"id": 2, "content": "[UNK]"}, {"id": 1, "content": "[PAD]"}],` + bert +
		`"vocab": {"[SEP]": 0, "[PAD]": 1, "[UNK]": 2, "a": 3}}}`
	v, err := ReadTokenizer(strings.NewReader(text), "tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	w, err := ReadVocabulary(strings.NewReader("[SEP]\n[PAD]\n[UNK]\na\n"), "vocab.txt")
	if err != nil {
		t.Fatal(err)
	}
	if v.Fingerprint() != w.Fingerprint() {
		t.Error("the same vocabulary has another fingerprint in a tokenizer.json than in a vocab.txt")
	}
}

// TestWriteAddedTokens refuses to write what could not be read back.
func TestWriteAddedTokens(t *testing.T) {
	for added, ok := range map[string]bool{
		`{"id": 0, "content": "[UNK]"}`: true,
		`{"id": 1, "content": "a"}`:     false,
		`{"id": 2, "content": "[SEP]"}`: false,
		``:                              false,
	} {
		text := `{"added_tokens": [` + added + `],` + bert + `"vocab": {"[UNK]": 0, "a": 1}}}`
		v, err := ReadTokenizer(strings.NewReader(text), "tokenizer.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Write(io.Discard); (err == nil) != ok {
			t.Errorf("added token %s: got %v", added, err)
		}
	}
}

func TestReadTokenizerErrors(t *testing.T) {
	good := "{" + bert + `"vocab": {"[UNK]": 0, "a": 1}}}`
	for _, test := range []struct{ old, new, want string }{
		{good, "", "t: not a tokenizer.json: unexpected end of JSON input"},
		{good, good[:200], "t: not a tokenizer.json: unexpected end of JSON input"},
		{good, "[]", "t: not a tokenizer.json: json: cannot unmarshal array into Go value of type wordpiece.tokenizerJSON"},
		{`"a"`, "\"\xe4\"", "t: not valid UTF-8: convert the file to UTF-8"},
		{`"model": {"type": "WordPiece"`, `"model": {"type": "BPE"`, `t: the model is "BPE" and must be "WordPiece": only BERT's WordPiece tokenizers can be read`},
		{`"BertNormalizer"`, `"NFC"`, `t: the normalizer is "NFC" and must be "BertNormalizer": only BERT's WordPiece tokenizers can be read`},
		{`{"type": "BertPreTokenizer"}`, `null`, `t: the pre_tokenizer is "" and must be "BertPreTokenizer": only BERT's WordPiece tokenizers can be read`},
		{`"unk_token": "[UNK]"`, `"unk_token": "<unk>"`, `t: unk_token is "<unk>" and must be "[UNK]": only BERT's WordPiece tokenizers can be read`},
		{`"a": 1`, `"a": 2`, `t: token "a" has the id 2: the ids of 2 tokens are 0 to 1`},
		{`"a": 1`, `"a": 0`, `t: tokens "[UNK]" and "a" share the id 0: number them apart`},
		{`"vocab"`, `"added_tokens": [{"id": 0, "content": "[UNK]"}], "v"`, `t: the model has no vocab: it must list the tokens that cover words`},
		{`"[UNK]": 0`, `"": 0`, `t: token 0: empty token: write the token or remove the line`},
		{`"[UNK]": 0`, `"b": 0`, `t: no token [UNK]: add it, for words that no other token covers`},
		{`"version": "1.0"`, `"added_tokens": [{"id": 3, "content": "b"}]`, `t: added token "b" has the id 3, which is another's or leaves a gap: number it as the vocabulary does`},
		{`"version": "1.0"`, `"added_tokens": [{"id": 1, "content": "b"}]`, `t: added token "b" has the id 1, which is another's or leaves a gap: number it as the vocabulary does`},
		{`"version": "1.0"`, `"added_tokens": [{"id": 1, "content": "a", "normalized": true}]`, `t: added token "a" is single_word or normalized: only tokens found in text as it stands can be read`},
	} {
		text := strings.Replace(good, test.old, test.new, 1)
		if _, err := ReadTokenizer(strings.NewReader(text), "t"); err == nil || err.Error() != test.want {
			t.Errorf("%s:\n got %v\nwant %s", test.new, err, test.want)
		}
	}
}

func FuzzReadTokenizer(f *testing.F) {
	f.Add([]byte("{" + bert + `"vocab": {"[UNK]": 0, "a": 1}}}`))
	f.Add([]byte(`{"added_tokens": [{"id": 1, "content": "[SEP]"}],` + bert + `"vocab": {"[UNK]": 0}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := ReadTokenizer(bytes.NewReader(data), "tokenizer.json"); err == nil {
			checkVocabulary(t, v)
		}
	})
}

// TestWriteTokenizer demands that what is written is read back the same.
func TestWriteTokenizer(t *testing.T) {
	added := "{" + `"added_tokens": [{"id": 0, "content": "[UNK]"}, {"id": 3, "content": "<q>\"&\\"}],` + bert + `"vocab": {"[UNK]": 0, "[CLS]": 2, "ä<": 1}}}`
	v, err := ReadTokenizer(strings.NewReader(added), "t")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ReadVocabulary(strings.NewReader("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n\"\n\\\n"), "v")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []*Vocabulary{
		v, plain, plain.With(Options{Cased: true}), plain.With(Options{Accents: AccentsKept, KeepControls: true}),
		plain.With(Options{Cased: true, Accents: AccentsStripped, JoinIdeographs: true}),
	} {
		var text bytes.Buffer
		if err := v.WriteTokenizer(&text); err != nil {
			t.Fatal(err)
		}
		again, err := ReadTokenizer(&text, "t")
		if err != nil {
			t.Fatal(err)
		}
		if again.Fingerprint() != v.Fingerprint() || again.Options() != v.Options() {
			t.Errorf("%q %+v is read back as %q %+v", v.tokens, v.options, again.tokens, again.options)
		}
	}
}
