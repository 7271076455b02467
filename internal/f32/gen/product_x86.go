package main

import "fmt"

// x86 is a vector extension.
type x86 struct {
	suffix     string
	letter     string // of its registers
	bytes      int    // of one register
	rows, cols int    // of the tile in registers
}

var (
	avx2   = x86{"AVX2", "Y", 32, 6, 2}
	avx512 = x86{"AVX512", "Z", 64, 12, 2}
)

func (x x86) reg(i int) string { return fmt.Sprintf("%s%d", x.letter, i) }

// sum returns the register of a sum of the tile.
func (x x86) sum(row, col int) string { return x.reg(row*x.cols + col) }

func productAMD64(f *file) {
	for _, x := range []x86{avx2, avx512} {
		x.tile(f)
	}
	transpose8AMD64(f)
	copyRowsAMD64(f)
}

// tile writes the kernel that does a job: all tiles of x.rows rows, and a last
// one of fewer.
//
//	DI job   DX c   SI a   R9 aRow   R10 aStep   R11 bStep   R12 rows left
//	in a tile: CX row of b   R8 k left   AX, R13, R14, R15 rows 0, 3, 6 and 9 of a
//
// BX goes through the panel behind b, which is likely to be the next one: each
// tile fetches a part of it, so that memory has the time of several to bring it.
func (x x86) tile(f *file) {
	f.function("tile"+x.suffix, 8)
	f.op("MOVQ j+0(FP), DI")
	for _, load := range []string{"c(DI), DX", "a(DI), SI", "b(DI), BX", "aRow(DI), R9", "aStep(DI), R10", "bStep(DI), R11", "rows(DI), R12"} {
		f.op("MOVQ job_%s", load)
	}
	for _, r := range []string{"R9", "R10", "R11"} {
		f.op("SHLQ $2, %s", r)
	}
	f.op("MOVQ job_k(DI), R8")
	f.op("IMULQ R11, R8")
	f.op("ADDQ R8, BX")
	full, end := f.label("full"), f.label("end")
	f.line("%s:", full)
	f.op("CMPQ R12, $%d", x.rows)
	last := f.label("last")
	f.op("JLT %s", last)
	x.rowsOf(f, x.rows)
	f.op("MOVQ job_aTile(DI), AX")
	f.op("LEAQ (SI)(AX*4), SI")
	f.op("SUBQ $%d, R12", x.rows)
	f.op("JMP %s", full)
	f.line("%s:", last)
	for rows := x.rows - 1; rows > 0; rows-- {
		next := f.label("fewer")
		f.op("CMPQ R12, $%d", rows)
		f.op("JNE %s", next)
		x.rowsOf(f, rows)
		f.op("JMP %s", end)
		f.line("%s:", next)
	}
	f.line("%s:", end)
	f.op("VZEROUPPER")
	f.op("RET")
}

// rowsOf computes a tile of the given number of rows and leaves DX behind it.
func (x x86) rowsOf(f *file, rows int) {
	x.prefetch(f, rows)
	for i := range rows {
		for j := range x.cols {
			if r := x.sum(i, j); x.bytes == 64 {
				f.op("VPXORD %s, %s, %s", r, r, r)
			} else {
				f.op("VXORPS %s, %s, %s", r, r, r)
			}
		}
	}
	f.op("MOVQ SI, AX")
	for i, r := range []string{"R13", "R14", "R15"} {
		if rows > 3*i+3 {
			from := []string{"AX", "R13", "R14"}[i]
			f.op("LEAQ (%s)(R9*2), %s", from, r)
			f.op("ADDQ R9, %s", r)
		}
	}
	f.op("MOVQ job_b(DI), CX")
	f.op("MOVQ job_k(DI), R8")
	const unroll = 4
	loop, single, done := f.label("unrolled"), f.label("single"), f.label("summed")
	f.op("SUBQ $%d, R8", unroll)
	f.op("JLT %s", single)
	f.op("PCALIGN $32")
	f.line("%s:", loop)
	for range unroll {
		x.step(f, rows)
	}
	for at := 0; at < 2*x.bytes; at += 64 {
		f.op("PREFETCHT0 %d(BX)", at)
	}
	f.op("ADDQ $%d, BX", 2*x.bytes)
	f.op("SUBQ $%d, R8", unroll)
	f.op("JGE %s", loop)
	f.line("%s:", single)
	f.op("ADDQ $%d, R8", unroll)
	f.op("JLE %s", done)
	again := f.label("again")
	f.line("%s:", again)
	x.step(f, rows)
	f.op("DECQ R8")
	f.op("JNE %s", again)
	f.line("%s:", done)
	x.store(f, rows)
}

// prefetch asks for the rows of c.
func (x x86) prefetch(f *file, rows int) {
	f.op("MOVQ job_cStride(DI), R8")
	f.op("MOVQ DX, AX")
	for range rows {
		for j := range x.cols * x.bytes / 64 {
			f.op("PREFETCHT0 %d(AX)", 64*j)
		}
		f.op("LEAQ (AX)(R8*4), AX")
	}
}

// step adds one product to every sum of a tile.
func (x x86) step(f *file, rows int) {
	first := x.rows * x.cols
	for j := range x.cols {
		f.op("VMOVUPS %d(CX), %s", j*x.bytes, x.reg(first+j))
	}
	f.op("ADDQ R11, CX")
	registers := 16
	if x.bytes == 64 {
		registers = 32
	}
	for i := range rows {
		base := []string{"AX", "R13", "R14", "R15"}[i/3]
		address := []string{"(%s)", "(%s)(R9*1)", "(%s)(R9*2)"}[i%3]
		free := first + x.cols
		a := x.reg(free + i%(registers-free))
		f.op("VBROADCASTSS "+address+", %s", base, a)
		for j := range x.cols {
			f.op("VFMADD231PS %s, %s, %s", x.reg(first+j), a, x.sum(i, j))
		}
	}
	for i, base := range []string{"AX", "R13", "R14", "R15"} {
		if rows > 3*i {
			f.op("ADDQ R10, %s", base)
		}
	}
}

// store writes the sums to c, or adds them to it.
func (x x86) store(f *file, rows int) {
	f.op("MOVQ job_cStride(DI), R8")
	plain, done := f.label("plain"), f.label("stored")
	f.op("CMPB job_accumulate(DI), $0")
	f.op("JEQ %s", plain)
	for _, add := range []bool{true, false} {
		if !add {
			f.line("%s:", plain)
		}
		for i := range rows {
			for j := range x.cols {
				if add {
					f.op("VADDPS %d(DX), %s, %s", j*x.bytes, x.sum(i, j), x.sum(i, j))
				}
				f.op("VMOVUPS %s, %d(DX)", x.sum(i, j), j*x.bytes)
			}
			f.op("LEAQ (DX)(R8*4), DX")
		}
		if add {
			f.op("JMP %s", done)
		}
	}
	f.line("%s:", done)
}

// transpose8AMD64 writes the kernel that lays eight rows side by side:
// dst[l*width+i] = src[min(i, count−1)*stride+l] for i below 8 and l below k, in
// ascending order of l, so that what of one l reaches into the next is
// overwritten.
//
//	func transpose8(dst, src *float32, width, stride, count, k int)
func transpose8AMD64(f *file) {
	f.function("transpose8", 48)
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ src+8(FP), R8")
	f.op("MOVQ width+16(FP), DX")
	f.op("MOVQ stride+24(FP), AX")
	f.op("MOVQ count+32(FP), BX")
	f.op("MOVQ k+40(FP), CX")
	f.op("SHLQ $2, DX")
	f.op("SHLQ $2, AX")
	row := func(i int) string { return fmt.Sprintf("R%d", 8+i) }
	for i := 1; i < 8; i++ {
		f.op("LEAQ (%s)(AX*1), %s", row(i-1), row(i))
		f.op("CMPQ BX, $%d", i)
		f.op("CMOVQLE %s, %s", row(i-1), row(i))
	}
	f.op("XORQ SI, SI")
	blocks, rest, end := f.label("blocks"), f.label("rest"), f.label("end")
	f.op("SUBQ $8, CX")
	f.op("JLT %s", rest)
	f.line("%s:", blocks)
	for i := range 4 { // rows i and i+4 to the halves of two registers
		f.op("VMOVUPS (%s)(SI*1), X%d", row(i), i)
		f.op("VINSERTF128 $1, (%s)(SI*1), Y%d, Y%d", row(i+4), i, i)
		f.op("VMOVUPS 16(%s)(SI*1), X%d", row(i), i+4)
		f.op("VINSERTF128 $1, 16(%s)(SI*1), Y%d, Y%d", row(i+4), i+4, i+4)
	}
	for _, half := range []int{0, 4} {
		f.op("VUNPCKLPS Y%d, Y%d, Y8", half+1, half)
		f.op("VUNPCKHPS Y%d, Y%d, Y9", half+1, half)
		f.op("VUNPCKLPS Y%d, Y%d, Y10", half+3, half+2)
		f.op("VUNPCKHPS Y%d, Y%d, Y11", half+3, half+2)
		for l, shuffle := range []string{"VUNPCKLPD Y10, Y8", "VUNPCKHPD Y10, Y8", "VUNPCKLPD Y11, Y9", "VUNPCKHPD Y11, Y9"} {
			f.op("%s, Y%d", shuffle, 12+l)
			f.op("VMOVUPS Y%d, (DI)", 12+l)
			f.op("ADDQ DX, DI")
		}
	}
	f.op("ADDQ $32, SI")
	f.op("SUBQ $8, CX")
	f.op("JGE %s", blocks)
	f.line("%s:", rest)
	f.op("ADDQ $8, CX")
	f.op("JLE %s", end)
	one := f.label("one")
	f.line("%s:", one)
	for i := range 8 {
		f.op("MOVL (%s)(SI*1), AX", row(i))
		f.op("MOVL AX, %d(DI)", 4*i)
	}
	f.op("ADDQ DX, DI")
	f.op("ADDQ $4, SI")
	f.op("DECQ CX")
	f.op("JNE %s", one)
	f.line("%s:", end)
	f.op("VZEROUPPER")
	f.op("RET")
}

// copyRowsAMD64 writes the kernels that copy k rows of a fixed width to one
// place after another.
//
//	func copyRows6(dst, src *float32, stride, k int)
func copyRowsAMD64(f *file) {
	for _, width := range []int{6, 12, 16, 32} {
		f.function(fmt.Sprintf("copyRows%d", width), 32)
		f.op("MOVQ dst+0(FP), DI")
		f.op("MOVQ src+8(FP), SI")
		f.op("MOVQ stride+16(FP), AX")
		f.op("MOVQ k+24(FP), CX")
		loop := f.label("loop")
		f.line("%s:", loop)
		registers := 0
		each := func(store bool) {
			for at := 0; at < width; {
				move, letter, n := "VMOVUPS", "Y", 8
				switch {
				case width-at < 4:
					move, letter, n = "VMOVSD", "X", 2
				case width-at < 8:
					move, letter, n = "VMOVUPS", "X", 4
				}
				if store {
					f.op("%s %s%d, %d(DI)", move, letter, registers, 4*at)
				} else {
					f.op("%s %d(SI), %s%d", move, 4*at, letter, registers)
				}
				registers++
				at += n
			}
			registers = 0
		}
		each(false)
		f.op("LEAQ (SI)(AX*4), SI")
		each(true)
		f.op("ADDQ $%d, DI", 4*width)
		f.op("DECQ CX")
		f.op("JNE %s", loop)
		f.op("VZEROUPPER")
		f.op("RET")
	}
}
