package f32

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// oddView returns a matrix with gaps, some of its numbers special.
func oddView(rng *rand.Rand, rows, cols int, odd bool) View {
	return gapView(rng, rows, cols, rng.IntN(9), odd)
}

func gapView(rng *rand.Rand, rows, cols, gap int, odd bool) View {
	v := View{Rows: rows, Cols: cols, Stride: cols + gap, Data: make([]float32, rows*(cols+gap))}
	for i := range v.Data {
		v.Data[i] = float32(8*rng.Float32()) - 4
		if odd && rng.IntN(20) == 0 {
			v.Data[i] = specials[rng.IntN(len(specials))]
		}
	}
	return v
}

// FuzzProducts compares products of odd sizes, strides and numbers with the
// plain sums, bit for bit: a NaN or an infinity goes where those take it.
func FuzzProducts(f *testing.F) {
	for i := range 60 {
		f.Add(uint64(i), uint(i*i), uint(7*i), uint(11*i), i%2 == 0, i%3 == 0)
	}
	team := NewTeam(2)
	f.Cleanup(team.Close)
	teams := []multiplier{new(Multiplier), team}
	f.Fuzz(func(t *testing.T, seed uint64, m, k, n uint, accumulate, odd bool) {
		rng := rand.New(rand.NewPCG(seed, 4))
		rows, inner, cols := int(m%80), int(k%900), int(n%150)
		a, b := oddView(rng, rows, inner, odd), oddView(rng, inner, cols, odd)
		if seed%3 == 0 { // rows that meet in the first cache
			a = gapView(rng, rows, inner, 1024-inner, odd)
		}
		start := oddView(rng, rows, cols, odd)
		for _, s := range sets {
			want := clone(start)
			plainProduct(s, want, a, b, accumulate)
			underSet(s, func() {
				for _, by := range teams {
					what := fmt.Sprintf("%s: %d×%d×%d by %T", s.name, rows, inner, cols, by)
					for kind, do := range map[string]func(c View){
						"Mul":       func(c View) { by.Mul(c, a, b, accumulate) },
						"MulT":      func(c View) { by.MulT(c, a, transpose(b), accumulate) },
						"TMul":      func(c View) { by.TMul(c, transpose(a), b, accumulate) },
						"MulPacked": func(c View) { by.MulPacked(c, a, PackT(transpose(b)), accumulate) },
					} {
						c := clone(start)
						do(c)
						compareViews(t, what+" "+kind, c, want)
						compareGaps(t, what+" "+kind, c, start)
					}
				}
			})
		}
	})
}

// compareGaps makes sure that nothing was written between the rows.
func compareGaps(t *testing.T, what string, got, want View) {
	t.Helper()
	for i := range got.Data {
		if i%got.Stride >= got.Cols && !sameBits(got.Data[i], want.Data[i]) {
			t.Fatalf("%s wrote between rows, at %d", what, i)
		}
	}
}
