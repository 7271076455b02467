package index_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"parley/index"
	"parley/sparse"
)

// BenchmarkBuild builds an index of 127 terms a passage, encoding not included,
// with 500 bytes of text. One operation is one passage.
func BenchmarkBuild(b *testing.B) {
	const vocabulary, terms = 30_522, 127
	r := rand.New(rand.NewPCG(1, 2))
	vectors := make([]sparse.Vector, 1000)
	for i := range vectors {
		weights := map[uint32]float32{}
		for len(weights) < terms {
			weights[uint32(r.ExpFloat64()*3000)%vocabulary] = r.Float32() + .01
		}
		vectors[i] = sparse.FromMap(weights)
	}
	text := string(make([]byte, 500))
	dir := filepath.Join(b.TempDir(), "index")
	builder, err := index.Create(dir, index.Options{Vocabulary: vocabulary})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := range b.N {
		if err := builder.Add(fmt.Sprint(i), "", text, vectors[i%len(vectors)]); err != nil {
			b.Fatal(err)
		}
	}
	if err := builder.Commit(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "passages/s")
}

// BenchmarkOpen opens an index of 20,000 passages, which checks all of it.
func BenchmarkOpen(b *testing.B) {
	all := make([]passage, 20_000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range all {
		weights := map[uint32]float32{}
		for range 50 {
			weights[r.Uint32N(1000)] = r.Float32() + .01
		}
		all[i] = passage{index.Passage{ID: fmt.Sprint(i), Text: "text"}, sparse.FromMap(weights)}
	}
	dir := build(b, 1000, all)
	for b.Loop() {
		ix, err := index.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(ix.Bytes())
		ix.Close()
	}
}
