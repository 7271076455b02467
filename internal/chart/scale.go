package chart

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// scale maps numbers to places on an axis.
type scale struct {
	lo, hi   float64 // the range of numbers
	from, to float64 // the places of lo and hi
	log      bool
	apart    bool    // 0 stands apart, at zero
	zero     float64 // its place on a logarithmic axis
	whole    bool
}

// gap is how far from the low end of a logarithmic axis its 0 stands.
const gap = 26

// newScale returns the scale of an axis that shows all values, of which those
// that are not finite count nothing, from the place from to the place to.
func newScale(a Axis, values []float64, from, to float64) scale {
	s := scale{from: from, to: to, log: a.Log, whole: a.Whole}
	var kept []float64
	for _, v := range values {
		switch {
		case !shown(v, a.Log):
		case a.Log && v == 0:
			s.apart = true
		default:
			kept = append(kept, v)
		}
	}
	if s.apart {
		s.zero = from
		s.from += math.Copysign(gap, to-from)
	}
	if len(kept) == 0 {
		s.lo, s.hi = 0, 1
		if s.log {
			s.lo, s.hi = 1, 10
		}
		return s
	}
	s.lo, s.hi = slices.Min(kept), slices.Max(kept)
	s.pad(a)
	return s
}

// pad widens the range, so that no point lies on the frame and equal values
// have a range too.
func (s *scale) pad(a Axis) {
	if s.log {
		margin := math.Pow(s.hi/s.lo, .05)
		if s.hi/s.lo < 1+1e-9 {
			margin = 1.5
		}
		s.lo, s.hi = s.lo/margin, s.hi*margin
		return
	}
	width := s.hi - s.lo
	if size := math.Max(math.Abs(s.lo), math.Abs(s.hi)); width < least || width < 1e-9*size {
		width = math.Max(.1*size, 1e-3)
		s.lo, s.hi = s.lo-width/2, s.hi+width/2
	}
	fromZero := a.Zero || s.lo >= 0 && s.lo <= width*.35
	low := s.lo >= 0
	s.lo, s.hi = s.lo-.06*width, s.hi+.06*width
	switch {
	case fromZero && low:
		s.lo = 0
	case a.Zero:
		s.hi = math.Max(s.hi, 0)
	}
}

// least and most bound the numbers that are drawn: within them, no arithmetic
// on places overflows or loses its digits.
const (
	least = 1e-15
	most  = 1e15
)

// shown tells whether v can be drawn on an axis.
func shown(v float64, log bool) bool {
	return math.Abs(v) <= most && (!log || v == 0 || v >= least) // not so for NaN
}

// shows tells whether v has a place.
func (s scale) shows(v float64) bool { return shown(v, s.log) && (v != 0 || !s.log || s.apart) }

// at returns the place of v.
func (s scale) at(v float64) float64 {
	if s.log {
		if v == 0 {
			return s.zero
		}
		return s.from + (s.to-s.from)*math.Log(v/s.lo)/math.Log(s.hi/s.lo)
	}
	return s.from + (s.to-s.from)*(v-s.lo)/(s.hi-s.lo)
}

// clamp returns v, or the end of the range beyond which it lies.
func (s scale) clamp(v float64) float64 {
	if s.log && s.apart && v <= 0 {
		return 0
	}
	return math.Min(math.Max(v, s.lo), s.hi)
}

// ticks returns round numbers within the range, about n of them.
func (s scale) ticks(n int) []float64 {
	if !s.log {
		return linearTicks(s.lo, s.hi, n, s.whole)
	}
	ticks := logTicks(s.lo, s.hi, n)
	if len(ticks) < 3 {
		ticks = linearTicks(s.lo, s.hi, n, s.whole)
	}
	if s.apart {
		ticks = append([]float64{0}, ticks...)
	}
	return ticks
}

// linearTicks returns the multiples within [lo, hi] of 1, 2 or 5 times a power
// of ten, at most n of them.
func linearTicks(lo, hi float64, n int, whole bool) []float64 {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/float64(n))))
	if whole {
		step = math.Max(step, 1)
	}
	for _, factor := range []float64{2, 2.5, 2} {
		if math.Floor(hi/step+1e-9)-math.Ceil(lo/step-1e-9)+1 <= float64(n) {
			break
		}
		step *= factor
	}
	var ticks []float64
	for k := math.Ceil(lo/step - 1e-9); k <= hi/step+1e-9; k++ {
		ticks = append(ticks, clean(k*step, step))
	}
	return ticks
}

// clean drops the digits of a multiple of step that are there only because
// binary fractions are not decimal ones.
func clean(v, step float64) float64 {
	digits := max(0, 1-int(math.Floor(math.Log10(step))))
	cleaned, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', digits, 64), 64)
	if err != nil {
		panic(err) // it was written by us
	}
	return cleaned + 0 // not -0
}

// logTicks returns 1, 2 and 5 times the powers of ten within [lo, hi], or the
// powers alone, or every other of them, at most n.
func logTicks(lo, hi float64, n int) []float64 {
	first, last := int(math.Floor(math.Log10(lo))), int(math.Ceil(math.Log10(hi)))
	for _, factors := range [][]float64{{1, 2, 5}, {1, 3}, {1}} {
		if ticks := powers(lo, hi, first, last, 1, factors); len(ticks) <= n {
			return ticks
		}
	}
	for stride := 2; ; stride++ {
		if ticks := powers(lo, hi, first, last, stride, []float64{1}); len(ticks) <= n {
			return ticks
		}
	}
}

func powers(lo, hi float64, first, last, stride int, factors []float64) []float64 {
	var ticks []float64
	for e := first; e <= last; e++ {
		if e%stride != 0 {
			continue
		}
		for _, f := range factors {
			if v := f * math.Pow10(e); lo <= v && v <= hi {
				ticks = append(ticks, v)
			}
		}
	}
	return ticks
}

// number writes a tick: as few digits as it has, thousands as k and M.
func (a Axis) number(v float64) string {
	text := ""
	switch abs := math.Abs(v); {
	case abs >= 1e6:
		text = short(v/1e6) + "M"
	case abs >= 1e4:
		text = short(v/1e3) + "k"
	case abs != 0 && abs < 1e-4:
		return strings.Replace(strconv.FormatFloat(v, 'e', -1, 64), "e-0", "e-", 1)
	default:
		text = short(v)
	}
	if a.Share {
		sign, rest, ok := strings.Cut(text, "0.")
		if ok && (sign == "" || sign == "-") {
			text = sign + "." + rest
		}
	}
	return strings.Replace(text, "-", "−", 1)
}

// short writes a number with at most six significant digits.
func short(v float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	if err != nil {
		panic(err) // it was written by us
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}
