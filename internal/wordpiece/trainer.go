package wordpiece

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"strings"
)

// trainer is a vocabulary in the making: every word spelled in the tokens made
// so far, and every pair of tokens that meets in them.
type trainer struct {
	tokens []string
	ids    map[string]uint32
	words  []spelling
	pairs  map[pair]*meeting
	queue  queue // for each pair a proposal, whose count is never below what it is now
}

type spelling struct {
	tokens []uint32
	count  int // how often the word occurs
}

type pair struct{ left, right uint32 }

// meeting says how often a pair meets, and in which words; it may have left
// some of them since.
type meeting struct {
	count int
	words []int32
}

// newTrainer returns a trainer whose tokens are the special ones and the most
// frequent characters, limit at most.
func newTrainer(counts map[string]int, limit int) *trainer {
	t := &trainer{ids: map[string]uint32{}, pairs: map[pair]*meeting{}}
	for _, token := range specials() {
		t.token(token)
	}
	alphabet := newAlphabet(counts, limit)
	for _, c := range alphabet {
		t.token(string(c))
	}
	inside := map[rune]bool{}
	for word := range counts {
		for i, c := range word {
			inside[c] = inside[c] || i > 0
		}
	}
	for _, c := range alphabet {
		if inside[c] {
			t.token(continuation + string(c))
		}
	}
	for _, word := range slices.Sorted(maps.Keys(counts)) {
		t.spell(word, counts[word])
	}
	for p := range t.pairs {
		t.propose(p)
	}
	return t
}

// newAlphabet returns the most frequent characters, limit at most, in their
// order.
func newAlphabet(counts map[string]int, limit int) []rune {
	frequency := map[rune]int{}
	for word, n := range counts {
		for _, c := range word {
			frequency[c] += n
		}
	}
	alphabet := slices.SortedFunc(maps.Keys(frequency), func(a, b rune) int {
		return cmp.Or(cmp.Compare(frequency[b], frequency[a]), cmp.Compare(a, b))
	})
	alphabet = alphabet[:min(limit, len(alphabet))]
	slices.Sort(alphabet)
	return alphabet
}

// token returns the id of s, a new one if s is new.
func (t *trainer) token(s string) uint32 {
	id, ok := t.ids[s]
	if !ok {
		id = uint32(len(t.tokens))
		t.ids[s] = id
		t.tokens = append(t.tokens, s)
	}
	return id
}

// spell adds a word, spelled in characters, unless one of them has no token.
func (t *trainer) spell(word string, count int) {
	tokens := make([]uint32, 0, len(word))
	for i, c := range word {
		s := string(c)
		if i > 0 {
			s = continuation + s
		}
		id, ok := t.ids[s]
		if !ok {
			return
		}
		tokens = append(tokens, id)
	}
	for i := range tokens[1:] {
		t.meet(pair{tokens[i], tokens[i+1]}, int32(len(t.words)), count)
	}
	t.words = append(t.words, spelling{tokens, count})
}

// meet counts another place in a word in which p meets.
func (t *trainer) meet(p pair, word int32, count int) {
	m := t.pairs[p]
	if m == nil {
		m = new(meeting)
		t.pairs[p] = m
	}
	m.count += count
	if n := len(m.words); n == 0 || m.words[n-1] != word {
		m.words = append(m.words, word)
	}
}

// part takes back a place in which p meets.
func (t *trainer) part(p pair, count int) {
	if m := t.pairs[p]; m != nil {
		m.count -= count
	}
}

// join makes a token of the pair that meets most often, and reports whether
// there was one that met least times.
func (t *trainer) join(least int) bool {
	for len(t.queue) > 0 {
		best := heap.Pop(&t.queue).(proposal)
		m := t.pairs[best.pair]
		switch {
		case m == nil: // joined already
		case m.count < best.count:
			t.propose(best.pair)
		case m.count < least:
			return false
		default:
			t.replace(best.pair, m.words)
			return true
		}
	}
	return false
}

// replace puts one token in the place of p, in words.
func (t *trainer) replace(p pair, words []int32) {
	joined := t.token(t.tokens[p.left] + strings.TrimPrefix(t.tokens[p.right], continuation))
	delete(t.pairs, p)
	more := map[pair]bool{}
	for _, word := range words {
		old, count := t.words[word].tokens, t.words[word].count
		kept := old[:0]
		for i := 0; i < len(old); i++ {
			if i+1 == len(old) || old[i] != p.left || old[i+1] != p.right {
				kept = append(kept, old[i])
				continue
			}
			i++
			if n := len(kept); n > 0 {
				t.part(pair{kept[n-1], p.left}, count)
				t.meet(pair{kept[n-1], joined}, word, count)
				more[pair{kept[n-1], joined}] = true
			}
			if i+1 < len(old) {
				t.part(pair{p.right, old[i+1]}, count)
				t.meet(pair{joined, old[i+1]}, word, count)
				more[pair{joined, old[i+1]}] = true
			}
			kept = append(kept, joined)
		}
		t.words[word].tokens = kept
	}
	for p := range more {
		t.propose(p)
	}
}

// propose puts p into the queue, with the count that it has now.
func (t *trainer) propose(p pair) {
	heap.Push(&t.queue, proposal{p, t.pairs[p].count, t.tokens[p.left], t.tokens[p.right]})
}

// proposal is a pair to be joined, with a count that it had.
type proposal struct {
	pair
	count       int
	first, last string // the tokens
}

// queue is a heap of proposals: the highest count first, of equal ones the
// first in byte order.
type queue []proposal

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(p any)   { *q = append(*q, p.(proposal)) }
func (q queue) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(cmp.Compare(b.count, a.count), strings.Compare(a.first, b.first), strings.Compare(a.last, b.last)) < 0
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	*q = (*q)[:last]
	return p
}
