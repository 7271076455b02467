package world

import (
	"math/bits"
	"strings"
)

// The syllables that names are made of.
var (
	onsets = strings.Fields("b br d dr f fl g gr h j k kl l m n p pr r s sk st t th tr v w z")
	inner  = strings.Fields("b d f g h k l m n p r s t v w z") // onsets within a name
	vowels = strings.Fields("a a a e e e i i o o o u u au ei ia ou")
	codas  = []string{"", "", "", "l", "n", "r", "s", "m", "nd", "rn", "th", "lt"}

	townEndings    = strings.Fields("ford holm by stad mere burg wick ten au a o")
	surnameEndings = strings.Fields("en er berg sen ic ow mann ek ard i o a stein")
)

// syllables returns n syllables.
func syllables(r *random, n int) string {
	var b strings.Builder
	for i := range n {
		starts := onsets
		if i > 0 {
			starts = inner
		}
		b.WriteString(pick(r, starts))
		b.WriteString(pick(r, vowels))
		b.WriteString(pick(r, codas))
	}
	return b.String()
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// root returns the name that much of a cluster is called after.
func (w *World) root(cluster int) string {
	r := w.random(domainRoot, cluster, 0, 0)
	return title(syllables(&r, 1+r.below(2)) + pick(&r, townEndings))
}

// surname returns the family name of a given number. Families are large: about
// two main persons share each name, and more in passing.
func (w *World) surname(family int) string {
	r := w.random(domainSurname, family, 0, 0)
	return title(syllables(&r, 1+r.below(2)) + pick(&r, surnameEndings))
}

func (w *World) randomSurname(r *random) string { return w.surname(r.below(w.families)) }

// minorPerson returns the name of someone who is only mentioned.
func (w *World) minorPerson(r *random) string {
	if r.chance(50) {
		return w.named(r, words.male)
	}
	return w.named(r, words.female)
}

func (w *World) named(r *random, firstNames []string) string {
	return zipf(r, firstNames) + " " + w.randomSurname(r)
}

// minorPlace returns the name of a place that is only mentioned.
func minorPlace(r *random) string {
	return title(syllables(r, 1+r.below(2)) + pick(r, townEndings))
}

// zipf picks a word by Zipf's law in steps: the list is cut into blocks of 4,
// 8, 16, … words; blocks are equally likely, and words within a block.
func zipf(r *random, list []string) string {
	blocks := bits.Len(uint((len(list)-1)/4 + 1))
	size := 4 << r.below(blocks)
	start := size - 4
	return list[start+r.below(min(size, len(list)-start))]
}

func pick(r *random, list []string) string { return list[r.below(len(list))] }

// identity is what an entity is called.
type identity struct {
	full    string // "Velmora Glassworks"
	long    string // with the noun, where that is of use: "the town of Velmora"
	short   string // a person's surname; else full
	noun    string // "glassworks"; "" for persons
	article bool   // full stands behind "the" in a sentence
	person  bool
	female  bool
}

// identity returns the names of the entity in a slot of a cluster.
func (w *World) identity(cluster, slot int) identity {
	r := w.random(domainName, cluster, slot, 0)
	switch slot {
	case town:
		name := w.root(cluster)
		return identity{full: name, long: "the town of " + name, noun: "town"}.done()
	case nature:
		return w.nature(&r)
	case founder, artist, scientist, athlete:
		return w.person(&r)
	case company:
		trade := zipf(&r, words.trade)
		return identity{full: w.namesake(&r, cluster, founder) + " " + trade, noun: strings.ToLower(trade), article: true}.done()
	case work, work2:
		return workTitle(&r)
	case team:
		name, noun, _ := strings.Cut(pick(&r, words.club), "/")
		return identity{full: w.placeName(&r, cluster) + " " + name, noun: noun}.done()
	case species:
		return w.species(&r, cluster)
	case device:
		name, noun, _ := strings.Cut(pick(&r, words.machine), "/")
		return identity{full: w.lastName(cluster, scientist) + " " + name, noun: noun, article: true}.done()
	}
	name, noun, _ := strings.Cut(pick(&r, words.event), "/")
	return identity{full: name + " of " + w.placeName(&r, cluster), noun: noun, article: true}.done()
}

func (id identity) done() identity {
	if id.short == "" {
		id.short = id.full
	}
	return id
}

func (w *World) person(r *random) identity {
	id := identity{person: true, female: r.chance(50)}
	first := words.male
	if id.female {
		first = words.female
	}
	id.short = w.randomSurname(r)
	id.full = zipf(r, first) + " " + id.short
	return id
}

func (w *World) lastName(cluster, slot int) string {
	r := w.random(domainName, cluster, slot, 0)
	return w.person(&r).short
}

// namesake returns the name of the cluster's town or of a person.
func (w *World) namesake(r *random, cluster, person int) string {
	if r.chance(50) {
		return w.root(cluster)
	}
	return w.lastName(cluster, person)
}

// placeName returns the name of the cluster's town or of a place nearby.
func (w *World) placeName(r *random, cluster int) string {
	if r.chance(50) {
		return w.root(cluster)
	}
	return minorPlace(r)
}

func (w *World) nature(r *random) identity {
	form := strings.Split(pick(r, words.water), "/")
	name := title(syllables(r, 2))
	if form[2] == "0" {
		return identity{full: form[0] + " " + name, noun: form[1]}.done()
	}
	return identity{full: name + " " + form[0], noun: form[1], article: true}.done()
}

func (w *World) species(r *random, cluster int) identity {
	animal, noun, _ := strings.Cut(pick(r, words.animal), "/")
	name := zipf(r, words.adj) + " " + animal
	if r.chance(50) {
		name = strings.TrimRight(w.root(cluster), "aeiou") + "ian " + animal
	}
	return identity{full: name, noun: noun, article: true}.done()
}

func workTitle(r *random) identity {
	genre := pick(r, words.genre)
	adj, one, two := pick(r, words.titleadj), pick(r, words.titlenoun), pick(r, words.titlenoun)
	name := [...]string{
		"The " + adj + " " + one, "The " + one + " and the " + two, "One " + adj + " " + one,
		"The " + one + " of the " + adj + " " + two, "The " + adj + " " + one + " of the " + two,
	}[r.below(5)]
	return identity{full: name, long: "the " + genre + " " + name, noun: genre}.done()
}

// The ways to speak of an entity.
type mention uint8

const (
	byFullName mention = iota
	byLongName
	byShortName
	byNoun
	byPronoun
)

// grammatical cases of a mention.
type grammaticalCase uint8

const (
	subject grammaticalCase = iota
	possessive
	object
	bare // without article
)

// name returns the entity's name in a sentence.
func (id *identity) name(m mention, c grammaticalCase) string {
	switch {
	case m == byPronoun:
		return id.pronoun(c)
	case c == bare && !id.person:
		return id.full
	}
	s := id.full
	switch {
	case m == byLongName && id.long != "":
		s = id.long
	case m == byShortName:
		s = id.short
	case m == byNoun && id.noun != "":
		s = "the " + id.noun
	}
	if id.article && s == id.full {
		s = "the " + s
	}
	if c == possessive {
		s += "'s"
	}
	return s
}

func (id *identity) pronoun(c grammaticalCase) string {
	forms := [4]string{"it", "its", "it", "one"}
	switch {
	case id.female:
		forms = [4]string{"she", "her", "her", "she"}
	case id.person:
		forms = [4]string{"he", "his", "him", "he"}
	}
	return forms[c]
}
