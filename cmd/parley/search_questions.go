package main

import (
	"fmt"

	"parley/collection"
	"parley/dialog"
	"parley/index"
	"parley/trec"
)

// question is a turn that is searched.
type question struct {
	id      string
	context dialog.Context
	seen    []string       // earlier answers of the conversation
	judged  map[string]int // grades of passages for the turn
}

// questions are the turns that are searched.
type questions struct {
	list    []question
	repeats map[string][]int // by answer: the passages with the same text
}

// ask returns the turns that are searched, and tells how many lack the rewrite
// that is asked for.
func (o *searching) ask(io streams, mode dialog.Mode) (*questions, error) {
	c, err := collection.Open(o.collection)
	if err != nil {
		return nil, err
	}
	qrels, err := c.Qrels()
	if err != nil {
		return nil, err
	}
	if o.turns == "judged" && len(qrels) == 0 {
		return nil, fmt.Errorf("%s has no judgements: search its turns with --turns all", o.collection)
	}
	if o.turns == "all" || len(qrels) == 0 {
		o.turns = "all"
	}
	asked, lacking := &questions{}, 0
	for conversation, err := range c.Conversations() {
		if err != nil {
			return nil, err
		}
		lacking += asked.add(conversation, mode, qrels, o.turns == "all")
	}
	if lacking > 0 {
		fmt.Fprintf(io.err, "left out %d of %d turns: they have no %s\n", lacking, lacking+len(asked.list), mode)
	}
	switch {
	case len(asked.list) > 0:
		return asked, nil
	case lacking == 0 && o.turns != "all":
		return nil, fmt.Errorf("%s has judgements for %d turns, but has none of these turns: check it with parley collection check, or search with --turns all",
			o.collection, len(qrels))
	case lacking > 0:
		return nil, fmt.Errorf("%s has no turn to search by %s: parley collection check lists the rewriters that it has", o.collection, mode)
	}
	return nil, fmt.Errorf("%s has no turn to search by %s", o.collection, mode)
}

// add adds the turns of a conversation, all or those judged, and returns how
// many of them the mode has no text for.
func (qs *questions) add(c dialog.Conversation, mode dialog.Mode, qrels trec.Qrels, all bool) (lacking int) {
	var seen []string
	for i, turn := range c.Turns {
		judged, ok := qrels[turn.ID]
		if ok || all {
			if context, ok := mode.Context(c, i); ok {
				qs.list = append(qs.list, question{turn.ID, context, seen[:len(seen):len(seen)], judged})
			} else {
				lacking++
			}
		}
		if turn.Answer != "" {
			seen = append(seen, turn.Answer)
		}
	}
	return lacking
}

// findRepeats finds the passages whose text repeats an answer.
func (qs *questions) findRepeats(ix *index.Index) {
	qs.repeats = map[string][]int{}
	for _, q := range qs.list {
		for _, answer := range q.seen {
			qs.repeats[answer] = nil
		}
	}
	for i := range ix.N() {
		text := ix.Passage(i).Text
		if passages, ok := qs.repeats[text]; ok {
			qs.repeats[text] = append(passages, i)
		}
	}
}

// skip returns which passages are left out for q: repeats of earlier answers,
// unless the passage is judged for the turn. It returns nil where there are
// none.
func (qs *questions) skip(q question, ix *index.Index) func(passage int) bool {
	var repeats map[int]bool
	for _, answer := range q.seen {
		for _, i := range qs.repeats[answer] {
			if _, judged := q.judged[ix.ID(i)]; judged {
				continue
			}
			if repeats == nil {
				repeats = map[int]bool{}
			}
			repeats[i] = true
		}
	}
	if repeats == nil {
		return nil
	}
	return func(passage int) bool { return repeats[passage] }
}
