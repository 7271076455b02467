package f32

// View is a matrix [Rows×Cols] over Data: row i is Data[i*Stride:][:Cols].
type View struct {
	Rows, Cols, Stride int
	Data               []float32
}

// NewView returns data as a matrix [rows×cols] without gaps between its rows.
func NewView(data []float32, rows, cols int) View {
	return View{Rows: rows, Cols: cols, Stride: cols, Data: data[:rows*cols]}
}

// Row returns row i.
func (v View) Row(i int) []float32 { return v.Data[i*v.Stride:][:v.Cols] }

// Sub returns the part of v of rows rows from row on, and cols columns from col
// on. It shares v's data.
func (v View) Sub(row, rows, col, cols int) View {
	if row < 0 || rows < 0 || row+rows > v.Rows || col < 0 || cols < 0 || col+cols > v.Cols {
		panic("f32: part of a matrix outside it")
	}
	sub := View{Rows: rows, Cols: cols, Stride: v.Stride}
	if rows > 0 && cols > 0 {
		from := row*v.Stride + col
		sub.Data = v.Data[from : from+(rows-1)*v.Stride+cols]
	}
	return sub
}

// check panics unless the data reach to the last element.
func (v View) check() {
	if v.Rows > 0 && v.Cols > 0 && (v.Stride < v.Cols && v.Rows > 1 || len(v.Data) < (v.Rows-1)*v.Stride+v.Cols) {
		panic("f32: a matrix larger than its data")
	}
}
