package measure

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// sleep holds the extra hours of sleep of the ten patients of Student's paper
// (Biometrika 1908), one drug against the other: t = 4.0621, p = .002833.
var sleep = []float64{1.2, 2.4, 1.3, 1.3, 0, 1, 1.8, .8, 4.6, 1.4}

func TestTTestOnPublishedData(t *testing.T) {
	got, p := TTest(sleep)
	if !near(got, 4.062127683382037, 1e-12) || !near(p, .002832890197384273, 1e-12) {
		t.Errorf("t = %v, p = %v", got, p)
	}
}

// TestTTestOnTable asks for the critical values of Student's t that every
// textbook prints for p = .05 (.001 in the last line), two-sided.
func TestTTestOnTable(t *testing.T) {
	for _, c := range []struct {
		df       int
		critical float64
		p        float64
	}{
		{1, 12.706, .05},
		{2, 4.303, .05},
		{4, 2.776, .05},
		{10, 2.228, .05},
		{30, 2.042, .05},
		{100, 1.984, .05},
		{10, 4.587, .001},
	} {
		_, p := TTest(withT(c.critical, c.df+1))
		if !near(p, c.p, 3e-4) {
			t.Errorf("t = %v with %d degrees of freedom gives p = %v, the table %v", c.critical, c.df, p, c.p)
		}
	}
	// Far in the tail the digits must not drown in 1-CDF.
	if _, p := TTest(withT(40, 2514)); !near(math.Log10(p), math.Log10(3.614037026433406e-271), 1e-9) {
		t.Errorf("p = %v", p)
	}
}

// withT returns n differences whose t is as given.
func withT(t float64, n int) []float64 {
	d := make([]float64, n)
	for i := range d {
		d[i] = float64(i%7) - 3 + float64(i)/float64(n)
	}
	shift, spread := mean(d), math.Sqrt(variance(d)/float64(n))
	for i := range d {
		d[i] += t*spread - shift
	}
	return d
}

func TestTTestWithoutEvidence(t *testing.T) {
	for _, d := range [][]float64{nil, {1}, {0, 0, 0}} {
		if got, p := TTest(d); got != 0 || p != 1 {
			t.Errorf("TTest(%v) = %v, %v", d, got, p)
		}
	}
	for _, d := range []float64{-1, -.1, -.7} { // the mean of ten times .1 is not .1
		if got, p := TTest(slices.Repeat([]float64{d}, 10)); !math.IsInf(got, -1) || p != 0 {
			t.Errorf("constant differences: %v, %v", got, p)
		}
	}
}

func TestRandomisationExact(t *testing.T) {
	for _, c := range []struct {
		d    []float64
		want float64
	}{
		{nil, 1},
		{[]float64{0, 0}, 1},
		{[]float64{1}, 1},
		{[]float64{1, 1, 1, 1, 1}, 2. / 32},
		{[]float64{3, 1, -1}, 6. / 8}, // all but ±(3-1-1)
		{[]float64{.1, -.2, .3, .25, .5, -.05, .4, .15}, .078125},
		{sleep, 2. / 512},
		{slices.Repeat([]float64{1}, 16), 2. / (1 << 16)},
	} {
		if got := Randomisation(c.d, 100, 1); !near(got, c.want, 1e-15) {
			t.Errorf("Randomisation(%v) = %v, want %v", c.d, got, c.want)
		}
	}
}

// TestRandomisationSampled compares sampled p-values with the t-test's, which
// are close for many differences of a common kind.
func TestRandomisationSampled(t *testing.T) {
	for _, want := range []float64{.5, 1.5, 2, 2.6} {
		d := withT(want, 400)
		_, p := TTest(d)
		got := Randomisation(d, 20_000, 7)
		if !near(got, p, .015) {
			t.Errorf("t = %v: randomisation p = %v, t-test p = %v", want, got, p)
		}
		if again := Randomisation(d, 20_000, 7); again != got {
			t.Errorf("the same seed gave %v, then %v", got, again)
		}
	}
}

// TestRandomisationIsNeverCertain counts the observed assignment of signs among
// those that were drawn, so that p is not 0.
func TestRandomisationIsNeverCertain(t *testing.T) {
	if p, want := Randomisation(slices.Repeat([]float64{1}, 60), 99, 1), .01; p != want {
		t.Errorf("p = %v, want %v", p, want)
	}
}

func TestCorrections(t *testing.T) {
	ps := []float64{.01, .04, .03, .005}
	for c, want := range map[Correction][]float64{
		None:       {.01, .04, .03, .005},
		Bonferroni: {.04, .16, .12, .02},
		Holm:       {.03, .06, .06, .02},
	} {
		got := c.Correct(ps)
		for i := range got {
			if !near(got[i], want[i], 1e-15) {
				t.Errorf("%s: %v, want %v", c, got, want)
				break
			}
		}
	}
	if !slices.Equal(ps, []float64{.01, .04, .03, .005}) {
		t.Error("Correct changed its argument")
	}
}

// TestHolmProperties: Holm's p-values keep the order of the raw ones and lie
// between them and Bonferroni's.
func TestHolmProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := rapid.SliceOf(rapid.Float64Range(0, 1)).Draw(t, "p")
		holm, bonferroni := Holm.Correct(ps), Bonferroni.Correct(ps)
		for i := range ps {
			if holm[i] < ps[i] || holm[i] > bonferroni[i] {
				t.Errorf("raw %v, holm %v, bonferroni %v", ps[i], holm[i], bonferroni[i])
			}
			for j := range ps {
				if ps[i] < ps[j] && holm[i] > holm[j] {
					t.Errorf("%v < %v, but %v > %v", ps[i], ps[j], holm[i], holm[j])
				}
			}
		}
	})
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance*max(1, math.Abs(b)) }
