package table

import (
	"encoding/csv"
	"fmt"
	"io"
	"regexp"
	"strings"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Format is a way to write a table.
type Format int

// The formats. The zero value suits a pipe or a log.
const (
	Plain    Format = iota // columns parted by spaces, a rule under the header
	Boxed                  // lines around the columns, for a terminal
	Markdown               // a GitHub table
	CSV                    // a header and rows; spreads and marks in columns of their own
	HTML                   // a div with a table and its notes, for a page with a style of its own
	LaTeX                  // a table environment with rules by booktabs
)

// ParseFormat returns the format that a name means: plain, boxed, markdown or
// csv. The others are parts of pages, and of no use by themselves.
func ParseFormat(name string) (Format, error) {
	switch name {
	case "plain":
		return Plain, nil
	case "boxed":
		return Boxed, nil
	case "markdown":
		return Markdown, nil
	case "csv":
		return CSV, nil
	}
	return 0, fmt.Errorf("unknown table format %q: use plain, boxed, markdown or csv", name)
}

// Write writes the table, ended by a line break.
func (t *Table) Write(w io.Writer, f Format) error {
	switch f {
	case CSV:
		return t.writeCSV(w)
	case HTML:
		return t.writeHTML(w)
	case LaTeX:
		return t.writeLaTeX(w)
	}
	title, notes, body := t.title, strings.Join(t.notes, "\n"), ""
	switch f {
	case Markdown:
		body = t.writer(markdown).RenderMarkdown()
		title, notes = bold(EscapeMarkdown(title)), EscapeMarkdown(strings.Join(t.notes, "  \n"))
	case Boxed:
		body = t.styled(pretty.StyleRounded, "")
	default:
		body = t.styled(plain(), margin)
	}
	var parts []string
	for _, part := range []string{title, body, notes} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	sep := "\n"
	if f == Markdown {
		sep = "\n\n"
	}
	_, err := io.WriteString(w, strings.Join(parts, sep)+"\n")
	return err
}

func bold(title string) string {
	if title == "" {
		return ""
	}
	return "**" + title + "**"
}

// margin parts the columns of a plain table.
const margin = "  "

// plain is the style without vertical lines. It puts the margin before each
// column, the first too.
func plain() pretty.Style {
	s := pretty.StyleLight
	s.Options = pretty.OptionsNoBordersAndSeparators
	s.Options.SeparateHeader = true
	s.Box.PaddingLeft, s.Box.PaddingRight = margin, ""
	return s
}

// styled renders the table for the eye, without the indent and without blanks
// at the ends of lines.
func (t *Table) styled(style pretty.Style, indent string) string {
	style.Format.Header = text.FormatDefault
	w := t.writer(t.padding())
	w.SetStyle(style)
	lines := strings.Split(strings.ReplaceAll(w.Render(), noBreak, " "), "\n")
	for i, line := range lines {
		runes := []rune(line)
		lines[i] = strings.TrimRight(string(runes[min(len(indent), len(runes)):]), " ")
	}
	return strings.Join(lines, "\n")
}

// writer returns the library's table, each cell written by show.
func (t *Table) writer(show func(j int, c Cell) string) pretty.Writer {
	w := pretty.NewWriter()
	header := make(pretty.Row, len(t.header))
	configs := make([]pretty.ColumnConfig, len(t.header))
	for j, name := range t.header {
		header[j] = show(j, Cell{text: name})
		align := text.AlignDefault
		if t.any(j, isNumber) {
			align = text.AlignRight
		}
		configs[j] = pretty.ColumnConfig{Number: j + 1, Align: align, AlignHeader: align}
	}
	w.AppendHeader(header)
	w.SetColumnConfigs(configs)
	for _, row := range t.rows {
		cells := make(pretty.Row, len(row))
		for j, c := range row {
			cells[j] = show(j, c)
		}
		w.AppendRow(cells)
	}
	return w
}

// raw shows a cell as it is, and a dash for a number that there is not.
func raw(_ int, c Cell) string { return c.shown() + c.mark }

// shown is the cell without its mark.
func (c Cell) shown() string {
	switch {
	case c.number && c.text == "":
		return "–"
	case c.spread != "":
		return c.text + " ± " + c.spread
	}
	return c.text
}

// markdown shows a cell with what Markdown would take for its own escaped.
func markdown(_ int, c Cell) string {
	text := EscapeMarkdown(c.text)
	if c.number && c.text == "" {
		text = "–"
	}
	if c.strong {
		text = "**" + text + "**"
	}
	if c.spread != "" {
		text += " ± " + EscapeMarkdown(c.spread)
	}
	return text + EscapeMarkdown(c.mark)
}

// EscapeMarkdown makes text show as it is on a page of Markdown, wherever in a
// line it stands but at its beginning. Pipes are the table's own concern.
func EscapeMarkdown(s string) string {
	s = entity.ReplaceAllString(s, "&amp;$1")
	return markdownEscaper.Replace(tag.ReplaceAllString(s, "&lt;$1"))
}

// What begins an entity and a tag or an address; elsewhere, as in p < .05, the
// signs stand for themselves.
var (
	entity = regexp.MustCompile(`&([#A-Za-z])`)
	tag    = regexp.MustCompile(`<([A-Za-z/!?])`)
)

var markdownEscaper = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "~", `\~`, "$", `\$`)

// noBreak is the blank that the library's right alignment leaves in place.
const noBreak = "\u00a0"

// padding returns the function that fills cells up for the eye: marks to the
// width of the column's widest, so that numbers stand above each other.
func (t *Table) padding() func(j int, c Cell) string {
	widest := make([]int, len(t.header))
	for _, row := range t.rows {
		for j, c := range row {
			widest[j] = max(widest[j], c.markWidth())
		}
	}
	return func(j int, c Cell) string {
		if !c.number {
			return raw(j, c)
		}
		return raw(j, c) + strings.Repeat(noBreak, widest[j]-c.markWidth())
	}
}

// markWidth returns how many places the mark takes on a terminal.
func (c Cell) markWidth() int { return text.StringWidthWithoutEscSequences(c.mark) }

// writeCSV writes a column of spreads and one of marks behind each column that
// has some, so that numbers stay numbers.
func (t *Table) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	spread, marked := make([]bool, len(t.header)), make([]bool, len(t.header))
	var record []string
	for j, name := range t.header {
		spread[j], marked[j] = t.any(j, hasSpread), t.any(j, isMarked)
		record = append(record, name)
		if spread[j] {
			record = append(record, name+" ±")
		}
		if marked[j] {
			record = append(record, name+" mark")
		}
	}
	_ = out.Write(record) // kept by the writer until Error
	for _, row := range t.rows {
		record = record[:0]
		for j, c := range row {
			record = append(record, c.text)
			if spread[j] {
				record = append(record, c.spread)
			}
			if marked[j] {
				record = append(record, c.mark)
			}
		}
		_ = out.Write(record)
	}
	out.Flush()
	return out.Error()
}
