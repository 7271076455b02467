package measure

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// TTest is the two-sided paired t-test of whether the mean of differences is
// 0: Student's t with n-1 degrees of freedom, and its p-value. Fewer than two
// differences, or differences that are all 0, say nothing: t is 0 and p is 1.
// Equal differences other than 0 give an infinite t and a p of 0.
func TTest(differences []float64) (t, p float64) {
	n := float64(len(differences))
	if n < 2 {
		return 0, 1
	}
	centre, spread := mean(differences), math.Sqrt(variance(differences)/n)
	if slices.Min(differences) == slices.Max(differences) {
		spread = 0 // their mean, rounded, may be another number
	}
	if spread == 0 {
		if centre == 0 {
			return 0, 1
		}
		return math.Copysign(math.Inf(1), centre), 0
	}
	t = centre / spread
	// P(|T| > t) = I_x(ν/2, 1/2) with x = ν/(ν+t²), which keeps its digits
	// far into the tail (Abramowitz and Stegun, 26.7.1).
	return t, mathext.RegIncBeta((n-1)/2, .5, (n-1)/(n-1+t*t))
}

// exactSigns is the largest number of differences other than 0 for which
// Randomisation tries every assignment of signs: 2^16 take about as long as
// 10,000 samples from a few hundred differences.
const exactSigns = 16

// Randomisation is the two-sided paired randomisation test of whether the
// mean of differences is 0 (Fisher; Smucker, Allan and Carterette, CIKM 2007):
// the share of all assignments of signs to the differences whose sum is at
// least as far from 0 as the observed one. With up to 16 differences that are
// not 0 all assignments are tried and p is exact; with more, samples of them
// are drawn, from the seed alone, and p is (1+hits)/(1+samples).
func Randomisation(differences []float64, samples int, seed uint64) (p float64) {
	moved := slices.DeleteFunc(slices.Clone(differences), func(d float64) bool { return d == 0 })
	observed, size := 0.0, 0.0
	for _, d := range moved {
		observed, size = observed+d, size+math.Abs(d)
	}
	// Sums of the same differences in different signs may differ in the last
	// bits where they are equal.
	threshold := math.Abs(observed) - 1e-12*size
	if len(moved) <= exactSigns {
		return exactShare(moved, threshold)
	}
	random := rand.NewPCG(seed, 0)
	hits := 1
	for range samples {
		if math.Abs(randomSum(moved, random)) >= threshold {
			hits++
		}
	}
	return float64(hits) / float64(samples+1)
}

// exactShare returns the share of all sums with signs that reach threshold.
func exactShare(differences []float64, threshold float64) float64 {
	hits, all := 0, 1<<len(differences)
	for signs := range all {
		sum := 0.0
		for i, d := range differences {
			if signs>>i&1 == 1 {
				d = -d
			}
			sum += d
		}
		if math.Abs(sum) >= threshold {
			hits++
		}
	}
	return float64(hits) / float64(all)
}

// randomSum returns the sum of the differences with random signs.
func randomSum(differences []float64, random *rand.PCG) float64 {
	sum, bits := 0.0, uint64(0)
	for i, d := range differences {
		if i%64 == 0 {
			bits = random.Uint64()
		}
		sum += math.Float64frombits(math.Float64bits(d) ^ bits<<63)
		bits >>= 1
	}
	return sum
}

// Correction says how p-values of several comparisons are corrected.
type Correction string

// The corrections, which bound the probability of any false finding. Holm's
// finds all that Bonferroni's does, and more.
const (
	Holm       Correction = "holm"       // step-down (Holm, Scandinavian Journal of Statistics 1979)
	Bonferroni Correction = "bonferroni" // each p times the number of comparisons
	None       Correction = "none"
)

// ParseCorrection reads the name of a correction.
func ParseCorrection(name string) (Correction, error) {
	switch c := Correction(name); c {
	case Holm, Bonferroni, None:
		return c, nil
	}
	return "", fmt.Errorf("unknown correction %q: say holm, bonferroni or none", name)
}

// Correct returns the corrected p-values, in the order given.
func (c Correction) Correct(ps []float64) []float64 {
	corrected := slices.Clone(ps)
	switch c {
	case None:
	case Bonferroni:
		for i, p := range ps {
			corrected[i] = min(p*float64(len(ps)), 1)
		}
	default:
		order := make([]int, len(ps))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ps[a], ps[b]) })
		running := 0.0
		for rank, i := range order {
			running = max(running, min(ps[i]*float64(len(ps)-rank), 1))
			corrected[i] = running
		}
	}
	return corrected
}
