package table

import (
	"bytes"
	"io"
	"strings"
)

// writeLaTeX writes a table environment. It needs the packages booktabs and
// amssymb, and an engine or input encoding that reads UTF-8.
func (t *Table) writeLaTeX(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("\\begin{table}\n\\centering\n")
	if t.title != "" {
		b.WriteString("\\caption{" + EscapeLaTeX(t.title) + "}\n")
	}
	b.WriteString("\\begin{tabular}{")
	for j := range t.header {
		if t.any(j, isNumber) {
			b.WriteByte('r')
		} else {
			b.WriteByte('l')
		}
	}
	b.WriteString("}\n\\toprule\n")
	cells := make([]string, len(t.header))
	for j, name := range t.header {
		cells[j] = EscapeLaTeX(name)
	}
	b.WriteString(strings.Join(cells, " & ") + " \\\\\n\\midrule\n")
	for _, row := range t.rows {
		for j, c := range row {
			cells[j] = c.latex()
		}
		b.WriteString(strings.Join(cells, " & ") + " \\\\\n")
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n")
	for _, note := range t.notes {
		b.WriteString("\\par\\smallskip{\\footnotesize " + EscapeLaTeX(note) + "}\n")
	}
	b.WriteString("\\end{table}\n")
	_, err := w.Write(b.Bytes())
	return err
}

func (c Cell) latex() string {
	text := EscapeLaTeX(c.text)
	if c.number && c.text == "" {
		text = "--"
	}
	if c.strong {
		text = "\\textbf{" + text + "}"
	}
	if c.spread != "" {
		text += " {\\scriptsize$\\pm$" + EscapeLaTeX(c.spread) + "}"
	}
	if c.mark != "" {
		text += "\\textsuperscript{" + EscapeLaTeX(c.mark) + "}"
	}
	if strings.HasPrefix(text, "[") {
		text = "{}" + text // a bracket behind a line's end would be its argument
	}
	return text
}

// EscapeLaTeX makes text show as it is in LaTeX, outside of mathematics.
func EscapeLaTeX(s string) string { return latexEscaper.Replace(s) }

var latexEscaper = strings.NewReplacer(
	`\`, `\textbackslash{}`, "{", `\{`, "}", `\}`, "$", `\$`, "&", `\&`, "#", `\#`, "_", `\_`, "%", `\%`,
	"~", `\textasciitilde{}`, "^", `\textasciicircum{}`, `"`, `\textquotedbl{}`, "<", `\textless{}`, ">", `\textgreater{}`, "|", `\textbar{}`,
	"▲", `$\blacktriangle$`, "▼", `$\blacktriangledown$`, "±", `$\pm$`, "×", `$\times$`, "·", `$\cdot$`, "≤", `$\leq$`, "≥", `$\geq$`, "−", `$-$`,
	"λ", `$\lambda$`, "τ", `$\tau$`, "Σ", `$\Sigma$`, "→", `$\rightarrow$`, "–", "--", "—", "---", "…", `\ldots{}`, "\uFFFD", "?",
)
