package main

import "fmt"

// screening is how a screen multiplies whole numbers: a word of 32 bits of a row
// by as many numbers of 8 bits of each column.
type screening struct {
	x86
	name string
	dot  bool // four products at once (AVX512_VNNI); or two, of numbers widened to 16 bits
}

var screenings = []screening{
	{avx2, "screenAVX2", false},
	{avx512, "screenVNNI", true},
}

func screenAMD64(f *file) {
	for _, s := range screenings {
		s.screen(f)
	}
}

// step is how many bytes of a panel belong to one word of a row.
func (s screening) step() int {
	if s.dot {
		return s.cols * s.bytes
	}
	return s.cols * s.bytes / 2
}

// screen writes the kernel that marks columns of a panel: all tiles of rows, and
// a last one of fewer.
//
//	DI job   SI a   R9 aRow   R10 terms of the rows   R11 columns   R12 rows left
//	in a tile: CX in b   R8 words left   AX, R13, R14, R15 rows 0, 3, 6 and 9 of a
//
// BX goes through the panel behind b, as in products.
func (s screening) screen(f *file) {
	f.function(s.name, 8)
	f.op("MOVQ j+0(FP), DI")
	for _, load := range []string{"a(DI), SI", "b(DI), BX", "aRow(DI), R9", "terms(DI), R10", "columns(DI), R11", "rows(DI), R12"} {
		f.op("MOVQ screenJob_%s", load)
	}
	f.op("SHLQ $2, R9")
	f.op("IMUL3Q $%d, R9, R8", s.step()/4)
	f.op("ADDQ R8, BX")
	full, end, last := f.label("full"), f.label("end"), f.label("last")
	f.line("%s:", full)
	f.op("CMPQ R12, $%d", s.rows)
	f.op("JLT %s", last)
	s.rowsOf(f, s.rows)
	f.op("IMUL3Q $%d, R9, AX", s.rows)
	f.op("ADDQ AX, SI")
	f.op("SUBQ $%d, R12", s.rows)
	f.op("JMP %s", full)
	f.line("%s:", last)
	for rows := s.rows - 1; rows > 0; rows-- {
		next := f.label("fewer")
		f.op("CMPQ R12, $%d", rows)
		f.op("JNE %s", next)
		s.rowsOf(f, rows)
		f.op("JMP %s", end)
		f.line("%s:", next)
	}
	f.line("%s:", end)
	s.mark(f)
	f.op("VZEROUPPER")
	f.op("RET")
}

// rowsOf sums a tile of the given number of rows, bounds it, and leaves R10
// behind the rows' terms.
func (s screening) rowsOf(f *file, rows int) {
	for j := range s.cols {
		f.op("VMOVUPS %d(R11), %s", j*s.bytes, s.sum(0, j))
		for i := 1; i < rows; i++ {
			f.op("VMOVAPS %s, %s", s.sum(0, j), s.sum(i, j))
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
	f.op("MOVQ screenJob_b(DI), CX")
	f.op("MOVQ screenJob_words(DI), R8")
	loop := f.label("words")
	f.op("PCALIGN $32")
	f.line("%s:", loop)
	for word := range 4 {
		s.word(f, rows, word)
	}
	f.op("ADDQ $%d, CX", 4*s.step())
	for at := 0; at < 2*s.bytes; at += 64 {
		f.op("PREFETCHT0 %d(BX)", at)
	}
	f.op("ADDQ $%d, BX", 2*s.bytes)
	for i, base := range []string{"AX", "R13", "R14", "R15"} {
		if rows > 3*i {
			f.op("ADDQ $16, %s", base)
		}
	}
	f.op("SUBQ $4, R8")
	f.op("JGT %s", loop)
	for j := range s.cols {
		s.bound(f, rows, j)
	}
	f.op("ADDQ $%d, R10", 12*rows)
}

// word adds the products of one word to every sum.
func (s screening) word(f *file, rows, word int) {
	first := s.rows * s.cols
	for j := range s.cols {
		if s.dot {
			f.op("VMOVDQU32 %d(CX), %s", word*s.step()+j*s.bytes, s.reg(first+j))
		} else {
			f.op("VPMOVSXBW %d(CX), %s", word*s.step()+j*s.bytes/2, s.reg(first+j))
		}
	}
	for i := range rows {
		base := []string{"AX", "R13", "R14", "R15"}[i/3]
		address := []string{"%d(%s)", "%d(%s)(R9*1)", "%d(%s)(R9*2)"}[i%3]
		address = fmt.Sprintf(address, 4*word, base)
		if s.dot {
			a := s.reg(first + s.cols + i%6)
			f.op("VPBROADCASTD %s, %s", address, a)
			for j := range s.cols {
				f.op("VPDPBUSD %s, %s, %s", s.reg(first+j), a, s.sum(i, j))
			}
			continue
		}
		a, product := s.reg(first+s.cols), s.reg(first+s.cols+1)
		f.op("VPBROADCASTD %s, %s", address, a)
		for j := range s.cols {
			f.op("VPMADDWD %s, %s, %s", s.reg(first+j), a, product)
			f.op("VPADDD %s, %s, %s", product, s.sum(i, j), s.sum(i, j))
		}
	}
}

// bound takes the bounds of a register of columns into the largest of each
// column, row by row: what the column begins with, and for the row's three terms
// their products with the sum and the column's two others.
func (s screening) bound(f *file, rows, col int) {
	first := s.rows * s.cols
	most, w, t := s.reg(first), s.reg(first+1), s.reg(first+2)
	at := func(part int) string { return fmt.Sprintf("%d(R11)", (part*s.cols+col)*s.bytes) }
	f.op("VMOVUPS screenJob_most+%d(DI), %s", col*s.bytes, most)
	for i := range rows {
		sum := s.sum(i, col)
		f.op("VCVTDQ2PS %s, %s", sum, sum)
		f.op("VMOVUPS %s, %s", at(1), w)
		for term := range 2 {
			f.op("VBROADCASTSS %d(R10), %s", 12*i+4*term+4, t)
			f.op("VFMADD231PS %s, %s, %s", at(2+term), t, w)
		}
		f.op("VBROADCASTSS %d(R10), %s", 12*i, t)
		f.op("VFMADD231PS %s, %s, %s", sum, t, w)
		f.op("VMAXPS %s, %s, %s", w, most, most)
	}
	f.op("VMOVUPS %s, screenJob_most+%d(DI)", most, col*s.bytes)
}

// mark sets a bit for each column whose largest bound has no minus.
func (s screening) mark(f *file) {
	f.op("XORL DX, DX")
	for at := s.cols*s.bytes - 32; at >= 0; at -= 32 {
		f.op("VMOVUPS screenJob_most+%d(DI), Y0", at)
		f.op("VMOVMSKPS Y0, AX")
		f.op("SHLL $8, DX")
		f.op("ORL AX, DX")
	}
	f.op("NOTL DX")
	f.op("MOVL DX, screenJob_marks(DI)")
}
