package search

import (
	"math/bits"
	"slices"
)

// best keeps the k best of the hits that it is offered, which come by
// increasing passage. It gathers twice as many and then drops the worse half,
// which takes constant time a hit whatever k is; a heap takes log k.
type best struct {
	k     int
	least uint64 // a further hit must have a higher sum: k earlier ones have this or more
	hits  []Hit
}

// offer takes in a hit whose sum exceeds least.
func (b *best) offer(h Hit) {
	b.hits = append(b.hits, h)
	if len(b.hits) == 2*b.k {
		b.shrink()
	}
}

// shrink drops all but the k best. A later hit of the sum of the worst of them
// would be worse still, as its passage comes later.
func (b *best) shrink() {
	selectBest(b.hits, b.k)
	b.hits = b.hits[:b.k]
	b.least = b.hits[b.k-1].Sum
}

// take returns the k best, or all there are, in no order.
func (b *best) take() []Hit {
	if len(b.hits) > b.k {
		b.shrink()
	}
	return b.hits
}

// selectBest moves the k best of hits to the front, the k-th best to k-1.
// Hits of one search are never equal, which makes this quickselect's partition
// simple; where pivots are bad it falls back to sorting.
func selectBest(hits []Hit, k int) {
	from, to, rank := 0, len(hits), k-1
	for tries := 4 * bits.Len(uint(len(hits))); to-from > 1; tries-- {
		if tries == 0 {
			slices.SortFunc(hits[from:to], Hit.compare)
			return
		}
		switch pivot := partition(hits[from:to]) + from; {
		case pivot == rank:
			return
		case pivot < rank:
			from = pivot + 1
		default:
			to = pivot
		}
	}
}

// partition moves the hits that are better than some hit in the middle before
// it and the others behind it, and returns its place.
func partition(hits []Hit) int {
	last := len(hits) - 1
	middle := last / 2
	if hits[middle].better(hits[0]) {
		hits[middle], hits[0] = hits[0], hits[middle]
	}
	if hits[last].better(hits[0]) {
		hits[last], hits[0] = hits[0], hits[last]
	}
	if hits[middle].better(hits[last]) { // the best of three is first: the last becomes the median
		hits[middle], hits[last] = hits[last], hits[middle]
	}
	pivot, place := hits[last], 0
	for i := range last {
		if hits[i].better(pivot) {
			hits[i], hits[place] = hits[place], hits[i]
			place++
		}
	}
	hits[last], hits[place] = hits[place], pivot
	return place
}
