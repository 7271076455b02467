package search_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"parley/index"
	"parley/search"
	"parley/sparse"
)

// build builds an index of vectors.
func build(t testing.TB, vocabulary int, vectors []sparse.Vector) *index.Index {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "index")
	b, err := index.Create(dir, index.Options{Vocabulary: vocabulary})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Discard()
	for i, v := range vectors {
		if err := b.Add(fmt.Sprint("p", i), "", "", v); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	ix, err := index.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	return ix
}

// twin is the definition of search, passage by passage through the forward
// vectors.
func twin(ix *index.Index, q sparse.Vector, k int, skip func(int) bool) []search.Hit {
	weights := map[uint32]uint64{}
	quantised := q.Quantise()
	for i, term := range quantised.Terms {
		weights[term] = uint64(quantised.Weights[i])
	}
	var hits []search.Hit
	for i := range ix.N() {
		sum := uint64(0)
		terms, impacts := ix.Forward(i)
		for j, term := range terms {
			sum += weights[term] * uint64(impacts[j])
		}
		if sum > 0 && (skip == nil || !skip(i)) {
			hits = append(hits, search.Hit{Passage: i, Sum: sum, Score: search.Score(sum, quantised.Step, ix.Scale())})
		}
	}
	slices.SortStableFunc(hits, func(a, b search.Hit) int { return int(int64(b.Sum) - int64(a.Sum)) })
	return hits[:min(max(k, 0), len(hits))]
}

func TestSearchEqualsTwin(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		const vocabulary = 40
		// Few distinct weights make ties.
		weight := rapid.OneOf(rapid.SampledFrom([]float32{1, 2, 3}), rapid.Float32Range(1e-6, 1e3))
		vector := rapid.Custom(func(r *rapid.T) sparse.Vector {
			return sparse.FromMap(rapid.MapOfN(rapid.Uint32Range(0, vocabulary-1), weight, 0, 15).Draw(r, "vector"))
		})
		ix := build(t, vocabulary, rapid.SliceOfN(vector, 1, 60).Draw(r, "passages"))
		q := vector.Draw(r, "query")
		k := rapid.IntRange(-1, 70).Draw(r, "k")
		var skip func(int) bool
		if modulus := rapid.IntRange(1, 5).Draw(r, "skip one in"); modulus > 1 {
			skip = func(i int) bool { return i%modulus == 0 }
		}
		s := search.New(ix, search.Options{Workers: rapid.IntRange(0, 3).Draw(r, "workers")})
		if diff := cmp.Diff(twin(ix, q, k, skip), s.Search(q, k, skip), cmpopts.EquateEmpty()); diff != "" {
			r.Fatalf("search differs from its definition (-twin +search):\n%s", diff)
		}
	})
}

// TestManyPassages searches several windows with several workers.
func TestManyPassages(t *testing.T) {
	const vocabulary, n = 30, 200_000
	r := rand.New(rand.NewPCG(1, 2))
	vectors := make([]sparse.Vector, n)
	for i := range vectors {
		weights := map[uint32]float32{}
		for range 6 {
			weights[uint32(r.IntN(vocabulary))] = float32(1 + r.IntN(3))
		}
		vectors[i] = sparse.FromMap(weights)
	}
	ix := build(t, vocabulary, vectors)
	third := func(i int) bool { return i%3 == 0 }
	for _, q := range []sparse.Vector{
		sparse.FromMap(map[uint32]float32{3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1, 9: 1, 10: 1, 11: 1}),
		sparse.FromMap(map[uint32]float32{0: .3, 1: 2.5, 2: 1e-9, 29: 1, 40: 7}),
	} {
		for _, k := range []int{1, 10, 1000, n + 1} {
			want := twin(ix, q, k, third)
			for workers := 1; workers <= 5; workers++ {
				s := search.New(ix, search.Options{Workers: workers})
				if got := s.Search(q, k, third); !slices.Equal(got, want) {
					t.Fatalf("%d workers, k %d: %s", workers, k, cmp.Diff(want, got))
				}
			}
		}
	}
}

// TestLongQueries has every term at the largest weight and impact, on both
// sides of the largest sum that 32 bits hold, which is that of 4,113 terms.
func TestLongQueries(t *testing.T) {
	for _, vocabulary := range []int{4113, 4114, 5000} {
		v := sparse.Vector{}
		for term := range uint32(vocabulary) {
			v.Terms = append(v.Terms, term)
			v.Weights = append(v.Weights, math.MaxFloat32)
		}
		ix := build(t, vocabulary, []sparse.Vector{v, {Terms: []uint32{1}, Weights: []float32{1}}})
		s := search.New(ix, search.Options{})
		for range 2 { // the second time with used memory
			hits := s.Search(v, 10, nil)
			if len(hits) != 2 || hits[0].Sum != uint64(vocabulary)*sparse.MaxQuantised*255 || hits[1].Sum != sparse.MaxQuantised {
				t.Errorf("%d terms: hits %v", vocabulary, hits)
			}
		}
	}
}

// TestScore checks what Score says of itself: exact below 2²⁹, and increasing
// up to the largest sum of any query.
func TestScore(t *testing.T) {
	const largest = 255 * sparse.MaxQuantised << 32
	rapid.Check(t, func(r *rapid.T) {
		scale := rapid.Float32Range(math.SmallestNonzeroFloat32, math.MaxFloat32/255).Draw(r, "scale")
		step := math.Ldexp(1, rapid.IntRange(-160, 116).Draw(r, "step"))
		sum := rapid.OneOf(rapid.Uint64Range(1, 1<<29), rapid.Uint64Range(1, largest)).Draw(r, "sum")
		score := search.Score(sum, step, scale)
		if next := search.Score(sum+1, step, scale); !(score < next) || math.IsInf(next, 0) {
			r.Fatalf("sums %d and %d score %v and %v", sum, sum+1, score, next)
		}
		if read, err := strconv.ParseFloat(strconv.FormatFloat(score, 'g', -1, 64), 64); err != nil || read != score {
			r.Fatalf("%v reads back as %v (%v)", score, read, err)
		}
		if sum > 1<<29 {
			return
		}
		exact := new(big.Float).SetPrec(200).SetUint64(sum)
		exact.Mul(exact, big.NewFloat(step)).Mul(exact, big.NewFloat(float64(scale)))
		if exact.Cmp(big.NewFloat(score)) != 0 {
			r.Fatalf("%d × %v × %v = %v, not %v", sum, step, scale, exact, score)
		}
	})
}

func TestSearchAll(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	vector := func() sparse.Vector {
		return sparse.FromMap(map[uint32]float32{r.Uint32N(50): 1, r.Uint32N(50): 2, r.Uint32N(50): r.Float32()})
	}
	vectors, queries := make([]sparse.Vector, 500), make([]sparse.Vector, 40)
	for i := range vectors {
		vectors[i] = vector()
	}
	for i := range queries[1:] {
		queries[i+1] = vector()
	}
	ix := build(t, 50, vectors)
	for workers := 1; workers <= 4; workers++ {
		results := search.New(ix, search.Options{Workers: workers}).SearchAll(queries, 7)
		for i, q := range queries {
			if want := twin(ix, q, 7, nil); !slices.Equal(results[i], want) {
				t.Fatalf("%d workers, query %d: %v, want %v", workers, i, results[i], want)
			}
		}
	}
}

// TestExplain checks that contributions add up to the sum, and Postings
// against the lists.
func TestExplain(t *testing.T) {
	ix := build(t, 10, []sparse.Vector{
		{Terms: []uint32{1, 2, 3, 9}, Weights: []float32{1, 2, 3, 4}},
		{Terms: []uint32{2}, Weights: []float32{2}},
	})
	s := search.New(ix, search.Options{})
	// Term 9 is too light to count, term 70 is in no vocabulary.
	q := sparse.Vector{Terms: []uint32{1, 2, 3, 9, 70}, Weights: []float32{1, 1, .25, 1e-5, 1}}
	for _, hit := range s.Search(q, 10, nil) {
		sum, score := uint64(0), 0.0
		contributions := s.Explain(q, hit.Passage)
		for i, c := range contributions {
			sum += uint64(c.Weight) * uint64(c.Impact)
			score += c.Score
			if i > 0 && c.Score > contributions[i-1].Score {
				t.Errorf("contributions are not in order: %v", contributions)
			}
		}
		if sum != hit.Sum || math.Abs(score-hit.Score) > 1e-12 {
			t.Errorf("%v explains %d, %v, not %v", contributions, sum, score, hit)
		}
	}
	if got := s.Explain(q, 0); len(got) != 3 || got[0].Term != 2 || got[2].Term != 1 && got[2].Term != 3 {
		t.Errorf("explained by %v", got)
	}
	if got := s.Postings(q); got != 4 {
		t.Errorf("%d postings, want 4", got)
	}
}

// TestLargeVocabulary searches for terms whose ids need more than 16 bits, as
// multilingual vocabularies have them: the same vectors over the lowest terms
// must score the same.
func TestLargeVocabulary(t *testing.T) {
	const vocabulary, low = 120_000, 1000
	r := rand.New(rand.NewPCG(5, 6))
	var small, large []sparse.Vector
	for range 400 {
		v := sparse.Vector{}
		for term := range uint32(low) {
			if r.IntN(40) == 0 {
				v.Terms, v.Weights = append(v.Terms, term), append(v.Weights, r.Float32()+.01)
			}
		}
		w := sparse.Vector{Weights: v.Weights}
		for _, term := range v.Terms { // spread over the whole vocabulary, the last one included
			w.Terms = append(w.Terms, vocabulary-1-(low-1-term)*(vocabulary-1)/(low-1))
		}
		small, large = append(small, v), append(large, w)
	}
	few, many := build(t, low, small), build(t, vocabulary, large)
	for i, v := range small {
		want := search.New(few, search.Options{}).Search(v, 20, nil)
		if got := search.New(many, search.Options{}).Search(large[i], 20, nil); !slices.Equal(got, want) {
			t.Fatalf("query %d: %s", i, cmp.Diff(want, got))
		}
		for j, term := range v.Terms {
			if few.DF(term) != many.DF(large[i].Terms[j]) {
				t.Fatalf("df of term %d is %d, want %d", large[i].Terms[j], many.DF(large[i].Terms[j]), few.DF(term))
			}
		}
		if i > 40 {
			break
		}
	}
}
