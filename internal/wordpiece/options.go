package wordpiece

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Options say how text is folded before it is cut, as the reference's
// BertNormalizer does. The zero value is what uncased BERT vocabularies expect:
// lower case, accents stripped, ideographs apart, control characters dropped.
type Options struct {
	// Cased keeps capital letters.
	Cased bool `json:"cased,omitempty"`
	// Accents says whether accents are stripped: the default is to strip them
	// unless Cased.
	Accents Accents `json:"accents,omitempty"`
	// JoinIdeographs lets Chinese characters be parts of longer words; by
	// default each is a word.
	JoinIdeographs bool `json:"join_ideographs,omitempty"`
	// KeepControls keeps control characters and U+FFFD as parts of words; by
	// default they are dropped.
	KeepControls bool `json:"keep_controls,omitempty"`
}

// Accents says what becomes of accents. Its text form is by-case, strip or
// keep.
type Accents int8

// What becomes of accents: stripped unless the vocabulary is cased, stripped,
// or kept.
const (
	AccentsByCase Accents = iota
	AccentsStripped
	AccentsKept
)

func accentNames() []string { return []string{"by-case", "strip", "keep"} }

// MarshalText returns the text form of a.
func (a Accents) MarshalText() ([]byte, error) {
	if a < AccentsByCase || a > AccentsKept {
		return nil, fmt.Errorf("accents %d: there is no such choice", int(a))
	}
	return []byte(accentNames()[a]), nil
}

// UnmarshalText sets a to what the text says.
func (a *Accents) UnmarshalText(text []byte) error {
	i := slices.Index(accentNames(), string(text))
	if i < 0 {
		return fmt.Errorf("accents %q: write by-case, strip or keep", text)
	}
	*a = Accents(i)
	return nil
}

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

// folding is Options made ready for words.
type folding struct {
	properties *[utf8.MaxRune + 1]property
	clean      bool
	strip      bool
	lower      bool
	single     property // what makes a word of a code point, beside punctuation

	// What a byte is where a word may begin: space, punctuation, other (which
	// ends no word) or letter; 0 where more than this byte decides.
	class [256]property
	fold  [256]byte // a letter in the case that the options ask for; 0 for other bytes
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
	for b := byte(1); b < utf8.RuneSelf; b++ { // a NUL that is kept is left to the slow path, for its fold would be 0
		f.class[b] = f.classify(b)
		if f.class[b] == letter {
			f.fold[b] = b
			if f.lower && 'A' <= b && b <= 'Z' {
				f.fold[b] += 'a' - 'A'
			}
		}
	}
	return f
}

// classify returns the one property of an ASCII byte that decides, or letter.
func (f *folding) classify(b byte) property {
	p := f.properties[b]
	switch {
	case f.clean && p&other != 0:
		return other
	case p&space != 0:
		return space
	case p&punctuation != 0:
		return punctuation
	}
	return letter
}
