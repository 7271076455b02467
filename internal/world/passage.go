package world

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Passage is a text about one entity.
type Passage struct {
	ID, Title, Text string
}

// sentence is a part of a passage.
type sentence struct {
	start, end int // in the text
	fact       int // that it states; -1 for none
}

// writer writes sentences about one entity.
type writer struct {
	w      *World
	e      entity
	id     identity
	random random
	buf    []byte
	named  bool // the subject was called by its name

	fillers []*template // that the passage may still use
}

func (w *World) writer(e entity, r random) *writer {
	return &writer{w: w, e: e, id: w.identity(e.cluster, e.slot), random: r}
}

// Passage returns passage i, from 0.
func (w *World) Passage(i int) Passage {
	e, s := w.section(i)
	p := w.writer(e, w.random(domainPassage, i, 0, 0))
	p.buf = make([]byte, 0, 1024)
	p.section(s)
	return Passage{ID: PassageID(i), Title: p.id.full, Text: string(p.buf)}
}

// PassageID returns the id of passage i.
func PassageID(i int) string { return fmt.Sprintf("p%06d", i+1) }

// section returns what passage i is about.
func (w *World) section(i int) (e entity, s int) {
	e.cluster = i / clusterPassages
	i %= clusterPassages
	for e.slot = slots - 1; firstOf[e.slot] > i; e.slot-- {
	}
	return e, i - firstOf[e.slot]
}

// sectionText returns the text of a section of e, with its sentences.
func (w *World) sectionText(e entity, s int) (string, []sentence) {
	p := w.writer(e, w.random(domainPassage, e.passage(s), 0, 0))
	sentences := p.section(s)
	return string(p.buf), sentences
}

// Passages are from minWords to about maxWords long, as paragraphs on the web
// are once they are cut for search.
const (
	minWords = 50
	maxWords = 110
)

// section writes a section: its facts in any order, with sentences that answer
// nothing before, between and after them.
func (p *writer) section(s int) (sentences []sentence) {
	section := &p.e.kind().sections[s]
	p.fillers = p.fillersOf(section)
	facts := p.shuffled(section.facts)
	target, words := p.random.between(minWords, maxWords-15), 0
	for len(facts) > 0 || words < target && len(p.fillers) > 0 {
		var st sentence
		if p.filler(len(facts), len(sentences), words < target) {
			st = p.sentence(p.nextFiller(), -1)
		} else {
			st = p.sentence(p.statement(facts[0]), facts[0])
			facts = facts[1:]
		}
		words += 1 + bytes.Count(p.buf[st.start:st.end], []byte(" "))
		sentences = append(sentences, st)
	}
	return sentences
}

// filler decides whether a sentence that answers nothing is next.
func (p *writer) filler(factsLeft, written int, short bool) bool {
	if factsLeft == 0 || written == 0 || len(p.fillers) == 0 {
		return factsLeft == 0
	}
	return short && p.random.chance(35)
}

func (p *writer) shuffled(facts []int) []int {
	order := slices.Clone(facts)
	for i := len(order) - 1; i > 0; i-- {
		j := p.random.below(i + 1)
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// fillersOf returns the section's own sentences that answer nothing, and some
// of those for all, in the order of their use.
func (p *writer) fillersOf(s *section) (list []*template) {
	for n := 8; n > 0; n-- {
		t := &fillers[p.random.below(len(fillers))]
		if !t.mentions(p.e.slot) && !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	for i := range s.fillers {
		list = slices.Insert(list, min(p.random.below(4), len(list)), &s.fillers[i])
	}
	return list
}

func (p *writer) nextFiller() template {
	t := p.fillers[0]
	p.fillers = p.fillers[1:]
	return *t
}

// mentions reports whether the template names the near entity of a slot, which
// would be odd in that entity's own passages.
func (t template) mentions(slot int) bool {
	for _, g := range t {
		if g.form == gapRef && g.ref == (ref{0, slot}) {
			return true
		}
	}
	return false
}

// statement returns one of the sentences that state a fact.
func (p *writer) statement(f int) template {
	states := p.e.kind().facts[f].states
	return states[p.random.below(len(states))]
}

// sentence writes a sentence behind what is there. A passage first calls its
// subject by the full name.
func (p *writer) sentence(t template, fact int) sentence {
	m := byFullName
	if p.named {
		m = p.laterMention()
	}
	if len(p.buf) > 0 {
		p.buf = append(p.buf, ' ')
	}
	start := len(p.buf)
	p.write(t, m)
	return sentence{start, len(p.buf), fact}
}

func (p *writer) laterMention() mention {
	switch n := p.random.below(10); {
	case n < 4:
		return byPronoun
	case n < 7 && p.id.person:
		return byShortName
	case n < 6 && p.e.slot == town: // so many things are called after a town that its noun is not enough
		return byLongName
	case n < 6:
		return byNoun
	}
	return byFullName
}

// write appends a template, filled in, from a capital letter on. After its
// first mention the subject is a pronoun.
func (p *writer) write(t template, m mention) {
	start := len(p.buf)
	for i := range t {
		before := len(p.buf)
		if g := &t[i]; g.form == gapSelf {
			p.buf = append(p.buf, p.id.name(p.fitting(m), g.c)...)
			m, p.named = byPronoun, true
		} else {
			p.buf = p.fill(g)
		}
		p.fixArticle(start, before)
	}
	if c := p.buf[start]; 'a' <= c && c <= 'z' {
		p.buf[start] = c - 'a' + 'A'
	}
}

// fitting avoids "of it" and the like.
func (p *writer) fitting(m mention) mention {
	if m != byPronoun || p.id.person {
		return m
	}
	for _, preposition := range []string{" of ", " in ", " at ", " through ", " round ", " around "} {
		if bytes.HasSuffix(p.buf, []byte(preposition)) {
			return byNoun
		}
	}
	return m
}

// fixArticle writes "an" for an "a" that ends at end, if a vowel follows.
func (p *writer) fixArticle(start, end int) {
	isArticle := end-start >= 2 && p.buf[end-1] == ' ' && p.buf[end-2]|0x20 == 'a' && (end-start == 2 || p.buf[end-3] == ' ')
	if isArticle && end < len(p.buf) && strings.IndexByte("aeiou", p.buf[end]) >= 0 || isArticle && bytes.HasPrefix(p.buf[end:], []byte("honest")) {
		p.buf = slices.Insert(p.buf, end-1, 'n')
	}
}

// fill appends what a gap asks for.
func (p *writer) fill(g *gap) []byte {
	r := &p.random
	switch g.form {
	case gapFact:
		return append(p.buf, p.w.value(p.e, g.index)...)
	case gapRef:
		return append(p.buf, p.w.of(p.w.resolve(p.e, g.ref), g.text)...)
	case gapWord:
		return append(p.buf, zipf(r, *g.words)...)
	case gapPerson:
		return append(p.buf, p.w.minorPerson(r)...)
	case gapNamed:
		return append(p.buf, p.w.named(r, *g.words)...)
	case gapPlace:
		return append(p.buf, minorPlace(r)...)
	case gapYear:
		return strconv.AppendInt(p.buf, int64(p.w.epoch(p.e.cluster)+r.between(24, 54)), 10)
	case gapNumber:
		return strconv.AppendInt(p.buf, int64(r.between(g.low, g.up)), 10)
	}
	return append(p.buf, g.text...)
}
