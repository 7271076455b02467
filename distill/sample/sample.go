// Package sample draws the candidates of a turn: the passages on which student
// and teacher are compared.
//
// Its guarantee: candidates are distinct, chance comes from the given source
// alone, and where a plan is corrected, the probability with which each candidate
// came to be one is known exactly.
//
// It knows passages by their numbers and rankings as lists of those; it scores
// nothing.
package sample

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Rankings are what the candidates of a turn are drawn from, each list without
// repetition, the best passages first.
type Rankings struct {
	Gold    []uint32  // judged relevant
	Teacher []uint32  // as the teacher ranks
	History []uint32  // as the plain history ranks
	Student []uint32  // as the student ranked when it was last asked
	Scores  []float32 // [len(Teacher)] the teacher's, where [Needs] says so
}

// by returns the ranking with the given name.
func (r *Rankings) by(name string) []uint32 {
	switch name {
	case History:
		return r.History
	case Student:
		return r.Student
	}
	return r.Teacher
}

// Candidates are the candidates of a turn, and the room that drawing them takes:
// used again from draw to draw, they stop allocating. They belong to one turn at
// a time.
type Candidates struct {
	Passages []uint32 // [K] distinct; the first of them the judged ones, where the plan has gold
	// LogInclusion is ln π of each candidate, π being the probability that it
	// became one; 0 for who is always there. It is empty where the plan is not
	// corrected. A logit s/T − ln π lets a candidate stand for the 1/π passages
	// like it that were not drawn.
	LogInclusion []float64

	own   []uint32 // Passages before others are shared
	taken set
	other set // passages out of a source's reach
	every int // Passages are all those below it, in order

	order  []uint32  // passages, or places in a ranking
	strata []int     // [order] of the places
	ends   []int     // of the strata in order; then the places in it of who is drawn
	sizes  []float64 // [order]
	pi     []float64 // [order]
}

// Options say what a sampler draws from.
type Options struct {
	Passages int // N: how many passages there are
	// Temperature is that of the teacher's distribution, for sources that do not
	// name their own.
	Temperature float64
}

// Sampler draws candidates by a plan. It may be used by several goroutines.
type Sampler struct {
	plan      Plan
	passages  int
	corrected bool
}

// New returns the sampler of a valid plan.
func New(p Plan, o Options) *Sampler {
	p = p.Resolved()
	for i := range p.From {
		if p.From[i].Temperature == 0 {
			p.From[i].Temperature = o.Temperature
		}
	}
	return &Sampler{plan: p, passages: o.Passages, corrected: p.Corrected()}
}

// Draw makes c the candidates of a turn, without those that batch-mates share.
func (s *Sampler) Draw(c *Candidates, r *Rankings, rng *rand.Rand) {
	if s.plan.everything() {
		c.all(s.passages)
		return
	}
	c.reset()
	if s.plan.Gold {
		for _, p := range r.Gold {
			s.add(c, p, 0)
		}
	}
	for i := range s.plan.From {
		s.draw(&s.plan.From[i], c, r, rng)
	}
	c.own = c.Passages
}

// Share adds to candidates i of a batch those that the sources named batch draw
// from what the others have drawn. It is called for each after all are drawn, in
// any order or at once.
func (s *Sampler) Share(batch []*Candidates, i int, rng *rand.Rand) {
	for _, source := range s.plan.From {
		if source.Sampler == Batch {
			s.share(source.N, batch, i, rng)
		}
	}
}

func (s *Sampler) draw(from *Source, c *Candidates, r *Rankings, rng *rand.Rand) {
	ranking := r.by(from.Ranking)
	switch from.Sampler {
	case Top:
		s.top(from.N, c, ranking)
	case Full:
		s.top(len(ranking), c, ranking[:min(s.plan.Depth, len(ranking))])
	case Window:
		last := min(from.Last, len(ranking))
		s.window(from.N, c, ranking[min(from.First-1, last):last], rng)
	case Stratified:
		s.stratified(from, c, ranking, r.Scores, rng)
	case Importance:
		s.importance(from, c, ranking, r.Scores, rng)
	case Random:
		s.random(from, c, r, rng)
	}
}

// add adds a passage that is a candidate with a probability whose logarithm is
// given, unless it is one already, which it tells.
func (s *Sampler) add(c *Candidates, passage uint32, logInclusion float64) bool {
	if !c.taken.add(passage) {
		return false
	}
	c.Passages = append(c.Passages, passage)
	if s.corrected {
		c.LogInclusion = append(c.LogInclusion, logInclusion)
	}
	return true
}

func (c *Candidates) reset() {
	c.Passages, c.LogInclusion, c.every = c.Passages[:0], c.LogInclusion[:0], 0
	c.taken.reset()
}

// all makes c all n passages, in order.
func (c *Candidates) all(n int) {
	if c.every != n || len(c.Passages) != n {
		c.Passages = slices.Grow(c.Passages[:0], n)[:n]
		for i := range c.Passages {
			c.Passages[i] = uint32(i)
		}
		c.every = n
	}
	c.own, c.LogInclusion = c.Passages, c.LogInclusion[:0]
}

// logOf is the logarithm of the probability with which n of free passages are
// drawn.
func logOf(n, free int) float64 {
	if n >= free {
		return 0
	}
	return math.Log(float64(n) / float64(free))
}
