package wordpiece

import "unicode/utf8"

// longest is the number of code points above which the reference takes a word
// for unknown as a whole.
const longest = 100

// words cuts text into words as the reference's normaliser and pre-tokeniser do
// together: cleaned, folded, and separated at spaces, punctuation and
// ideographs.
type words struct {
	*folding
	text string
	at   int // the first byte of text that is not yet read

	// The word that next returned, or is about to.
	runes int                               // its code points, also those too many to be kept
	fixed int                               // the first so many of them stay before any combining mark to come
	kept  [longest + 1]rune                 // its first code points, if it is not plain ASCII
	bytes [(longest + 1) * utf8.UTFMax]byte // its first code points in UTF-8
}

// next returns the next word, valid until it is called again, and nil after the
// last. A word of more than longest code points (w.runes) is cut there.
func (w *words) next() []byte {
	for w.at < len(w.text) {
		b := w.text[w.at]
		switch w.class[b] {
		case space, other:
			w.at++
		case punctuation:
			w.at++
			w.runes, w.bytes[0] = 1, b
			return w.bytes[:1]
		case letter:
			if word := w.plain(); word != nil {
				return word
			}
			fallthrough
		default:
			if word := w.rich(); word != nil {
				return word
			}
		}
	}
	return nil
}

// plain reads a word that is ASCII letters and digits up to a boundary, and
// returns nil where it is not.
func (w *words) plain() []byte {
	f, rest := w.folding, w.text[w.at:]
	n := 0
	for n < len(rest) {
		b := f.fold[rest[n]]
		if b == 0 {
			if f.class[rest[n]]&(space|punctuation) == 0 {
				return nil
			}
			break
		}
		if n < len(w.bytes) {
			w.bytes[n] = b
		}
		n++
	}
	w.runes = n
	w.at += n
	return w.bytes[:min(n, len(w.bytes))]
}

// rich reads a word of any code points, and returns nil where those up to the
// next boundary leave none.
func (w *words) rich() []byte {
	w.runes, w.fixed = 0, 0
	var room [4]rune // the longest canonical decomposition
	for w.at < len(w.text) {
		r, size := utf8.DecodeRuneInString(w.text[w.at:])
		of := w.properties[r]
		if w.clean && of&other != 0 {
			w.at += size
			continue
		}
		parts := append(room[:0], r)
		if w.strip && of&composite != 0 {
			parts = decompose(room[:0], r)
		}
		boundary := w.properties[parts[0]]&(space|punctuation) | of&w.single
		if boundary != 0 && w.runes > 0 {
			break
		}
		w.at += size
		if boundary&space != 0 {
			return nil
		}
		for _, part := range parts {
			w.put(part)
		}
		if boundary != 0 {
			break
		}
	}
	return w.encode()
}

// put folds r and adds it to the word.
func (w *words) put(r rune) {
	var class uint8
	if w.strip {
		class = w.combining(r)
		if w.properties[r]&mark != 0 {
			if class == 0 {
				w.fixed = w.runes
			}
			return
		}
	}
	if w.lower {
		if r == 'İ' {
			w.keep('i', 0)
			r = '\u0307'
		} else {
			r = lower(r)
		}
	}
	w.keep(r, class)
}

// combining returns the canonical combining class of r; nothing moves past a 0.
func (w *words) combining(r rune) uint8 {
	if w.properties[r]&combines == 0 {
		return 0
	}
	return normal(r).CCC()
}

// keep adds r to the word, before the combining marks of a higher class that it
// follows.
func (w *words) keep(r rune, class uint8) {
	if w.runes < len(w.kept) {
		i := w.runes
		for ; class != 0 && i > w.fixed && w.combining(w.kept[i-1]) > class; i-- {
			w.kept[i] = w.kept[i-1]
		}
		w.kept[i] = r
	}
	w.runes++
	if class == 0 {
		w.fixed = w.runes
	}
}

func (w *words) encode() []byte {
	if w.runes == 0 {
		return nil
	}
	word := w.bytes[:0]
	for _, r := range w.kept[:min(w.runes, len(w.kept))] {
		word = utf8.AppendRune(word, r)
	}
	return word
}
