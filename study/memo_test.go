package study

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/zeebo/xxh3"

	"parley/dialog"
	"parley/sparse"
)

// TestRankingsAreTheHeads: whatever was asked for before, in whatever depth, and
// however little is remembered, a ranking is what a search would give.
func TestRankingsAreTheHeads(t *testing.T) {
	searches := 0
	rank := func(q sparse.Vector, k int) []uint32 {
		searches++
		var all []uint32
		for i := range uint32(40) { // only 40 passages match
			all = append(all, (i*7+q.Terms[0])%40)
		}
		return all[:min(k, len(all))]
	}
	for _, bound := range []int{1, 2000, 1 << 20} {
		searches = 0
		r := newRankings(bound, rank)
		asked := 0
		random := rand.New(rand.NewPCG(1, 2))
		for range 500 {
			q := sparse.Vector{Terms: []uint32{random.Uint32N(20)}, Weights: []float32{1}}
			k := 1 + random.IntN(60)
			asked++
			got := r.Rank(q, k)
			before := searches
			if want := rank(q, k); !slices.Equal(got, want) {
				t.Fatalf("bound %d: rank of %v, %d: %v, want %v", bound, q, k, got, want)
			}
			searches = before
		}
		if bound == 1<<20 && searches > asked/2 {
			t.Errorf("%d searches for %d questions about 20 vectors", searches, asked)
		}
	}
}

// TestMemoIsBounded: it never holds more than twice its bound, and keeps what is
// asked for again and again.
func TestMemoIsBounded(t *testing.T) {
	m := newMemo(10_000, func(v []byte) int { return len(v) })
	often := xxh3.HashString128("often")
	m.put(often, make([]byte, 100))
	for i := range 10_000 {
		m.put(xxh3.Hash128([]byte{byte(i), byte(i >> 8)}), make([]byte, 100))
		if _, ok := m.get(often); !ok {
			t.Fatalf("forgot after %d others what is asked for every time", i)
		}
		if n := len(m.young) + len(m.old); n*164 > 20_000 {
			t.Fatalf("holds %d entries of 164 bytes", n)
		}
	}
}

func TestContextsDiffer(t *testing.T) {
	contexts := []dialog.Context{
		{{Role: dialog.Question, Text: "ab"}, {Role: dialog.Answer, Text: "c"}},
		{{Role: dialog.Question, Text: "a"}, {Role: dialog.Answer, Text: "bc"}},
		{{Role: dialog.Question, Text: "ab"}, {Role: dialog.Question, Text: "c"}},
		{{Role: dialog.Question, Text: "ab"}, {Role: dialog.Answer, Distance: 1, Text: "c"}},
		{{Role: dialog.Question, Text: "abc"}},
		nil,
	}
	seen := map[xxh3.Uint128]bool{}
	for _, c := range contexts {
		seen[keyOfContext(c)] = true
	}
	if len(seen) != len(contexts) {
		t.Errorf("%d keys for %d contexts", len(seen), len(contexts))
	}
}
