package wordpiece

import "strings"

// A Tokenizer cuts text into the tokens of one vocabulary. It is safe for
// concurrent use.
type Tokenizer struct {
	vocabulary *Vocabulary
	folding    *folding
	inner      int32 // the node of the trie from which a word goes on
}

// New returns the tokenizer for v under its Options.
func New(v *Vocabulary) *Tokenizer {
	return &Tokenizer{vocabulary: v, folding: newFolding(v.options), inner: v.trie.walk(continuation)}
}

// Vocabulary returns the vocabulary that the ids are of.
func (t *Tokenizer) Vocabulary() *Vocabulary { return t.vocabulary }

// Append appends the ids of the tokens of text to ids. A word that the
// vocabulary does not cover, or of more than 100 code points, is one Unknown.
// Special tokens, such as [SEP], are found where text spells them; none are
// added.
func (t *Tokenizer) Append(ids []uint32, text string) []uint32 {
	for {
		start, id := t.vocabulary.special(text)
		ids = t.appendWords(ids, text[:start])
		if start == len(text) {
			return ids
		}
		ids = append(ids, id)
		text = text[start+len(t.vocabulary.tokens[id]):]
	}
}

// special returns where the first special token in text starts and which it is,
// the longest where several start there, and len(text) if there is none.
func (v *Vocabulary) special(text string) (start int, id uint32) {
	for {
		i := strings.IndexAny(text[start:], v.initials)
		if i < 0 {
			return len(text), 0
		}
		start += i
		for _, id := range v.verbatim {
			if strings.HasPrefix(text[start:], v.tokens[id]) {
				return start, id
			}
		}
		start++
	}
}

func (t *Tokenizer) appendWords(ids []uint32, text string) []uint32 {
	w := words{folding: t.folding, text: text}
	for word := w.next(); word != nil; word = w.next() {
		if id, ok := t.vocabulary.short.find(word); ok {
			ids = append(ids, id)
		} else if w.runes <= longest {
			ids = t.appendPieces(ids, word)
		} else {
			ids = append(ids, t.vocabulary.unknown)
		}
	}
	return ids
}

// appendPieces covers word with tokens from left to right, each the longest
// that fits.
func (t *Tokenizer) appendPieces(ids []uint32, word []byte) []uint32 {
	trie, whole := t.vocabulary.trie, len(ids)
	for from := int32(root); len(word) > 0; from = t.inner {
		token, size := trie.longest(from, word)
		if token == none {
			return append(ids[:whole], t.vocabulary.unknown)
		}
		ids = append(ids, uint32(token))
		word = word[size:]
	}
	return ids
}
