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
