package main

import (
	"fmt"
	"math"
	"slices"
)

// A kernel is a loop over slices of one length, written once for all vector
// extensions: numbers are loaded 16 at a time, worked on lane by lane, and
// stored or summed up. However wide the registers are, there are 16 running
// sums, which are then added in halves; so all extensions agree bit for bit.
type kernel struct {
	name     string
	slices   []slice
	scalars  []slice // arguments, each the same for all elements
	sums     []sum
	constant []uint32 // those of all kernels so far
	ops      []op     // the work on one register
	values   int      // how many values ops define, the scalars first
	scale    bool     // whether the extension multiplies by powers of 2
	whole    bool     // whether lengths are multiples of 16
}

// slice is an argument; kind is its type in Go, or that of its elements.
type slice struct {
	name, kind string
}

// sum is what elements are added up to, or their maximum.
type sum struct {
	name    string
	first   value // a constant that changes nothing
	largest bool
}

// value is what an operation gives, or a constant (negative).
type value int

// none is no value.
const none = value(math.MinInt)

// op is an operation on registers. For loads and stores, at is the slice; for
// shifts, the number of places; for sums, the sum.
type op struct {
	code string
	to   value
	of   []value
	at   int
}

// do appends an operation and returns its result.
func (k *kernel) do(code string, at int, of ...value) value {
	k.values++
	k.ops = append(k.ops, op{code, value(k.values - 1), of, at})
	return value(k.values - 1)
}

func (k *kernel) load(name string) value {
	return k.do("load", slices.IndexFunc(k.slices, func(s slice) bool { return s.name == name }))
}

func (k *kernel) store(name string, x value) {
	k.ops = append(k.ops, op{"store", none, []value{x}, slices.IndexFunc(k.slices, func(s slice) bool { return s.name == name })})
}

// bits returns a constant.
func (k *kernel) bits(b uint32) value {
	i := slices.Index(k.constant, b)
	if i < 0 {
		k.constant = append(k.constant, b)
		i = len(k.constant) - 1
	}
	return value(-1 - i)
}

func (k *kernel) float(x float64) value { return k.bits(math.Float32bits(float32(x))) }

func (k *kernel) scalar(name string) value {
	return value(slices.IndexFunc(k.scalars, func(s slice) bool { return s.name == name }))
}

func (k *kernel) add(x, y value) value { return k.do("add", 0, x, y) }
func (k *kernel) sub(x, y value) value { return k.do("sub", 0, x, y) }
func (k *kernel) mul(x, y value) value { return k.do("mul", 0, x, y) }
func (k *kernel) div(x, y value) value { return k.do("div", 0, x, y) }
func (k *kernel) sqrt(x value) value   { return k.do("sqrt", 0, x) }

// fma returns x·y + z, fnma z − x·y, rounded once.
func (k *kernel) fma(x, y, z value) value  { return k.do("fma", 0, x, y, z) }
func (k *kernel) fnma(x, y, z value) value { return k.do("fnma", 0, x, y, z) }

// max returns x where it is larger than y, and else y, so a NaN in y stays;
// min likewise.
func (k *kernel) max(x, y value) value { return k.do("max", 0, x, y) }
func (k *kernel) min(x, y value) value { return k.do("min", 0, x, y) }

func (k *kernel) and(x, y value) value           { return k.do("and", 0, x, y) }
func (k *kernel) or(x, y value) value            { return k.do("or", 0, x, y) }
func (k *kernel) xor(x, y value) value           { return k.do("xor", 0, x, y) }
func (k *kernel) addInt(x, y value) value        { return k.do("addInt", 0, x, y) }
func (k *kernel) subInt(x, y value) value        { return k.do("subInt", 0, x, y) }
func (k *kernel) left(x value, by int) value     { return k.do("left", by, x) }
func (k *kernel) right(x value, by int) value    { return k.do("right", by, x) } // keeps the sign
func (k *kernel) round(x value) value            { return k.do("round", 0, x) }  // to an integer, even on a tie
func (k *kernel) toInt(x value) value            { return k.do("toInt", 0, x) }
func (k *kernel) toFloat(x value) value          { return k.do("toFloat", 0, x) }
func (k *kernel) greater(x, y value) value       { return k.do("greater", 0, x, y) }
func (k *kernel) choose(where, x, y value) value { return k.do("choose", 0, where, x, y) }

// addTo adds x to a sum, or takes it into a maximum.
func (k *kernel) addTo(name string, x value) {
	i := slices.IndexFunc(k.sums, func(s sum) bool { return s.name == name })
	k.ops = append(k.ops, op{"sum", none, []value{x}, i})
}

// addProduct adds x·y to a sum, rounded once.
func (k *kernel) addProduct(name string, x, y value) {
	i := slices.IndexFunc(k.sums, func(s sum) bool { return s.name == name })
	k.ops = append(k.ops, op{"sumProduct", none, []value{x, y}, i})
}

// lastUses returns for each value the last operation that reads it, for those
// that nothing reads the one that defines them.
func (k *kernel) lastUses() []int {
	last := make([]int, k.values)
	for i, o := range k.ops {
		if o.to >= 0 {
			last[o.to] = i
		}
		for _, v := range o.of {
			if v >= 0 {
				last[v] = i
			}
		}
	}
	for i := range k.scalars {
		last[i] = len(k.ops)
	}
	return last
}

// Where arguments lie: a slice takes 24 bytes, a scalar 4; results start at a
// multiple of 8.
func (k *kernel) scalarAt(i int) int { return 24*len(k.slices) + 4*i }

func (k *kernel) resultAt(i int) int { return (k.scalarAt(len(k.scalars))+7)/8*8 + 4*i }

func (k *kernel) arguments() int {
	if len(k.sums) == 0 {
		return k.scalarAt(len(k.scalars))
	}
	return k.resultAt(len(k.sums))
}

// signature returns the arguments and results of the kernel's function in Go.
func (k *kernel) signature() string {
	s := "("
	for i, a := range k.slices {
		if i > 0 {
			s += ", "
		}
		s += a.name + " []" + a.kind
	}
	for _, a := range k.scalars {
		s += ", " + a.name + " " + a.kind
	}
	s += ")"
	if len(k.sums) > 0 {
		s += " ("
		for i, a := range k.sums {
			if i > 0 {
				s += ", "
			}
			s += a.name
		}
		s += " float32)"
	}
	return s
}

// registers hands out the registers of a kind.
type registers struct {
	format string
	free   []int
}

func newRegisters(format string, from, to int) *registers {
	r := &registers{format: format}
	for i := to - 1; i >= from; i-- {
		r.free = append(r.free, i)
	}
	return r
}

func (r *registers) take() int {
	if len(r.free) == 0 {
		panic("out of registers " + r.format)
	}
	n := r.free[len(r.free)-1]
	r.free = r.free[:len(r.free)-1]
	return n
}

func (r *registers) give(n int) { r.free = append(r.free, n) }

func (r *registers) name(n int) string { return fmt.Sprintf(r.format, n) }
