package main

import "fmt"

// The tile of NEON: 6×16 in 24 of 32 registers.
const (
	neonRows = 6
	neonCols = 4 // registers
)

// productARM64 writes the kernel that does a job on arm64.
//
//	R0 job   R1 c   R2 a   R3 b   R4 cStride   R5 aRow   R6 aStep   R7 bStep   R8 rows left   R9 aTile
//	in a tile: R10 row of b   R11 k left   R12… rows of a   R19 to R22 places in c
func productARM64(f *file) {
	f.function("tileNEON", 8)
	f.op("MOVD j+0(FP), R0")
	for i, field := range []string{"c", "a", "b", "cStride", "aRow", "aStep", "bStep", "rows", "aTile"} {
		f.op("MOVD job_%s(R0), R%d", field, i+1)
	}
	for _, r := range []int{4, 5, 6, 7, 9} {
		f.op("LSL $2, R%d, R%d", r, r)
	}
	full, last, end := f.label("full"), f.label("last"), f.label("end")
	f.line("%s:", full)
	f.op("CMP $%d, R8", neonRows)
	f.op("BLT %s", last)
	neonTile(f, neonRows)
	f.op("ADD R9, R2")
	f.op("SUB $%d, R8", neonRows)
	f.op("B %s", full)
	f.line("%s:", last)
	for rows := neonRows - 1; rows > 0; rows-- {
		next := f.label("fewer")
		f.op("CMP $%d, R8", rows)
		f.op("BNE %s", next)
		neonTile(f, rows)
		f.op("B %s", end)
		f.line("%s:", next)
	}
	f.line("%s:", end)
	f.op("RET")
	transpose4ARM64(f)
}

func neonSum(row, col int) string { return fmt.Sprintf("V%d", row*neonCols+col) }

// neonTile computes a tile of the given number of rows and leaves R1 behind it.
func neonTile(f *file, rows int) {
	for i := range rows {
		for j := range neonCols {
			r := neonSum(i, j)
			f.op("VEOR %s.B16, %s.B16, %s.B16", r, r, r)
		}
	}
	f.op("MOVD R2, R12")
	for i := 1; i < rows; i++ {
		f.op("ADD R5, R%d, R%d", 11+i, 12+i)
	}
	f.op("MOVD R3, R10")
	f.op("MOVD job_k(R0), R11")
	loop := f.label("loop")
	f.line("%s:", loop)
	f.op("VLD1 (R10), [V24.S4, V25.S4, V26.S4, V27.S4]")
	f.op("ADD R7, R10")
	for i := range rows {
		a := 28 + i%4
		f.op("VLD1R (R%d), [V%d.S4]", 12+i, a)
		f.op("ADD R6, R%d", 12+i)
		for j := range neonCols {
			f.op("VFMLA V%d.S4, V%d.S4, %s.S4", 24+j, a, neonSum(i, j))
		}
	}
	f.op("SUBS $1, R11")
	f.op("BNE %s", loop)
	neonStore(f, rows)
}

// neonStore writes the sums to c, or adds them to it.
func neonStore(f *file, rows int) {
	plain, done := f.label("plain"), f.label("stored")
	f.op("MOVBU job_accumulate(R0), R11")
	f.op("CBZ R11, %s", plain)
	for _, add := range []bool{true, false} {
		if !add {
			f.line("%s:", plain)
		}
		for i := range rows {
			sums := fmt.Sprintf("[%s.S4, %s.S4, %s.S4, %s.S4]", neonSum(i, 0), neonSum(i, 1), neonSum(i, 2), neonSum(i, 3))
			if add {
				f.op("VLD1 (R1), [V24.S4, V25.S4, V26.S4, V27.S4]")
				for j := range neonCols {
					f.fadd(24+j, i*neonCols+j, i*neonCols+j)
				}
			}
			f.op("VST1 %s, (R1)", sums)
			f.op("ADD R4, R1")
		}
		if add {
			f.op("B %s", done)
		}
	}
	f.line("%s:", done)
}

// fadd writes FADD Vd.4S, Vn.4S, Vm.4S, which Go's assembler does not know.
func (f *file) fadd(m, n, d int) {
	f.op("WORD $%#08x // FADD V%d.4S, V%d.4S, V%d.4S", 0x4e20d400|m<<16|n<<5|d, d, n, m)
}

// transpose4ARM64 writes the kernel that lays four rows side by side:
// dst[l*width+i] = src[min(i, count−1)*stride+l] for i below 4 and l below k, in
// ascending order of l.
//
//	func transpose4(dst, src *float32, width, stride, count, k int)
func transpose4ARM64(f *file) {
	f.function("transpose4", 48)
	f.op("MOVD dst+0(FP), R0")
	f.op("MOVD src+8(FP), R8")
	f.op("MOVD width+16(FP), R1")
	f.op("MOVD stride+24(FP), R2")
	f.op("MOVD count+32(FP), R3")
	f.op("MOVD k+40(FP), R4")
	f.op("LSL $2, R1, R1")
	f.op("LSL $2, R2, R2")
	for i := 1; i < 4; i++ {
		f.op("ADD R2, R%d, R%d", 7+i, 8+i)
		f.op("CMP $%d, R3", i)
		f.op("CSEL LE, R%d, R%d, R%d", 7+i, 8+i, 8+i)
	}
	blocks, rest, end := f.label("blocks"), f.label("rest"), f.label("end")
	f.op("SUBS $4, R4")
	f.op("BLT %s", rest)
	f.line("%s:", blocks)
	for i := range 4 {
		f.op("VLD1.P 16(R%d), [V%d.S4]", 8+i, i)
	}
	for i, shuffle := range []string{"VTRN1 V1.S4, V0.S4", "VTRN2 V1.S4, V0.S4", "VTRN1 V3.S4, V2.S4", "VTRN2 V3.S4, V2.S4"} {
		f.op("%s, V%d.S4", shuffle, 4+i)
	}
	for i, shuffle := range []string{"VTRN1 V6.D2, V4.D2", "VTRN1 V7.D2, V5.D2", "VTRN2 V6.D2, V4.D2", "VTRN2 V7.D2, V5.D2"} {
		f.op("%s, V%d.D2", shuffle, 16+i)
		f.op("VST1 [V%d.S4], (R0)", 16+i)
		f.op("ADD R1, R0")
	}
	f.op("SUBS $4, R4")
	f.op("BGE %s", blocks)
	f.line("%s:", rest)
	f.op("ADDS $4, R4")
	f.op("BLE %s", end)
	one := f.label("one")
	f.line("%s:", one)
	for i := range 4 {
		f.op("MOVWU.P 4(R%d), R5", 8+i)
		f.op("MOVW R5, %d(R0)", 4*i)
	}
	f.op("ADD R1, R0")
	f.op("SUBS $1, R4")
	f.op("BNE %s", one)
	f.line("%s:", end)
	f.op("RET")
}
