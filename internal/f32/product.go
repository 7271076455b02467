package f32

import "slices"

// Products of matrices, after Goto and van de Geijn, "Anatomy of
// High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008: B is packed
// into panels as wide as the kernel, A where it is not well read as it lies, and
// a kernel sums a few rows by one panel in registers.
//
// An element of a product depends on its row of A, its column of B and the
// kernels in use alone. K is cut into equal blocks, by K alone; within a block one
// product after the other is added in ascending order of k, from 0 on; then the
// blocks are added one after the other, to C's old value where products
// accumulate. A NaN or an infinity in A or B spreads as in these sums.

const (
	// blockK bounds the blocks of K: a panel of B then stays in the first cache.
	blockK = 384
	// blockM bounds the rows of a tile, whose A stays in the second cache. Every
	// kernel's height divides it.
	blockM = 192
	// blockN bounds the columns of a tile.
	blockN = 1024
	// farK and farC are from which sizes on C is written row by row: K at most,
	// elements of C at least.
	farK, farC = 256, 1 << 24
	// chunk bounds the elements of B that are packed at a time.
	chunk = 1 << 21
	// PanelColumns is what the first column of a range of a Packed is a multiple
	// of. Every kernel's width divides it.
	PanelColumns = 32
)

// blockSize returns the size of the blocks that K is cut into, a multiple of 8.
func blockSize(k int) int {
	blocks := (k + blockK - 1) / blockK
	size := (k + blocks - 1) / max(blocks, 1)
	return (size + 7) / 8 * 8
}

// operand is a matrix read along either side: element (i, j) is
// data[i*row+j*col].
type operand struct {
	data     []float32
	row, col int
}

func straight(v View) operand   { v.check(); return operand{v.Data, v.Stride, 1} }
func transposed(v View) operand { v.check(); return operand{v.Data, 1, v.Stride} }

// Packed is a matrix B [K×N], copied into the order in which products read it.
// It may be shared by goroutines.
type Packed struct {
	set  *set
	k, n int
	data []float32 // by blocks of K, by panels: [k×width], filled up with what may be
}

// PackT packs Bᵀ for many products: b [N×K] are the weights of a linear layer,
// a row for each output.
func PackT(b View) *Packed {
	p := new(Packed)
	p.PackT(b)
	return p
}

// PackT packs Bᵀ in place of what was packed, and allocates nothing where that
// was as large.
func (p *Packed) PackT(b View) {
	p.shape(active, b.Cols, b.Rows)
	from := transposed(b)
	for panel := range p.panels() {
		p.fill(from, panel)
	}
}

// Rows and Cols return the shape [K×N] of B.
func (p *Packed) Rows() int { return p.k }

// Cols returns N.
func (p *Packed) Cols() int { return p.n }

// shape makes room for a matrix [k×n].
func (p *Packed) shape(s *set, k, n int) {
	p.set, p.k, p.n = s, k, n
	size := k * p.panels() * s.cols
	p.data = slices.Grow(p.data[:0], size)[:size]
}

func (p *Packed) panels() int { return (p.n + p.set.cols - 1) / p.set.cols }

// panel returns the rows from to to of a panel, where from starts a block of K.
func (p *Packed) panel(panel, from, to int) []float32 {
	width := p.set.cols
	return p.data[from*p.panels()*width+panel*(to-from)*width:][:(to-from)*width]
}

// blocks returns the rows from to to of the panels from column first on, where
// from starts a block of K.
func (p *Packed) blocks(first, from, to int) []float32 {
	return p.data[from*p.panels()*p.set.cols+first*(to-from):]
}

// fill packs one panel of b.
func (p *Packed) fill(b operand, panel int) {
	width := p.set.cols
	first := panel * width
	for from, step := 0, blockSize(p.k); from < p.k; from += step {
		to := min(from+step, p.k)
		part := operand{b.data[from*b.row+first*b.col:], b.col, b.row}
		p.set.interleave(p.panel(panel, from, to), part, min(width, p.n-first), to-from, width)
	}
}

// interleave writes count rows of length k of x side by side: x(i, l) becomes
// dst[l*width+i]. What is beyond count is zero or any other number.
func interleave(dst []float32, x operand, count, k, width int) {
	if count < width {
		clear(dst[:k*width])
	}
	for i := range count {
		for l := range k {
			dst[l*width+i] = x.data[i*x.row+l*x.col]
		}
	}
}

// job is what a kernel does: C [rows×set.cols] = A·B, or C += A·B, where
// element (i, l) of A is a[i*aRow+l*aStep] within a tile of set.rows rows, the
// next tile starts aTile further, and row l of B is b[l*bStep:][:set.cols].
type job struct {
	c, a, b                            []float32
	cStride, aRow, aStep, aTile, bStep int
	rows, k                            int
	accumulate                         bool
}

// Multiplier multiplies in the calling goroutine, with buffers of its own: the
// products of attention, sequence by sequence and head by head, and tiles of
// large ones. It is ready for use as its zero value, by one goroutine at a time,
// and allocates nothing once its buffers have grown.
type Multiplier struct {
	own  Packed
	a    []float32 // a block of A, packed
	edge []float32 // a tile of C at its right edge
	job  job

	screen screenJob
}

// Reserve makes room for products of up to these sizes, [m×k] by [k×n], so that
// those allocate nothing, not even the first time.
func (m *Multiplier) Reserve(rows, k, n int) {
	m.reserveTile(active, rows, k)
	if size := k * ((chunkColumns(k, n) + active.cols - 1) / active.cols) * active.cols; cap(m.own.data) < size {
		m.own.data = make([]float32, 0, size)
	}
}

// reserveTile makes room for a tile of a product [rows×k].
func (m *Multiplier) reserveTile(s *set, rows, k int) {
	rows = (min(rows, blockM) + s.rows - 1) / s.rows * s.rows
	m.a = slices.Grow(m.a[:0], rows*min(k, blockK)+slack)
	m.edge = slices.Grow(m.edge[:0], rows*s.cols)
}

// product is C [M×N] = A·B, or C += A·B, where C's columns are those of B from
// first on.
type product struct {
	c          View
	a          operand
	b          *Packed
	first      int
	accumulate bool
	// far tells that C is beyond the caches and K so small that writing C
	// counts: 2560×128×30522 ran at 0.9 of its speed panel by panel.
	far bool
}

func newProduct(c View, a operand, b *Packed, first int, accumulate bool) product {
	c.check()
	return product{c: c, a: a, b: b, first: first, accumulate: accumulate, far: b.k <= farK && len(c.Data) >= farC}
}

// tile computes the part of a product of the given rows and columns.
func (m *Multiplier) tile(p *product, row, rows, col, cols int) {
	s, k := p.b.set, p.b.k
	if k == 0 && !p.accumulate {
		for i := range rows {
			clear(p.c.Row(row + i)[col:][:cols])
		}
	}
	j := &m.job
	for from, step := 0, blockSize(k); from < k; from += step {
		to := min(from+step, k)
		*j = job{cStride: p.c.Stride, rows: rows, k: to - from, bStep: s.cols, accumulate: p.accumulate || from > 0}
		m.readA(s, operand{p.a.data[row*p.a.row+from*p.a.col:], p.a.row, p.a.col}, cols)
		b := p.b.blocks(p.first+col, from, to)
		c := p.c.Data[row*p.c.Stride+col:]
		if p.far {
			m.rowByRow(s, c, b, cols)
		} else {
			m.panelByPanel(s, c, b, cols)
		}
	}
	*j = job{}
}

// panelByPanel does the job for each panel of B in turn.
func (m *Multiplier) panelByPanel(s *set, c, b []float32, cols int) {
	size := m.job.k * s.cols
	for done := 0; done < cols; done += s.cols {
		m.panel(s, c[done:], b[done/s.cols*size:], cols-done)
	}
}

// rowByRow does it for each tile's height of rows in turn, so that rows of C
// are written from left to right, as memory likes it.
func (m *Multiplier) rowByRow(s *set, c, b []float32, cols int) {
	j := &m.job
	a, rows := j.a, j.rows
	for row := 0; row < rows; row += s.rows {
		j.a, j.rows = a[row/s.rows*j.aTile:], min(s.rows, rows-row)
		m.panelByPanel(s, c[row*j.cStride:], b, cols)
	}
}

// panel does the job for one panel, of which width columns are C's.
func (m *Multiplier) panel(s *set, c, b []float32, width int) {
	j := &m.job
	j.b, j.c = b, c
	if width < s.cols {
		m.atEdge(s, width)
	} else {
		s.tile(j)
	}
}

// readA sets the job's A: as it lies, if its rows are in one piece each; packed
// if not, or if the rows of a tile would meet in one set of the first cache and
// enough columns share the work.
func (m *Multiplier) readA(s *set, a operand, cols int) {
	j := &m.job
	j.a, j.aRow, j.aStep, j.aTile = a.data, a.row, a.col, a.row*s.rows
	if a.col == 1 && (a.row%1024 != 0 || cols < directColumns) {
		return
	}
	tiles := (j.rows + s.rows - 1) / s.rows
	j.aRow, j.aStep, j.aTile = 1, s.rows, s.rows*j.k
	size := tiles * j.aTile
	m.a = slices.Grow(m.a[:0], size+slack)[:size+slack]
	for t := range tiles {
		part := operand{a.data[t*s.rows*a.row:], a.row, a.col}
		s.interleave(m.a[t*j.aTile:], part, min(s.rows, j.rows-t*s.rows), j.k, s.rows)
	}
	j.a = m.a
}

// slack is how many numbers kernels may write beyond what they pack.
const slack = 8

// directColumns is from how many columns on packing A pays.
const directColumns = 96

// atEdge does the job for the first width columns of a panel only.
func (m *Multiplier) atEdge(s *set, width int) {
	j := &m.job
	size := j.rows * s.cols
	m.edge = slices.Grow(m.edge[:0], size)[:size]
	c, stride := j.c, j.cStride
	for i := range j.rows {
		if j.accumulate {
			copy(m.edge[i*s.cols:][:width], c[i*stride:])
		}
	}
	j.c, j.cStride = m.edge, s.cols
	s.tile(j)
	j.cStride = stride
	for i := range j.rows {
		copy(c[i*stride:][:width], m.edge[i*s.cols:])
	}
}

// chunkColumns returns how many columns of B [k×n] are packed at a time.
func chunkColumns(k, n int) int {
	fit := max(chunk/max(k, 1)/PanelColumns, 8) * PanelColumns
	return max(min(n, fit), 1)
}

// multiply computes C = A·B, packing B by chunks of columns.
func (m *Multiplier) multiply(c View, a, b operand, k int, accumulate bool) {
	for from, step := 0, chunkColumns(k, c.Cols); from < c.Cols; from += step {
		to := min(from+step, c.Cols)
		part := operand{b.data[min(from*b.col, len(b.data)):], b.row, b.col}
		m.own.shape(active, k, to-from)
		for panel := range m.own.panels() {
			m.own.fill(part, panel)
		}
		m.multiplyPacked(newProduct(c.Sub(0, c.Rows, from, to-from), a, &m.own, 0, accumulate))
	}
}

func (m *Multiplier) multiplyPacked(p product) {
	for row := 0; row < p.c.Rows; row += blockM {
		for col := 0; col < p.c.Cols; col += blockN {
			m.tile(&p, row, min(blockM, p.c.Rows-row), col, min(blockN, p.c.Cols-col))
		}
	}
}

// Mul computes A·B: c [M×N], a [M×K], b [K×N].
func (m *Multiplier) Mul(c, a, b View, accumulate bool) {
	agree(c, a.Rows, b.Cols, a.Cols, b.Rows)
	m.multiply(c, straight(a), straight(b), b.Rows, accumulate)
}

// MulT computes A·Bᵀ: c [M×N], a [M×K], b [N×K].
func (m *Multiplier) MulT(c, a, b View, accumulate bool) {
	agree(c, a.Rows, b.Rows, a.Cols, b.Cols)
	m.multiply(c, straight(a), transposed(b), b.Cols, accumulate)
}

// TMul computes Aᵀ·B: c [M×N], a [K×M], b [K×N].
func (m *Multiplier) TMul(c, a, b View, accumulate bool) {
	agree(c, a.Cols, b.Cols, a.Rows, b.Rows)
	m.multiply(c, transposed(a), straight(b), b.Rows, accumulate)
}

// MulPacked computes A·B: c [M×N], a [M×K].
func (m *Multiplier) MulPacked(c, a View, b *Packed, accumulate bool) {
	m.MulPackedCols(c, a, b, 0, b.n, accumulate)
}

// MulPackedCols computes A·B for the columns of B from from, a multiple of
// PanelColumns, to to: c [M×(to−from)], a [M×K].
func (m *Multiplier) MulPackedCols(c, a View, b *Packed, from, to int, accumulate bool) {
	agreeCols(c, a, b, from, to)
	m.multiplyPacked(newProduct(c, straight(a), b, from, accumulate))
}

// agree panics unless c is [rows×cols] and the inner sizes are equal.
func agree(c View, rows, cols, k, k2 int) {
	if c.Rows != rows || c.Cols != cols || k != k2 {
		panic("f32: shapes of a product do not agree")
	}
}

func agreeCols(c, a View, b *Packed, from, to int) {
	if from < 0 || to < from || to > b.n || from%PanelColumns != 0 {
		panic("f32: columns outside a packed matrix, or not at a panel")
	}
	agree(c, a.Rows, to-from, a.Cols, b.k)
}
