package f32

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// screens are the sets with a screen.
func screens() []*set {
	var all []*set
	for _, s := range sets {
		if s.screen != nil {
			all = append(all, s)
		}
	}
	return all
}

// screened is a product that screens are tried on.
type screened struct {
	a, b         View // [M×K], [N×K]
	bias         []float32
	mean, spread []float32
}

// screenKinds are how hard products are for a screen. Each changes an ordinary
// one.
var screenKinds = []struct {
	name   string
	change func(x *screened, rng *rand.Rand)
}{
	{"ordinary", func(*screened, *rand.Rand) {}},
	{"common mean", func(x *screened, rng *rand.Rand) {
		for k := range x.mean {
			x.mean[k] = float32(4 * rng.NormFloat64())
			for i := range x.a.Rows {
				x.a.Row(i)[k] += x.mean[k]
			}
		}
	}},
	{"outlier numbers", func(x *screened, rng *rand.Rand) {
		k := rng.IntN(x.a.Cols)
		x.spread[k] = 100
		for i := range x.a.Rows {
			x.a.Row(i)[k] *= 100
		}
	}},
	{"unforeseen outliers", func(x *screened, rng *rand.Rand) {
		k := rng.IntN(x.a.Cols)
		for i := range x.a.Rows {
			x.a.Row(i)[k] *= 300
		}
	}},
	{"huge", func(x *screened, _ *rand.Rand) { Scale(1e18, x.a.Data) }},
	{"overflowing", func(x *screened, _ *rand.Rand) { Scale(1e30, x.a.Data); Scale(1e30, x.b.Data) }},
	{"tiny", func(x *screened, _ *rand.Rand) { Scale(1e-20, x.a.Data); Scale(1e-22, x.b.Data) }},
	{"denormal", func(x *screened, _ *rand.Rand) { Scale(1e-41, x.a.Data) }},
	{"denormal columns", func(x *screened, _ *rand.Rand) { Scale(1e-41, x.b.Data) }},
	{"empty rows and columns", func(x *screened, rng *rand.Rand) {
		clear(x.a.Row(rng.IntN(x.a.Rows)))
		clear(x.b.Row(rng.IntN(x.b.Rows)))
	}},
	{"odd numbers", func(x *screened, rng *rand.Rand) {
		for _, of := range [][]float32{x.a.Data, x.b.Data, x.bias, x.mean, x.spread} {
			of[rng.IntN(len(of))] = specials[rng.IntN(len(specials))]
		}
	}},
	{"parallel", func(x *screened, _ *rand.Rand) {
		for i := range x.a.Rows {
			copy(x.a.Row(i), x.b.Row(i%x.b.Rows))
		}
	}},
}

func newScreened(rng *rand.Rand, rows, k, n int) *screened {
	x := &screened{a: randomView(rng, rows, k, 0), b: randomView(rng, n, k, 0), bias: make([]float32, n), mean: make([]float32, k), spread: make([]float32, k)}
	for i := range x.spread {
		x.spread[i] = 1
	}
	for j := range x.bias {
		x.bias[j] = float32(rng.NormFloat64() - 3*math.Sqrt(float64(k)))
	}
	return x
}

// atTheEdge sets the biases so that the largest elements are 0, or next to it.
func (x *screened) atTheEdge(rng *rand.Rand, product View) {
	for j := range x.bias {
		largest := product.Row(0)[j]
		for i := range product.Rows {
			largest = max(largest, product.Row(i)[j])
		}
		x.bias[j] = -largest
		switch rng.IntN(3) {
		case 0:
			x.bias[j] = math.Nextafter32(-largest, float32(math.Inf(1)))
		case 1:
			x.bias[j] = math.Nextafter32(-largest, float32(math.Inf(-1)))
		}
	}
}

// compareScreen holds a screen's marks against the plain twin's, and makes sure
// that none is missed. It returns how many there are, and how many there must be.
func compareScreen(t *testing.T, x *screened, edge bool, rng *rand.Rand) (marked, needed int) {
	t.Helper()
	product := NewView(make([]float32, x.a.Rows*x.b.Rows), x.a.Rows, x.b.Rows)
	new(Multiplier).MulPacked(product, x.a, PackT(x.b), false)
	if edge {
		x.atTheEdge(rng, product)
	}
	c := NewScreen(x.b, x.bias, x.mean, x.spread)
	var r Rounded
	r.Resize(c, x.a.Rows)
	certain := true
	for i := range x.a.Rows {
		certain = r.Set(c, i, x.a.Row(i)) && certain
	}
	if !certain {
		return x.b.Rows, 0
	}
	marks := make([]uint64, (x.b.Rows+63)/64)
	from := rng.IntN((x.b.Rows+PanelColumns-1)/PanelColumns) * PanelColumns
	new(Multiplier).Screen(marks, &r, 0, x.a.Rows, c, from, x.b.Rows)
	for j := from; j < x.b.Rows; j++ {
		is := marks[(j-from)/64]>>((j-from)%64)&1 != 0
		if want := plainScreen(c, &r, j); is != want {
			t.Fatalf("%s, %d×%d×%d: column %d is marked: %v, want %v", c.set.name, x.a.Rows, x.a.Cols, x.b.Rows, j, is, want)
		}
		above := false
		for i := range x.a.Rows {
			above = above || !(product.Row(i)[j]+x.bias[j] <= 0)
		}
		if above && !is {
			t.Fatalf("%s, %d×%d×%d: column %d is missed", c.set.name, x.a.Rows, x.a.Cols, x.b.Rows, j)
		}
		if is {
			marked++
		}
		if above {
			needed++
		}
	}
	return marked, needed
}

// plainScreen tells whether column j has a bound of 0 or more, number by number.
func plainScreen(c *Screen, r *Rounded, j int) bool {
	width, numbers := c.set.cols, c.set.screen.numbers
	columns := c.columns[j/width*4*width+j%width:]
	column := c.b[j/width*c.panelSize()+j%width*numbers:]
	most := float32(-1)
	for i, terms := range r.terms {
		sum := int32(math.Float32bits(columns[0]))
		for k := range c.k {
			word, q := r.a[i*c.words+k/numbers], int32(column[k/numbers*width*numbers+k%numbers])
			if numbers == 4 {
				sum += int32(uint8(word>>(k%4*8))) * q
			} else {
				sum += int32(int16(word>>(k%2*16))) * q
			}
		}
		bound := fma(columns[2*width], terms.error, columns[width])
		bound = fma(columns[3*width], terms.size, bound)
		most = max(most, fma(terms.scale, float32(sum), bound))
	}
	return !math.Signbit(float64(most))
}

// eachScreen does it under each set that has a screen.
func eachScreen(t *testing.T, do func(t *testing.T)) {
	all := screens()
	if len(all) == 0 {
		t.Skip("the kernels of this processor have no screen")
	}
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) { underSet(s, func() { do(t) }) })
	}
}

func TestScreenMissesNone(t *testing.T) {
	eachScreen(t, func(t *testing.T) {
		for _, kind := range screenKinds {
			t.Run(kind.name, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(5, 5))
				for i := range 60 {
					x := newScreened(rng, 1+rng.IntN(30), 1+rng.IntN(150), 1+rng.IntN(150))
					kind.change(x, rng)
					compareScreen(t, x, i%2 == 0, rng)
				}
			})
		}
	})
}

// TestScreenLeavesFew makes sure that a screen is worth its time: of ordinary
// columns few are marked in vain, with outliers and common means too.
func TestScreenLeavesFew(t *testing.T) {
	eachScreen(t, func(t *testing.T) {
		for _, kind := range screenKinds[:3] {
			rng := rand.New(rand.NewPCG(5, 5))
			x := newScreened(rng, 40, 384, 2000)
			kind.change(x, rng)
			if kind.name == "common mean" {
				for j := range x.bias {
					x.bias[j] -= Dot(x.mean, x.b.Row(j))
				}
			}
			marked, needed := compareScreen(t, x, false, rng)
			t.Logf("%s: %d marked, %d needed", kind.name, marked, needed)
			if needed == 0 || marked > 8*needed {
				t.Errorf("%s: %d marked, %d needed", kind.name, marked, needed)
			}
		}
	})
}

func FuzzScreen(f *testing.F) {
	for i := range 40 {
		f.Add(uint64(i), uint(i), uint(7*i), uint(11*i), uint(i))
	}
	f.Fuzz(func(t *testing.T, seed uint64, rows, k, n, kind uint) {
		for _, s := range screens() {
			underSet(s, func() {
				rng := rand.New(rand.NewPCG(seed, 6))
				x := newScreened(rng, 1+int(rows%50), 1+int(k%500), 1+int(n%200))
				screenKinds[kind%uint(len(screenKinds))].change(x, rng)
				compareScreen(t, x, seed%2 == 0, rng)
			})
		}
	})
}

// TestNoScreen: plain Go has none, nor have products of nothing or of too much.
func TestNoScreen(t *testing.T) {
	underSet(&generic, func() {
		if NewScreen(randomView(rand.New(rand.NewPCG(1, 1)), 3, 4, 0), make([]float32, 3), make([]float32, 4), constant(4, 1)) != nil {
			t.Error("plain Go has a screen")
		}
	})
	for _, shape := range [][2]int{{0, 4}, {4, 0}, {1, screenRows + 1}} {
		n, k := shape[0], shape[1]
		if NewScreen(NewView(make([]float32, n*k), n, k), make([]float32, n), make([]float32, k), constant(k, 1)) != nil {
			t.Errorf("there is a screen of %d×%d", n, k)
		}
	}
}

// TestScreenOfTheLargestSums: whole numbers at their limits do not overflow.
func TestScreenOfTheLargestSums(t *testing.T) {
	eachScreen(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		for _, k := range []int{127, 768, screenRows} {
			for _, sign := range []float32{1, -1} {
				x := newScreened(rng, 3, k, 40)
				for i := range x.a.Data {
					x.a.Data[i] = 1
				}
				for i := range x.b.Data {
					x.b.Data[i] = sign
				}
				marked, needed := compareScreen(t, x, false, rng)
				if sign > 0 && needed == 0 || sign < 0 && marked > 0 {
					t.Errorf("%d: %d marked, %d needed", k, marked, needed)
				}
			}
		}
	})
}

// TestScreenOfWholeNumbers: where nothing is lost in making numbers whole, there
// are still the roundings of the product's own sums.
func TestScreenOfWholeNumbers(t *testing.T) {
	eachScreen(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		for range 4 {
			x := newScreened(rng, 5, 8000, 60)
			for _, of := range []View{x.a, x.b} {
				for i := range of.Data {
					of.Data[i] = float32(100 + rng.IntN(28))
					if i%of.Cols == 0 {
						of.Data[i] = 127
					}
				}
			}
			compareScreen(t, x, true, rng)
		}
	})
}

func constant(n int, x float32) []float32 {
	all := make([]float32, n)
	for i := range all {
		all[i] = x
	}
	return all
}

func BenchmarkScreen(b *testing.B) {
	const n = 30522
	for _, k := range []int{256, 768} {
		rng := rand.New(rand.NewPCG(1, 1))
		e := randomView(rng, n, k, 0)
		for _, s := range screens() {
			var c *Screen
			underSet(s, func() { c = NewScreen(e, constant(n, -30), make([]float32, k), constant(k, 1)) })
			for _, rows := range []int{11, 84, 1008} {
				a := randomView(rng, rows, k, 0)
				var r Rounded
				var m Multiplier
				marks := make([]uint64, 4)
				r.Resize(c, rows)
				for i := range rows {
					r.Set(c, i, a.Row(i))
				}
				b.Run(fmt.Sprintf("%dx%dx%d/%s", rows, k, n, s.name), func(b *testing.B) {
					for b.Loop() {
						for from := 0; from < n; from += 256 {
							m.Screen(marks, &r, 0, rows, c, from, min(from+256, n))
						}
					}
					b.ReportMetric(2e-9*float64(rows)*float64(k)*n*float64(b.N)/b.Elapsed().Seconds(), "GFLOPS")
				})
			}
		}
	}
}
