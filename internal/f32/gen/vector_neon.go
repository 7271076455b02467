package main

import "fmt"

// neonLoop writes one kernel for arm64.
//
//	R0 elements left   R1 table of constants   R2… places in the slices
//	R11 to R16 scratch   the frame: 16 elements of each slice, for the last ones
type neonLoop struct {
	*kernel
	f     *file
	vec   *registers
	where map[value]int
	last  []int
	sumAt [][4]int
	tail  int // the register of the mask of the last elements, or −1
	part  int
}

func vectorNEON(f *file, k *kernel) {
	l := &neonLoop{kernel: k, f: f, vec: newRegisters("V%d", 0, 32), where: map[value]int{}, last: k.lastUses(), tail: -1}
	l.write()
}

func neonPlace(i int) int { return 2 + i }

func (l *neonLoop) write() {
	frame := 0
	if !l.whole {
		frame = 64 * len(l.slices)
	}
	l.f.line("")
	l.f.line("TEXT ·%sNEON(SB), NOSPLIT, $%d-%d", l.name, frame, l.arguments())
	for i, s := range l.slices {
		l.f.op("MOVD %s_base+%d(FP), R%d", s.name, 24*i, neonPlace(i))
	}
	l.f.op("MOVD %s_len+8(FP), R0", l.slices[0].name)
	l.f.op("MOVD $constants<>(SB), R1")
	for i, s := range l.scalars {
		r := l.vec.take()
		l.where[value(i)] = r
		l.f.op("MOVWU %s+%d(FP), R11", s.name, l.scalarAt(i))
		l.f.op("VDUP R11, V%d.S4", r)
	}
	for i, s := range l.sums {
		l.sumAt = append(l.sumAt, [4]int{})
		for part := range 4 {
			r := l.vec.take()
			l.sumAt[i][part] = r
			l.constantTo(s.first, r)
		}
	}
	loop, tail, done := l.f.label("loop"), l.f.label("tail"), l.f.label("done")
	l.f.op("SUBS $16, R0")
	l.f.op("BLT %s", tail)
	l.f.line("%s:", loop)
	l.body()
	for i, s := range l.slices {
		l.f.op("ADD $%d, R%d", 16*size(s.kind), neonPlace(i))
	}
	l.f.op("SUBS $16, R0")
	l.f.op("BGE %s", loop)
	l.f.line("%s:", tail)
	if l.whole {
		l.f.op("RET")
		return
	}
	l.f.op("ADDS $16, R0")
	l.f.op("BLE %s", done)
	l.lastElements()
	l.f.line("%s:", done)
	l.reduce()
	l.f.op("RET")
}

// lastElements works on fewer than 16 elements, in the frame: they are copied
// there and back.
func (l *neonLoop) lastElements() {
	l.tail = l.vec.take()
	l.f.op("MOVD $masks<>+64(SB), R12")
	l.f.op("SUB R0<<2, R12, R12")
	for i := range l.slices {
		l.f.op("MOVD $frame-%d(SP), R13", 64*(i+1))
		l.copyElements(fmt.Sprintf("R%d", neonPlace(i)), "R13")
		l.f.op("MOVD R%d, R%d", neonPlace(i), 19+i)
		l.f.op("MOVD $frame-%d(SP), R%d", 64*(i+1), neonPlace(i))
	}
	l.body()
	for i := range l.slices {
		if l.stores(i) {
			l.copyElements(fmt.Sprintf("R%d", neonPlace(i)), fmt.Sprintf("R%d", 19+i))
		}
	}
}

func (l *neonLoop) stores(slice int) bool {
	for _, o := range l.ops {
		if o.code == "store" && o.at == slice {
			return true
		}
	}
	return false
}

// copyElements copies R0 elements.
func (l *neonLoop) copyElements(from, to string) {
	loop := l.f.label("copy")
	l.f.op("MOVD $0, R14")
	l.f.line("%s:", loop)
	l.f.op("MOVWU (%s)(R14<<2), R15", from)
	l.f.op("MOVW R15, (%s)(R14<<2)", to)
	l.f.op("ADD $1, R14")
	l.f.op("CMP R0, R14")
	l.f.op("BLT %s", loop)
}

func (l *neonLoop) body() {
	for l.part = range 4 {
		if l.tail >= 0 {
			l.f.op("FMOVQ %d(R12), F%d", 16*l.part, l.tail)
		}
		for i, o := range l.ops {
			l.do(i, o)
		}
	}
}

func (l *neonLoop) constantTo(v value, register int) {
	at := 16 * int(-1-v)
	l.f.op("FMOVQ %d(R1), F%d", at, register)
}

// register returns the number of a register that holds v; one that had to be
// loaded is to be given back after use.
func (l *neonLoop) register(v value) (n int, give func()) {
	if v >= 0 {
		return l.where[v], func() {}
	}
	n = l.vec.take()
	l.constantTo(v, n)
	return n, func() { l.vec.give(n) }
}

func (l *neonLoop) retire(i int, of []value) {
	for n, v := range of {
		if v >= 0 && l.last[v] == i && !contains(of[:n], v) {
			l.vec.give(l.where[v])
			delete(l.where, v)
		}
	}
}

// binaryNEON and unaryNEON are the encodings of what Go's assembler does not
// know, on four lanes of 32 bits.
var binaryNEON = map[string]uint32{
	"add": 0x4e20d400, "sub": 0x4ea0d400, "mul": 0x6e20dc00, "div": 0x6e20fc00, "greater": 0x6ea0e400,
}

var unaryNEON = map[string]uint32{
	"sqrt": 0x6ea1f800, "round": 0x4e218800, "toInt": 0x4e21a800, "toFloat": 0x4e21d800,
}

var knownNEON = map[string]string{
	"and": "VAND V%d.B16, V%d.B16, V%d.B16", "or": "VORR V%d.B16, V%d.B16, V%d.B16", "xor": "VEOR V%d.B16, V%d.B16, V%d.B16",
	"addInt": "VADD V%d.S4, V%d.S4, V%d.S4", "subInt": "VSUB V%d.S4, V%d.S4, V%d.S4",
}

func (l *neonLoop) word(comment string, code uint32) { l.f.op("WORD $0x%08x // %s", code, comment) }

// binary writes to = x OP y.
func (l *neonLoop) binary(code string, x, y, to int) {
	if known, ok := knownNEON[code]; ok {
		l.f.op(known, y, x, to)
		return
	}
	l.word(fmt.Sprintf("%s V%d.S4, V%d.S4, V%d.S4", code, y, x, to), binaryNEON[code]|uint32(y<<16|x<<5|to))
}

func (l *neonLoop) do(i int, o op) {
	switch o.code {
	case "load":
		l.doLoad(o)
	case "store":
		n, give := l.register(o.of[0])
		l.f.op("FMOVQ F%d, %d(R%d)", n, 16*l.part, neonPlace(o.at))
		give()
		l.retire(i, o.of)
	case "sum", "sumProduct":
		l.doSum(i, o)
	case "sqrt", "round", "toInt", "toFloat", "left", "right":
		l.doUnary(i, o)
	default:
		l.doOther(i, o)
	}
}

func (l *neonLoop) doLoad(o op) {
	to := l.vec.take()
	l.where[o.to] = to
	if l.slices[o.at].kind == "byte" {
		l.f.op("FMOVD %d(R%d), F%d", 8*l.part, neonPlace(o.at), to)
		l.f.op("VUSHLL $0, V%d.H4, V%d.S4", to, to)
		return
	}
	l.f.op("FMOVQ %d(R%d), F%d", 16*l.part, neonPlace(o.at), to)
}

func (l *neonLoop) doUnary(i int, o op) {
	x, give := l.register(o.of[0])
	l.retire(i, o.of)
	to := l.vec.take()
	l.where[o.to] = to
	switch o.code {
	case "left":
		l.f.op("VSHL $%d, V%d.S4, V%d.S4", o.at, x, to)
	case "right":
		l.word(fmt.Sprintf("right V%d.S4, V%d.S4", x, to), 0x4f000400|uint32((64-o.at)<<16|x<<5|to))
	default:
		l.word(fmt.Sprintf("%s V%d.S4, V%d.S4", o.code, x, to), unaryNEON[o.code]|uint32(x<<5|to))
	}
	give()
}

// doOther writes operations of two or three values, to a register apart from
// theirs.
func (l *neonLoop) doOther(i int, o op) {
	to := l.vec.take()
	var of []int
	var gives []func()
	for _, v := range o.of {
		n, give := l.register(v)
		of, gives = append(of, n), append(gives, give)
	}
	switch o.code {
	case "fma", "fnma":
		l.move(of[2], to)
		l.f.op("%s V%d.S4, V%d.S4, V%d.S4", map[string]string{"fma": "VFMLA", "fnma": "VFMLS"}[o.code], of[1], of[0], to)
	case "choose":
		l.move(of[0], to)
		l.f.op("VBSL V%d.B16, V%d.B16, V%d.B16", of[2], of[1], to)
	case "max":
		l.larger(of[0], of[1], to)
	case "min":
		l.binary("greater", of[1], of[0], to)
		l.f.op("VBSL V%d.B16, V%d.B16, V%d.B16", of[1], of[0], to)
	default:
		l.binary(o.code, of[0], of[1], to)
	}
	for _, give := range gives {
		give()
	}
	l.retire(i, o.of)
	l.where[o.to] = to
}

func (l *neonLoop) move(from, to int) { l.f.op("VMOV V%d.B16, V%d.B16", from, to) }

// larger writes to = x where it is larger than y, and else y.
func (l *neonLoop) larger(x, y, to int) {
	l.binary("greater", x, y, to)
	l.f.op("VBSL V%d.B16, V%d.B16, V%d.B16", y, x, to)
}

// doSum adds to a sum; in the tail, to the lanes that count.
func (l *neonLoop) doSum(i int, o op) {
	sum, t := l.sumAt[o.at][l.part], l.vec.take()
	x := l.where[o.of[0]]
	switch {
	case o.code == "sumProduct":
		l.move(sum, t)
		l.f.op("VFMLA V%d.S4, V%d.S4, V%d.S4", l.where[o.of[1]], x, t)
	case l.sums[o.at].largest:
		l.larger(sum, x, t)
	default:
		l.binary("add", sum, x, t)
	}
	if l.tail >= 0 {
		l.f.op("VBIT V%d.B16, V%d.B16, V%d.B16", l.tail, t, sum)
	} else {
		l.move(t, sum)
	}
	l.vec.give(t)
	l.retire(i, o.of)
}

// reduce brings each sum's 16 lanes together by halves.
func (l *neonLoop) reduce() {
	for i, s := range l.sums {
		t := l.vec.take()
		combine := func(x, y int) {
			if s.largest {
				l.larger(x, y, t)
			} else {
				l.binary("add", x, y, t)
			}
			l.move(t, x)
		}
		at := l.sumAt[i]
		combine(at[0], at[2])
		combine(at[1], at[3])
		combine(at[0], at[1])
		for _, bytes := range []int{8, 4} {
			l.f.op("VEXT $%d, V%d.B16, V%d.B16, V%d.B16", bytes, at[0], at[0], at[1])
			combine(at[0], at[1])
		}
		l.f.op("FMOVS F%d, %s+%d(FP)", at[0], s.name, l.resultAt(i))
		l.vec.give(t)
	}
}

// tablesNEON writes the constants, each four times, and the masks of the last
// elements.
func tablesNEON(f *file, constants []uint32) {
	f.line("")
	for i, c := range constants {
		for half := range 2 {
			f.line("DATA constants<>+%d(SB)/8, $0x%08x%08x", 16*i+8*half, c, c)
		}
	}
	f.line("GLOBL constants<>(SB), RODATA|NOPTR, $%d", 16*len(constants))
	masks(f)
}
