package world

import (
	"fmt"
	"slices"
	"strings"

	"parley/dialog"
)

// Machine is the name of the rewriter beside the human one. It leaves out,
// mistakes and rewords things; see [talk.machineRewrite].
const Machine = "machine"

// Judgement says that a passage answers a turn.
type Judgement struct {
	Turn    string
	Passage string
	Grade   int // 2: the passage about it; 1: another that says so too
}

// Conversation returns conversation i, from 0, with the judgements of its
// turns. The world must have [MinPassages] passages.
func (w *World) Conversation(i int) (dialog.Conversation, []Judgement) {
	t := &talk{w: w, random: w.random(domainConversation, i, 0, 0)}
	t.conversation.ID = fmt.Sprintf("c%05d", i+1)
	for n := t.random.between(4, 12); n > 0; n-- {
		t.turn()
	}
	return t.conversation, t.judgements
}

// talk is a conversation under way.
type talk struct {
	w      *World
	random random

	conversation dialog.Conversation
	judgements   []Judgement

	focus entity   // what the talk is about
	fact  int      // of the last question; -1 where it asked for none
	past  []entity // what it was about before, oldest first
	asked map[entity][]int
}

// question is a question with what it means.
type question struct {
	text    string
	rewrite string
	machine string
}

// turn adds a turn.
func (t *talk) turn() {
	move := t.move()
	if move == stay && t.random.chance(4) {
		t.smalltalk()
		return
	}
	f := t.pickFact()
	q := t.ask(f, move)
	t.fact = f
	t.asked[t.focus] = append(t.asked[t.focus], f)
	id := t.add(q, t.answer(f))
	t.judge(id, f)
}

// add appends a turn and returns its id.
func (t *talk) add(q question, answer string) string {
	c := &t.conversation
	turn := dialog.Turn{
		ID: fmt.Sprintf("%s_%d", c.ID, len(c.Turns)+1), Conversation: c.ID, Number: len(c.Turns) + 1,
		Question: q.text, Answer: answer, Rewrite: q.rewrite,
	}
	if q.machine != "" {
		turn.Rewrites = map[string]string{Machine: q.machine}
	}
	c.Turns = append(c.Turns, turn)
	return turn.ID
}

// judge notes the passages that answer.
func (t *talk) judge(turn string, f int) {
	e := t.focus
	fact := &e.kind().facts[f]
	t.judgements = append(t.judgements, Judgement{turn, PassageID(e.passage(fact.section)), 2})
	if !fact.mutual {
		return
	}
	other := t.w.resolve(e, fact.value.ref)
	for _, g := range other.kind().facts {
		if g.value.form == "ref" && g.value.ref == (ref{0, e.slot}) && g.mutual {
			if p := other.passage(g.section); p < t.w.passages {
				t.judgements = append(t.judgements, Judgement{turn, PassageID(p), 1})
			}
			return
		}
	}
}

// A move leads from one question to the next.
type move uint8

const (
	start   move = iota // the first question
	stay                // on the same entity
	follow              // an entity that the last answer named
	back                // to an earlier entity
	jump                // to another entity of the same neighbourhood
	restart             // to something else altogether
)

// move decides where the talk goes, and goes there.
func (t *talk) move() move {
	if t.asked == nil {
		t.asked = make(map[entity][]int)
		t.focus = t.anyEntity()
		return start
	}
	m := t.wish()
	switch m {
	case follow:
		t.shift(t.w.resolve(t.focus, t.focus.kind().facts[t.fact].value.ref))
	case back:
		t.shift(t.past[t.random.below(len(t.past))])
	case jump:
		t.shift(entity{t.focus.cluster, t.otherSlot()})
	case restart:
		t.shift(t.anyEntity())
	}
	if len(t.asked[t.focus]) == len(t.focus.kind().facts) { // nothing is left to ask: go somewhere else
		t.shift(t.anyEntity())
		return restart
	}
	return m
}

func (t *talk) shift(e entity) {
	if e == t.focus {
		return
	}
	if !slices.Contains(t.past, t.focus) {
		t.past = append(t.past, t.focus)
	}
	t.past = slices.DeleteFunc(t.past, func(p entity) bool { return p == e })
	t.focus = e
}

// wish returns a move that is possible.
func (t *talk) wish() move {
	canFollow := t.fact >= 0 && t.focus.kind().facts[t.fact].value.form == "ref" &&
		t.w.told(t.w.resolve(t.focus, t.focus.kind().facts[t.fact].value.ref))
	switch n := t.random.below(100); {
	case canFollow && n < 50:
		return follow
	case n < 60:
		return stay
	case n < 72 && len(t.past) > 0:
		return back
	case n < 82 && t.w.told(entity{t.focus.cluster, slots - 1}):
		return jump
	case n < 86:
		return restart
	}
	return stay
}

func (t *talk) otherSlot() int {
	return (t.focus.slot + 1 + t.random.below(slots-1)) % slots
}

// anyEntity returns any entity that passages tell of.
func (t *talk) anyEntity() entity {
	clusters := (t.w.passages + clusterPassages - 1) / clusterPassages
	for {
		if e := (entity{t.random.below(clusters), t.random.below(slots)}); t.w.told(e) {
			return e
		}
	}
}

// pickFact returns a fact of the focus that was not asked for, more often one
// of the section of the last question.
func (t *talk) pickFact() int {
	facts := t.focus.kind().facts
	for try := 0; ; try++ {
		f := t.random.below(len(facts))
		if slices.Contains(t.asked[t.focus], f) {
			continue
		}
		if try < 3 && t.fact >= 0 && t.fact < len(facts) && facts[f].section != facts[t.fact].section {
			continue
		}
		return f
	}
}

// answer returns what the passage says: the sentence that states the fact,
// often with the one before or after it, or now and then just the value.
func (t *talk) answer(f int) string {
	e := t.focus
	if t.random.chance(10) {
		value := t.w.value(e, f)
		return strings.ToUpper(value[:1]) + value[1:] + "."
	}
	text, sentences := t.w.sectionText(e, e.kind().facts[f].section)
	i := slices.IndexFunc(sentences, func(s sentence) bool { return s.fact == f })
	from, to := i, i
	switch n := t.random.below(10); {
	case n < 4:
		to = min(i+1, len(sentences)-1)
	case n < 6:
		from = max(i-1, 0)
	}
	return text[sentences[from].start:sentences[to].end]
}

// smalltalk adds a turn that no passage is judged for.
func (t *talk) smalltalk() {
	id := t.w.identity(t.focus.cluster, t.focus.slot)
	text, sentences := t.w.sectionText(t.focus, t.random.below(len(t.focus.kind().sections)))
	last := sentences[len(sentences)-1]
	asks := [...]string{"That is interesting. Tell me more about %s.", "What else is worth knowing about %s?", "Is there more to say about %s?"}
	ask := asks[t.random.below(len(asks))]
	rewrite := fmt.Sprintf(strings.TrimPrefix(ask, "That is interesting. "), id.name(byFullName, object))
	t.add(question{fmt.Sprintf(ask, id.name(byPronoun, object)), rewrite, rewrite}, text[last.start:last.end])
	t.fact = -1
}
