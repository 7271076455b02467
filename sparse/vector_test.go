package sparse_test

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parley/sparse"
)

func Example() {
	query := sparse.Vector{Terms: []uint32{3, 7, 9}, Weights: []float32{1, 2, .5}}
	passage := sparse.FromMap(map[uint32]float32{7: 1.5, 9: 2, 4: 1, 5: 0})
	fmt.Println(passage)
	fmt.Println(sparse.Dot(query, passage))
	fmt.Println(query.TopK(2))
	fmt.Println(sparse.Mean(query, passage).Weight(7))
	// Output:
	// {[4 7 9] [1 1.5 2]}
	// 4
	// {[3 7] [1 2]}
	// 1.75
}

func ExampleVector_Quantise() {
	v := sparse.Vector{Terms: []uint32{3, 7, 9}, Weights: []float32{1, 2.5, 1e-9}}
	q := v.Quantise()
	fmt.Println(q.Terms, q.Weights, 1/q.Step)
	// Output: [3 7] [1024 2560] 1024
}

// vectors draws valid vectors over few terms, with weights from the least
// denormal to the largest number.
func vectors() *rapid.Generator[sparse.Vector] {
	term := rapid.OneOf(rapid.Uint32Range(0, 15), rapid.Uint32Max(allTerms-1))
	weight := rapid.OneOf(
		rapid.Float32Range(.1, 10),
		rapid.SampledFrom([]float32{1, 2}),
		rapid.Float32Range(math.SmallestNonzeroFloat32, math.MaxFloat32),
	)
	return rapid.Custom(func(t *rapid.T) sparse.Vector {
		weights := rapid.MapOfN(term, weight, 0, 12).Draw(t, "weights")
		terms := slices.Sorted(maps.Keys(weights))
		v := sparse.Vector{Terms: terms}
		for _, term := range terms {
			v.Weights = append(v.Weights, weights[term])
		}
		return v
	})
}

// weights returns v as a map.
func weights(v sparse.Vector) map[uint32]float32 {
	m := map[uint32]float32{}
	for i, term := range v.Terms {
		m[term] = v.Weights[i]
	}
	return m
}

// allTerms is a vocabulary of all terms that there can be, of which an int counts
// half where it has 32 bits.
const allTerms = min(math.MaxUint32+1, math.MaxInt)

func valid(t *rapid.T, v sparse.Vector) {
	t.Helper()
	if err := v.Validate(allTerms); err != nil {
		t.Fatal(err)
	}
}

func TestFromMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		given := rapid.MapOf(rapid.Uint32Max(allTerms-1), rapid.OneOf(rapid.Float32(), rapid.SampledFrom([]float32{
			0, -1, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
		}))).Draw(t, "weights")
		v := sparse.FromMap(given)
		valid(t, v)
		kept := weights(v)
		for term, w := range given {
			if got := kept[term]; w > 0 && got != min(w, math.MaxFloat32) || !(w > 0) && got != 0 {
				t.Fatalf("weight %v became %v", w, got)
			}
		}
		if len(kept) > len(given) {
			t.Fatalf("%d terms of %d", len(kept), len(given))
		}
	})
}

func TestBag(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOf(rapid.Uint32Range(0, 20)).Draw(t, "ids")
		given := slices.Clone(ids)
		v := sparse.Bag(ids)
		valid(t, v)
		if !slices.Equal(ids, given) {
			t.Fatalf("Bag changed its argument to %v", ids)
		}
		for term := range uint32(21) {
			if got := v.Weight(term); (got == 1) != slices.Contains(ids, term) || got != 0 && got != 1 {
				t.Fatalf("term %d weighs %v", term, got)
			}
		}
	})
}

// TestAlgebra compares the operations with plain maps.
func TestAlgebra(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := vectors().Draw(t, "a"), vectors().Draw(t, "b")
		wa, wb := weights(a), weights(b)
		dot, l1 := 0.0, 0.0
		for _, term := range slices.Sorted(maps.Keys(wa)) {
			dot += float64(wa[term]) * float64(wb[term])
			l1 += float64(wa[term])
		}
		if got := sparse.Dot(a, b); got != dot || sparse.Dot(b, a) != dot {
			t.Fatalf("dot %v and %v, want %v", got, sparse.Dot(b, a), dot)
		}
		if a.L1() != l1 || a.Len() != len(wa) {
			t.Fatalf("L1 %v and L0 %d, want %v and %d", a.L1(), a.Len(), l1, len(wa))
		}
		mean := sparse.Mean(a, b)
		valid(t, mean)
		for term := range maps.Keys(wb) {
			if got, want := mean.Weight(term), float32((float64(wa[term])+float64(wb[term]))/2); got != want {
				t.Fatalf("mean of term %d is %v, want %v", term, got, want)
			}
		}
		if sparse.Mean().Len() != 0 {
			t.Fatal("the mean of nothing is not empty")
		}
	})
}

func TestTopK(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, k := vectors().Draw(t, "v"), rapid.IntRange(-1, 14).Draw(t, "k")
		top := v.TopK(k)
		valid(t, top)
		if top.Len() != min(max(k, 0), v.Len()) {
			t.Fatalf("%d terms", top.Len())
		}
		kept := weights(top)
		for term, w := range weights(v) {
			if got, ok := kept[term]; ok {
				if got != w {
					t.Fatalf("term %d weighs %v, not %v", term, got, w)
				}
				continue
			}
			for better, weight := range kept {
				if weight < w || weight == w && better > term {
					t.Fatalf("term %d (%v) was kept, %d (%v) not", better, weight, term, w)
				}
			}
		}
		ranked := v.Ranked()
		for i, e := range ranked {
			if e.Weight != v.Weight(e.Term) || i > 0 && (ranked[i-1].Weight < e.Weight || ranked[i-1].Weight == e.Weight && ranked[i-1].Term >= e.Term) {
				t.Fatalf("%v is out of order in %v", e, ranked)
			}
		}
		if len(ranked) != v.Len() {
			t.Fatalf("%d of %d terms are ranked", len(ranked), v.Len())
		}
	})
}

func TestValidate(t *testing.T) {
	infinite, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, test := range []struct {
		vector sparse.Vector
		want   string
	}{
		{sparse.Vector{}, ""},
		{sparse.Vector{Terms: []uint32{0, 9}, Weights: []float32{1, math.SmallestNonzeroFloat32}}, ""},
		{sparse.Vector{Terms: []uint32{1}}, "sparse vector has 1 terms but 0 weights"},
		{sparse.Vector{Terms: []uint32{2, 2}, Weights: []float32{1, 1}}, "sparse vector: term 2 follows term 2, terms must increase"},
		{sparse.Vector{Terms: []uint32{2, 1}, Weights: []float32{1, 1}}, "sparse vector: term 1 follows term 2, terms must increase"},
		{sparse.Vector{Terms: []uint32{10}, Weights: []float32{1}}, "sparse vector: term 10 is outside the vocabulary of 10"},
		{sparse.Vector{Terms: []uint32{1}, Weights: []float32{0}}, "sparse vector: weight 0 of term 1 is not positive and finite"},
		{sparse.Vector{Terms: []uint32{1}, Weights: []float32{-1}}, "sparse vector: weight -1 of term 1 is not positive and finite"},
		{sparse.Vector{Terms: []uint32{1}, Weights: []float32{nan}}, "sparse vector: weight NaN of term 1 is not positive and finite"},
		{sparse.Vector{Terms: []uint32{1}, Weights: []float32{infinite}}, "sparse vector: weight +Inf of term 1 is not positive and finite"},
	} {
		got := ""
		if err := test.vector.Validate(10); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%v: %q, want %q", test.vector, got, test.want)
		}
	}
}

// TestQuantise checks the definition in arbitrary precision.
func TestQuantise(t *testing.T) {
	half := big.NewFloat(.5)
	rapid.Check(t, func(t *rapid.T) {
		v := vectors().Draw(t, "v")
		q := v.Quantise()
		if fraction, _ := math.Frexp(q.Step); fraction != .5 {
			t.Fatalf("the step %v is no power of two", q.Step)
		}
		largest, kept, sum := big.NewFloat(0), 0, uint64(0)
		for i, term := range v.Terms {
			steps := new(big.Float).SetPrec(400).Quo(big.NewFloat(float64(v.Weights[i])), big.NewFloat(q.Step))
			if steps.Cmp(largest) > 0 {
				largest = steps
			}
			want, _ := new(big.Float).SetPrec(400).Add(steps, half).Uint64() // rounds down
			want = min(want, sparse.MaxQuantised)
			if want == 0 {
				continue
			}
			if kept >= q.Len() || q.Terms[kept] != term || uint64(q.Weights[kept]) != want {
				t.Fatalf("term %d should weigh %d steps, in %v", term, want, q)
			}
			kept, sum = kept+1, sum+want
		}
		if kept != q.Len() || sum != q.Sum() {
			t.Fatalf("%d terms and a sum of %d, want %d and %d", q.Len(), q.Sum(), kept, sum)
		}
		if v.Len() > 0 && (largest.Cmp(big.NewFloat(2048)) < 0 || largest.Cmp(big.NewFloat(4096)) >= 0) {
			t.Fatalf("the largest weight is %v steps", largest)
		}
	})
}

func BenchmarkDot(b *testing.B) {
	var x, y sparse.Vector
	for i := range uint32(300) {
		if i%2 == 0 {
			x.Terms, x.Weights = append(x.Terms, i), append(x.Weights, float32(i)+1)
		}
		if i%3 == 0 {
			y.Terms, y.Weights = append(y.Terms, i), append(y.Weights, float32(i)+1)
		}
	}
	for b.Loop() {
		sparse.Dot(x, y)
	}
}
