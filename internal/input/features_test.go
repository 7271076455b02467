package input

import (
	"slices"
	"testing"

	"parley/dialog"
)

// counted statistics give the df of words, 0 of those that are not listed.
type counted struct {
	n  int
	df map[uint32]int
}

func (c counted) N() int          { return c.n }
func (c counted) DF(t uint32) int { return c.df[t] }

func statistics(r *Reader) counted {
	c := counted{1000, map[uint32]int{}}
	for word, df := range map[string]int{
		"the": 1000, "it": 900, "in": 800, "how": 600, "did": 500, "who": 300, "last": 200,
		"long": 100, "war": 50, "won": 25, "began": 20, "june": 10, "##er": 1,
	} {
		id, _ := r.tok.Vocabulary().ID(word)
		c.df[id] = df
	}
	return c
}

// threeTurns is read as, by position,
//
//	 0 how long did the war ##s last ? [SEP]    question of turn 3
//	 9 it did last long ##er . [SEP]            answer of turn 2
//	16 did the war last ? [SEP]                 question of turn 2
//	22 it began in june . [SEP]                 answer of turn 1
//	28 who won the war ?                        question of turn 1
func threeTurns() dialog.Context {
	c := dialog.Conversation{ID: "c", Turns: []dialog.Turn{
		{Number: 1, Question: "Who won the war?", Answer: "It began in June."},
		{Number: 2, Question: "Did the war last?", Answer: "It did last longer."},
		{Number: 3, Question: "How long did the wars last?"},
	}}
	return c.History(2)
}

// TestFeatureTable derives by hand the features of every occurrence. A change of
// what is expected here gives saved models another meaning: raise
// FeatureVersion with it.
func TestFeatureTable(t *testing.T) {
	if FeatureVersion != 1 {
		t.Error("the table below is that of version 1")
	}
	// The question has 7 content tokens, which is bucket 5; the rarest is war,
	// whose log(1000/50) is 2.996.
	const length, rarity = 5, 3
	const no, yes = 0, 1
	const question, answer = 0, 1
	table := []struct {
		word                 string
		position             int32
		role, distance       int
		idf                  int // 1 + the whole part of 2·log(1000/df)
		count                int // its bucket: one less than the count
		inQuestion, inOldest int
		place                int // its bucket
		continues            int
	}{
		{"how", 0, question, 0, 2, 0, yes, no, 0, no},
		{"long", 1, question, 0, 5, 1, yes, no, 1, no},
		{"long", 12, answer, 1, 5, 1, yes, no, 3, no},
		{"did", 2, question, 0, 2, 2, yes, no, 2, no},
		{"did", 10, answer, 1, 2, 2, yes, no, 1, no},
		{"did", 16, question, 1, 2, 2, yes, no, 0, no},
		{"it", 9, answer, 1, 1, 1, no, yes, 0, no},
		{"it", 22, answer, 2, 1, 1, no, yes, 0, no},
		{"last", 6, question, 0, 4, 2, yes, no, 5, no},
		{"last", 11, answer, 1, 4, 2, yes, no, 2, no},
		{"last", 19, question, 1, 4, 2, yes, no, 3, no},
		{"the", 3, question, 0, 1, 2, yes, yes, 3, no},
		{"the", 17, question, 1, 1, 2, yes, yes, 1, no},
		{"the", 30, question, 2, 1, 2, yes, yes, 2, no},
		{"war", 4, question, 0, 6, 2, yes, yes, 4, no},
		{"war", 18, question, 1, 6, 2, yes, yes, 2, no},
		{"war", 31, question, 2, 6, 2, yes, yes, 3, no},
		{"began", 23, answer, 2, 8, 0, no, yes, 1, no},
		{"in", 24, answer, 2, 1, 0, no, yes, 2, no},
		{"june", 25, answer, 2, 10, 0, no, yes, 3, no},
		{"who", 28, question, 2, 3, 0, no, yes, 0, no},
		{"won", 29, question, 2, 8, 0, no, yes, 1, no},
		{"##s", 5, question, 0, 0, 0, yes, no, 4, yes},
		{"##er", 13, answer, 1, 14, 0, no, no, 4, yes},
	}
	r := newReader(t, dialog.Budget{Answer: -1, Total: -1})
	in := r.Context(threeTurns())
	terms := r.Terms(in, statistics(r))
	if len(terms.Positions) != len(table) {
		t.Fatalf("%d occurrences, want %d", len(terms.Positions), len(table))
	}
	for o, row := range table {
		p := terms.Positions[o]
		if word := r.tok.Vocabulary().Token(in.IDs[p]); word != row.word || p != row.position {
			t.Errorf("occurrence %d is %s at %d, want %s at %d", o, word, p, row.word, row.position)
			continue
		}
		for k, family := range []struct {
			name                string
			first, size, within int
		}{
			{"role and distance", 0, 24, 12*row.role + row.distance},
			{"rarity", 24, 26, row.idf},
			{"count", 50, 6, row.count},
			{"in the question", 56, 52, 26*row.inQuestion + row.idf},
			{"in the oldest turn", 108, 24, 12*row.inOldest + row.distance},
			{"place", 132, 8, row.place},
			{"distance and rarity", 140, 312, 26*row.distance + row.idf},
			{"distance and count", 452, 72, 6*row.distance + row.count},
			{"role and rarity", 524, 52, 26*row.role + row.idf},
			{"distance and length of the question", 576, 96, 8*row.distance + length},
			{"distance and rarity of the question", 672, 156, 13*row.distance + rarity},
			{"continuation, count and distance", 828, 144, 72*row.continues + 12*row.count + row.distance},
		} {
			if got, want := int(terms.Features[o*Families+k]), family.first+family.within; got != want {
				t.Errorf("%s at %d: %s: feature %d, want %d", row.word, p, family.name, got-family.first, family.within)
			}
			if sizes[k] != family.size {
				t.Errorf("%s has %d features, want %d", family.name, sizes[k], family.size)
			}
		}
	}
	if Features != 828+144 {
		t.Errorf("there are %d features", Features)
	}
}

// TestOldestTurn says that what the token budget leaves decides which turn is
// the oldest.
func TestOldestTurn(t *testing.T) {
	for total, want := range map[int]int{-1: 0, 21: 1} { // with 21 tokens turn 1 is not read
		r := newReader(t, dialog.Budget{Answer: -1, Total: total})
		in := r.Context(threeTurns())
		terms := r.Terms(in, statistics(r))
		o := slices.Index(terms.Positions, 19) // last, which turns 2 and 3 have
		if got := (int(terms.Features[o*Families+4]) - 108) / 12; got != want {
			t.Errorf("with %d tokens, a word of turn 2 but not 1 is in the oldest turn: %d, want %d", total, got, want)
		}
	}
}

// TestFarTurns says that all turns from the twelfth on are equally far.
func TestFarTurns(t *testing.T) {
	r := newReader(t, dialog.Budget{Answer: -1, Total: -1})
	for distance, want := range map[int]int{10: 10, 11: 11, 12: 11, 300: 11} {
		terms := r.Terms(r.Context(dialog.Context{
			{Role: dialog.Question, Distance: 0, Text: "who"},
			{Role: dialog.Question, Distance: distance, Text: "won"},
		}), statistics(r))
		if got := int(terms.Features[Families]); got != want { // won comes second
			t.Errorf("distance %d is in bucket %d, want %d", distance, got, want)
		}
	}
}

// TestBareQuestion says that the last word of a question without a question
// mark is in the question.
func TestBareQuestion(t *testing.T) {
	r := newReader(t, dialog.Budget{})
	in := r.Context(dialog.Context{{Role: dialog.Question, Text: "who won"}, {Role: dialog.Question, Distance: 1, Text: "war"}})
	terms := r.Terms(in, statistics(r))
	for o, want := range []int{26 + 3, 26 + 8, 6} { // who, won and war: whether in the question, by rarity
		slot := slices.Index(terms.Positions, []int32{0, 1, 3}[o])
		if got := int(terms.Features[slot*Families+3]) - 56; got != want {
			t.Errorf("occurrence %d: feature %d, want %d", o, got, want)
		}
	}
}
