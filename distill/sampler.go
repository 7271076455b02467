package distill

import (
	"math/rand/v2"
	"slices"
)

// Rankings are what a sampler chooses from: the best passages of a turn, best
// first, by the teacher and by the plain history.
type Rankings struct {
	Teacher []uint32
	History []uint32
}

// Sampler chooses the candidates of a turn: the passages on which student and
// teacher are compared. The passages appended are distinct; rng is the only
// source of chance.
type Sampler interface {
	Sample(candidates []uint32, r Rankings, rng *rand.Rand) []uint32
}

// newSampler returns the sampler that a plan asks for, over n passages.
func newSampler(p SamplerPlan, n int) Sampler {
	return mixture{teacher: p.Teacher, history: p.History, random: p.Random, passages: n}
}

// mixture draws from the head of the teacher's ranking, from that of the
// history's, and from all passages. It estimates no expectation: the heads tell
// the student what is good and what misleads, the rest that most is neither.
type mixture struct {
	teacher, history, random int // how many of each
	passages                 int // N
}

func (m mixture) Sample(candidates []uint32, r Rankings, rng *rand.Rand) []uint32 {
	start := len(candidates)
	most := start + m.teacher + m.history + m.random
	candidates = slices.Grow(candidates, most-start+max(len(r.Teacher), len(r.History)))
	add := func(passage uint32) bool {
		if slices.Contains(candidates[start:], passage) {
			return false
		}
		candidates = append(candidates, passage)
		return true
	}
	for _, source := range []struct {
		ranking []uint32
		n       int
	}{{r.Teacher, m.teacher}, {r.History, m.history}} {
		order := append(candidates[:most:cap(candidates)][most:], source.ranking...) // beyond all candidates to come
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for left := source.n; left > 0 && len(order) > 0; order = order[1:] {
			if add(order[0]) {
				left--
			}
		}
	}
	room := m.passages - (len(candidates) - start)
	for left := min(m.random, room); left > 0; {
		if add(uint32(rng.IntN(m.passages))) {
			left--
		}
	}
	return candidates
}
