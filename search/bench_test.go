package search_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"parley/index"
	"parley/search"
	"parley/sparse"
)

var passages = flag.Int("passages", 100_000, "size of the benchmarks' index")

const benchVocabulary = 30_522

// zipf draws vectors whose terms follow Zipf's law, as those of learned sparse
// encoders nearly do, and whose weights fall off exponentially.
type zipf struct {
	random *rand.Rand
	terms  *rand.Zipf
}

func newZipf(seed uint64) zipf {
	r := rand.New(rand.NewPCG(seed, 0))
	return zipf{r, rand.NewZipf(r, 1.1, 200, benchVocabulary-1)}
}

// vector draws a vector of n terms.
func (z zipf) vector(n int) sparse.Vector {
	weights := make(map[uint32]float32, n)
	for len(weights) < n {
		weights[uint32(z.terms.Uint64())] = .05 + float32(z.random.ExpFloat64())/2
	}
	v := sparse.Vector{Terms: slices.Sorted(maps.Keys(weights))}
	for _, term := range v.Terms {
		v.Weights = append(v.Weights, weights[term])
	}
	return v
}

// benchIndex is the index that the benchmarks share: made once, in a folder
// that outlives no run.
var benchIndex = sync.OnceValues(func() (*index.Index, error) {
	dir := filepath.Join(benchFolder, "index")
	b, err := index.Create(dir, index.Options{Vocabulary: benchVocabulary})
	if err != nil {
		return nil, err
	}
	defer b.Discard()
	z := newZipf(1)
	for i := range *passages {
		if err := b.Add(fmt.Sprint(i), "", "", z.vector(127)); err != nil {
			return nil, err
		}
	}
	if err := b.Commit(); err != nil {
		return nil, err
	}
	return index.Open(dir)
})

// BenchmarkSearch searches one query at a time with one goroutine. Run with
// -args -passages 1000000 for an index of a million passages.
func BenchmarkSearch(b *testing.B) {
	ix, err := benchIndex()
	if err != nil {
		b.Fatal(err)
	}
	z := newZipf(2)
	for _, terms := range []int{10, 49, 100, 200} {
		queries := make([]sparse.Vector, 50)
		for i := range queries {
			queries[i] = z.vector(terms)
		}
		for _, k := range []int{10, 1000} {
			b.Run(fmt.Sprintf("terms=%d/k=%d", terms, k), func(b *testing.B) {
				benchmark(b, search.New(ix, search.Options{Workers: 1}), queries, k)
			})
		}
	}
}

func benchmark(b *testing.B, s *search.Searcher, queries []sparse.Vector, k int) {
	b.ReportAllocs()
	postings, i := 0, 0
	for b.Loop() {
		q := queries[i%len(queries)]
		s.Search(q, k, nil)
		postings += s.Postings(q)
		i++
	}
	b.ReportMetric(float64(postings)/float64(b.N), "postings/op")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(postings), "ns/posting")
}
