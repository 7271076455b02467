package f32

import "golang.org/x/sys/cpu"

// accelerated returns the sets of kernels in assembly, the fastest first.
func accelerated() []*set {
	if cpu.ARM64.HasASIMD {
		return []*set{&setNEON}
	}
	return nil
}

var setNEON = set{
	name: "neon", rows: 6, cols: 16,
	tile: tileNEON, interleave: interleaveNEON,
	vectors: vectorsNEON,
}

// interleaveNEON does what interleave does, and leaves what is beyond count as
// it falls out.
func interleaveNEON(dst []float32, x operand, count, k, width int) {
	if k == 0 || x.col != 1 {
		interleave(dst, x, count, k, width)
		return
	}
	_, _ = x.data[(count-1)*x.row+k-1], dst[k*width-1]
	for from := (count - 1) / 4 * 4; from >= 0; from -= 4 {
		transpose4(&dst[from], &x.data[from*x.row], width, x.row, min(4, count-from), k)
	}
}

//go:noescape
func tileNEON(j *job)

// transpose4 lays four rows side by side: dst[l*width+i] becomes
// src[min(i, count−1)*stride+l], in ascending order of l, each time with all
// four numbers, so that it writes up to 2 numbers beyond dst's k rows.
//
//go:noescape
func transpose4(dst, src *float32, width, stride, count, k int)
