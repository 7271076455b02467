package f32

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkProducts multiplies by one worker, under each set of kernels.
func BenchmarkProducts(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, size := range [][3]int{
		{1024, 1024, 1024},
		{2560, 768, 768},
		{2560, 768, 3072},
		{2560, 128, 30522},
		{2560, 256, 256},
		{256, 64, 256},
		{256, 256, 64},
		{1, 768, 768},
		{8, 768, 3072},
	} {
		m, k, n := size[0], size[1], size[2]
		x, y, z := randomView(rng, m, k, 0), randomView(rng, k, n, 0), randomView(rng, m, n, 0)
		xt, yt := transpose(x), transpose(y)
		for _, s := range sets {
			underSet(s, func() {
				var by Multiplier
				packed := PackT(yt)
				for kind, do := range map[string]func(){
					"Mul":       func() { by.Mul(z, x, y, false) },
					"MulT":      func() { by.MulT(z, x, yt, false) },
					"TMul":      func() { by.TMul(z, xt, y, false) },
					"MulPacked": func() { by.MulPacked(z, x, packed, false) },
				} {
					b.Run(fmt.Sprintf("%s/%s/%dx%dx%d", s.name, kind, m, k, n), func(b *testing.B) {
						b.ReportAllocs()
						do()
						for b.Loop() {
							do()
						}
						b.ReportMetric(2*float64(m*k*n)*float64(b.N)/1e9/b.Elapsed().Seconds(), "GFLOPS")
					})
				}
			})
		}
	}
}

// BenchmarkVectors runs every vector kernel over 4096 elements, which stay in
// the first two caches, under each set.
func BenchmarkVectors(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range twins {
		for _, s := range sets {
			x, _ := randomInputs(rng, c.slices, 4096, false)
			b.Run(s.name+"/"+c.name, func(b *testing.B) {
				for b.Loop() {
					c.run(s, x)
				}
				b.ReportMetric(4096*float64(b.N)/1e6/b.Elapsed().Seconds(), "M/s")
			})
		}
	}
	for _, s := range sets {
		underSet(s, func() { benchmarkRows(b, s) })
	}
}

// benchmarkRows runs what works on rows of a network: softmax over 256, layer
// norm over 768.
func benchmarkRows(b *testing.B, s *set) {
	rng := rand.New(rand.NewPCG(1, 3))
	x, _ := randomInputs(rng, 6, 768, false)
	for name, do := range map[string]func() int{
		"Softmax":         func() int { Softmax(x[0][:256], .125); return 256 },
		"SoftmaxBackward": func() int { SoftmaxBackward(x[0][:256], x[1][:256], .125); return 256 },
		"LayerNorm":       func() int { LayerNorm(x[1], x[2], x[3], x[4], 1e-12); return 768 },
		"LayerNormBackward": func() int {
			LayerNormBackward(x[0], x[1], x[2], x[3], .1, .9, x[4], x[5])
			return 768
		},
	} {
		b.Run(s.name+"/"+name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = do()
			}
			b.ReportMetric(float64(n)*float64(b.N)/1e6/b.Elapsed().Seconds(), "M/s")
		})
	}
}
