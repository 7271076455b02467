package table

import (
	"bytes"
	"html"
	"io"
)

// writeHTML writes a div of class "table" that holds the table and its notes.
// Numbers have the class "n", marks stand in a column's width of their own.
func (t *Table) writeHTML(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("<div class=\"table\"><div class=\"scroll\" tabindex=\"0\"><table>\n")
	if t.title != "" {
		b.WriteString("<caption><span>" + html.EscapeString(t.title) + "</span></caption>\n")
	}
	b.WriteString("<thead><tr>")
	for j, name := range t.header {
		b.WriteString("<th scope=\"col\"" + t.class(j) + ">" + html.EscapeString(name) + "</th>")
	}
	b.WriteString("</tr></thead>\n<tbody>\n")
	for _, row := range t.rows {
		b.WriteString("<tr>")
		for j, c := range row {
			t.writeHTMLCell(&b, j, c)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table></div>\n")
	for _, note := range t.notes {
		b.WriteString("<p class=\"note\">" + html.EscapeString(note) + "</p>\n")
	}
	b.WriteString("</div>\n")
	_, err := w.Write(b.Bytes())
	return err
}

func (t *Table) class(j int) string {
	if t.any(j, isNumber) {
		return ` class="n"`
	}
	return ""
}

func (t *Table) writeHTMLCell(b *bytes.Buffer, j int, c Cell) {
	open, end := "<td"+t.class(j)+">", "</td>"
	if j == 0 {
		open, end = `<th scope="row"`+t.class(j)+">", "</th>"
	}
	b.WriteString(open)
	text := html.EscapeString(c.text)
	if c.number && c.text == "" {
		text = "–"
	}
	if c.strong {
		text = "<b>" + text + "</b>"
	}
	b.WriteString(text)
	if c.spread != "" {
		b.WriteString(`<small> ± ` + html.EscapeString(c.spread) + "</small>")
	}
	if t.any(j, isMarked) {
		b.WriteString(`<i>` + html.EscapeString(c.mark) + "</i>")
	}
	b.WriteString(end)
}
