package report

import (
	"bytes"
	"regexp"
	"strings"

	"parley/internal/table"
)

// markdown writes the document for GitHub and its like. Figures lie beside it
// in a folder.
func (d *document) markdown() []byte {
	var b bytes.Buffer
	b.WriteString("# " + markdownLine(d.title) + "\n\n")
	for i, line := range d.lead {
		if i > 0 {
			b.WriteString("  \n")
		}
		b.WriteString(markdownLine(line))
	}
	b.WriteString("\n")
	for _, s := range d.filled() {
		b.WriteString("\n## " + markdownLine(s.title) + "\n")
		for _, block := range s.blocks {
			b.WriteByte('\n')
			writeMarkdown(&b, block)
		}
	}
	return b.Bytes()
}

func writeMarkdown(b *bytes.Buffer, block block) {
	switch block := block.(type) {
	case heading:
		b.WriteString("### " + markdownLine(block.text) + "\n")
	case paragraph:
		b.WriteString(markdownLine(string(block)) + "\n")
	case list:
		for _, item := range block {
			b.WriteString("- " + markdownLine(item) + "\n")
		}
	case outline:
		for _, f := range block {
			b.WriteString("- " + markdownLine(f.Text) + "\n")
			for _, t := range f.Tests {
				b.WriteString("  - " + markdownLine(t) + "\n")
			}
		}
	case code:
		fence := fenceOf(string(block))
		b.WriteString(fence + "\n" + strings.TrimRight(printable(string(block)), "\n") + "\n" + fence + "\n")
	case tabular:
		_ = block.Write(b, table.Markdown) // a buffer takes everything
	case figures:
		for _, f := range block {
			b.WriteString("![" + markdownLine(f.alt) + "](" + figureFolder + "/" + f.id + ".svg)\n")
		}
	}
}

// leading is what makes a line of Markdown more than text by its beginning.
var leading = regexp.MustCompile(`^(#|[-+=|:]|\d+[.)])`)

// blanks are the white space that may break a line; blanks that may not stay.
var blanks = regexp.MustCompile(`[ \t\n\x{2028}\x{2029}]+`)

// markdownLine makes text one line that shows as it is.
func markdownLine(s string) string {
	s = table.EscapeMarkdown(strings.TrimSpace(blanks.ReplaceAllString(printable(s), " ")))
	if at := leading.FindStringIndex(s); at != nil {
		return s[:at[1]-1] + `\` + s[at[1]-1:]
	}
	return s
}

// fenceOf returns a fence longer than any row of backticks in the text.
func fenceOf(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence
}
