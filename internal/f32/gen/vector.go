package main

import "slices"

// kernels returns all vector kernels, for an extension with or without scaling
// by powers of 2, and their constants.
func kernels(scale bool) ([]*kernel, []uint32) {
	var all []*kernel
	var constants []uint32
	for _, d := range definitions {
		k := &kernel{name: d.name, scalars: named(d.scalars), constant: constants, scale: scale, values: len(d.scalars)}
		for _, s := range d.slices {
			k.slices = append(k.slices, kinds(s, "float32"))
		}
		d.body(k)
		constants = k.constant
		all = append(all, k)
	}
	return all, constants
}

func named(names []string) []slice {
	var all []slice
	for _, n := range names {
		all = append(all, kinds(n, "float32"))
	}
	return all
}

// kinds gives an argument its type; a few are not of the usual one.
func kinds(name, usual string) slice {
	switch name {
	case "arg", "row":
		return slice{name, "int32"}
	case "src":
		return slice{name, "byte"}
	}
	return slice{name, usual}
}

// definition is a kernel: its slices, the first of which tells the length, its
// scalars, and the work on each element.
type definition struct {
	name    string
	slices  []string
	scalars []string
	body    func(*kernel)
}

func list(names ...string) []string { return names }

// The kernels that round a product before it is added agree with plain Go bit
// for bit.
var definitions = []definition{
	{"axpy", list("y", "x"), list("a"), func(k *kernel) {
		k.store("y", k.add(k.load("y"), k.mul(k.load("x"), k.scalar("a"))))
	}},
	{"add", list("y", "x"), nil, func(k *kernel) {
		k.store("y", k.add(k.load("y"), k.load("x")))
	}},
	{"scale", list("y"), list("a"), func(k *kernel) {
		k.store("y", k.mul(k.load("y"), k.scalar("a")))
	}},
	{"times", list("dst", "x", "y"), nil, func(k *kernel) {
		k.store("dst", k.mul(k.load("x"), k.load("y")))
	}},
	{"axpy4", list("y", "x0", "x1", "x2", "x3"), list("a0", "a1", "a2", "a3"), func(k *kernel) {
		low := k.add(k.mul(k.load("x0"), k.scalar("a0")), k.mul(k.load("x1"), k.scalar("a1")))
		high := k.add(k.mul(k.load("x2"), k.scalar("a2")), k.mul(k.load("x3"), k.scalar("a3")))
		k.store("y", k.add(k.load("y"), k.add(low, high)))
	}},
	{"dot", list("x", "y"), nil, func(k *kernel) {
		k.sum("total")
		k.addTo("total", k.mul(k.load("x"), k.load("y")))
	}},
	{"adam", list("value", "grad", "first", "second"), list("scale", "beta1", "rest1", "beta2", "rest2", "rate", "epsilon", "keep"), adam},
	{"maxArg", list("best", "arg", "x"), list("row"), func(k *kernel) {
		x, best := k.load("x"), k.load("best")
		where := k.greater(x, best)
		k.store("best", k.choose(where, x, best))
		k.store("arg", k.choose(where, k.scalar("row"), k.load("arg")))
	}},
	{"widenHalf", list("dst", "src"), nil, widenHalf},
	{"widenBrain", list("dst", "src"), nil, func(k *kernel) {
		k.whole = true
		k.store("dst", k.left(k.load("src"), 16))
	}},

	{"exp", list("dst", "x"), nil, func(k *kernel) { k.store("dst", exp(k, k.load("x"))) }},
	{"log1pRelu", list("dst", "x"), nil, func(k *kernel) { k.store("dst", log1pRelu(k, k.load("x"))) }},
	{"largest", list("x"), list("scale"), func(k *kernel) {
		k.sums = append(k.sums, sum{"most", k.bits(0xff800000), true})
		k.addTo("most", k.mul(k.load("x"), k.scalar("scale")))
	}},
	{"expSum", list("x"), list("scale", "shift"), func(k *kernel) {
		k.sum("total")
		y := exp(k, k.fma(k.load("x"), k.scalar("scale"), k.scalar("shift")))
		k.store("x", y)
		k.addTo("total", y)
	}},
	{"softmaxSlope", list("d", "p"), list("scale", "dot"), func(k *kernel) {
		k.store("d", k.mul(k.mul(k.load("p"), k.scalar("scale")), k.sub(k.load("d"), k.scalar("dot"))))
	}},
	{"total", list("x"), nil, func(k *kernel) {
		k.sum("total")
		k.addTo("total", k.load("x"))
	}},
	{"spread", list("x"), list("mean"), func(k *kernel) {
		k.sum("total")
		d := k.sub(k.load("x"), k.scalar("mean"))
		k.addProduct("total", d, d)
	}},
	{"normalize", list("y", "x", "gain", "shift"), list("mean", "inverse"), func(k *kernel) {
		k.store("y", k.fma(normal(k), k.load("gain"), k.load("shift")))
	}},
	{"normSums", list("x", "dy", "gain", "dgain", "dshift"), list("mean", "inverse"), func(k *kernel) {
		k.sum("total")
		k.sum("product")
		n, dy := normal(k), k.load("dy")
		k.store("dgain", k.fma(dy, n, k.load("dgain")))
		k.store("dshift", k.add(k.load("dshift"), dy))
		d := k.mul(dy, k.load("gain"))
		k.addTo("total", d)
		k.addProduct("product", d, n)
	}},
	{"normSlope", list("dx", "dy", "x", "gain"), list("mean", "inverse", "total", "product"), func(k *kernel) {
		n := normal(k)
		d := k.fma(k.load("dy"), k.load("gain"), k.sub(k.float(0), k.scalar("total")))
		k.store("dx", k.mul(k.fnma(n, k.scalar("product"), d), k.scalar("inverse")))
	}},

	activation("relu", func(k *kernel, x value) value { return k.max(k.float(0), x) }),
	activation("gelu", gelu),
	activation("geluTanh", geluTanh),
	activation("silu", silu),
	activation("tanh", tanh),
	slope("reluSlope", func(k *kernel, x, dy value) value { return k.choose(k.greater(x, k.float(0)), dy, k.float(0)) }),
	slope("geluSlope", func(k *kernel, x, dy value) value { return k.mul(dy, geluSlope(k, x)) }),
	slope("geluTanhSlope", func(k *kernel, x, dy value) value { return k.mul(dy, geluTanhSlope(k, x)) }),
	slope("siluSlope", func(k *kernel, x, dy value) value { return k.mul(dy, siluSlope(k, x)) }),
	slope("tanhSlope", func(k *kernel, x, dy value) value {
		y := tanh(k, x)
		return k.mul(dy, k.fnma(y, y, k.float(1)))
	}),
}

func (k *kernel) sum(name string) { k.sums = append(k.sums, sum{name, k.float(0), false}) }

func activation(name string, f func(k *kernel, x value) value) definition {
	return definition{name, list("dst", "x"), nil, func(k *kernel) { k.store("dst", f(k, k.load("x"))) }}
}

func slope(name string, f func(k *kernel, x, dy value) value) definition {
	return definition{name, list("dx", "x", "dy"), nil, func(k *kernel) { k.store("dx", f(k, k.load("x"), k.load("dy"))) }}
}

// normal is (x − mean)·inverse.
func normal(k *kernel) value {
	return k.mul(k.sub(k.load("x"), k.scalar("mean")), k.scalar("inverse"))
}

func adam(k *kernel) {
	g := k.mul(k.load("grad"), k.scalar("scale"))
	k.store("grad", k.float(0))
	m := k.add(k.mul(k.load("first"), k.scalar("beta1")), k.mul(g, k.scalar("rest1")))
	k.store("first", m)
	v := k.add(k.mul(k.load("second"), k.scalar("beta2")), k.mul(k.mul(g, k.scalar("rest2")), g))
	k.store("second", v)
	step := k.div(k.mul(m, k.scalar("rate")), k.add(k.sqrt(v), k.scalar("epsilon")))
	k.store("value", k.sub(k.mul(k.load("value"), k.scalar("keep")), step))
}

// widenHalf shifts a half's exponent and fraction into place and corrects the
// exponent's bias by a product, which also makes a subnormal normal. From 65536
// on it was an infinity, and beyond a NaN.
func widenHalf(k *kernel) {
	k.whole = true
	h := k.load("src")
	sign := k.left(k.and(h, k.bits(0x8000)), 16)
	m := k.left(k.and(h, k.bits(0x7fff)), 13)
	v := k.mul(m, k.float(0x1p112))
	top := k.choose(k.greater(v, k.float(65536)), k.bits(0x7fc00000), k.bits(0x7f800000))
	k.store("dst", k.or(sign, k.choose(k.greater(v, k.float(65535)), k.or(m, top), v)))
}

// polynomial returns Σ c[i]·xⁱ by Horner's rule.
func polynomial(k *kernel, x value, c ...float64) value {
	sum := k.float(c[len(c)-1])
	for _, c := range slices.Backward(c[:len(c)-1]) {
		sum = k.fma(sum, x, k.float(c))
	}
	return sum
}

// exp returns eˣ = 2ⁿ·eʳ with n = ⌊x/ln 2⌉ and |r| ≤ ln 2/2, where
// eʳ = 1 + r + r²·P(r); P was fitted by Remez's algorithm, for an error of
// 7.5e-9 relative to eʳ.
func exp(k *kernel, x value) value {
	x = k.max(k.float(-104), x) // below, 0
	x = k.min(k.float(89), x)   // above, +∞
	return power(k, x, false)
}

// power is exp for −84.5 ≤ x ≤ 0, where normal tells so, or as far as float32
// reaches.
func power(k *kernel, x value, normal bool) value {
	n := k.round(k.mul(x, k.float(1.4426950408889634)))
	r := k.fnma(n, k.float(0.693359375), x) // ln 2, of 9 bits
	r = k.fnma(n, k.float(-2.1219444005469057e-4), r)
	q := polynomial(k, r, 0.49999999552589763, 0.16666577284207998, 0.04166685342072359, 0.00836314634542707, 0.0013901287522291902)
	p := k.add(k.fma(k.mul(r, r), q, r), k.float(1))
	bias := k.bits(127)
	switch i := none; {
	case k.scale:
		return k.do("scale", 0, p, n)
	case normal:
		i = k.toInt(n)
		return k.mul(p, k.left(k.addInt(i, bias), 23))
	default: // in two steps, of which only the second rounds
		i = k.toInt(n)
		half := k.right(i, 1)
		p = k.mul(p, k.left(k.addInt(half, bias), 23))
		return k.mul(p, k.left(k.addInt(k.subInt(i, half), bias), 23))
	}
}

// tail returns a = min(|x|, 13), e = exp(−a²/2), and g with e·g = Φ(−a), the
// normal distribution's tail: t·P(t) for t = 1/(1 + c·a), the form of Hastings,
// "Approximations for Digital Computers", 1955, with P fitted by Remez's
// algorithm for an error of 9.5e-8 relative to g. At 13 nothing is left of it.
func tail(k *kernel, x value) (a, e, g value) {
	a = k.min(k.float(13), k.and(x, k.bits(0x7fffffff)))
	e = power(k, k.mul(k.mul(a, a), k.float(-.5)), true)
	t := k.div(k.float(1), k.fma(a, k.float(0.2316419), k.float(1)))
	g = k.mul(t, polynomial(k, t, 0.09253464926218027, 0.09024746546175069, 0.10364228564171149, 0.010499354561265212,
		0.23069537374139984, -0.20729157793535732, 0.2508246771307017, -0.0711521820971961))
	return a, e, g
}

// gelu returns x·Φ(x) = max(x, 0) − |x|·Φ(−|x|).
func gelu(k *kernel, x value) value {
	a, e, g := tail(k, x)
	return k.sub(k.max(k.float(0), x), k.mul(k.mul(a, e), g))
}

// geluSlope returns Φ(x) + x·φ(x).
func geluSlope(k *kernel, x value) value {
	a, e, g := tail(k, x)
	lower := k.mul(e, g)
	phi := k.choose(k.greater(x, k.float(0)), k.sub(k.float(1), lower), lower)
	bounded := k.or(a, k.and(x, k.bits(0x80000000)))
	return k.fma(k.mul(bounded, e), k.float(0.3989422804014327), phi)
}

// sigmoid returns 1/(1 + e⁻ˣ), given −x.
func sigmoid(k *kernel, minus value) value {
	return k.div(k.float(1), k.add(exp(k, minus), k.float(1)))
}

// sigmoids returns 1/(1 + e⁻ˣ) and what is left to 1, given −x of at most 88.
func sigmoids(k *kernel, minus value) (s, rest value) {
	e := exp(k, minus)
	s = k.div(k.float(1), k.add(e, k.float(1)))
	return s, k.mul(e, s)
}

// GELU by the hyperbolic tangent is x·σ(2u), u = √(2/π)·(x + 0.044715·x³).
const (
	twiceScale = 2 * 0.7978845608028654
	cube       = 0.044715
)

func geluTanh(k *kernel, x value) value {
	minus := k.mul(x, polynomial(k, k.mul(x, x), -twiceScale, -twiceScale*cube))
	return k.mul(k.max(k.float(-20), x), sigmoid(k, minus))
}

func geluTanhSlope(k *kernel, x value) value {
	x = k.max(k.float(-10), k.min(k.float(10), x)) // flat beyond
	square := k.mul(x, x)
	s, rest := sigmoids(k, k.mul(x, polynomial(k, square, -twiceScale, -twiceScale*cube)))
	inner := k.mul(x, polynomial(k, square, twiceScale, 3*twiceScale*cube))
	return k.fma(k.mul(s, rest), inner, s)
}

func silu(k *kernel, x value) value {
	return k.mul(k.max(k.float(-120), x), sigmoid(k, k.xor(x, k.bits(0x80000000))))
}

func siluSlope(k *kernel, x value) value {
	x = k.max(k.float(-80), k.min(k.float(80), x)) // flat beyond
	s, rest := sigmoids(k, k.xor(x, k.bits(0x80000000)))
	return k.fma(k.mul(s, rest), x, s)
}

// tanh returns 1 − 2/(1 + e²ˣ).
func tanh(k *kernel, x value) value {
	return k.sub(k.float(1), k.div(k.float(2), k.add(exp(k, k.add(x, x)), k.float(1))))
}

// log1pRelu returns log(1+r) for r = max(x, 0): u = 1+r = 2ᵏ·(1+f) with
// √½ ≤ 1+f < √2, where log(1+f) = f − f²/2 + f³·P(f), P fitted by Remez's
// algorithm for an error of 3e-8; what rounding took from u comes back as c/u.
func log1pRelu(k *kernel, x value) value {
	r := k.max(k.float(0), x)
	u := k.add(r, k.float(1))
	c := k.sub(r, k.sub(u, k.float(1)))
	n := k.right(k.subInt(u, k.bits(0x3f3504f3)), 23)
	f := k.sub(k.subInt(u, k.left(n, 23)), k.float(1))
	p := polynomial(k, f, -.5, 0.3333332994112047, -0.25000304133105267, 0.20001201734176807, -0.16641569272357778,
		0.14209912866068586, -0.12989412255812172, 0.12656043056881944, -0.07974202016688364)
	exponent := k.toFloat(n)
	s := k.fma(exponent, k.float(-2.1219444005469057e-4), k.div(c, u))
	s = k.add(k.fma(k.mul(f, f), p, s), f)
	s = k.fma(exponent, k.float(0.693359375), s)
	return k.choose(k.greater(r, k.bits(0x7f7fffff)), r, s)
}
