package world

import "strings"

// ask words a question for a fact of the focus, as the move suggests.
func (t *talk) ask(f int, m move) question {
	fact := &t.focus.kind().facts[f]
	id := t.w.identity(t.focus.cluster, t.focus.slot)
	ask := t.wording(fact)
	full := byFullName
	if t.random.chance(45) {
		full = byLongName
	}
	q := question{rewrite: t.word(ask, &id, full)}
	q.text = q.rewrite
	if m := t.mention(&id, m); m == byPronoun || m != byFullName && t.spokenOf(&id) {
		q.text = t.word(ask, &id, m)
	}
	switch {
	case m == stay && t.random.chance(14):
		q.text = t.word(fact.cut, &id, byPronoun)
	case m == back && t.random.chance(40):
		q.text = t.opening(&id) + lowerFirst(t.word(ask, &id, byPronoun))
	case m != start && t.random.chance(12):
		q.text = prefix(&t.random, q.text)
	}
	q.machine = t.machineRewrite(f, &id, q)
	return q
}

// wording returns a question for a fact; the plainest, which comes first, in
// half of the cases.
func (t *talk) wording(f *fact) template {
	if t.random.chance(40) {
		return f.asks[0]
	}
	return f.asks[t.random.below(len(f.asks))]
}

// opening names the entity that the talk comes back to.
func (t *talk) opening(id *identity) string {
	name := id.name(byShortName, object)
	forms := [...]string{"Coming back to #, ", "As for #, ", "And # again: ", "Once more about #: "}
	return strings.Replace(forms[t.random.below(len(forms))], "#", name, 1)
}

// word fills in a question.
func (t *talk) word(ask template, id *identity, m mention) string {
	p := writer{w: t.w, e: t.focus, id: *id, random: t.random}
	p.write(ask, m)
	t.random = p.random
	return string(p.buf)
}

// mention returns how the speaker refers to the focus after a move. Pronouns
// are for what was just spoken of.
func (t *talk) mention(id *identity, m move) mention {
	n := t.random.below(100)
	switch m {
	case start, restart:
		return byFullName
	case stay:
		return spread(n, 62, 18, id)
	case follow:
		return spread(n, 48, 30, id)
	case back:
		return spread(n, 12, 55, id)
	}
	return spread(n, 0, 40, id)
}

// spokenOf reports whether the talk has named an entity, so that a noun or a
// short name is enough to know it by.
func (t *talk) spokenOf(id *identity) bool {
	for _, turn := range t.conversation.Turns {
		if strings.Contains(turn.Question, id.full) || strings.Contains(turn.Answer, id.full) {
			return true
		}
	}
	return false
}

// spread shares out the cases: pronoun up to the first per cent, a noun or
// short name for the second, else the full name.
func spread(n, pronoun, short int, id *identity) mention {
	switch {
	case n < pronoun:
		return byPronoun
	case n < pronoun+short && id.person:
		return byShortName
	case n < pronoun+short:
		return byNoun
	}
	return byFullName
}

func prefix(r *random, question string) string {
	forms := [...]string{"And ", "Okay, ", "Thanks. ", "I see. ", "Interesting. ", "Good to know. ", "Hm, ", "So "}
	p := forms[r.below(len(forms))]
	if strings.HasSuffix(p, ". ") {
		return p + question
	}
	return p + lowerFirst(question)
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// machineRewrite returns a rewrite with the faults of a small model: of 100,
// 5 are missing, 14 leave the question as it is, 10 name what the talk was
// about before, 15 use the short name, 20 are worded anew, and 8 are wordy.
func (t *talk) machineRewrite(f int, id *identity, q question) string {
	fact := &t.focus.kind().facts[f]
	anew := t.wording(fact)
	switch n := t.random.below(100); {
	case n < 5:
		return ""
	case n < 19:
		return q.text
	case n < 29 && len(t.past) > 0:
		wrong := t.past[len(t.past)-1]
		other := t.w.identity(wrong.cluster, wrong.slot)
		return t.word(anew, &other, byFullName)
	case n < 44:
		return t.word(anew, id, byShortName)
	case n < 64:
		return t.word(anew, id, byFullName)
	case n < 72:
		return "I would like to know more about " + id.name(byFullName, object) + ". " + q.rewrite
	}
	return q.rewrite
}
