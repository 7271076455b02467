package wordpiece

import (
	"strings"
	"unicode/utf8"
)

// Options say how text is folded before it is cut, as the reference's BertNormalizer does. The zero value is what
// uncased BERT vocabularies expect: lower case, accents stripped, ideographs apart, control characters dropped.
type Options struct {
	// Cased keeps capital letters.
	Cased bool `json:"cased,omitempty"`
	// Accents says whether accents are stripped: the default is to strip them unless Cased.
	Accents Accents `json:"accents,omitempty"`
	// JoinIdeographs lets Chinese characters be parts of longer words; by default each is a word.
	JoinIdeographs bool `json:"join_ideographs,omitempty"`
	// KeepControls keeps control characters and U+FFFD as parts of words; by default they are dropped.
	KeepControls bool `json:"keep_controls,omitempty"`
}

// Accents says what becomes of accents.
type Accents int8

// What becomes of accents: stripped unless the vocabulary is cased, stripped, or kept.
const (
	AccentsByCase Accents = iota
	AccentsStripped
	AccentsKept
)

// accents resolves AccentsByCase.
func (o Options) accents() Accents {
	switch {
	case o.Accents != AccentsByCase:
		return o.Accents
	case o.Cased:
		return AccentsKept
	}
	return AccentsStripped
}

// class says what a byte of text is at the beginning of a word.
type class uint8

const (
	beyond class = iota // the first byte of a code point beyond ASCII
	inside              // an ASCII letter, or what counts as one
	alone               // a word of its own
	apart               // in no word
)

// folding is Options made ready for words.
type folding struct {
	properties *[utf8.MaxRune + 1]property
	clean      bool
	strip      bool
	lower      bool
	single     property // what makes a word of a code point, beside punctuation

	class [256]class
	joins [256]bool // a word does not end before this byte, though it is not inside
	fold  [256]byte // lower case where the options ask for it
}

func newFolding(o Options) *folding {
	f := &folding{
		properties: properties(),
		clean:      !o.KeepControls,
		strip:      o.accents() == AccentsStripped,
		lower:      !o.Cased,
	}
	if !o.JoinIdeographs {
		f.single = ideograph
	}
	for i := range f.class {
		b := byte(i)
		f.class[b], f.joins[b] = f.classify(b)
		f.fold[b] = b
		if f.lower {
			f.fold[b] = strings.ToLower(string(rune(b)))[0]
		}
	}
	return f
}

// classify returns the class of a byte at the beginning of a word, and whether a word goes on beyond it.
func (f *folding) classify(b byte) (c class, joins bool) {
	if b >= utf8.RuneSelf {
		return beyond, true
	}
	switch p := f.properties[b]; {
	case f.clean && p&other != 0:
		return apart, true
	case p&space != 0:
		return apart, false
	case p&punctuation != 0:
		return alone, false
	}
	return inside, false
}
