package f32

import (
	"math"
	"slices"
)

// A screen in whole numbers, with bounds by Cauchy and Schwarz. Rows s and
// columns e are rounded, s = αp + h and e = βq + g with whole p and q, so that
//
//	s·e = αβ·p·q + αp·g + h·e ≤ αβ·p·q + |αp||g| + |h||e|
//
// with the norms of the very errors. What the chain of float32 may add to s·e by
// rounding is in the bound too. Before they are rounded, s loses what its numbers
// have in common, of which the column keeps the product, and a number that is
// large in rows lends its size to the columns.

// Screen tells which columns of A·Bᵀ + bias may have an element above 0 in a
// number of rows, at a fraction of the cost of the product: it may mark a
// column in vain, and misses none. It may be shared by goroutines.
type Screen struct {
	set     *set
	k, n    int
	words   int       // of a row
	b       []int8    // by panels: [words×width×numbers of a word]
	columns []float32 // by panels: [4×width] the sum to begin with (an int32), the bound to begin with, |e|/β, |g|/β

	mean, scale []float64 // [K] rows become (s − mean)∘scale
	meanNorm    float64   // |mean∘scale|
	chain       float64   // what the chain's rounding adds to a product, by |s||e|
	top         float64   // the largest whole number of a row
}

// Within these bounds of norms and of the largest numbers nothing overflows,
// nor vanishes. What is beyond is not screened.
const (
	screenMost  = 1e15
	screenLeast = 1e-24
	// screenRows bounds K, so that sums fit 32 bits.
	screenRows = 1 << 15
	// unit is the relative error of one rounding.
	unit = 0x1p-24
	// upwards makes up for roundings where norms are taken.
	upwards = 1 + 0x1p-20
)

// screening is how a set screens: job by job, a row's numbers packed into words
// of 32 bits.
type screening struct {
	mark    func(*screenJob)
	numbers int   // of a word: 4 of 8 bits, or 2 of 16
	zero    int32 // what is added to a row's numbers
}

// screenJob marks the columns of one panel for some rows.
type screenJob struct {
	a           []uint32
	b           []int8
	terms       []rowTerms
	columns     []float32
	rows        int
	aRow, words int
	most        [PanelColumns]float32 // of each column, the largest bound
	marks       uint32                // a bit for each column whose largest bound has no minus
}

// rowTerms are what a row contributes to its bounds.
type rowTerms struct {
	scale float32 // α
	error float32 // |h|, and what roundings add
	size  float32 // |αp|
}

// NewScreen returns a screen of b [N×K] and bias [N], nil where the kernels in
// use have none. Rows are expected about mean [K], each number apart from it by
// about spread [K].
func NewScreen(b View, bias, mean, spread []float32) *Screen {
	set := active
	if set.screen == nil || b.Cols > screenRows || b.Rows == 0 || b.Cols == 0 {
		return nil
	}
	const together = 4 // words that kernels take at a time
	per := together * set.screen.numbers
	c := &Screen{set: set, k: b.Cols, n: b.Rows, words: (b.Cols + per - 1) / per * together}
	c.chain = 1.01 * unit * float64(b.Cols+b.Cols/256+16)
	c.top = 127
	if set.screen.numbers == 2 {
		c.top = float64(min(math.MaxInt16, math.MaxInt32/(127*b.Cols)))
	}
	c.center(b, mean, spread)
	panels := (c.n + set.cols - 1) / set.cols
	c.b = make([]int8, panels*c.panelSize())
	c.columns = make([]float32, panels*4*set.cols)
	e := make([]float64, c.k)
	for j := range c.n {
		c.add(j, e, b.Row(j), bias[j])
	}
	return c
}

func (c *Screen) panelSize() int { return c.words * c.set.screen.numbers * c.set.cols }

// center chooses the scales, powers of two, so that numbers are as large in rows
// as in columns.
func (c *Screen) center(b View, mean, spread []float32) {
	squares := make([]float64, c.k)
	for j := range b.Rows {
		for k, x := range b.Row(j) {
			squares[k] += float64(x) * float64(x)
		}
	}
	c.mean, c.scale = make([]float64, c.k), make([]float64, c.k)
	total := 0.
	for k := range c.k {
		c.mean[k], c.scale[k] = float64(mean[k]), 1
		size := math.Sqrt(squares[k] / float64(b.Rows))
		if r := math.Sqrt(size / math.Abs(float64(spread[k]))); r > 0x1p-20 && r < 0x1p20 {
			c.scale[k] = math.Exp2(math.Round(math.Log2(r)))
		}
		total += c.mean[k] * c.scale[k] * c.mean[k] * c.scale[k]
	}
	c.meanNorm = math.Sqrt(total)
}

// add takes up column j. e is for scratch.
func (c *Screen) add(j int, e []float64, row []float32, bias float32) {
	largest, squares, common := 0., 0., 0.
	for k, x := range row {
		e[k] = float64(x) / c.scale[k]
		squares += e[k] * e[k]
		common += c.mean[k] * c.scale[k] * e[k]
		largest = max(largest, math.Abs(e[k]))
	}
	norm, width := math.Sqrt(squares)*upwards, c.set.cols
	columns := c.columns[j/width*4*width+j%width:]
	size := (1+c.meanNorm)*norm + math.Abs(float64(bias))
	if !(size <= screenMost) || largest < screenLeast && largest != 0 {
		columns[width] = float32(math.Inf(1))
		return
	}
	beta := 1.
	if largest > 0 {
		beta = float64(float32(largest / 127))
	}
	rest, sum := c.round(j, e, beta)
	start := (float64(bias) + common) / beta
	slack := size/beta*0x1p-20 + float64(c.k+64)*0x1p-140/beta
	columns[0] = math.Float32frombits(uint32(-c.set.screen.zero * sum))
	columns[width] = float32(max(start+slack, -math.MaxFloat32/4))
	columns[2*width] = float32(norm / beta * upwards)
	columns[3*width] = float32(math.Sqrt(rest) / beta * upwards)
}

// round sets column j to whole numbers of beta, and returns the squares of what
// is left, and the sum of the numbers.
func (c *Screen) round(j int, e []float64, beta float64) (rest float64, sum int32) {
	width, numbers := c.set.cols, c.set.screen.numbers
	panel, inverse := c.b[j/width*c.panelSize():], 1/beta
	for from := 0; from < len(e); from += numbers {
		word := panel[from*width+j%width*numbers:][:numbers]
		for i, x := range e[from:min(from+numbers, len(e))] {
			q := math.RoundToEven(x * inverse)
			rest += (x - beta*q) * (x - beta*q)
			sum += int32(q)
			word[i] = int8(q)
		}
	}
	return rest, sum
}

// Rounded are rows made ready for a Screen. It allocates nothing once its
// buffers have grown.
type Rounded struct {
	a     []uint32 // [rows×words]
	terms []rowTerms
}

// Resize makes room for a number of rows.
func (r *Rounded) Resize(c *Screen, rows int) {
	r.terms = slices.Grow(r.terms[:0], rows)[:rows]
	r.a = slices.Grow(r.a[:0], rows*c.words)[:rows*c.words]
}

// Set rounds x to row i for c, and reports whether it can be screened: a row with
// a NaN, an infinity or a huge number cannot.
func (r *Rounded) Set(c *Screen, i int, x []float32) bool {
	largest, squares := 0., 0.
	for k, v := range x[:c.k] {
		s := (float64(v) - c.mean[k]) * c.scale[k]
		squares += s * s
		largest = max(largest, math.Abs(s))
	}
	norm := math.Sqrt(squares)
	if !(norm <= screenMost) || largest < screenLeast && largest != 0 {
		return false
	}
	alpha := 1.
	if largest > 0 {
		alpha = float64(float32(largest / c.top))
	}
	rest, whole := r.round(c, i, x, alpha)
	size := alpha * math.Sqrt(whole) * upwards
	// The products with α, β and whole numbers are below size·(|e|+|g|); the four
	// roundings of a bound are by a unit each of all its parts.
	r.terms[i] = rowTerms{
		scale: float32(alpha),
		error: float32((math.Sqrt(rest) + c.chain*(norm+c.meanNorm) + 8*unit*size) * upwards),
		size:  float32(size * upwards),
	}
	return true
}

// round sets row i to whole numbers of alpha, and returns the squares of what is
// left, and of the numbers.
func (r *Rounded) round(c *Screen, i int, x []float32, alpha float64) (rest, whole float64) {
	a := r.a[i*c.words:][:c.words]
	numbers, zero := c.set.screen.numbers, c.set.screen.zero
	bits := 32 / numbers
	mask, inverse := uint32(1)<<bits-1, 1/alpha
	clear(a)
	for word, k := 0, 0; k < c.k; word++ {
		for shift := 0; shift < 32 && k < c.k; shift += bits {
			s := (float64(x[k]) - c.mean[k]) * c.scale[k]
			p := math.RoundToEven(s * inverse)
			rest += (s - alpha*p) * (s - alpha*p)
			whole += p * p
			a[word] |= uint32(int32(p)+zero) & mask << shift
			k++
		}
	}
	return rest, whole
}

// Screen sets a bit of marks for each column from from, a multiple of
// PanelColumns, to to that may have an element above 0 in the rows of a from row
// on: bit i%64 of marks[i/64] is column from+i.
func (m *Multiplier) Screen(marks []uint64, a *Rounded, row, rows int, c *Screen, from, to int) {
	if from%PanelColumns != 0 || to > c.n {
		panic("f32: columns outside a screen, or not at a panel")
	}
	j, width := &m.screen, c.set.cols
	*j = screenJob{a: a.a[row*c.words:], terms: a.terms[row:][:rows], rows: rows, aRow: c.words, words: c.words}
	clear(marks)
	for at := 0; at < to-from; at += width {
		panel := (from + at) / width
		j.b, j.columns = c.b[panel*c.panelSize():][:c.panelSize()], c.columns[panel*4*width:]
		for i := range j.most {
			j.most[i] = -1
		}
		c.set.screen.mark(j)
		found := uint64(j.marks) & (1<<width - 1)
		if left := to - from - at; left < width {
			found &= 1<<left - 1
		}
		marks[at/64] |= found << (at % 64)
	}
	*j = screenJob{}
}
