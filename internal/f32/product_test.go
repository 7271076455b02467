package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
)

func randomView(rng *rand.Rand, rows, cols, gap int) View {
	v := View{Rows: rows, Cols: cols, Stride: cols + gap, Data: make([]float32, rows*(cols+gap))}
	for i := range v.Data {
		v.Data[i] = float32(rng.NormFloat64())
	}
	return v
}

func transpose(v View) View {
	t := View{Rows: v.Cols, Cols: v.Rows, Stride: v.Rows, Data: make([]float32, v.Rows*v.Cols)}
	for i := range v.Rows {
		for j, x := range v.Row(i) {
			t.Data[j*t.Stride+i] = x
		}
	}
	return t
}

// multiplier is what products can be asked of.
type multiplier interface {
	Mul(c, a, b View, accumulate bool)
	MulT(c, a, b View, accumulate bool)
	TMul(c, a, b View, accumulate bool)
	MulPacked(c, a View, b *Packed, accumulate bool)
	MulPackedCols(c, a View, b *Packed, from, to int, accumulate bool)
}

// plainProduct sums as the kernels promise to, element by element.
func plainProduct(s *set, c, a, b View, accumulate bool) {
	step := blockSize(b.Rows)
	for i := range c.Rows {
		for j := range c.Cols {
			total, started := float32(0), accumulate
			if accumulate {
				total = c.Row(i)[j]
			}
			for from := 0; from < b.Rows; from += step {
				sum := float32(0)
				for k := from; k < min(from+step, b.Rows); k++ {
					sum = s.plainStep(a.Row(i)[k], b.Row(k)[j], sum)
				}
				if started {
					sum = total + sum
				}
				total, started = sum, true
			}
			c.Row(i)[j] = total
		}
	}
}

// plainStep adds x·y to sum as the set does: those in assembly round once.
func (s *set) plainStep(x, y, sum float32) float32 {
	if s == &generic {
		return float32(x*y) + sum
	}
	return fma(x, y, sum)
}

// fma returns x·y + z, rounded once. The product is exact in double precision;
// the sum is rounded to odd there, which leaves the second rounding right
// (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE
// Transactions on Computers 57(4), 2008).
func fma(x, y, z float32) float32 {
	p, c := float64(x)*float64(y), float64(z)
	s := p + c
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return float32(s)
	}
	t := s - p
	if e := (p - (s - t)) + (c - t); e != 0 && math.Float64bits(s)&1 == 0 {
		if (e > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) + 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}

func sameBits(x, y float32) bool {
	return math.Float32bits(x) == math.Float32bits(y) || x != x && y != y
}

func compareViews(t *testing.T, what string, got, want View) {
	t.Helper()
	for i := range want.Rows {
		for j, w := range want.Row(i) {
			if g := got.Row(i)[j]; !sameBits(g, w) {
				t.Fatalf("%s: element (%d, %d) is %v (%08x), want %v (%08x)",
					what, i, j, g, math.Float32bits(g), w, math.Float32bits(w))
			}
		}
	}
}

// TestProducts compares every kind of product with the plain sums, bit for bit.
func TestProducts(t *testing.T) { eachSet(t, testProducts) }

func testProducts(t *testing.T, s *set) {
	rng := rand.New(rand.NewPCG(3, 1))
	team := NewTeam(3)
	defer team.Close()
	for _, size := range [][3]int{
		{0, 3, 2},
		{1, 0, 4},
		{1, 1, 1},
		{3, 5, 7},
		{6, 16, 16},
		{7, 33, 31},
		{13, 400, 65},
		{201, 17, 130},
		{2, 769, 97},
		{27, 1000, 110},
	} {
		m, k, n := size[0], size[1], size[2]
		a, b := randomView(rng, m, k, 3), randomView(rng, k, n, 5)
		if k == 1000 { // rows that meet in the first cache
			a = randomView(rng, m, k, 24)
		}
		for _, accumulate := range []bool{false, true} {
			start := randomView(rng, m, n, 1)
			want := clone(start)
			plainProduct(s, want, a, b, accumulate)
			for name, by := range map[string]multiplier{"team": team, "multiplier": new(Multiplier)} {
				what := fmt.Sprintf("%s: %d×%d×%d, accumulate %t", name, m, k, n, accumulate)
				check := func(kind string, do func(c View)) {
					t.Helper()
					c := clone(start)
					do(c)
					compareViews(t, what+", "+kind, c, want)
				}
				check("Mul", func(c View) { by.Mul(c, a, b, accumulate) })
				check("MulT", func(c View) { by.MulT(c, a, transpose(b), accumulate) })
				check("TMul", func(c View) { by.TMul(c, transpose(a), b, accumulate) })
				packed := PackT(transpose(b))
				check("MulPacked", func(c View) { by.MulPacked(c, a, packed, accumulate) })
				check("MulPackedCols", func(c View) {
					for from := 0; from < n; from += PanelColumns {
						to := min(from+PanelColumns, n)
						by.MulPackedCols(c.Sub(0, m, from, to-from), a, packed, from, to, accumulate)
					}
				})
			}
		}
	}
}

func clone(v View) View {
	v.Data = append([]float32{}, v.Data...)
	return v
}

// TestProductsAllocateNothing holds once buffers have grown.
func TestProductsAllocateNothing(t *testing.T) { eachSet(t, testProductsAllocateNothing) }

func testProductsAllocateNothing(t *testing.T, _ *set) {
	rng := rand.New(rand.NewPCG(3, 2))
	a, b, c := randomView(rng, 40, 70, 0), randomView(rng, 70, 50, 0), randomView(rng, 40, 50, 0)
	bt, at := transpose(b), transpose(a)
	packed := PackT(bt)
	team := NewTeam(2)
	defer team.Close()
	for name, by := range map[string]multiplier{"team": team, "multiplier": new(Multiplier)} {
		n := testing.AllocsPerRun(10, func() {
			by.Mul(c, a, b, false)
			by.MulT(c, a, bt, true)
			by.TMul(c, at, b, false)
			by.MulPacked(c, a, packed, false)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations a run", name, n)
		}
	}
}

// underSet calls do with a set of kernels in use.
func underSet(s *set, do func()) {
	before := active
	defer func() { active = before }()
	active = s
	do()
}

// eachSet runs a test under every set of kernels that the processor has.
func eachSet(t *testing.T, test func(t *testing.T, s *set)) {
	for _, s := range sets {
		t.Run(s.name, func(t *testing.T) { underSet(s, func() { test(t, s) }) })
	}
}

// TestRowByRow compares the order of work for a C beyond the caches with the
// other, over sizes that are not.
func TestRowByRow(t *testing.T) { eachSet(t, testRowByRow) }

func testRowByRow(t *testing.T, _ *set) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, size := range [][3]int{{1, 5, 1}, {37, 40, 70}, {200, 500, 65}} {
		a, b := randomView(rng, size[0], size[1], 2), randomView(rng, size[2], size[1], 0)
		packed := PackT(b)
		c := randomView(rng, size[0], size[2], 3)
		want := clone(c)
		p := newProduct(c, straight(a), packed, 0, true)
		p.far = true
		new(Multiplier).multiplyPacked(p)
		new(Multiplier).MulPacked(want, a, packed, true)
		compareViews(t, fmt.Sprint("row by row ", size), c, want)
	}
}

// TestReserve multiplies for the first time, without taking memory.
func TestReserve(t *testing.T) { eachSet(t, testReserve) }

func testReserve(t *testing.T, _ *set) {
	rng := rand.New(rand.NewPCG(3, 4))
	a, b, c := randomView(rng, 40, 70, 0), randomView(rng, 70, 50, 0), randomView(rng, 40, 50, 0)
	m := new(Multiplier)
	m.Reserve(40, 70, 50)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m.Mul(c, a, b, false)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4096 { // others may need a little
		t.Errorf("%d bytes were taken", n)
	}
}

// TestChunks multiplies by a B that is packed in several parts.
func TestChunks(t *testing.T) { eachSet(t, testChunks) }

func testChunks(t *testing.T, _ *set) {
	rng := rand.New(rand.NewPCG(3, 5))
	const m, k, n = 3, 9000, 300
	if chunkColumns(k, n) >= n {
		t.Fatal("B is packed in one part")
	}
	a, b := randomView(rng, m, k, 1), randomView(rng, n, k, 2)
	want := NewView(make([]float32, m*n), m, n)
	new(Multiplier).MulPacked(want, a, PackT(b), false)
	team := NewTeam(2)
	defer team.Close()
	for _, by := range []multiplier{new(Multiplier), team} {
		for kind, do := range map[string]func(c View){
			"Mul":  func(c View) { by.Mul(c, a, transpose(b), false) },
			"MulT": func(c View) { by.MulT(c, a, b, false) },
			"TMul": func(c View) { by.TMul(c, transpose(a), transpose(b), false) },
		} {
			c := randomView(rng, m, n, 4)
			do(c)
			compareViews(t, fmt.Sprintf("%T %s", by, kind), c, want)
		}
	}
}
