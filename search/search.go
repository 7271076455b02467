// Package search finds the k best passages of an index for a query vector.
//
// Its guarantee: results are exact, and the same whatever the number of
// workers. By definition the score of a passage is an integer, the sum over
// the query's terms, in ascending order of their ids, of
//
//	quantised query weight × impact of the term in the passage
//
// where [sparse.Vector.Quantise] gives the query's weights, from 1 to 4095 in
// steps of a power of two, and the index has the impacts, from 1 to 255. The
// sum is never rounded and never overflows. Passages that share no term with
// the query are not results; all others are candidates, and never fewer than k
// are returned where k match. Higher sums come first, and of equal sums the
// lower passage number.
//
// It does not encode queries, and knows a passage only by its number.
package search

import (
	"runtime"
	"sync"

	"parley/index"
	"parley/sparse"
)

// Hit is a passage that was found.
type Hit struct {
	Passage int     // its number in the index
	Sum     uint64  // the score
	Score   float64 // the score in the unit of the vectors' weights, see Score
}

// compare orders hits best first. It is total: hits of one search have
// different passages.
func (h Hit) compare(other Hit) int {
	switch {
	case h.better(other):
		return -1
	case other.better(h):
		return 1
	}
	return 0
}

// better tells whether h comes before other.
func (h Hit) better(other Hit) bool {
	return h.Sum > other.Sum || h.Sum == other.Sum && h.Passage < other.Passage
}

// Score returns the score of a sum for people and runs: sum × step × scale,
// about the inner product of the query and the passage.
//
// Unequal sums have unequal scores, in the same order. The product is exact
// below 2²⁹: scale has 24 significant bits and step is a power of two, so that
// sum × scale fits the 53 bits of a float64. Beyond, it is rounded to 53 bits,
// which keeps apart what differs by more than one unit of the last of them;
// sum × scale and (sum+1) × scale differ by scale, and that is more than such
// a unit as long as sum < 2⁵², while a query of 2³² terms (of at most 4095 ×
// 255 < 2²⁰ each) has no larger sum. The exponents of step (≥ −160), scale (≥
// −149) and sum stay far inside those of a float64.
func Score(sum uint64, step float64, scale float32) float64 {
	return float64(sum) * float64(scale) * step
}

// Options say how to search. The zero value uses all processors.
type Options struct {
	// Workers is the most goroutines that work on a call; 0 means one for each
	// processor that Go uses.
	Workers int
}

// Searcher searches an index. It may be used by many goroutines at once.
type Searcher struct {
	index   *index.Index
	workers int
	narrow  sync.Pool // of *window[uint32]
	wide    sync.Pool // of *window[uint64]
}

// New returns a searcher of ix, which must stay open.
func New(ix *index.Index, o Options) *Searcher {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	return &Searcher{
		index: ix, workers: o.Workers,
		narrow: sync.Pool{New: func() any { return new(window[uint32]) }},
		wide:   sync.Pool{New: func() any { return new(window[uint64]) }},
	}
}

// Search returns the k best passages for q, best first: fewer only where fewer
// match. A passage of which skip returns true is left out as if it were not in
// the index; a nil skip leaves out none. skip is called for passages that come
// into question only, from several goroutines at once, and must always answer
// alike.
func (s *Searcher) Search(q sparse.Vector, k int, skip func(passage int) bool) []Hit {
	return s.search(q, k, skip, s.workers)
}

// SearchAll returns the results of Search for every query. It works on several
// queries at once, on each with one goroutine.
func (s *Searcher) SearchAll(queries []sparse.Vector, k int) [][]Hit {
	results := make([][]Hit, len(queries))
	parallel(min(s.workers, len(queries)), len(queries), func(_, i int) {
		results[i] = s.search(queries[i], k, nil, 1)
	})
	return results
}

// Postings returns the number of postings that a search for q reads, the sum of
// df over its terms. It costs no search.
func (s *Searcher) Postings(q sparse.Vector) int {
	postings := 0
	for _, term := range q.Quantise().Terms {
		postings += s.index.DF(term)
	}
	return postings
}

// parallel calls do(worker, i) for every i below n, from up to workers
// goroutines; each i is done by one of them.
func parallel(workers, n int, do func(worker, i int)) {
	if workers <= 1 {
		for i := range n {
			do(0, i)
		}
		return
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := range next {
				do(worker, i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
