package search_test

import (
	"fmt"
	"os"
	"path/filepath"

	"parley/index"
	"parley/search"
	"parley/sparse"
)

func Example() {
	dir, err := os.MkdirTemp("", "parley")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	b, err := index.Create(filepath.Join(dir, "birds"), index.Options{Vocabulary: 10})
	if err != nil {
		panic(err)
	}
	defer b.Discard()
	_ = b.Add("robin", "", "", sparse.Vector{Terms: []uint32{2, 7}, Weights: []float32{1, 2}})
	_ = b.Add("wren", "", "", sparse.Vector{Terms: []uint32{7}, Weights: []float32{2.55}})
	_ = b.Add("cod", "", "", sparse.Vector{Terms: []uint32{3}, Weights: []float32{1}})
	if err := b.Commit(); err != nil {
		panic(err)
	}
	ix, err := index.Open(filepath.Join(dir, "birds"))
	if err != nil {
		panic(err)
	}
	defer ix.Close()

	s := search.New(ix, search.Options{})
	q := sparse.Vector{Terms: []uint32{2, 7}, Weights: []float32{.5, 1}}
	for _, hit := range s.Search(q, 10, nil) {
		fmt.Printf("%s %d %.4f\n", ix.ID(hit.Passage), hit.Sum, hit.Score)
	}
	for _, c := range s.Explain(q, 0) {
		fmt.Printf("term %d: %d × %d\n", c.Term, c.Weight, c.Impact)
	}
	// Output:
	// wren 522240 2.5500
	// robin 512000 2.5000
	// term 7: 2048 × 200
	// term 2: 1024 × 100
}
