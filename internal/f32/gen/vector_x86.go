package main

import "fmt"

// x86Loop writes one kernel for one extension.
//
//	CX elements left   DX table of constants   AX scratch   R8… places in the slices
type x86Loop struct {
	x86
	*kernel
	f      *file
	vec    *registers
	masks  *registers // AVX-512
	where  map[value]int
	isMask map[value]bool
	last   []int
	sumAt  [][]int // registers of each sum, one for each part of 16 elements
	tail   int     // the register of the mask of the last elements, or −1 (AVX2)
	inTail bool
	part   int
}

func (x x86) lanes() int { return x.bytes / 4 }

func (x x86) width() int { return 16 / x.lanes() }

func (x x86) vector(f *file, k *kernel) {
	count := 16
	if x.bytes == 64 {
		count = 32
	}
	l := &x86Loop{
		x86: x, kernel: k, f: f,
		vec: newRegisters(x.letter+"%d", 0, count), masks: newRegisters("K%d", 2, 8),
		where: map[value]int{}, isMask: map[value]bool{}, last: k.lastUses(), tail: -1,
	}
	l.write()
}

var places = []string{"R8", "R9", "R10", "R11", "R12", "R13", "BX", "SI"}

func (l *x86Loop) write() {
	l.f.function(l.name+l.suffix, l.arguments())
	for i, s := range l.slices {
		l.f.op("MOVQ %s_base+%d(FP), %s", s.name, 24*i, places[i])
	}
	l.f.op("MOVQ %s_len+8(FP), CX", l.slices[0].name)
	for i, s := range l.scalars {
		r := l.vec.take()
		l.where[value(i)] = r
		l.f.op("VBROADCASTSS %s+%d(FP), %s", s.name, l.scalarAt(i), l.vec.name(r))
	}
	for _, s := range l.sums {
		var at []int
		for range l.width() {
			r := l.vec.take()
			at = append(at, r)
			l.f.op("VMOVUPS %s, %s", l.memory(s.first), l.vec.name(r))
		}
		l.sumAt = append(l.sumAt, at)
	}
	loop, tail, done := l.f.label("loop"), l.f.label("tail"), l.f.label("done")
	l.f.op("SUBQ $16, CX")
	l.f.op("JLT %s", tail)
	l.f.line("%s:", loop)
	l.body()
	for i, s := range l.slices {
		l.f.op("ADDQ $%d, %s", 16*size(s.kind), places[i])
	}
	l.f.op("SUBQ $16, CX")
	l.f.op("JGE %s", loop)
	l.f.line("%s:", tail)
	l.f.op("ADDQ $16, CX")
	if l.whole {
		l.f.line("%s:", done)
		l.f.op("VZEROUPPER")
		l.f.op("RET")
		return
	}
	l.f.op("JLE %s", done)
	l.inTail = true
	if l.bytes == 64 {
		l.f.op("MOVL $1, AX")
		l.f.op("SHLL CX, AX")
		l.f.op("DECL AX")
		l.f.op("KMOVW AX, K1")
	} else {
		l.f.op("NEGQ CX")
		l.f.op("LEAQ masks<>+64(SB), AX")
		l.f.op("LEAQ (AX)(CX*4), AX")
		l.tail = l.vec.take()
	}
	l.body()
	l.f.line("%s:", done)
	l.reduce()
	l.f.op("VZEROUPPER")
	l.f.op("RET")
}

// size returns the bytes of an element.
func size(kind string) int {
	switch kind {
	case "float32", "int32":
		return 4
	case "byte":
		return 2 // two bytes make one
	}
	panic("no element " + kind)
}

// body writes the work on 16 elements.
func (l *x86Loop) body() {
	for l.part = range l.width() {
		if l.tail >= 0 {
			l.f.op("VMOVUPS %d(AX), %s", l.part*32, l.vec.name(l.tail))
		}
		for i, o := range l.ops {
			l.do(i, o)
		}
	}
}

// memory returns where a constant lies, once for each lane.
func (l *x86Loop) memory(v value) string {
	return fmt.Sprintf("constants<>+%d(SB)", 64*int(-1-v))
}

// operand returns the register or the memory of a value.
func (l *x86Loop) operand(v value) string {
	if v < 0 {
		return l.memory(v)
	}
	if l.isMask[v] {
		return l.masks.name(l.where[v])
	}
	return l.vec.name(l.where[v])
}

// register returns a register that holds v; one that had to be loaded is to be
// given back after use.
func (l *x86Loop) register(v value) (name string, give func()) {
	if v >= 0 {
		return l.operand(v), func() {}
	}
	r := l.vec.take()
	l.f.op("VMOVUPS %s, %s", l.memory(v), l.vec.name(r))
	return l.vec.name(r), func() { l.vec.give(r) }
}

// retire gives back the registers of those of the values that are not used after
// operation i, but for kept.
func (l *x86Loop) retire(i int, of []value, kept value) {
	for n, v := range of {
		if v < 0 || v == kept || l.last[v] != i || contains(of[:n], v) {
			continue
		}
		if l.isMask[v] {
			l.masks.give(l.where[v])
		} else {
			l.vec.give(l.where[v])
		}
		delete(l.where, v)
	}
}

func contains(of []value, v value) bool {
	for _, w := range of {
		if w == v {
			return true
		}
	}
	return false
}

// define returns a register for the value that operation i gives.
func (l *x86Loop) define(o op) string {
	r := l.vec.take()
	l.where[o.to] = r
	return l.vec.name(r)
}

var x86Names = map[string][2]string{ // AVX2, AVX-512
	"add": {"VADDPS", "VADDPS"}, "sub": {"VSUBPS", "VSUBPS"}, "mul": {"VMULPS", "VMULPS"}, "div": {"VDIVPS", "VDIVPS"},
	"max": {"VMAXPS", "VMAXPS"}, "min": {"VMINPS", "VMINPS"},
	"and": {"VANDPS", "VPANDD"}, "or": {"VORPS", "VPORD"}, "xor": {"VXORPS", "VPXORD"},
	"addInt": {"VPADDD", "VPADDD"}, "subInt": {"VPSUBD", "VPSUBD"},
	"scale": {"", "VSCALEFPS"},
}

func (l *x86Loop) do(i int, o op) {
	switch o.code {
	case "load":
		l.doLoad(o)
	case "store":
		l.doStore(i, o)
	case "sum", "sumProduct":
		l.doSum(i, o)
	case "fma", "fnma":
		l.doFMA(i, o)
	case "greater", "choose":
		l.doChoice(i, o)
	case "sqrt", "toInt", "toFloat", "round", "left", "right":
		l.doUnary(i, o)
	default:
		first, give := l.register(o.of[0])
		second := l.operand(o.of[1])
		l.retire(i, o.of, none)
		l.f.op("%s %s, %s, %s", x86Names[o.code][l.bytes/64], second, first, l.define(o))
		give()
	}
}

func (l *x86Loop) doUnary(i int, o op) {
	code := map[string]string{"sqrt": "VSQRTPS", "toInt": "VCVTPS2DQ", "toFloat": "VCVTDQ2PS"}[o.code]
	switch {
	case o.code == "left":
		code = fmt.Sprintf("VPSLLD $%d,", o.at)
	case o.code == "right":
		code = fmt.Sprintf("VPSRAD $%d,", o.at)
	case o.code == "round" && l.bytes == 64:
		code = "VRNDSCALEPS $8,"
	case o.code == "round":
		code = "VROUNDPS $8,"
	}
	of, give := l.register(o.of[0])
	l.retire(i, o.of, none)
	l.f.op("%s %s, %s", code, of, l.define(o))
	give()
}

// place returns where the part of a slice that is worked on lies.
func (l *x86Loop) place(at int) string {
	return fmt.Sprintf("%d(%s)", l.part*l.lanes()*size(l.slices[at].kind), places[at])
}

func (l *x86Loop) doLoad(o op) {
	to, from := l.define(o), l.place(o.at)
	switch {
	case l.slices[o.at].kind == "byte":
		l.f.op("VPMOVZXWD %s, %s", from, to)
	case !l.inTail:
		l.f.op("VMOVUPS %s, %s", from, to)
	case l.bytes == 64:
		l.f.op("VMOVUPS.Z %s, K1, %s", from, to)
	default:
		l.f.op("VMASKMOVPS %s, %s, %s", from, l.vec.name(l.tail), to)
	}
}

func (l *x86Loop) doStore(i int, o op) {
	of, give := l.register(o.of[0])
	to := l.place(o.at)
	switch {
	case !l.inTail:
		l.f.op("VMOVUPS %s, %s", of, to)
	case l.bytes == 64:
		l.f.op("VMOVUPS %s, K1, %s", of, to)
	default:
		l.f.op("VMASKMOVPS %s, %s, %s", of, l.vec.name(l.tail), to)
	}
	give()
	l.retire(i, o.of, none)
}

// doSum adds to a sum; in the tail, to the lanes that count.
func (l *x86Loop) doSum(i int, o op) {
	sum := l.vec.name(l.sumAt[o.at][l.part])
	x := l.operand(o.of[0])
	if l.inTail && l.bytes == 32 {
		r := l.vec.take()
		t := l.vec.name(r)
		switch {
		case o.code == "sumProduct":
			l.f.op("VMOVAPS %s, %s", sum, t)
			l.f.op("VFMADD231PS %s, %s, %s", l.operand(o.of[1]), x, t)
		case l.sums[o.at].largest:
			l.f.op("VMAXPS %s, %s, %s", x, sum, t)
		default:
			l.f.op("VADDPS %s, %s, %s", x, sum, t)
		}
		l.f.op("VBLENDVPS %s, %s, %s, %s", l.vec.name(l.tail), t, sum, sum)
		l.vec.give(r)
	} else {
		mask := ""
		if l.inTail {
			mask = "K1, "
		}
		switch {
		case o.code == "sumProduct":
			l.f.op("VFMADD231PS %s, %s, %s%s", l.operand(o.of[1]), x, mask, sum)
		case l.sums[o.at].largest:
			l.f.op("VMAXPS %s, %s, %s%s", x, sum, mask, sum)
		default:
			l.f.op("VADDPS %s, %s, %s%s", x, sum, mask, sum)
		}
	}
	l.retire(i, o.of, none)
}

// doFMA chooses the form that overwrites what is not needed any more.
func (l *x86Loop) doFMA(i int, o op) {
	code := map[string]string{"fma": "VFMADD", "fnma": "VFNMADD"}[o.code]
	x, y, z := o.of[0], o.of[1], o.of[2]
	if x < 0 {
		x, y = y, x // a product's constant comes second
	}
	dying := func(v, a, b value) bool { return v >= 0 && l.last[v] == i && v != a && v != b }
	reuse := func(v value) string {
		name := l.operand(v)
		r := l.where[v]
		l.retire(i, []value{x, y, z}, v)
		delete(l.where, v)
		l.where[o.to] = r
		return name
	}
	switch {
	case dying(z, x, y):
		xs, ys := l.operand(x), l.operand(y)
		l.f.op("%s231PS %s, %s, %s", code, ys, xs, reuse(z))
	case dying(x, y, z):
		yr, give := l.register(y)
		zs := l.operand(z)
		l.f.op("%s213PS %s, %s, %s", code, zs, yr, reuse(x))
		give()
	case dying(y, x, z):
		xs, zs := l.operand(x), l.operand(z)
		l.f.op("%s213PS %s, %s, %s", code, zs, xs, reuse(y))
	default:
		r := l.vec.take()
		l.f.op("VMOVUPS %s, %s", l.operand(z), l.vec.name(r))
		l.f.op("%s231PS %s, %s, %s", code, l.operand(y), l.operand(x), l.vec.name(r))
		l.retire(i, []value{x, y, z}, none)
		l.where[o.to] = r
	}
}

func (l *x86Loop) doChoice(i int, o op) {
	if o.code == "greater" {
		x, give := l.register(o.of[0])
		y := l.operand(o.of[1])
		l.retire(i, o.of, none)
		to := ""
		if l.bytes == 64 {
			r := l.masks.take()
			l.where[o.to], l.isMask[o.to] = r, true
			to = l.masks.name(r)
		} else {
			to = l.define(o)
		}
		l.f.op("VCMPPS $30, %s, %s, %s", y, x, to)
		give()
		return
	}
	mask := l.operand(o.of[0])
	yes := l.operand(o.of[1])
	no, give := l.register(o.of[2])
	l.retire(i, o.of, none)
	if to := l.define(o); l.bytes == 64 {
		l.f.op("VBLENDMPS %s, %s, %s, %s", yes, no, mask, to)
	} else {
		l.f.op("VBLENDVPS %s, %s, %s, %s", mask, yes, no, to)
	}
	give()
}

// reduce brings each sum's 16 lanes together by halves.
func (l *x86Loop) reduce() {
	for i, s := range l.sums {
		code := "VADDPS"
		if s.largest {
			code = "VMAXPS"
		}
		a := l.sumAt[i][0]
		y := func(n int) string { return fmt.Sprintf("Y%d", n) }
		x := func(n int) string { return fmt.Sprintf("X%d", n) }
		other := l.vec.take()
		if l.bytes == 64 {
			l.f.op("VEXTRACTF64X4 $1, Z%d, %s", a, y(other))
			l.f.op("%s %s, %s, %s", code, y(other), y(a), y(a))
		} else {
			l.f.op("%s %s, %s, %s", code, y(l.sumAt[i][1]), y(a), y(a))
		}
		l.f.op("VEXTRACTF128 $1, %s, %s", y(a), x(other))
		l.f.op("%s %s, %s, %s", code, x(other), x(a), x(a))
		l.f.op("VMOVHLPS %s, %s, %s", x(a), x(a), x(other))
		l.f.op("%s %s, %s, %s", code, x(other), x(a), x(a))
		l.f.op("VMOVSHDUP %s, %s", x(a), x(other))
		l.f.op("%s %s, %s, %s", code[:4]+"SS", x(other), x(a), x(a))
		l.f.op("VMOVSS %s, %s+%d(FP)", x(a), s.name, l.resultAt(i))
		l.vec.give(other)
	}
}

// tablesX86 writes the constants, each 16 times, and the masks of the last
// elements.
func tablesX86(f *file, constants []uint32) {
	f.line("")
	for i, c := range constants {
		for lane := range 8 {
			f.line("DATA constants<>+%d(SB)/8, $0x%08x%08x", 64*i+8*lane, c, c)
		}
	}
	f.line("GLOBL constants<>(SB), RODATA|NOPTR, $%d", 64*len(constants))
	masks(f)
}

// masks writes 16 lanes that are set, and 16 that are not.
func masks(f *file) {
	f.line("")
	for i := range 16 {
		mask := "0"
		if i < 8 {
			mask = "0xffffffffffffffff"
		}
		f.line("DATA masks<>+%d(SB)/8, $%s", 8*i, mask)
	}
	f.line("GLOBL masks<>(SB), RODATA|NOPTR, $128")
}
