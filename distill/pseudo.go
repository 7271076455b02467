package distill

import (
	"math/rand/v2"
	"strings"

	"parley/internal/wordpiece"
)

// spanner makes pseudo-queries, which need no judgements: a span of a passage's
// words is a query to which the passage is relevant, and mostly it must be
// recognised without the span (the inverse cloze task; Lee et al.,
// arXiv 1906.00300). It is for one goroutine.
type spanner struct {
	plan      PseudoPlan
	limit     int    // most tokens of a query, special ones included; below 0 for none
	continues []bool // [V] the token goes on a word
	starts    []int  // of the words of a passage's body
}

func newSpanner(plan PseudoPlan, limit int, v *wordpiece.Vocabulary) *spanner {
	s := &spanner{plan: plan, limit: limit, continues: make([]bool, v.Len())}
	for id := range s.continues {
		s.continues[id] = strings.HasPrefix(v.Token(uint32(id)), "##")
	}
	return s
}

// body returns the passage's tokens without the special ones and the title.
func (p *readPassage) body() []uint32 { return p.ids[1+p.title : len(p.ids)-1] }

// words notes where the words of a passage's body begin.
func (s *spanner) words(body []uint32) {
	s.starts = s.starts[:0]
	for i, id := range body {
		if i == 0 || !s.continues[id] {
			s.starts = append(s.starts, i)
		}
	}
}

// can tells whether pseudo-queries can be made of the passage: something is left
// of it without a span.
func (s *spanner) can(p *readPassage) bool {
	s.words(p.body())
	return len(s.starts) > 1 || len(s.starts) == 1 && p.title > 0
}

// span appends a pseudo-query to query, and the passage as it is shown beside it
// to shown.
func (s *spanner) span(query, shown []uint32, p *readPassage, rng *rand.Rand) (q, passage []uint32) {
	body := p.body()
	s.words(body)
	most := len(s.starts)
	if p.title == 0 {
		most-- // of a passage without a title something must be left
	}
	n := min(s.plan.MinWords+rng.IntN(s.plan.MaxWords-s.plan.MinWords+1), most)
	first := rng.IntN(len(s.starts) - n + 1)
	from, to := s.starts[first], len(body)
	if first+n < len(s.starts) {
		to = s.starts[first+n]
	}
	begin := len(query)
	query = append(query, p.ids[0])
	if rng.Float64() < s.plan.Title {
		query = append(query, p.ids[1:1+p.title]...)
	}
	query = append(query, body[from:to]...)
	if s.limit >= 0 && len(query)-begin > s.limit-1 {
		query = query[:begin+s.limit-1]
	}
	end := p.ids[len(p.ids)-1]
	query = append(query, end)
	if rng.Float64() >= s.plan.Removed {
		return query, append(shown, p.ids...)
	}
	shown = append(shown, p.ids[:1+p.title+from]...)
	shown = append(shown, body[to:]...)
	return query, append(shown, end)
}
