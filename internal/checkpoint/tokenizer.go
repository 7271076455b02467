package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"

	"parley/internal/wordpiece"
)

// tokenizer is what the files of a folder say of how text becomes ids.
type tokenizer struct {
	vocabulary *wordpiece.Vocabulary
	most       int // tokens of an input, special ones included
	notes      []string
	files      []string // that were read
}

// berts are the tokenizer classes of transformers that fold text as
// tokenizer_config.json says; generic those that go by tokenizer.json alone.
func berts() []string {
	return []string{"", "BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast"}
}

func generic() []string { return []string{"PreTrainedTokenizerFast", "TokenizersBackend"} }

// readTokenizer reads the tokenizer files of the folder dir.
func readTokenizer(dir string) (*tokenizer, error) {
	s, err := readSettings(filepath.Join(dir, SettingsFile))
	if err != nil {
		return nil, err
	}
	specials, err := readSettings(filepath.Join(dir, SpecialsFile))
	if err != nil {
		return nil, err
	}
	checkSpecials(s)
	checkSpecials(specials)
	t := &tokenizer{most: s.least(math.MaxInt32, "model_max_length"), files: present(s.path, specials.path)}
	class := s.text("", "tokenizer_class")
	if !slices.Contains(berts(), class) && !slices.Contains(generic(), class) {
		s.wrong("tokenizer_class", "only BERT's WordPiece tokenizers can be read")
	}
	if !s.bool(true, "do_basic_tokenize") {
		s.wrong("do_basic_tokenize", "only tokenizers that split words can be read")
	}
	s.refuse("never_split", "only tokenizers that split all words can be read")
	folding := s.folding()
	if err := errors.Join(s.err, specials.err); err != nil {
		return nil, err
	}
	if err := t.readVocabulary(dir, s); err != nil {
		return nil, err
	}
	if slices.Contains(berts(), class) {
		t.fold(folding)
		return t, nil
	}
	return t, checkGeneric(filepath.Join(dir, TokenizerFile), class)
}

// checkGeneric demands of a generic tokenizer that it sets texts between [CLS]
// and [SEP], as those of BERT do of their own accord.
func checkGeneric(path, class string) error {
	members, err := readObject(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing, which a tokenizer of class %s needs: fetch it too", path, class)
	}
	if err != nil {
		return err
	}
	for _, token := range []string{wordpiece.Start, wordpiece.Separator} {
		if !bytes.Contains(members["post_processor"], []byte(`"`+token+`"`)) {
			return fmt.Errorf("%s has a post_processor that sets no %s: only tokenizers that set texts between %s and %s can be read", path, token, wordpiece.Start, wordpiece.Separator)
		}
	}
	return nil
}

// fold lets the vocabulary fold text as o says, which transformers heeds rather
// than the tokenizer.json.
func (t *tokenizer) fold(o wordpiece.Options) {
	if has := t.vocabulary.Options(); has != (wordpiece.Options{}) && has != o {
		t.notes = append(t.notes, fmt.Sprintf("text is folded as %s says, and its defaults, not as %s does", SettingsFile, TokenizerFile))
	}
	t.vocabulary = t.vocabulary.With(o)
}

// folding returns how a tokenizer of class BertTokenizer folds text.
func (s *settings) folding() wordpiece.Options {
	o := wordpiece.Options{
		Cased:          !s.bool(true, "do_lower_case"),
		JoinIdeographs: !s.bool(true, "tokenize_chinese_chars"),
	}
	if s.has("strip_accents") {
		o.Accents = wordpiece.AccentsKept
		if s.bool(false, "strip_accents") {
			o.Accents = wordpiece.AccentsStripped
		}
	}
	return o
}

// specialTokens returns BERT's special tokens behind the names of their settings.
func specialTokens() [][2]string {
	return [][2]string{
		{"cls_token", wordpiece.Start},
		{"mask_token", wordpiece.Masked},
		{"pad_token", wordpiece.Padding},
		{"sep_token", wordpiece.Separator},
		{"unk_token", wordpiece.Unknown},
	}
}

// checkSpecials refuses special tokens that are not BERT's.
func checkSpecials(s *settings) {
	for _, special := range specialTokens() {
		if has := s.token(special[0]); has != "" && has != special[1] {
			s.wrong(special[0], "only %s can be read", special[1])
		}
	}
}

// token returns the token that a setting names: a text, or an object with its
// content.
func (s *settings) token(name string) string {
	if !s.has(name) {
		return ""
	}
	value := s.members[name]
	if !bytes.HasPrefix(value, []byte("{")) {
		return s.text("", name)
	}
	return s.within(name).text("", "content")
}

// within returns the members of the setting name, an object.
func (s *settings) within(name string) *settings {
	inner := &settings{path: s.path + ": " + name}
	if !s.has(name) {
		return inner
	}
	var err error
	if inner.members, err = object(s.members[name]); err != nil {
		s.wrong(name, "an object is due")
	}
	return inner
}

// readVocabulary reads the tokenizer.json, or the vocab.txt where there is none.
func (t *tokenizer) readVocabulary(dir string, s *settings) (err error) {
	if path := filepath.Join(dir, TokenizerFile); isFile(path) {
		t.files = append(t.files, path)
		data, err := readFile(path)
		if err != nil {
			return err
		}
		t.vocabulary, err = wordpiece.ReadTokenizer(bytes.NewReader(data), path)
		return err
	}
	path := filepath.Join(dir, VocabularyFile)
	if !isFile(path) {
		return fmt.Errorf("%s has neither a %s nor a %s: fetch the tokenizer's files too", dir, TokenizerFile, VocabularyFile)
	}
	data, err := readFile(path)
	if err != nil {
		return err
	}
	if t.vocabulary, err = wordpiece.ReadVocabulary(bytes.NewReader(data), path); err != nil {
		return err
	}
	return t.checkAdded(dir, s)
}

// checkAdded refuses tokens that are added to a vocab.txt: only a tokenizer.json
// says all of how they are found.
func (t *tokenizer) checkAdded(dir string, s *settings) error {
	added, err := readSettings(filepath.Join(dir, "added_tokens.json"))
	if err != nil {
		return err
	}
	t.files = append(t.files, present(filepath.Join(dir, VocabularyFile), added.path)...)
	tokens := make([]string, 0, len(added.members))
	for token := range added.members {
		tokens = append(tokens, token)
	}
	decoder := s.within("added_tokens_decoder")
	for id := range decoder.members {
		tokens = append(tokens, decoder.token(id))
	}
	slices.Sort(tokens)
	for _, token := range tokens {
		if _, ok := t.vocabulary.ID(token); !ok {
			return fmt.Errorf("%s adds the token %q to its %s: fetch or save its %s, which says how it is found in text", dir, token, VocabularyFile, TokenizerFile)
		}
	}
	return errors.Join(s.err, decoder.err)
}
