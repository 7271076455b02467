package f32

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkProducts multiplies by one worker, under each set of kernels. It
// reports floating-point operations by the processor's time, so that other
// programs on the machine hardly matter; bench/products.py sets them beside
// OpenBLAS.
func BenchmarkProducts(b *testing.B) {
	for _, size := range [][3]int{
		{1024, 1024, 1024},
		{2560, 768, 768},
		{2560, 768, 3072},
		{2560, 128, 30522},
		{2560, 256, 256},
		{1, 768, 768},
		{8, 768, 3072},
	} {
		m, k, n := size[0], size[1], size[2]
		b.Run(fmt.Sprintf("%dx%dx%d", m, k, n), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 1))
			x, y, z := randomView(rng, m, k, 0), randomView(rng, k, n, 0), randomView(rng, m, n, 0)
			xt, yt := transpose(x), transpose(y)
			for _, s := range sets {
				var by Multiplier
				report(b, s, "Mul", m*k*n, func() { by.Mul(z, x, y, false) })
				report(b, s, "MulT", m*k*n, func() { by.MulT(z, x, yt, false) })
				report(b, s, "TMul", m*k*n, func() { by.TMul(z, xt, y, false) })
				packed := new(Packed)
				underSet(s, func() { packed.PackT(yt) })
				report(b, s, "MulPacked", m*k*n, func() { by.MulPacked(z, x, packed, false) })
			}
		})
	}
	b.Run("120x256x64x256", benchmarkAttention)
}

// benchmarkAttention multiplies ten sequences of 256 rows, head by head: the
// parts of matrices [2560×768] that belong to each of 12 heads of 64 columns.
func benchmarkAttention(b *testing.B) {
	const sequences, length, heads, width = 10, 256, 12, 64
	rng := rand.New(rand.NewPCG(1, 1))
	query, key := randomView(rng, sequences*length, heads*width, 0), randomView(rng, sequences*length, heads*width, 0)
	scores := randomView(rng, sequences*heads*length, length, 0)
	each := func(do func(score, query, key View)) func() {
		return func() {
			for i := range sequences * heads {
				row, col := i/heads*length, i%heads*width
				do(scores.Sub(i*length, length, 0, length), query.Sub(row, length, col, width), key.Sub(row, length, col, width))
			}
		}
	}
	for _, s := range sets {
		var by Multiplier
		work := sequences * heads * length * length * width
		report(b, s, "MulT", work, each(func(score, query, key View) { by.MulT(score, query, key, false) }))
		report(b, s, "Mul", work, each(func(score, query, key View) { by.Mul(query, score, key, false) }))
		report(b, s, "TMul", work, each(func(score, query, key View) { by.TMul(query, score, key, false) }))
	}
}

// report runs a product of that many multiplications under a set.
func report(b *testing.B, s *set, kind string, multiplications int, do func()) {
	b.Run(s.name+"/"+kind, func(b *testing.B) {
		underSet(s, func() {
			b.ReportAllocs()
			do()
			started := cpuTime()
			for b.Loop() {
				do()
			}
			b.ReportMetric(2*float64(multiplications)*float64(b.N)/1e9/(cpuTime()-started).Seconds(), "GFLOP/cpu-s")
		})
	})
}

// BenchmarkVectors runs every vector kernel over 4096 elements, which stay in
// the first two caches, under each set, and reports elements by the processor's
// time.
func BenchmarkVectors(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range twins {
		for _, s := range sets {
			x, _ := randomInputs(rng, c.slices, 4096, false)
			b.Run(s.name+"/"+c.name, func(b *testing.B) {
				started := cpuTime()
				for b.Loop() {
					c.run(s, x)
				}
				b.ReportMetric(4096*float64(b.N)/1e6/(cpuTime()-started).Seconds(), "M/cpu-s")
			})
		}
	}
	for _, s := range sets {
		underSet(s, func() { benchmarkRows(b, s) })
	}
}

// benchmarkRows runs what works on rows of a network: softmax and
// maxima over 256, layer norm over 768.
func benchmarkRows(b *testing.B, s *set) {
	rng := rand.New(rand.NewPCG(1, 3))
	x, _ := randomInputs(rng, 6, 768, false)
	arg := make([]int32, 768)
	for name, do := range map[string]func() int{
		"MaxArg":          func() int { MaxArg(x[0][:256], arg[:256], x[1][:256], 1); return 256 },
		"Softmax":         func() int { Softmax(x[0][:256], .125); return 256 },
		"SoftmaxBackward": func() int { SoftmaxBackward(x[0][:256], x[1][:256], .125); return 256 },
		"LayerNorm":       func() int { LayerNorm(x[1], x[2], x[3], x[4], 1e-12); return 768 },
		"LayerNormBackward": func() int {
			LayerNormBackward(x[0], x[1], x[2], x[3], .1, .9, x[4], x[5])
			return 768
		},
	} {
		b.Run(s.name+"/"+name, func(b *testing.B) {
			n, started := 0, cpuTime()
			for b.Loop() {
				n = do()
			}
			b.ReportMetric(float64(n)*float64(b.N)/1e6/(cpuTime()-started).Seconds(), "M/cpu-s")
		})
	}
}
