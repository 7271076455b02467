package wordpiece

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// The special tokens of BERT's vocabularies. Only Unknown has to be in a
// vocabulary.
const (
	Padding   = "[PAD]"
	Unknown   = "[UNK]"
	Start     = "[CLS]"
	Separator = "[SEP]"
	Masked    = "[MASK]"
)

// specials returns the special tokens, in the order in which trained
// vocabularies begin with them.
func specials() []string { return []string{Padding, Unknown, Start, Separator, Masked} }

// longestToken is the number of bytes that a token may have; none of that many
// covers a word of 100 code points.
const longestToken = 1000

// continuation begins a token that goes on with a word.
const continuation = "##"

// A Vocabulary is a numbered list of tokens, with the Options under which text
// is folded to meet them. It is immutable.
type Vocabulary struct {
	options  Options
	tokens   []string
	unknown  uint32
	covering int        // the tokens before this one cover words
	short    shortWords // of those
	trie     trie       // of those
	verbatim []uint32   // the tokens that are found in text as it stands, longest first
	initials string     // the code points that those begin with
}

// NewVocabulary returns the vocabulary in which tokens[i] has the id i. It is
// an error if a token is empty, longer than 1000 bytes, not UTF-8, has a line
// break or occurs twice, and if Unknown is missing.
func NewVocabulary(tokens []string, o Options) (*Vocabulary, error) {
	return source{name: "vocabulary"}.vocabulary(slices.Clone(tokens), len(tokens), specials(), o)
}

// OpenVocabulary opens a vocab.txt, which does not say how text is folded and
// gets the zero Options (see With), or a tokenizer.json, which does. Of a
// folder it opens the one or the other, tokenizer.json first.
func OpenVocabulary(path string) (*Vocabulary, error) {
	path, err := locate(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if filepath.Ext(path) == ".json" {
		return ReadTokenizer(f, path)
	}
	return ReadVocabulary(f, path)
}

// locate returns the vocabulary file at path or in the folder at path.
func locate(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return path, err
	}
	for _, name := range []string{"tokenizer.json", "vocab.txt"} {
		file := filepath.Join(path, name)
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("%s: this folder has neither a tokenizer.json nor a vocab.txt: name a vocabulary file", path)
}

// ReadVocabulary reads a vocab.txt: one token a line, in the order of their
// ids. The Options are zero, and the special tokens that are there are found in
// text as it stands. Errors begin with name and the line.
func ReadVocabulary(r io.Reader, name string) (*Vocabulary, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("%s: the file is empty: a vocabulary has one token a line", name)
	}
	tokens := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for i, token := range tokens {
		tokens[i] = strings.TrimSuffix(token, "\r")
	}
	return source{name: name, lines: true}.vocabulary(tokens, len(tokens), specials(), Options{})
}

// source says where tokens come from.
type source struct {
	name  string
	lines bool // one token a line
}

// at names token i in an error that is about it.
func (s source) at(i int) string {
	if s.lines {
		return fmt.Sprintf("%s:%d", s.name, i+1)
	}
	return fmt.Sprintf("%s: token %d", s.name, i)
}

// vocabulary makes a vocabulary of tokens. Those from covering on cover no
// words; those in verbatim are found in text as it stands.
func (s source) vocabulary(tokens []string, covering int, verbatim []string, o Options) (*Vocabulary, error) {
	ids, err := s.number(tokens)
	if err != nil {
		return nil, err
	}
	unknown, ok := ids[Unknown]
	if !ok {
		return nil, fmt.Errorf("%s: no token %s: add it, for words that no other token covers", s.name, Unknown)
	}
	v := &Vocabulary{
		options: o, tokens: tokens, unknown: unknown,
		covering: covering, short: newShortWords(tokens[:covering]), trie: newTrie(tokens[:covering]),
	}
	for _, token := range verbatim {
		if id, ok := ids[token]; ok {
			v.verbatim = append(v.verbatim, id)
			if first, _ := utf8.DecodeRuneInString(token); !strings.ContainsRune(v.initials, first) {
				v.initials += string(first)
			}
		}
	}
	slices.SortFunc(v.verbatim, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(len(tokens[b]), len(tokens[a])), cmp.Compare(a, b))
	})
	return v, nil
}

// number checks tokens and returns their ids.
func (s source) number(tokens []string) (map[string]uint32, error) {
	ids := make(map[string]uint32, len(tokens))
	for i, token := range tokens {
		switch first, ok := ids[token]; {
		case token == "":
			return nil, fmt.Errorf("%s: empty token: write the token or remove the line", s.at(i))
		case len(token) > longestToken:
			return nil, fmt.Errorf("%s: token of %d bytes, where %d are the most: name a vocabulary, with one token a line", s.at(i), len(token), longestToken)
		case !utf8.ValidString(token):
			return nil, fmt.Errorf("%s: token %q is not valid UTF-8: convert the vocabulary to UTF-8", s.at(i), token)
		case strings.ContainsAny(token, "\r\n"):
			return nil, fmt.Errorf("%s: token %q has a line break: a token is a part of a line", s.at(i), token)
		case ok:
			return nil, fmt.Errorf("%s: duplicate token %q (first at %s): list each token once", s.at(i), token, s.at(int(first)))
		}
		ids[token] = uint32(i)
	}
	return ids, nil
}

// With returns the vocabulary of the same tokens for text folded under o.
func (v *Vocabulary) With(o Options) *Vocabulary {
	w := *v
	w.options = o
	return &w
}

// Options returns how text is folded to meet the tokens.
func (v *Vocabulary) Options() Options { return v.options }

// Len returns the number of tokens; their ids are 0 to Len()-1.
func (v *Vocabulary) Len() int { return len(v.tokens) }

// Token returns the token with the given id, which must be below Len.
func (v *Vocabulary) Token(id uint32) string { return v.tokens[id] }

// Unknown returns the id of Unknown, which stands for a word that no tokens
// cover.
func (v *Vocabulary) Unknown() uint32 { return v.unknown }

// ID returns the id of token, and whether there is such a token.
func (v *Vocabulary) ID(token string) (uint32, bool) {
	if n := v.trie.walk(token); n != none && v.trie[n].token != none {
		return uint32(v.trie[n].token), true
	}
	for _, id := range v.verbatim {
		if v.tokens[id] == token {
			return id, true
		}
	}
	return 0, false
}

// OnlyPunctuation reports whether the token with the given id consists of what
// the reference takes for punctuation: Unicode's, and the symbols of ASCII.
func (v *Vocabulary) OnlyPunctuation(id uint32) bool {
	properties := properties()
	for _, r := range strings.TrimPrefix(v.tokens[id], continuation) {
		if properties[r]&punctuation == 0 {
			return false
		}
	}
	return true
}

// Fingerprint returns the SHA-256, in hexadecimal, of all that decides which
// ids a text gets: the tokens, which of them are found in text as it stands,
// and the Options. Ids under another fingerprint mean something else.
func (v *Vocabulary) Fingerprint() string {
	h := sha256.New()
	o := v.options
	fmt.Fprintln(h, o.Cased, o.accents(), o.JoinIdeographs, o.KeepControls, v.covering, v.verbatim)
	io.WriteString(h, v.lines())
	return hex.EncodeToString(h.Sum(nil))
}

// Write writes the tokens as a vocab.txt. It is an error if ReadVocabulary
// would find other tokens in text as it stands than v does.
func (v *Vocabulary) Write(w io.Writer) error {
	if !v.isPlain() {
		return errors.New("a vocab.txt has the special tokens of BERT, and this vocabulary has others: keep its tokenizer.json")
	}
	_, err := io.WriteString(w, v.lines())
	return err
}

// isPlain reports whether the tokens that are found in text as it stands are
// the special ones, all of which cover words.
func (v *Vocabulary) isPlain() bool {
	n := 0
	for _, token := range specials() {
		id, ok := v.ID(token)
		if ok && !slices.Contains(v.verbatim, id) {
			return false
		}
		if ok {
			n++
		}
	}
	return n == len(v.verbatim) && v.covering == len(v.tokens)
}

func (v *Vocabulary) lines() string { return strings.Join(v.tokens, "\n") + "\n" }
