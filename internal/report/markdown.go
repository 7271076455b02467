package report

import (
	"bytes"
	"regexp"
	"strings"

	"parley/internal/chart"
	"parley/internal/table"
)

// markdown writes the document for GitHub and its like, and returns the figures
// that lie beside it by their names: those that stand side by side are one.
func (d *document) markdown() (text []byte, sheets map[string][]byte) {
	var b bytes.Buffer
	used := ids{}
	sheets = map[string][]byte{}
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
			if side, ok := block.(figures); ok {
				id, alt := used.next(side.name()), side.alt()
				sheets[id] = side.sheet(id, alt)
				b.WriteString("![" + markdownLine(alt) + "](" + figureFolder + "/" + id + ".svg)\n")
				continue
			}
			writeMarkdown(&b, block)
		}
	}
	return b.Bytes(), sheets
}

// name is what the ids of the figures begin with.
func (f figures) name() string {
	words := strings.Split(f[0].id, "-")
	for _, other := range f[1:] {
		i, theirs := 0, strings.Split(other.id, "-")
		for i < min(len(words), len(theirs)) && words[i] == theirs[i] {
			i++
		}
		words = words[:i]
	}
	return strings.Join(words, " ")
}

func (f figures) alt() string {
	alts := make([]string, len(f))
	for i := range f {
		alts[i] = f[i].alt
	}
	return strings.Join(alts, "; ")
}

// sheet returns the figures as one file.
func (f figures) sheet(id, title string) []byte {
	if len(f) == 1 {
		return f[0].File()
	}
	s := chart.Sheet{ID: id, Title: title}
	for _, one := range f {
		s.Drawings = append(s.Drawings, one.Drawing)
	}
	return s.File()
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
