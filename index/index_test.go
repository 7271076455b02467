package index_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley/index"
	"parley/sparse"
)

func Example() {
	dir, err := os.MkdirTemp("", "parley")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	b, err := index.Create(filepath.Join(dir, "birds"), index.Options{Vocabulary: 10, Encoder: "by hand"})
	if err != nil {
		panic(err)
	}
	defer b.Discard()
	_ = b.Add("p1", "Robin", "The robin sings.", sparse.Vector{Terms: []uint32{2, 7}, Weights: []float32{1, 2.55}})
	_ = b.Add("p2", "Wren", "So does the wren.", sparse.Vector{Terms: []uint32{7}, Weights: []float32{.5}})
	if err := b.Commit(); err != nil {
		panic(err)
	}
	ix, err := index.Open(filepath.Join(dir, "birds"))
	if err != nil {
		panic(err)
	}
	defer ix.Close()
	fmt.Println(ix.N(), "passages,", ix.DF(7), "with term 7, scale", ix.Scale())
	fmt.Println(ix.Postings(7))
	fmt.Println(ix.Forward(0))
	i, _ := ix.Lookup("p2")
	fmt.Println(ix.Passage(i).Title, ix.Vector(i, sparse.Vector{}))
	// Output:
	// 2 passages, 2 with term 7, scale 0.01
	// [0 1] [255 50]
	// [2 7] [100 255]
	// Wren {[7] [0.5]}
}

// passage is what is added to an index.
type passage struct {
	index.Passage
	vector sparse.Vector
}

// passages draws passages with distinct ids, hostile texts and weights of all
// magnitudes.
func passages(t *rapid.T, vocabulary int) []passage {
	ids := rapid.SliceOfNDistinct(rapid.StringN(1, 4, 8), 1, 30, rapid.ID).Draw(t, "ids")
	term := rapid.Uint32Range(0, uint32(vocabulary-1))
	weight := rapid.OneOf(rapid.Float32Range(.01, 10), rapid.Float32Range(math.SmallestNonzeroFloat32, math.MaxFloat32))
	all := make([]passage, len(ids))
	for i, id := range ids {
		all[i].Passage = index.Passage{ID: id, Title: rapid.String().Draw(t, "title"), Text: rapid.String().Draw(t, "text")}
		all[i].vector = sparse.FromMap(rapid.MapOfN(term, weight, 0, 12).Draw(t, "vector"))
	}
	return all
}

// build builds an index of all in a new folder.
func build(t testing.TB, vocabulary int, all []passage) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "index")
	b, err := index.Create(dir, index.Options{Vocabulary: vocabulary, Fingerprint: "fp", Encoder: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Discard()
	for _, p := range all {
		if err := b.Add(p.ID, p.Title, p.Text, p.vector); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t testing.TB, dir string) *index.Index {
	t.Helper()
	ix, err := index.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	return ix
}

// TestRoundTrip compares an index with a plain model of it: maps of weights
// rounded as the package says.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		const vocabulary = 20
		all := passages(r, vocabulary)
		ix := open(t, build(t, vocabulary, all))
		defer ix.Close()
		if ix.N() != len(all) || ix.Vocabulary() != vocabulary || ix.Fingerprint() != "fp" || ix.Encoder() != "test" {
			r.Fatalf("index has N %d, V %d, %q, %q", ix.N(), ix.Vocabulary(), ix.Fingerprint(), ix.Encoder())
		}
		lists := map[uint32]map[uint32]uint8{}
		for i, p := range all {
			checkPassage(r, ix, i, p)
			terms, impacts := ix.Forward(i)
			for j, term := range terms {
				if lists[term] == nil {
					lists[term] = map[uint32]uint8{}
				}
				lists[term][uint32(i)] = impacts[j]
			}
		}
		for term := range uint32(vocabulary + 1) {
			ids, impacts := ix.Postings(term)
			if len(ids) != len(lists[term]) || ix.DF(term) != len(ids) {
				r.Fatalf("term %d has %d postings and df %d, want %d", term, len(ids), ix.DF(term), len(lists[term]))
			}
			for i, id := range ids {
				if i > 0 && id <= ids[i-1] || lists[term][id] != impacts[i] {
					r.Fatalf("posting %d of term %d is passage %d impact %d, want impact %d", i, term, id, impacts[i], lists[term][id])
				}
			}
		}
	})
}

func checkPassage(r *rapid.T, ix *index.Index, i int, p passage) {
	if diff := cmp.Diff(p.Passage, ix.Passage(i)); diff != "" {
		r.Fatalf("passage %d (-added +read):\n%s", i, diff)
	}
	if got, ok := ix.Lookup(p.ID); !ok || got != i || ix.ID(i) != p.ID {
		r.Fatalf("Lookup(%q) = %d, %v, want %d", p.ID, got, ok, i)
	}
	if _, ok := ix.Lookup(p.ID + "is not added"); ok {
		r.Fatalf("Lookup found %q, which was not added", p.ID+"\x00")
	}
	v := ix.Vector(i, sparse.Vector{})
	if !slices.Equal(v.Terms, p.vector.Terms) {
		r.Fatalf("passage %d has terms %v, want %v", i, v.Terms, p.vector.Terms)
	}
	_, impacts := ix.Forward(i)
	for j, w := range p.vector.Weights {
		want := uint8(min(max(math.Round(float64(w)/float64(ix.Scale())), 1), 255))
		if impacts[j] != want || v.Weights[j] != float32(want)*ix.Scale() {
			r.Fatalf("weight %v has impact %d and reads %v, want %d", w, impacts[j], v.Weights[j], want)
		}
	}
}
