package world

import (
	"embed"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// The texts of the world. A file holds kinds of entities:
//
//	== KIND [: BASE]     a kind; it starts with the sections of BASE
//	# NAME: HEADING      a section, which becomes one passage of each entity
//	* FACT: MAKER        a fact of the section, with how its value is made
//	- SENTENCE           a sentence that states the fact (one is chosen)
//	? QUESTION           a question for it (one is chosen)
//	+ QUESTION           the same cut short, for use right after a question
//	!                    the value's own passages state the fact as well
//	~ SENTENCE           a sentence of the section that answers nothing
//
//go:embed text
var texts embed.FS

// The slots of a cluster: a small neighbourhood of entities that know one
// another.
const (
	town = iota
	nature
	founder
	artist
	scientist
	athlete
	company
	work
	work2
	team
	species
	device
	event
	slots
)

var slotNames = [slots]string{
	"town", "nature", "founder", "artist", "scientist", "athlete", "company", "work", "work2", "team", "species", "device", "event",
}

// kindOf returns the name of a slot's kind.
func kindOf(slot int) string {
	if slot == work2 {
		return "work"
	}
	return slotNames[slot]
}

type kind struct {
	sections []section
	facts    []fact // of all sections
}

type section struct {
	name    string
	facts   []int // in kind.facts
	fillers []template
}

type fact struct {
	name    string
	section int
	value   maker
	mutual  bool // the value's own passages state it as well
	states  []template
	asks    []template
	cut     template
}

// maker says how the value of a fact is made.
type maker struct {
	form    string // year, num, round, pick, ref or minor
	low, up int
	choices []string // of pick
	ref     ref      // of ref
	place   bool     // of minor: a place, else a person
}

// ref is an entity seen from another: of its own cluster, or of one of two far
// ones.
type ref struct{ far, slot int }

// template is a sentence with gaps.
type template []gap

// gap is a part of a template.
type gap struct {
	form    gapForm
	text    string // literal, or what is asked of a ref: name, genre or a fact
	fact    string // own fact, by name
	index   int    // and by number in kind.facts
	c       grammaticalCase
	ref     ref
	low, up int
	words   *[]string
}

type gapForm uint8

const (
	gapText gapForm = iota
	gapSelf
	gapFact
	gapRef
	gapWord
	gapPerson
	gapNamed
	gapPlace
	gapYear
	gapNumber
)

// words are the lists of words.txt.
var words = readWords()

type wordLists struct {
	adj, noun, nouns, month, ordinal, female, male    []string
	trade, genre, club, animal, machine, event, water []string
	titleadj, titlenoun                               []string
}

func (w *wordLists) list(name string) *[]string {
	return map[string]*[]string{
		"adj": &w.adj, "noun": &w.noun, "nouns": &w.nouns, "month": &w.month, "ordinal": &w.ordinal,
		"female": &w.female, "male": &w.male, "trade": &w.trade, "genre": &w.genre, "club": &w.club,
		"animal": &w.animal, "machine": &w.machine, "event": &w.event, "water": &w.water, "titleadj": &w.titleadj, "titlenoun": &w.titlenoun,
	}[name]
}

func readWords() *wordLists {
	var w wordLists
	for _, line := range readText("words.txt") {
		name, list, _ := strings.Cut(line, ": ")
		*w.list(name) = strings.Fields(list)
	}
	return &w
}

// readText returns the lines of an embedded file. The files are part of the
// program: mistakes in them are ours, and panic.
func readText(name string) []string {
	data, err := texts.ReadFile("text/" + name)
	if err != nil {
		panic(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

var (
	kinds   = readKinds("persons.txt", "places.txt", "things.txt", "wonders.txt")
	fillers = readFillers()
)

func readFillers() (all []template) {
	for _, line := range readText("fillers.txt") {
		all = append(all, parseTemplate(line))
	}
	return all
}

func readKinds(files ...string) [slots]*kind {
	named := make(map[string]*kind)
	for _, file := range files {
		var k *kind
		for number, line := range readText(file) {
			if header, ok := strings.CutPrefix(line, "== "); ok {
				name, base, _ := strings.Cut(header, ": ")
				k = newKind(named[base])
				named[name] = k
				continue
			}
			if err := k.read(line[:1], strings.TrimSpace(line[1:])); err != nil {
				panic(fmt.Sprintf("%s:%d: %v", file, number+1, err))
			}
		}
	}
	var bySlot [slots]*kind
	for slot := range bySlot {
		bySlot[slot] = named[kindOf(slot)]
		bySlot[slot].resolve()
	}
	return bySlot
}

// resolve finds the facts that gaps name. A kind's own fact goes before a slot
// of the same name.
func (k *kind) resolve() {
	for t := range k.templates() {
		for i := range t {
			g := &t[i]
			if g.fact == "" {
				continue
			}
			if f := k.fact(g.fact); f >= 0 {
				g.form, g.index = gapFact, f
			} else if g.form == gapFact {
				panic(fmt.Sprintf("no fact is called %q", g.fact))
			}
		}
	}
}

// templates yields all templates of a kind.
func (k *kind) templates() iter.Seq[template] {
	return func(yield func(template) bool) {
		for _, f := range k.facts {
			for _, t := range slices.Concat(f.states, f.asks, []template{f.cut}) {
				if !yield(t) {
					return
				}
			}
		}
		for _, s := range k.sections {
			for _, t := range s.fillers {
				if !yield(t) {
					return
				}
			}
		}
	}
}

func newKind(base *kind) *kind {
	if base == nil {
		return &kind{}
	}
	return &kind{sections: slices.Clone(base.sections), facts: slices.Clone(base.facts)}
}

// read adds what a line says.
func (k *kind) read(sign, text string) error {
	last := len(k.facts) - 1
	switch sign {
	case "#":
		name, _, _ := strings.Cut(text, ": ")
		k.sections = append(k.sections, section{name: name})
	case "*":
		return k.addFact(text)
	case "-":
		k.facts[last].states = append(k.facts[last].states, parseTemplate(text))
	case "?":
		k.facts[last].asks = append(k.facts[last].asks, parseTemplate(text))
	case "+":
		k.facts[last].cut = parseTemplate(text)
	case "!":
		k.facts[last].mutual = true
	case "~":
		s := &k.sections[len(k.sections)-1]
		s.fillers = append(s.fillers, parseTemplate(text))
	default:
		return fmt.Errorf("the sign %q is unknown", sign)
	}
	return nil
}

func (k *kind) addFact(text string) error {
	name, how, _ := strings.Cut(text, ": ")
	value, err := parseMaker(how)
	s := &k.sections[len(k.sections)-1]
	s.facts = append(s.facts, len(k.facts))
	k.facts = append(k.facts, fact{name: name, section: len(k.sections) - 1, value: value})
	return err
}

func (k *kind) fact(name string) int {
	return slices.IndexFunc(k.facts, func(f fact) bool { return f.name == name })
}

func parseMaker(s string) (maker, error) {
	form, rest, _ := strings.Cut(s, " ")
	m := maker{form: form}
	switch form {
	case "year", "num", "round":
		_, err := fmt.Sscan(rest, &m.low, &m.up)
		return m, err
	case "pick":
		m.choices = strings.Split(rest, "|")
		return m, nil
	case "minor":
		m.place = rest == "place"
		return m, nil
	case "ref":
		r, _, ok := parseRef(rest)
		if ok {
			m.ref = r
			return m, nil
		}
	}
	return m, fmt.Errorf("the value %q is unknown", s)
}

// parseRef reads [far1.|far2.]SLOT[.WHAT].
func parseRef(s string) (r ref, what string, ok bool) {
	if rest, isFar := strings.CutPrefix(s, "far"); isFar {
		r.far, s = int(rest[0]-'0'), rest[2:]
	}
	name, what, _ := strings.Cut(s, ".")
	r.slot = slices.Index(slotNames[:], name)
	return r, what, r.slot >= 0
}

func parseTemplate(s string) template {
	var t template
	for s != "" {
		text, rest, found := strings.Cut(s, "{")
		if text != "" {
			t = append(t, gap{text: text})
		}
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		t = append(t, parseGap(name))
		s = after
	}
	return t
}

func parseGap(s string) gap {
	if c := slices.Index([]string{"X", "X's", "X.o", "X.bare"}, s); c >= 0 {
		return gap{form: gapSelf, c: grammaticalCase(c)}
	}
	if slices.Contains([]string{"adj", "noun", "nouns", "month", "ordinal"}, s) {
		return gap{form: gapWord, words: words.list(s)}
	}
	switch fields := strings.Fields(s); fields[0] {
	case "person":
		return gap{form: gapPerson}
	case "woman":
		return gap{form: gapNamed, words: &words.female}
	case "man":
		return gap{form: gapNamed, words: &words.male}
	case "place":
		return gap{form: gapPlace}
	case "year":
		return gap{form: gapYear}
	case "num":
		low, _ := strconv.Atoi(fields[1])
		up, _ := strconv.Atoi(fields[2])
		return gap{form: gapNumber, low: low, up: up}
	}
	if r, what, ok := parseRef(s); ok {
		return gap{form: gapRef, ref: r, text: what, fact: s}
	}
	return gap{form: gapFact, fact: s}
}
