package wordpiece

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// normaliserJSON is the normaliser of a tokenizer.json.
type normaliserJSON struct {
	Type         string `json:"type"`
	CleanText    bool   `json:"clean_text"`
	Chinese      bool   `json:"handle_chinese_chars"`
	StripAccents *bool  `json:"strip_accents"`
	Lowercase    bool   `json:"lowercase"`
}

// addedJSON is an added token of a tokenizer.json.
type addedJSON struct {
	ID         uint32 `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	Lstrip     bool   `json:"lstrip"`
	Rstrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// WriteTokenizer writes v as a tokenizer.json of Hugging Face tokenizers, which
// ReadTokenizer reads as a vocabulary of the same fingerprint. Where v has the
// tokens [CLS] and [SEP], texts are set between them.
func (v *Vocabulary) WriteTokenizer(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": [")
	separator := "\n"
	for _, id := range slices.Sorted(slices.Values(v.verbatim)) {
		token := v.tokens[id]
		added := addedJSON{ID: id, Content: token, Special: slices.Contains(specials(), token)}
		fmt.Fprintf(out, "%s    %s", separator, encoded(added))
		separator = ",\n"
	}
	fmt.Fprintf(out, "\n  ],\n  \"normalizer\": %s,\n  \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},\n", encoded(v.normaliser()))
	fmt.Fprintf(out, "  \"post_processor\": %s,\n", v.postProcessor())
	fmt.Fprintf(out, "  \"decoder\": {\"type\": \"WordPiece\", \"prefix\": %q, \"cleanup\": true},\n", continuation)
	fmt.Fprintf(out, "  \"model\": {\n    \"type\": \"WordPiece\",\n    \"unk_token\": %q,\n    \"continuing_subword_prefix\": %q,\n", Unknown, continuation)
	fmt.Fprintf(out, "    \"max_input_chars_per_word\": %d,\n    \"vocab\": {", longest)
	for id, token := range v.tokens[:v.covering] {
		if id > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(out, "\n      %s: %d", encoded(token), id)
	}
	fmt.Fprintf(out, "\n    }\n  }\n}\n")
	return out.Flush() // which tells all errors
}

// normaliser returns the normaliser that folds text as v's options say.
func (v *Vocabulary) normaliser() normaliserJSON {
	o := v.options
	n := normaliserJSON{Type: "BertNormalizer", CleanText: !o.KeepControls, Chinese: !o.JoinIdeographs, Lowercase: !o.Cased}
	if o.Accents != AccentsByCase {
		strip := o.Accents == AccentsStripped
		n.StripAccents = &strip
	}
	return n
}

// postProcessor returns what sets texts between [CLS] and [SEP], where v has them.
func (v *Vocabulary) postProcessor() string {
	start, hasStart := v.ID(Start)
	separator, hasSeparator := v.ID(Separator)
	if !hasStart || !hasSeparator {
		return "null"
	}
	const (
		first  = `{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}`
		second = `{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}`
	)
	return fmt.Sprintf(`{"type": "TemplateProcessing", "single": [%s], "pair": [%s, %s], "special_tokens": {`+
		`"[CLS]": {"id": "[CLS]", "ids": [%d], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [%d], "tokens": ["[SEP]"]}}}`,
		first, first, second, start, separator)
}

// encoded returns value as JSON, its text as it stands.
func encoded(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // tokens are UTF-8, and structs of them encode
	}
	return string(bytes.TrimSuffix(text.Bytes(), []byte("\n")))
}
