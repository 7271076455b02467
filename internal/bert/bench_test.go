package bert

import (
	"math/rand/v2"
	"slices"
	"testing"

	"parley/internal/f32"
)

// sizes are the networks that the field uses.
func sizes() []struct {
	name string
	c    Config
} {
	config := func(family Family, types, layers, hidden, heads int) Config {
		return Config{
			Family: family, Types: types, Layers: layers, Hidden: hidden, Heads: heads, Inner: 4 * hidden,
			Vocabulary: 30522, Positions: 512, Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU,
		}
	}
	return []struct {
		name string
		c    Config
	}{
		{"4x256", config(BERT, 2, 4, 256, 4)},
		{"distilbert", config(DistilBERT, 0, 6, 768, 12)},
		{"bert-base", config(BERT, 2, 12, 768, 12)},
	}
}

// sparseNetwork returns a network whose vectors have about 1% of the terms, as
// trained ones have.
func sparseNetwork(c Config) *Network {
	n := New(c, 1)
	thin(n, passages(c, 4), .01)
	return n
}

func uniform(c Config, sequences, length int) Batch {
	return randomBatch(c, 1, slices.Repeat([]int{length}, sequences)...)
}

// passages returns sequences of lengths as passages have them.
func passages(c Config, sequences int) Batch {
	rng := rand.New(rand.NewPCG(1, 4))
	var lengths []int
	for range sequences {
		lengths = append(lengths, 20+rng.IntN(100))
	}
	return randomBatch(c, 1, lengths...)
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range sizes() {
		screened, err := NewInference(size.c, sparseNetwork(size.c).Source())
		if err != nil {
			b.Fatal(err)
		}
		for _, texts := range []struct {
			name  string
			batch Batch
		}{
			{"8x256", uniform(size.c, 8, 256)},
			{"32xpassage", passages(size.c, 32)},
			{"32x12", uniform(size.c, 32, 12)},
			{"1x12", uniform(size.c, 1, 12)},
		} {
			b.Run(size.name+"/"+texts.name, func(b *testing.B) { benchmarkEncode(b, screened, texts.batch) })
			b.Run(size.name+"/"+texts.name+"/unscreened", func(b *testing.B) { benchmarkEncode(b, screened.unscreened(), texts.batch) })
		}
	}
}

func benchmarkEncode(b *testing.B, inference *Inference, batch Batch) {
	session := inference.Session()
	vectors := session.Encode(batch)
	terms := 0
	for _, v := range vectors {
		terms += v.Len()
	}
	left := 0
	for _, n := range session.left {
		left += n
	}
	b.ReportAllocs()
	for b.Loop() {
		session.Encode(batch)
	}
	b.ReportMetric(float64(len(batch.IDs)*b.N)/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(float64(terms)/float64(batch.Len()), "terms")
	b.ReportMetric(float64(left)/float64(batch.Len()), "left")
}

func BenchmarkStep(b *testing.B) {
	for _, size := range sizes() {
		network := sparseNetwork(size.c)
		for _, o := range []struct {
			name string
			o    TapeOptions
		}{{"kept", TapeOptions{}}, {"recomputed", TapeOptions{Recompute: true}}} {
			b.Run(size.name+"/"+o.name, func(b *testing.B) {
				tape := network.NewTape(2, o.o)
				defer tape.Close()
				batch := uniform(size.c, 20, 256)
				var gradients [][]float32
				step := func() {
					vectors := tape.Forward(batch, nil)
					gradients = resize(gradients, len(vectors))
					for i, v := range vectors {
						gradients[i] = resize(gradients[i], v.Len())
						fill(gradients[i], .01)
					}
					tape.Backward(gradients)
				}
				step()
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
			})
		}
	}
}
