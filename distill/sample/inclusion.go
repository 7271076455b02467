package sample

import "math"

// inclusion returns, in pi if it has the room, the probabilities of inclusion of
// a sample of n, in proportion to sizes, all above 0, as far as they stay below
// 1: who would come to more is always in, and the others share the rest. They
// add up to n, or are all 1 where there are no more than n.
func inclusion(pi, sizes []float64, n int) []float64 {
	pi = append(pi[:0], sizes...)
	if n >= len(sizes) {
		for i := range pi {
			pi[i] = 1
		}
		return pi
	}
	const open = -1
	for i := range pi {
		pi[i] = open
	}
	for {
		rest, sum := float64(n), 0.0
		for i, size := range sizes {
			if pi[i] == open {
				sum += size
			} else {
				rest--
			}
		}
		settled := true
		for i, size := range sizes {
			if pi[i] == open && rest*size >= sum {
				pi[i], settled = 1, false
			}
		}
		if settled {
			for i, size := range sizes {
				if pi[i] == open {
					pi[i] = rest * size / sum
				}
			}
			return pi
		}
	}
}

// systematic appends, in increasing order, the places of a sample in which place
// i is with probability pi[i] (Madow, Annals of Mathematical Statistics 20, 1949):
// those that are not certain lie along a line, each as long as its probability,
// and in are those on which the points u, u+1, u+2, … come to lie. Neighbours are
// seldom in together, so that the sample spreads over the line. The
// probabilities add up to an integer, which is the size of the sample; u is
// uniform from 0 to 1.
func systematic(places []int, pi []float64, u float64) []int {
	length, last := 0.0, -1
	for i, p := range pi {
		if p < 1 {
			length += p
			last = i
		}
	}
	points, line := int(math.Round(length)), 0.0
	for i, p := range pi {
		if p < 1 {
			line += p
			if points == 0 || line <= u && i != last { // rounding must not cost the last point
				continue
			}
			points--
			u++
		}
		places = append(places, i)
	}
	return places
}
