package wordpiece

import (
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/rangetable"
)

// property is a set of what the reference asks about a code point.
type property uint8

const (
	space       property = 1 << iota // separates words and belongs to none
	punctuation                      // a word of its own
	ideograph                        // a word of its own, unless the options say otherwise
	other                            // control, format, private use, NUL and U+FFFD: not text
	mark                             // nonspacing mark: an accent
	composite                        // has a canonical decomposition
	combines                         // has a combining class other than 0
	letter                           // none of these, of an ASCII byte
)

// properties returns the properties of every code point. The reference takes
// its categories from a table frozen at Unicode 8.0, which knows nothing of
// code points assigned since; the exceptions are code points whose category has
// changed since, and those that the reference names itself.
var properties = sync.OnceValue(func() *[unicode.MaxRune + 1]property {
	all := new([unicode.MaxRune + 1]property)
	add := func(p property, table *unicode.RangeTable) {
		rangetable.Visit(table, func(r rune) { all[r] |= p })
	}
	remove := func(p property, runes string) {
		for _, r := range runes {
			all[r] &^= p
		}
	}
	assigned := rangetable.Assigned("8.0.0")
	addAssigned := func(p property, table *unicode.RangeTable) {
		rangetable.Visit(table, func(r rune) {
			if unicode.Is(assigned, r) {
				all[r] |= p
			}
		})
	}

	addAssigned(punctuation, unicode.P)
	add(punctuation, rangetable.New([]rune("$+<=>^`|~\u166D\U000111C9")...))

	addAssigned(mark, unicode.Mn)
	add(mark, rangetable.New(0x1734))
	remove(mark, "\u1885\u1886\uA9BD\U000111C9")

	addAssigned(other, unicode.Cf)
	add(other, unicode.Co)
	add(other, unicode.Cc)
	add(other, rangetable.New(unicode.ReplacementChar))
	remove(other, "\t\n\r")

	add(space, unicode.White_Space)
	add(ideograph, ideographs)
	addNormal(all)
	return all
})

// addNormal adds what the reference's normaliser knows, which is Unicode 9.
func addNormal(all *[unicode.MaxRune + 1]property) {
	rangetable.Visit(rangetable.Assigned("9.0.0"), func(r rune) {
		if all[r]&other != 0 || unicode.Is(unicode.Unified_Ideograph, r) {
			return // three code points in four, none of which is either
		}
		p := normal(r)
		if isHangul(r) || p.Decomposition() != nil {
			all[r] |= composite
		}
		if p.CCC() != 0 {
			all[r] |= combines
		}
	})
}

// ideographs are the ranges that the reference sets apart. It begins one of
// them at U+2B920 where Unicode's block of CJK Unified Ideographs Extension E
// begins at U+2B820.
var ideographs = &unicode.RangeTable{
	R16: []unicode.Range16{{0x3400, 0x4DBF, 1}, {0x4E00, 0x9FFF, 1}, {0xF900, 0xFAFF, 1}},
	R32: []unicode.Range32{
		{0x20000, 0x2A6DF, 1}, {0x2A700, 0x2B73F, 1}, {0x2B740, 0x2B81F, 1}, {0x2B920, 0x2CEAF, 1}, {0x2F800, 0x2FA1F, 1},
	},
}

// lower returns the lower-case form of r, one code point at a time as the
// reference does: no final sigma. The exceptions are pairs of Unicode 16 and
// 17, which the reference knows and Go 1.26 does not. U+0130, whose lower-case
// form is two code points, is left to the caller.
func lower(r rune) rune {
	switch {
	case r < 0x1C89:
	case r == 0x1C89, r == 0xA7CC, r == 0xA7CE, r == 0xA7D2, r == 0xA7D4, r == 0xA7DA:
		return r + 1
	case r == 0xA7CB:
		return 0x264
	case r == 0xA7DC:
		return 0x19B
	case 0x10D50 <= r && r <= 0x10D65:
		return r + 0x20
	case 0x16EA0 <= r && r <= 0x16EB8:
		return r + 0x1B
	}
	return unicode.ToLower(r)
}

// Hangul syllables decompose by arithmetic: The Unicode Standard, section 3.12.
const (
	hangulBase, hangulEnd          = 0xAC00, 0xD7A4
	leadBase, vowelBase, trailBase = 0x1100, 0x1161, 0x11A7
	vowelCount, trailCount         = 21, 28
)

func isHangul(r rune) bool { return hangulBase <= r && r < hangulEnd }

// decompose appends the canonical decomposition of a composite r.
func decompose(to []rune, r rune) []rune {
	if !isHangul(r) {
		for rest := normal(r).Decomposition(); len(rest) > 0; {
			part, size := utf8.DecodeRune(rest)
			to, rest = append(to, part), rest[size:]
		}
		return to
	}
	s := r - hangulBase
	to = append(to, leadBase+s/(vowelCount*trailCount), vowelBase+s/trailCount%vowelCount)
	if trail := s % trailCount; trail != 0 {
		to = append(to, trailBase+trail)
	}
	return to
}

func normal(r rune) norm.Properties {
	var b [utf8.UTFMax]byte
	return norm.NFD.Properties(utf8.AppendRune(b[:0], r))
}
