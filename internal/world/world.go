// Package world makes up a small world: towns, lakes, founders, artists,
// companies, operas, clubs, animals, machines and battles, passages that tell
// of them, and conversations about them with rewrites and judgements.
//
// Its guarantee: everything is a pure function of the seed and of a number. The
// same options give the same text on every machine, today and tomorrow; any
// passage or conversation can be made without the others, in constant memory;
// and whatever a conversation says agrees with the passages.
//
// The texts are meant to be as hard as real ones in the ways that matter for
// conversational search: a question leaves its subject to pronouns, nouns or
// nothing at all; it is worded otherwise than the passage; answers are full of
// other names; topics switch and come back; and entities share their names.
// How hard was measured with BM25 and fixed before any student was trained on
// it. It knows nothing of files, and nothing of how it is searched.
package world

import (
	"fmt"
	"strconv"
)

// World is a made-up world. It is safe for concurrent use.
type World struct {
	seed     uint64
	passages int
	clusters int // those that far references may name, with passages or without
	families int // surnames
}

// New returns the world of a seed, of which so many passages are told.
func New(seed uint64, passages int) *World {
	clusters := max(passages/clusterPassages+1, 16)
	return &World{seed: seed, passages: passages, clusters: clusters, families: 2 * clusters}
}

// MinPassages is the number of passages from which on conversations can be
// held.
var MinPassages = len(kinds[town].sections)

// firstOf holds, for each slot, the number of passages of the slots before it.
var firstOf, clusterPassages = func() (first [slots]int, n int) {
	for slot, k := range kinds {
		first[slot] = n
		n += len(k.sections)
	}
	return first, n
}()

// entity is one inhabitant of the world.
type entity struct{ cluster, slot int }

func (e entity) kind() *kind { return kinds[e.slot] }

// passage returns the number of the passage that holds a section of e.
func (e entity) passage(section int) int {
	return e.cluster*clusterPassages + firstOf[e.slot] + section
}

// told reports whether all passages of e are part of the world.
func (w *World) told(e entity) bool {
	return e.passage(len(e.kind().sections)) <= w.passages
}

// resolve returns the entity that e refers to.
func (w *World) resolve(e entity, r ref) entity {
	if r.far == 0 {
		return entity{e.cluster, r.slot}
	}
	random := w.random(domainFar, e.cluster, e.slot, r.far)
	away := 1 + random.below(w.clusters-1)
	return entity{(e.cluster + away) % w.clusters, r.slot}
}

// epoch is the year in which the life of a cluster starts.
func (w *World) epoch(cluster int) int {
	r := w.random(domainEpoch, cluster, 0, 0)
	return r.between(1720, 1930)
}

// value returns the value of a fact of e as text.
func (w *World) value(e entity, f int) string {
	m := &e.kind().facts[f].value
	r := w.random(domainValue, e.cluster, e.slot, f)
	switch m.form {
	case "year":
		return strconv.Itoa(w.epoch(e.cluster) + r.between(m.low, m.up))
	case "num":
		return strconv.Itoa(r.between(m.low, m.up))
	case "round":
		return strconv.Itoa(twoDigits(r.between(m.low, m.up)))
	case "pick":
		return m.choices[r.below(len(m.choices))]
	case "ref":
		return w.name(w.resolve(e, m.ref))
	}
	if m.place {
		return minorPlace(&r)
	}
	return w.minorPerson(&r)
}

// twoDigits rounds n down to two digits and zeros.
func twoDigits(n int) int {
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return n / unit * unit
}

// name returns the name of e in the middle of a sentence.
func (w *World) name(e entity) string {
	id := w.identity(e.cluster, e.slot)
	return id.name(byFullName, subject)
}

// of returns what a template asks of the entity that it refers to.
func (w *World) of(e entity, what string) string {
	switch what {
	case "":
		return w.name(e)
	case "genre":
		return w.identity(e.cluster, e.slot).noun
	}
	f := e.kind().fact(what)
	if f < 0 {
		panic(fmt.Sprintf("%s has no fact %q", slotNames[e.slot], what))
	}
	return w.value(e, f)
}
