package sample

import (
	"math"
	"math/rand/v2"
	"slices"
)

// top takes the first n of a ranking that are no candidates yet. It estimates
// nothing: what it leaves out is as if it were not there.
func (s *Sampler) top(n int, c *Candidates, ranking []uint32) {
	for _, p := range ranking {
		if n == 0 {
			return
		}
		if s.add(c, p, 0) {
			n--
		}
	}
}

// window draws n of the frame that are no candidates yet, all alike.
func (s *Sampler) window(n int, c *Candidates, frame []uint32, rng *rand.Rand) {
	log := 0.0
	if s.corrected {
		log = logOf(n, c.free(frame))
	}
	c.order = append(c.order[:0], frame...)
	order := c.order
	rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for ; n > 0 && len(order) > 0; order = order[1:] {
		if s.add(c, order[0], log) {
			n--
		}
	}
}

// free returns how many of the frame are no candidates yet.
func (c *Candidates) free(frame []uint32) int {
	n := 0
	for _, p := range frame {
		if !c.taken.has(p) {
			n++
		}
	}
	return n
}

// random draws n of all passages that are no candidates yet, all alike, or of
// those that a ranking lacks.
func (s *Sampler) random(from *Source, c *Candidates, r *Rankings, rng *rand.Rand) {
	c.other.reset()
	room := s.passages - len(c.Passages)
	if from.Outside != "" {
		for _, p := range r.by(from.Outside) {
			c.other.add(p)
			if !c.taken.has(p) {
				room--
			}
		}
	}
	log := logOf(from.N, room)
	for left := min(from.N, room); left > 0; {
		p := uint32(rng.IntN(s.passages))
		if !c.other.has(p) && s.add(c, p, log) {
			left--
		}
	}
}

// stratified draws from each stratum of a ranking all alike, and from each about
// its share: each passage of a stratum that is to have n_h of its N_h passages
// has π = n_h/N_h, n_h being no integer as a rule.
func (s *Sampler) stratified(from *Source, c *Candidates, ranking []uint32, scores []float32, rng *rand.Rand) {
	c.frame(ranking)
	if from.Over == Score {
		c.bands(from.Strata, scores)
	} else {
		c.logRanks(from.Strata, len(ranking))
	}
	c.group(from.Strata)
	c.sizes = c.sizes[:0]
	start := 0
	for _, end := range c.ends {
		order := c.order[start:end]
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		size := 1.0
		if from.Share == Equal {
			size /= float64(len(order))
		}
		for range order {
			c.sizes = append(c.sizes, size)
		}
		start = end
	}
	s.spread(from.N, c, ranking, rng)
}

// logRanks puts the places of a ranking of the given length into n strata of
// equal width on the logarithm of the rank.
func (c *Candidates) logRanks(n, length int) {
	c.strata = c.strata[:0]
	width := math.Log(float64(length+1)) / float64(n)
	for _, place := range c.order {
		c.strata = append(c.strata, min(n-1, int(math.Log(float64(place+1))/width)))
	}
}

// bands puts the places of a ranking with the given scores into n strata of equal
// width on the score, the highest scores into the first.
func (c *Candidates) bands(n int, scores []float32) {
	c.strata = c.strata[:0]
	low, high := float32(math.Inf(1)), float32(math.Inf(-1))
	for _, score := range scores {
		low, high = min(low, score), max(high, score)
	}
	for _, place := range c.order {
		band := 0
		if high > low {
			band = int(float64(n) * float64(high-scores[place]) / float64(high-low))
		}
		c.strata = append(c.strata, min(n-1, band))
	}
}

// frame makes order the places in a ranking of who is no candidate yet.
func (c *Candidates) frame(ranking []uint32) {
	c.order = c.order[:0]
	for place, p := range ranking {
		if !c.taken.has(p) {
			c.order = append(c.order, uint32(place))
		}
	}
}

// group orders the places by their strata, of which there are n, and notes where
// each of those ends.
func (c *Candidates) group(n int) {
	c.ends = slices.Grow(c.ends[:0], n)[:n]
	clear(c.ends)
	for _, h := range c.strata {
		c.ends[h]++
	}
	sum := 0
	for h, count := range c.ends {
		c.ends[h], sum = sum, sum+count
	}
	places := len(c.order)
	c.order = append(c.order, c.order...)
	for i, place := range c.order[places:] {
		h := c.strata[i]
		c.order[c.ends[h]] = place
		c.ends[h]++
	}
	c.order = c.order[:places]
}

// smallest is the smallest size relative to that of the best passage, so that no
// probability is 0.
const smallest = 1e-12

// importance draws with probabilities of inclusion in proportion to a power of
// the teacher's probability, or of one over the rank, as far as they stay within
// 1.
func (s *Sampler) importance(from *Source, c *Candidates, ranking []uint32, scores []float32, rng *rand.Rand) {
	c.frame(ranking)
	c.sizes = c.sizes[:0]
	high := math.Inf(-1)
	for _, score := range scores {
		high = max(high, float64(score))
	}
	for _, place := range c.order {
		size := 1.0
		switch from.By {
		case Score:
			size = math.Exp(from.Power * (float64(scores[place]) - high) / from.Temperature)
		case Rank:
			size = math.Pow(float64(place+1), -from.Power)
		}
		c.sizes = append(c.sizes, max(size, smallest))
	}
	s.spread(from.N, c, ranking, rng)
}

// spread draws n of the places in order by their sizes, systematically.
func (s *Sampler) spread(n int, c *Candidates, ranking []uint32, rng *rand.Rand) {
	c.pi = inclusion(c.pi, c.sizes, n)
	c.ends = systematic(c.ends[:0], c.pi, rng.Float64())
	for _, i := range c.ends {
		s.add(c, ranking[c.order[i]], math.Log(c.pi[i]))
	}
}

// share adds n of the candidates that the others of a batch have drawn and i has
// not, all alike.
func (s *Sampler) share(n int, batch []*Candidates, i int, rng *rand.Rand) {
	c := batch[i]
	c.other.reset()
	c.order = c.order[:0]
	for j, mate := range batch {
		if j == i {
			continue
		}
		for _, p := range mate.own {
			if !c.taken.has(p) && c.other.add(p) {
				c.order = append(c.order, p)
			}
		}
	}
	for left := c.order; n > 0 && len(left) > 0; n, left = n-1, left[1:] {
		j := rng.IntN(len(left))
		left[0], left[j] = left[j], left[0]
		s.add(c, left[0], 0)
	}
}
