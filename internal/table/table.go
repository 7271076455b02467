// Package table writes small tables of results for people and for programs.
//
// Its guarantee: every format shows the same cells in the same order, and
// whatever a cell's text holds, it stays one cell of one line: control
// characters and line breaks become spaces, and each format's own delimiters
// are escaped.
//
// It does not round by taste, sort, or wrap, and it writes no JSON: a command's
// JSON is that command's own contract, not a rendering of its table.
package table

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Table is a title, a header, rows of cells and notes below them. Make it with
// New.
type Table struct {
	title  string
	header []string
	rows   [][]Cell
	notes  []string
}

// Cell is one entry of a table. A column that holds a number is right-aligned.
type Cell struct {
	text, spread, mark string
	number, strong     bool
}

// New returns a table without rows. An empty title is left out.
func New(title string, header ...string) *Table {
	t := &Table{title: clean(title)}
	for _, name := range header {
		t.header = append(t.header, clean(name))
	}
	return t
}

// Row adds a row, which must have a cell for each name of the header.
func (t *Table) Row(cells ...Cell) {
	if len(cells) != len(t.header) {
		panic(fmt.Sprintf("table: a row of %d cells under a header of %d", len(cells), len(t.header)))
	}
	t.rows = append(t.rows, cells)
}

// Note adds a line below the table, such as the meaning of its marks. CSV has
// no place for notes and leaves them out.
func (t *Table) Note(line string) { t.notes = append(t.notes, clean(line)) }

// Text returns a cell of words.
func Text(s string) Cell { return Cell{text: clean(s)} }

// Int returns a cell of a whole number.
func Int[T ~int | ~int32 | ~int64 | ~uint32](n T) Cell {
	return Cell{text: strconv.FormatInt(int64(n), 10), number: true}
}

// Float returns a cell of a number with so many digits after the point.
func Float(v float64, digits int) Cell {
	return Cell{text: strconv.FormatFloat(v, 'f', digits, 64), number: true}
}

// Share returns a cell of a number between -1 and 1 as the field prints its
// measures: without the zero before the point.
func Share(v float64, digits int) Cell {
	c := Float(v, digits)
	if sign, rest, ok := strings.Cut(c.text, "0."); ok && (sign == "" || sign == "-") {
		c.text = sign + "." + rest
	}
	return c
}

// Number returns a cell of a number that is already written, such as "1.2k".
func Number(s string) Cell { return Cell{text: clean(s), number: true} }

// Missing returns the cell of a number that there is not: a dash for people,
// nothing in CSV.
func Missing() Cell { return Cell{number: true} }

// Marked returns the cell with a mark behind it, such as a sign of
// significance. Marks stand in a column of their own, so that the digits of a
// marked and an unmarked number stay aligned.
func (c Cell) Marked(mark string) Cell {
	c.mark = clean(mark)
	return c
}

// Spread returns the cell with how far the number varies, written in the same
// way: .843 ± .002. In CSV it has a column of its own.
func (c Cell) Spread(by Cell) Cell {
	c.spread = by.text
	return c
}

// Strong returns the cell set off from the others of its column, such as the
// best. Only formats with typefaces show it.
func (c Cell) Strong() Cell {
	c.strong = true
	return c
}

// clean makes s one line that cannot steer a terminal.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\uFFFE' || r == '\uFFFF' {
			return ' '
		}
		return r
	}, s))
}

// any tells whether a cell of column j is what is asked for.
func (t *Table) any(j int, is func(Cell) bool) bool {
	for _, row := range t.rows {
		if is(row[j]) {
			return true
		}
	}
	return false
}

func isNumber(c Cell) bool  { return c.number }
func isMarked(c Cell) bool  { return c.mark != "" }
func hasSpread(c Cell) bool { return c.spread != "" }
