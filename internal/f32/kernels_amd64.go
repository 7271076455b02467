package f32

import "golang.org/x/sys/cpu"

// accelerated returns the sets of kernels in assembly, the fastest first.
func accelerated() []*set {
	var sets []*set
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		if cpu.X86.HasAVX512VNNI { // without it, whole numbers are no faster
			setAVX512.screen = &screening{screenVNNI, 4, 128}
		}
		sets = append(sets, &setAVX512)
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		sets = append(sets, &setAVX2)
	}
	return sets
}

var setAVX512 = set{
	name: "avx512", rows: 12, cols: 32,
	tile: tileAVX512, interleave: interleaveAMD64,
	vectors: fastest512(),
}

var setAVX2 = set{
	name: "avx2", rows: 6, cols: 16,
	tile: tileAVX2, interleave: interleaveAMD64,
	screen:  &screening{screenAVX2, 2, 0},
	vectors: vectorsAVX2,
}

// fastest512 returns the vector kernels for AVX-512, but for the maxima, which
// are twice as fast in registers of half the width, where rows are not aligned.
func fastest512() vectors {
	v := vectorsAVX512
	v.maxArg = maxArgAVX2
	return v
}

// interleaveAMD64 does what interleave does, and leaves what is beyond count as
// it falls out.
func interleaveAMD64(dst []float32, x operand, count, k, width int) {
	switch {
	case k == 0:
	case x.col == 1:
		_, _ = x.data[(count-1)*x.row+k-1], dst[k*width-1]
		for from := (count - 1) / 8 * 8; from >= 0; from -= 8 {
			transpose8(&dst[from], &x.data[from*x.row], width, x.row, min(8, count-from), k)
		}
	case x.row == 1 && count == width:
		_, _ = x.data[(k-1)*x.col+width-1], dst[k*width-1]
		copyRows(&dst[0], &x.data[0], x.col, k, width)
	default:
		interleave(dst, x, count, k, width)
	}
}

func copyRows(dst, src *float32, stride, k, width int) {
	switch width {
	case 6:
		copyRows6(dst, src, stride, k)
	case 12:
		copyRows12(dst, src, stride, k)
	case 16:
		copyRows16(dst, src, stride, k)
	default:
		copyRows32(dst, src, stride, k)
	}
}

//go:noescape
func tileAVX2(j *job)

//go:noescape
func tileAVX512(j *job)

//go:noescape
func screenAVX2(j *screenJob)

//go:noescape
func screenVNNI(j *screenJob)

// transpose8 lays eight rows side by side: dst[l*width+i] becomes
// src[min(i, count−1)*stride+l], in ascending order of l, each time with all
// eight numbers, so that it writes up to 8−width numbers beyond dst's k rows.
//
//go:noescape
func transpose8(dst, src *float32, width, stride, count, k int)

//go:noescape
func copyRows6(dst, src *float32, stride, k int)

//go:noescape
func copyRows12(dst, src *float32, stride, k int)

//go:noescape
func copyRows16(dst, src *float32, stride, k int)

//go:noescape
func copyRows32(dst, src *float32, stride, k int)
