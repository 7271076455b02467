package f32

// generic are the kernels in plain Go. Its products are rounded before they are
// added, on every processor alike.
var generic = set{
	name: "generic", rows: 2, cols: 16,
	tile:       tileGeneric,
	interleave: interleave,
	vectors:    vectorsGeneric,
}

func tileGeneric(j *job) {
	for row := 0; row < j.rows; row += 2 {
		a, c := j.a[row/2*j.aTile:], j.c[row*j.cStride:]
		if row+1 == j.rows {
			rowGeneric(j, a, c)
			continue
		}
		for col := 0; col < 16; col += 2 {
			square(j, a, j.b[col:], c[col:])
		}
	}
}

// square sums two rows by two columns.
func square(j *job, a, b, c []float32) {
	var s00, s01, s10, s11 float32
	for at, bt, l := 0, 0, j.k; l > 0; l-- {
		x0, x1, y0, y1 := a[at], a[at+j.aRow], b[bt], b[bt+1]
		s00 += float32(x0 * y0)
		s01 += float32(x0 * y1)
		s10 += float32(x1 * y0)
		s11 += float32(x1 * y1)
		at += j.aStep
		bt += j.bStep
	}
	d := c[j.cStride:]
	if j.accumulate {
		s00, s01, s10, s11 = c[0]+s00, c[1]+s01, d[0]+s10, d[1]+s11
	}
	c[0], c[1], d[0], d[1] = s00, s01, s10, s11
}

// rowGeneric sums one row by all columns.
func rowGeneric(j *job, a, c []float32) {
	var sums [16]float32
	for l := range j.k {
		x, b := a[l*j.aStep], (*[16]float32)(j.b[l*j.bStep:])
		for i, y := range b {
			sums[i] += float32(x * y)
		}
	}
	for i, s := range sums {
		if j.accumulate {
			s = c[i] + s
		}
		c[i] = s
	}
}
