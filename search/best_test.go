package search

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestBest compares best with sorting everything, on few distinct sums in
// every order.
func TestBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sums := rapid.SliceOfN(rapid.Uint64Range(1, 20), 1, 300).Draw(t, "sums")
		switch rapid.IntRange(0, 2).Draw(t, "order") {
		case 1:
			slices.Sort(sums)
		case 2:
			slices.Sort(sums)
			slices.Reverse(sums)
		}
		b := best{k: rapid.IntRange(1, 50).Draw(t, "k")}
		var all []Hit
		for i, sum := range sums {
			hit := Hit{Passage: i, Sum: sum}
			all = append(all, hit)
			if sum > b.least {
				b.offer(hit)
			}
		}
		slices.SortFunc(all, Hit.compare)
		got := b.take()
		slices.SortFunc(got, Hit.compare)
		if !slices.Equal(got, all[:min(b.k, len(all))]) {
			t.Fatalf("%v of %v", got, all)
		}
	})
}

// TestSelectBest selects from an order in which the first, middle and last
// place have the highest sums that are left, again and again, so that pivots
// part little and sorting takes over.
func TestSelectBest(t *testing.T) {
	const n = 2000
	hits := make([]Hit, n)
	places := make([]int, n)
	for i := range places {
		places[i] = i
	}
	for sum := uint64(n); len(places) > 0; {
		last := len(places) - 1
		for _, i := range []int{last / 2, last, 0} {
			if h := &hits[places[i]]; h.Sum == 0 {
				h.Sum = sum
				sum--
			}
		}
		places = places[min(2, len(places)):]
	}
	for i := range hits {
		hits[i].Passage = i
	}
	want := slices.Clone(hits)
	slices.SortFunc(want, Hit.compare)
	for k := 1; k <= n; k += 37 {
		got := slices.Clone(hits)
		selectBest(got, k)
		slices.SortFunc(got[:k], Hit.compare)
		if !slices.Equal(got[:k], want[:k]) {
			t.Fatalf("the %d best are not in front", k)
		}
	}
}
