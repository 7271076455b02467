package f32

// filling packs B, tiling multiplies by it: the two tasks of a product.
type filling struct {
	to   *Packed
	from operand
}

// Do packs panel i.
func (f *filling) Do(i, _ int) { f.to.fill(f.from, i) }

// tiling computes tiles of a product of at most rows×cols elements.
type tiling struct {
	product
	crew       []*Multiplier
	rows, cols int
	across     int // tiles beside each other
}

// Do computes tile i.
func (t *tiling) Do(i, worker int) {
	row, col := i/t.across*t.rows, i%t.across*t.cols
	t.crew[worker].tile(&t.product, row, min(t.rows, t.c.Rows-row), col, min(t.cols, t.c.Cols-col))
}

// PackT packs Bᵀ in place of what p held, as Packed.PackT does, panel by panel.
func (t *Team) PackT(p *Packed, b View) {
	p.shape(active, b.Cols, b.Rows)
	t.filling = filling{p, transposed(b)}
	t.Do(p.panels(), &t.filling)
	t.filling = filling{}
}

// Mul computes A·B: c [M×N], a [M×K], b [K×N].
func (t *Team) Mul(c, a, b View, accumulate bool) {
	agree(c, a.Rows, b.Cols, a.Cols, b.Rows)
	t.multiply(c, straight(a), straight(b), b.Rows, accumulate)
}

// MulT computes A·Bᵀ: c [M×N], a [M×K], b [N×K]: a linear layer with its
// weights a row for each output.
func (t *Team) MulT(c, a, b View, accumulate bool) {
	agree(c, a.Rows, b.Rows, a.Cols, b.Cols)
	t.multiply(c, straight(a), transposed(b), b.Cols, accumulate)
}

// TMul computes Aᵀ·B: c [M×N], a [K×M], b [K×N]: the gradient by weights.
func (t *Team) TMul(c, a, b View, accumulate bool) {
	agree(c, a.Cols, b.Cols, a.Rows, b.Rows)
	t.multiply(c, transposed(a), straight(b), b.Rows, accumulate)
}

// MulPacked computes A·B: c [M×N], a [M×K].
func (t *Team) MulPacked(c, a View, b *Packed, accumulate bool) {
	t.MulPackedCols(c, a, b, 0, b.n, accumulate)
}

// MulPackedCols computes A·B for the columns of B from from, a multiple of
// PanelColumns, to to: c [M×(to−from)], a [M×K].
func (t *Team) MulPackedCols(c, a View, b *Packed, from, to int, accumulate bool) {
	agreeCols(c, a, b, from, to)
	t.multiplyPacked(newProduct(c, straight(a), b, from, accumulate))
}

// multiply computes C = A·B, packing B by chunks of columns.
func (t *Team) multiply(c View, a, b operand, k int, accumulate bool) {
	for from, step := 0, chunkColumns(k, c.Cols); from < c.Cols; from += step {
		to := min(from+step, c.Cols)
		t.shared.shape(active, k, to-from)
		t.filling = filling{&t.shared, operand{b.data[min(from*b.col, len(b.data)):], b.row, b.col}}
		t.Do(t.shared.panels(), &t.filling)
		t.multiplyPacked(newProduct(c.Sub(0, c.Rows, from, to-from), a, &t.shared, 0, accumulate))
	}
	t.filling = filling{}
}

// multiplyPacked shares a product as tiles, a few for each worker where it is
// large enough.
func (t *Team) multiplyPacked(p product) {
	rows, cols := min(p.c.Rows, blockM), min(p.c.Cols, blockN)
	down, across := split(p.c.Rows, rows), split(p.c.Cols, cols)
	for down*across < 4*len(t.crew) && cols > 2*PanelColumns {
		cols = (cols/2 + PanelColumns - 1) / PanelColumns * PanelColumns
		across = split(p.c.Cols, cols)
	}
	t.tiling = tiling{product: p, crew: t.crew, rows: rows, cols: cols, across: across}
	t.Do(down*across, &t.tiling)
	t.tiling = tiling{}
}

// split returns how many parts of a size n is cut into.
func split(n, size int) int {
	if n == 0 {
		return 0
	}
	return (n + size - 1) / size
}
