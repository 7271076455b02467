package search

import (
	"math"
	"slices"
	"sort"
	"sync"

	"parley/sparse"
)

// Exhaustive search, term at a time over windows of passages: the sums of a
// window stay in the cache while all of the query's lists add to them.

// windowSize is the number of passages of a window: 64 Ki sums of 4 bytes fit a
// second-level cache.
const windowSize = 1 << 16

// parallelPostings is the number of postings below which one goroutine is
// faster than several.
const parallelPostings = 1 << 18

// maxImpact is the largest impact that an index can hold.
const maxImpact = math.MaxUint8

// sum is an accumulator: uint32 where no sum of the query can exceed it,
// uint64 otherwise.
type sum interface{ uint32 | uint64 }

// list is what remains of a term's postings.
type list struct {
	passages []uint32
	impacts  []uint8
	weight   uint16
}

// search runs a query with the given number of workers.
func (s *Searcher) search(q sparse.Vector, k int, skip func(int) bool, workers int) []Hit {
	quantised := q.Quantise()
	lists, postings := s.lists(quantised)
	if postings == 0 || k <= 0 {
		return nil
	}
	if postings < parallelPostings {
		workers = 1
	}
	job := job{lists: lists, n: s.index.N(), k: min(k, s.index.N()), skip: skip, workers: workers}
	var hits []Hit
	// No passage scores more than the largest impact in every term of the query.
	if quantised.Sum()*maxImpact <= math.MaxUint32 {
		hits = exhaustive[uint32](job, &s.narrow)
	} else {
		hits = exhaustive[uint64](job, &s.wide)
	}
	for i := range hits {
		hits[i].Score = Score(hits[i].Sum, quantised.Step, s.index.Scale())
	}
	return hits
}

// lists returns the query's posting lists, by term, and how many postings they
// have.
func (s *Searcher) lists(q sparse.Quantised) (lists []list, postings int) {
	lists = make([]list, 0, q.Len())
	for i, term := range q.Terms {
		passages, impacts := s.index.Postings(term)
		if len(passages) > 0 {
			lists = append(lists, list{passages, impacts, q.Weights[i]})
			postings += len(passages)
		}
	}
	return lists, postings
}

// job is one search.
type job struct {
	lists   []list
	n, k    int
	skip    func(int) bool
	workers int
}

// exhaustive gives each worker a run of neighbouring windows and merges what
// they found.
func exhaustive[S sum](j job, pool *sync.Pool) []Hit {
	windows := (j.n + windowSize - 1) / windowSize
	workers := min(j.workers, windows)
	found := make([][]Hit, workers)
	parallel(workers, workers, func(_, i int) {
		w := pool.Get().(*window[S])
		found[i] = w.run(j, i*windows/workers*windowSize, min(j.n, (i+1)*windows/workers*windowSize))
		pool.Put(w)
	})
	hits := slices.Concat(found...)
	slices.SortFunc(hits, Hit.compare)
	return hits[:min(j.k, len(hits))]
}

// window is a worker's memory. Between searches all sums are 0.
type window[S sum] struct {
	sums  [windowSize]S
	lists []list
	best  best
}

// run returns the best passages from first to last, in no order.
func (w *window[S]) run(j job, first, last int) []Hit {
	w.lists = append(w.lists[:0], j.lists...)
	for i := range w.lists {
		l := &w.lists[i]
		at := sort.Search(len(l.passages), func(p int) bool { return int64(l.passages[p]) >= int64(first) })
		l.passages, l.impacts = l.passages[at:], l.impacts[at:]
	}
	w.best = best{k: j.k, hits: w.best.hits[:0]}
	for base := first; base < last; base += windowSize {
		for i := range w.lists {
			w.add(&w.lists[i], uint32(base))
		}
		w.collect(base, min(windowSize, last-base), j.skip)
	}
	clear(w.lists) // keeps no view of the index
	return slices.Clone(w.best.take())
}

// add adds the postings of l in the window at base to the sums, and takes them
// off l.
func (w *window[S]) add(l *list, base uint32) {
	passages, impacts := l.passages, l.impacts[:len(l.passages)]
	weight, i := S(l.weight), 0
	for ; i < len(passages); i++ {
		local := passages[i] - base
		if local >= windowSize {
			break
		}
		w.sums[local] += weight * S(impacts[i])
	}
	l.passages, l.impacts = passages[i:], impacts[i:]
}

// collect offers the window's sums and clears them.
func (w *window[S]) collect(base, n int, skip func(int) bool) {
	sums := w.sums[:n]
	least := S(w.best.least)
	for i, sum := range sums {
		if sum <= least {
			continue
		}
		if passage := base + i; skip == nil || !skip(passage) {
			w.best.offer(Hit{Passage: passage, Sum: uint64(sum)})
			least = S(w.best.least)
		}
	}
	clear(sums)
}
