package f32

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// twin runs a vector kernel of a set over slices of one length, which it may
// change, and returns its sums.
type twin struct {
	name   string
	slices int
	exact  bool // whether assembly and plain Go agree bit for bit
	sums   bool // whether elements meet, so that only ordinary ones are compared
	run    func(s *set, x [][]float32) []float32
}

var twins = []twin{
	{"axpy", 2, true, false, func(s *set, x [][]float32) []float32 { s.axpy(x[0], x[1], .7); return nil }},
	{"add", 2, true, false, func(s *set, x [][]float32) []float32 { s.add(x[0], x[1]); return nil }},
	{"scale", 1, true, false, func(s *set, x [][]float32) []float32 { s.scale(x[0], -.3); return nil }},
	{"times", 3, true, false, func(s *set, x [][]float32) []float32 { s.times(x[0], x[1], x[2]); return nil }},
	{"axpy4", 5, true, false, func(s *set, x [][]float32) []float32 {
		s.axpy4(x[0], x[1], x[2], x[3], x[4], .1, -.2, .3, 4)
		return nil
	}},
	{"dot", 2, true, true, func(s *set, x [][]float32) []float32 { return []float32{s.dot(x[0], x[1])} }},
	{"adam", 4, true, false, func(s *set, x [][]float32) []float32 {
		s.adam(x[0], x[1], x[2], x[3], .5, .9, .1, .999, .001, .01, 1e-8, .99)
		return nil
	}},
	{"maxArg", 3, true, false, func(s *set, x [][]float32) []float32 {
		arg := make([]int32, len(x[0]))
		s.maxArg(x[0], arg, x[1], 7)
		for i, a := range arg {
			x[2][i] = float32(a)
		}
		return nil
	}},
	{"exp", 2, false, false, func(s *set, x [][]float32) []float32 { s.exp(x[0], x[1]); return nil }},
	{"log1pRelu", 2, false, false, func(s *set, x [][]float32) []float32 { s.log1pRelu(x[0], x[1]); return nil }},
	{"largest", 1, true, true, func(s *set, x [][]float32) []float32 { return []float32{s.largest(x[0], 2)} }},
	{"expSum", 1, false, true, func(s *set, x [][]float32) []float32 { return []float32{s.expSum(x[0], .5, -2)} }},
	{"softmaxSlope", 2, false, false, func(s *set, x [][]float32) []float32 { s.softmaxSlope(x[0], x[1], .3, .4); return nil }},
	{"total", 1, false, true, func(s *set, x [][]float32) []float32 { return []float32{s.total(x[0])} }},
	{"spread", 1, false, true, func(s *set, x [][]float32) []float32 { return []float32{s.spread(x[0], .2)} }},
	{"normalize", 4, false, false, func(s *set, x [][]float32) []float32 {
		s.normalize(x[0], x[1], x[2], x[3], .1, 2)
		return nil
	}},
	{"normSums", 5, false, true, func(s *set, x [][]float32) []float32 {
		a, b := s.normSums(x[0], x[1], x[2], x[3], x[4], .1, 2)
		return []float32{a, b}
	}},
	{"normSlope", 4, false, false, func(s *set, x [][]float32) []float32 {
		s.normSlope(x[0], x[1], x[2], x[3], .1, .7, .2, -.3)
		return nil
	}},
	{"relu", 2, true, false, func(s *set, x [][]float32) []float32 { s.relu(x[0], x[1]); return nil }},
	{"gelu", 2, false, false, func(s *set, x [][]float32) []float32 { s.gelu(x[0], x[1]); return nil }},
	{"geluTanh", 2, false, false, func(s *set, x [][]float32) []float32 { s.geluTanh(x[0], x[1]); return nil }},
	{"silu", 2, false, false, func(s *set, x [][]float32) []float32 { s.silu(x[0], x[1]); return nil }},
	{"tanh", 2, false, false, func(s *set, x [][]float32) []float32 { s.tanh(x[0], x[1]); return nil }},
	{"reluSlope", 3, true, false, func(s *set, x [][]float32) []float32 { s.reluSlope(x[0], x[1], x[2]); return nil }},
	{"geluSlope", 3, false, false, func(s *set, x [][]float32) []float32 { s.geluSlope(x[0], x[1], x[2]); return nil }},
	{"geluTanhSlope", 3, false, false, func(s *set, x [][]float32) []float32 { s.geluTanhSlope(x[0], x[1], x[2]); return nil }},
	{"siluSlope", 3, false, false, func(s *set, x [][]float32) []float32 { s.siluSlope(x[0], x[1], x[2]); return nil }},
	{"tanhSlope", 3, false, false, func(s *set, x [][]float32) []float32 { s.tanhSlope(x[0], x[1], x[2]); return nil }},
}

// specials are numbers at the edges of float32 and of the functions.
var specials = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 1e-45, -3e-42, 0x1p-126, -0x1p-126, 1e30, -1e30, math.MaxFloat32, -math.MaxFloat32,
	88.8, -88.8, 103.9, -104.1, 13, -13, 20, -20, 1e-20, 65536, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
}

// randomInputs returns slices of n numbers, some of them special where odd says
// so, each between margins that nothing may touch. Their bits are the same on
// every processor.
func randomInputs(rng *rand.Rand, count, n int, odd bool) (inputs, whole [][]float32) {
	for range count {
		x := make([]float32, n+2*margin)
		for i := range x {
			x[i] = float32(8*rng.Float32()) - 4
			if i < margin || i >= margin+n {
				x[i] = untouched
			} else if odd && rng.IntN(3) == 0 {
				x[i] = specials[rng.IntN(len(specials))]
			}
		}
		whole, inputs = append(whole, x), append(inputs, x[margin:margin+n:margin+n])
	}
	return inputs, whole
}

const (
	margin    = 19
	untouched = 12345.678
)

func copies(x [][]float32) [][]float32 {
	all := make([][]float32, len(x))
	for i := range x {
		all[i] = append([]float32{}, x[i]...)
	}
	return all
}

// compareTwins runs a kernel of s and its twin over the same numbers.
func compareTwins(t *testing.T, s *set, c twin, rng *rand.Rand, n int, odd bool) {
	t.Helper()
	inputs, whole := randomInputs(rng, c.slices, n, odd && !c.sums)
	if strings.HasSuffix(c.name, "Slope") && c.slices == 3 { // what dy magnifies is compared at its ordinary size
		for i := range inputs[2] {
			inputs[2][i] = float32(8*rng.Float32()) - 4
		}
	}
	want := copies(inputs)
	wantSums := c.run(&generic, want)
	sums := c.run(s, inputs)
	for _, x := range whole {
		for i := range margin {
			if x[i] != untouched || x[len(x)-1-i] != untouched {
				t.Fatalf("%s of %d elements wrote outside its slices", c.name, n)
			}
		}
	}
	inputs, want = append(inputs, sums), append(want, wantSums)
	for i := range want {
		for j, w := range want[i] {
			if g := inputs[i][j]; !c.agree(g, w, n) {
				t.Fatalf("%s of %d elements: slice %d has %v at %d, want %v", c.name, n, i, g, j, w)
			}
		}
	}
}

// agree tells whether two results of n elements are the same but for rounding.
func (c twin) agree(got, want float32, n int) bool {
	if c.exact || sameBits(got, want) {
		return sameBits(got, want)
	}
	g, w := float64(got), float64(want)
	switch c.name {
	case "softmaxSlope", "normalize", "normSlope": // where huge numbers cancel or overflow, only one of the two may round
		if math.Abs(w) > 1e28 || math.Abs(g) > 1e28 || w != w || g != g {
			return math.IsInf(w, 0) || w != w || math.Abs(w) > 1e28
		}
	}
	bound := 4e-6 * (1 + math.Abs(w))
	if c.sums { // of terms up to 150
		bound += 2e-6 * float64(n)
	}
	return math.Abs(g-w) <= bound
}

// TestVectors compares every vector kernel with its twin, over lengths around
// the width of registers and over special numbers.
func TestVectors(t *testing.T) { eachSet(t, testVectors) }

func testVectors(t *testing.T, s *set) {
	rng := rand.New(rand.NewPCG(7, 1))
	for _, c := range twins {
		for n := range 70 {
			compareTwins(t, s, c, rng, n, false)
			compareTwins(t, s, c, rng, n, true)
		}
		compareTwins(t, s, c, rng, 1000, true)
	}
}

// FuzzVectors does the same with what the fuzzer thinks of.
func FuzzVectors(f *testing.F) {
	for i := range twins {
		f.Add(uint64(i), uint(i), uint(3*i))
	}
	f.Fuzz(func(t *testing.T, seed uint64, kernel, n uint) {
		for _, s := range sets {
			rng := rand.New(rand.NewPCG(seed, 2))
			compareTwins(t, s, twins[kernel%uint(len(twins))], rng, int(n%600), true)
		}
	})
}

// TestSameBits holds the kernels in assembly to each other, on all processors:
// their results on fixed numbers have one checksum.
func TestSameBits(t *testing.T) {
	const want = "61920be9"
	for _, s := range sets {
		if s == &generic {
			continue
		}
		sum := fnv.New32a()
		add := func(x []float32) {
			for _, v := range x {
				bits := math.Float32bits(v)
				if v != v { // whose sign depends on the processor
					bits = 0x7fc00000
				}
				fmt.Fprintf(sum, "%08x", bits)
			}
		}
		rng := rand.New(rand.NewPCG(8, 1))
		for _, c := range twins {
			for _, n := range []int{1, 5, 16, 37, 200} {
				x, _ := randomInputs(rng, c.slices, n, false)
				add(c.run(s, x))
				for _, x := range x {
					add(x)
				}
			}
		}
		underSet(s, func() {
			for _, size := range [][3]int{{1, 40, 50}, {33, 900, 70}, {70, 5, 33}} {
				x, _ := randomInputs(rng, 1, size[0]*size[1]+size[1]*size[2], false)
				a, b := x[0][:size[0]*size[1]], x[0][size[0]*size[1]:]
				c := NewView(make([]float32, size[0]*size[2]), size[0], size[2])
				new(Multiplier).Mul(c, NewView(a, size[0], size[1]), NewView(b, size[1], size[2]), false)
				add(c.Data)
			}
		})
		if got := fmt.Sprintf("%08x", sum.Sum32()); got != want {
			t.Errorf("%s: the results have checksum %s, want %s", s.name, got, want)
		}
	}
}
