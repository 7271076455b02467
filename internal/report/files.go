package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"parley/internal/durable"
	"parley/internal/table"
)

// Format is a way to write a report.
type Format string

// The formats.
const (
	HTML     Format = "html"  // one page, which needs nothing else
	Markdown Format = "md"    // for GitHub and its like, with figures beside it
	LaTeX    Format = "latex" // tables for a paper
	CSV      Format = "csv"   // tables for programs
	SVG      Format = "svg"   // figures, each a file
)

// Formats returns all formats.
func Formats() []Format { return []Format{HTML, Markdown, LaTeX, CSV, SVG} }

// ParseFormats reads the names of formats, parted by commas.
func ParseFormats(names string) ([]Format, error) {
	var formats []Format
	for name := range strings.SplitSeq(names, ",") {
		f := Format(strings.TrimSpace(name))
		if !slices.Contains(Formats(), f) {
			return nil, fmt.Errorf("unknown format %q: use html, md, latex, csv or svg, parted by commas", f)
		}
		formats = append(formats, f)
	}
	return formats, nil
}

// The files of a report's folder.
const (
	PageFile     = "report.html"
	MarkdownFile = "report.md"
	LaTeXFile    = "report.tex"
	DataFile     = "report.json" // all numbers, as they were measured; by it a report's folder is known
	figureFolder = "figures"     // of Markdown
	singleFolder = "svg"
	tableFolder  = "tables"
)

// Write writes the report as a folder, whole or not at all. An earlier report
// at the path is replaced; anything else there is refused.
func (r *Report) Write(path string, formats ...Format) error {
	files, err := r.files(formats)
	if err != nil {
		return err
	}
	dir, err := durable.CreateDir(path, DataFile)
	if err != nil {
		return err
	}
	defer dir.Discard()
	for name, data := range files {
		name = filepath.Join(dir.Path(), filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(name, data, 0o666); err != nil {
			return err
		}
	}
	return dir.Commit()
}

// JSON returns all numbers of the report, as they were measured.
func (r *Report) JSON() ([]byte, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(r); err != nil {
		return nil, fmt.Errorf("cannot write the report as JSON: %w", err)
	}
	return b.Bytes(), nil
}

// files returns the contents of the report's files by their names.
func (r *Report) files(formats []Format) (map[string][]byte, error) {
	data, err := r.JSON()
	if err != nil {
		return nil, err
	}
	d := r.document()
	files := map[string][]byte{DataFile: data}
	for _, f := range formats {
		switch f {
		case HTML:
			files[PageFile] = d.page()
		case Markdown:
			text, sheets := d.markdown()
			files[MarkdownFile] = text
			for id, svg := range sheets {
				files[figureFolder+"/"+id+".svg"] = svg
			}
		case SVG:
			for _, f := range d.figures() {
				files[singleFolder+"/"+f.id+".svg"] = f.File()
			}
		case CSV:
			addTables(files, append(d.tables(), d.aside...), ".csv", table.CSV)
		case LaTeX:
			addTables(files, d.tables(), ".tex", table.LaTeX)
			files[LaTeXFile] = d.latex()
		}
	}
	return files, nil
}

func addTables(files map[string][]byte, tables []tabular, ending string, format table.Format) {
	for _, t := range tables {
		var b bytes.Buffer
		_ = t.Write(&b, format) // a buffer takes everything
		files[tableFolder+"/"+t.id+ending] = b.Bytes()
	}
}

// latex returns a document that shows all tables, each from its file.
func (d *document) latex() []byte {
	var b bytes.Buffer
	b.WriteString("\\documentclass{article}\n\\usepackage{iftex}\n\\ifPDFTeX\\usepackage[T1]{fontenc}\\usepackage[utf8]{inputenc}\\else\\usepackage{fontspec}\\fi\n")
	b.WriteString("\\usepackage{booktabs,amssymb}\n\\usepackage[landscape,margin=2cm]{geometry}\n\\setlength{\\tabcolsep}{4pt}\n\\begin{document}\n\\small\n")
	b.WriteString("\\title{" + table.EscapeLaTeX(oneLine(d.title)) + "}\n\\date{}\n\\maketitle\n")
	for _, t := range d.tables() {
		b.WriteString("\\input{" + tableFolder + "/" + t.id + "}\n\\clearpage\n")
	}
	b.WriteString("\\end{document}\n")
	return b.Bytes()
}
