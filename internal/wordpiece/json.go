package wordpiece

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// tokenizerJSON is what decides ids in a tokenizer.json. The rest of the file
// is about special tokens to be added and about turning ids back into text.
type tokenizerJSON struct {
	AddedTokens []addedToken `json:"added_tokens"`
	Normalizer  struct {
		Type         string
		CleanText    *bool `json:"clean_text"`
		Chinese      *bool `json:"handle_chinese_chars"`
		StripAccents *bool `json:"strip_accents"`
		Lowercase    *bool
	}
	PreTokenizer struct{ Type string } `json:"pre_tokenizer"`
	Model        struct {
		Type         string
		Unknown      string `json:"unk_token"`
		Continuation string `json:"continuing_subword_prefix"`
		Longest      int    `json:"max_input_chars_per_word"`
		Vocab        map[string]int
	}
}

type addedToken struct {
	ID         int
	Content    string
	SingleWord bool `json:"single_word"`
	Normalized bool
}

// ReadTokenizer reads a tokenizer.json of Hugging Face tokenizers: a WordPiece
// model behind BERT's normaliser and pre-tokeniser; others are refused by name.
// Its added tokens are found in text as it stands.
func ReadTokenizer(r io.Reader, name string) (*Vocabulary, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("%s: not valid UTF-8: convert the file to UTF-8", name)
	}
	var t tokenizerJSON
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, fmt.Errorf("%s: not a tokenizer.json: %w", name, err)
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	tokens, err := t.tokens()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var verbatim []string
	for _, added := range t.AddedTokens {
		verbatim = append(verbatim, added.Content)
	}
	return source{name: name}.vocabulary(tokens, len(t.Model.Vocab), verbatim, t.options())
}

// check refuses what Parley's tokeniser does not do.
func (t *tokenizerJSON) check() error {
	for _, part := range []struct{ name, has, want string }{
		{"the model", t.Model.Type, "WordPiece"},
		{"the normalizer", t.Normalizer.Type, "BertNormalizer"},
		{"the pre_tokenizer", t.PreTokenizer.Type, "BertPreTokenizer"},
		{"unk_token", t.Model.Unknown, Unknown},
		{"continuing_subword_prefix", t.Model.Continuation, continuation},
		{"max_input_chars_per_word", fmt.Sprint(t.Model.Longest), fmt.Sprint(longest)},
	} {
		if part.has != part.want {
			return fmt.Errorf("%s is %q and must be %q: only BERT's WordPiece tokenizers can be read", part.name, part.has, part.want)
		}
	}
	if len(t.Model.Vocab) == 0 {
		return errors.New("the model has no vocab: it must list the tokens that cover words")
	}
	for _, added := range t.AddedTokens {
		if added.SingleWord || added.Normalized {
			return fmt.Errorf("added token %q is single_word or normalized: only tokens found in text as it stands can be read", added.Content)
		}
	}
	return nil
}

// tokens lists the tokens by their ids: the model's, then those only added.
func (t *tokenizerJSON) tokens() ([]string, error) {
	tokens := make([]string, len(t.Model.Vocab))
	for token, id := range t.Model.Vocab {
		if id < 0 || id >= len(tokens) {
			return nil, fmt.Errorf("token %q has the id %d: the ids of %d tokens are 0 to %d", token, id, len(tokens), len(tokens)-1)
		}
		if other := tokens[id]; other != "" {
			return nil, fmt.Errorf("tokens %q and %q share the id %d: number them apart", min(token, other), max(token, other), id)
		}
		tokens[id] = token
	}
	slices.SortFunc(t.AddedTokens, func(a, b addedToken) int { return cmp.Compare(a.ID, b.ID) })
	for _, added := range t.AddedTokens {
		if added.ID == len(tokens) {
			tokens = append(tokens, added.Content)
		} else if added.ID < 0 || added.ID > len(tokens) || tokens[added.ID] != added.Content {
			return nil, fmt.Errorf("added token %q has the id %d, which is another's or leaves a gap: number it as the vocabulary does", added.Content, added.ID)
		}
	}
	return tokens, nil
}

// options returns the normaliser's options; what it leaves out is on, and
// accents go by case.
func (t *tokenizerJSON) options() Options {
	off := func(b *bool) bool { return b != nil && !*b }
	o := Options{
		Cased:          off(t.Normalizer.Lowercase),
		JoinIdeographs: off(t.Normalizer.Chinese),
		KeepControls:   off(t.Normalizer.CleanText),
	}
	switch strip := t.Normalizer.StripAccents; {
	case strip == nil:
	case *strip:
		o.Accents = AccentsStripped
	default:
		o.Accents = AccentsKept
	}
	return o
}
