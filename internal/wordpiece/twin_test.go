package wordpiece

import (
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/unicode/rangetable"
)

// twin is the tokeniser written the slow and obvious way, step by step as the
// reference does it.
type twin struct {
	ids     map[string]uint32
	special []string
	o       Options
}

func newTwin(v *Vocabulary) twin {
	t := twin{ids: map[string]uint32{}, o: v.Options()}
	for id := range uint32(v.Len()) {
		t.ids[v.Token(id)] = id
	}
	for _, s := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		if _, ok := t.ids[s]; ok {
			t.special = append(t.special, s)
		}
	}
	return t
}

func (t twin) encode(text string) []uint32 {
	for i := range text {
		for _, s := range t.special {
			if strings.HasPrefix(text[i:], s) {
				return append(append(t.encodePlain(text[:i]), t.ids[s]), t.encode(text[i+len(s):])...)
			}
		}
	}
	return t.encodePlain(text)
}

func (t twin) encodePlain(text string) (ids []uint32) {
	for _, word := range t.words(text) {
		ids = append(ids, t.pieces(word)...)
	}
	return ids
}

// pieces covers word with the longest tokens from left to right.
func (t twin) pieces(word string) (ids []uint32) {
	runes := []rune(word)
	if len(runes) > 100 {
		return []uint32{t.ids["[UNK]"]}
	}
	for start := 0; start < len(runes); {
		end := len(runes)
		for ; end > start; end-- {
			piece := string(runes[start:end])
			if start > 0 {
				piece = "##" + piece
			}
			if id, ok := t.ids[piece]; ok {
				ids = append(ids, id)
				break
			}
		}
		if end == start {
			return []uint32{t.ids["[UNK]"]}
		}
		start = end
	}
	return ids
}

// words normalises text and splits it at white space and around punctuation.
func (t twin) words(text string) (words []string) {
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, string(word))
			word = nil
		}
	}
	for _, r := range t.normalize([]rune(text)) {
		switch {
		case unicode.Is(unicode.White_Space, r):
			flush()
		case isPunctuation(r):
			flush()
			words = append(words, string(r))
		default:
			word = append(word, r)
		}
	}
	flush()
	return words
}

func (t twin) normalize(text []rune) []rune {
	if !t.o.KeepControls {
		text = each(text, clean)
	}
	if !t.o.JoinIdeographs {
		text = each(text, func(r rune) []rune {
			if isIdeograph(r) {
				return []rune{' ', r, ' '}
			}
			return []rune{r}
		})
	}
	if t.o.Accents == AccentsStripped || t.o.Accents == AccentsByCase && !t.o.Cased {
		text = each(canonicalOrder(each(text, canonical)), func(r rune) []rune {
			if isMark(r) {
				return nil
			}
			return []rune{r}
		})
	}
	if !t.o.Cased {
		text = each(text, func(r rune) []rune {
			if r == 'İ' {
				return []rune("i\u0307")
			}
			return []rune{lower(r)}
		})
	}
	return text
}

func each(text []rune, f func(rune) []rune) []rune {
	var all []rune
	for _, r := range text {
		all = append(all, f(r)...)
	}
	return all
}

func clean(r rune) []rune {
	switch {
	case strings.ContainsRune("\t\n\r", r):
		return []rune{' '}
	case r == unicode.ReplacementChar, old(r, unicode.Cc, unicode.Cf, unicode.Co):
		return nil
	case unicode.Is(unicode.White_Space, r):
		return []rune{' '}
	}
	return []rune{r}
}

// old reports whether r was in one of the tables already in Unicode 8.
func old(r rune, tables ...*unicode.RangeTable) bool {
	return unicode.In(r, tables...) && unicode.Is(rangetable.Assigned("8.0.0"), r)
}

func isPunctuation(r rune) bool {
	return r < utf8.RuneSelf && unicode.In(r, unicode.P, unicode.S) || r == 0x166D || r == 0x111C9 || old(r, unicode.P)
}

func isMark(r rune) bool {
	switch r {
	case 0x1734:
		return true
	case 0x1885, 0x1886, 0xA9BD, 0x111C9:
		return false
	}
	return old(r, unicode.Mn)
}

func isIdeograph(r rune) bool {
	for _, block := range [][2]rune{
		{0x4E00, 0x9FFF},
		{0x3400, 0x4DBF},
		{0x20000, 0x2A6DF},
		{0x2A700, 0x2B73F},
		{0x2B740, 0x2B81F},
		{0x2B920, 0x2CEAF},
		{0xF900, 0xFAFF},
		{0x2F800, 0x2FA1F},
	} {
		if block[0] <= r && r <= block[1] {
			return true
		}
	}
	return false
}

// canonical decomposes r if Unicode 9 knew it.
func canonical(r rune) []rune {
	if !unicode.Is(rangetable.Assigned("9.0.0"), r) {
		return []rune{r}
	}
	return []rune(norm.NFD.String(string(r)))
}

// canonicalOrder sorts every run of combining marks by their classes.
func canonicalOrder(text []rune) []rune {
	class := func(r rune) uint8 {
		if !unicode.Is(rangetable.Assigned("9.0.0"), r) {
			return 0
		}
		return norm.NFD.PropertiesString(string(r)).CCC()
	}
	for start := 0; start < len(text); start++ {
		end := start
		for end < len(text) && class(text[end]) != 0 {
			end++
		}
		run := text[start:end]
		sort.SliceStable(run, func(i, j int) bool { return class(run[i]) < class(run[j]) })
		start = end
	}
	return text
}
