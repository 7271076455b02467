package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html"
	"strings"

	"parley/internal/chart"
	"parley/internal/table"
)

var (
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

// page writes the document as one HTML page that needs nothing else: neither
// files, nor a network, nor scripts to be read. Its policy forbids it to load
// anything and to run any script but the one that sorts tables.
func (d *document) page() []byte {
	p := htmlPage{}
	digest := sha256.Sum256([]byte(pageScript))
	policy := "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"
	p.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
	p.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"" + policy + "\">\n")
	p.element("title", "", d.title)
	p.raw("<style>\n" + chart.Style + pageStyle + "</style>\n</head>\n<body>\n<header>\n")
	p.element("h1", "", d.title)
	for _, line := range d.lead {
		p.element("p", "", line)
	}
	p.raw("</header>\n")
	p.contents(d.filled())
	p.raw("<main>\n")
	for _, s := range d.filled() {
		p.raw("<section id=\"" + s.id + "\">\n")
		p.element("h2", "", s.title)
		for _, b := range s.blocks {
			p.block(b)
		}
		p.raw("</section>\n")
	}
	p.raw("</main>\n<script>" + pageScript + "</script>\n</body>\n</html>\n")
	return p.Bytes()
}

type htmlPage struct{ bytes.Buffer }

// raw writes what is HTML already, and ours.
func (p *htmlPage) raw(s string) { p.WriteString(s) }

// element writes text as an element, with an id or none.
func (p *htmlPage) element(name, id, text string) {
	p.raw("<" + name)
	if id != "" {
		p.raw(` id="` + html.EscapeString(id) + `"`)
	}
	p.raw(">" + html.EscapeString(printable(text)) + "</" + name + ">\n")
}

// printable replaces what no page may hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func (p *htmlPage) contents(sections []*section) {
	p.raw("<nav aria-label=\"Contents\"><ul>\n")
	for _, s := range sections {
		p.raw("<li><a href=\"#" + s.id + "\">" + html.EscapeString(printable(s.title)) + "</a></li>\n")
	}
	p.raw("</ul></nav>\n")
}

func (p *htmlPage) block(b block) {
	switch b := b.(type) {
	case heading:
		p.element("h3", b.id, b.text)
	case paragraph:
		p.element("p", "", string(b))
	case list:
		p.list(b)
	case outline:
		p.raw("<ul class=\"outline\">\n")
		for _, f := range b {
			p.raw("<li>" + html.EscapeString(printable(f.Text)))
			if len(f.Tests) > 0 {
				p.list(f.Tests)
			}
			p.raw("</li>\n")
		}
		p.raw("</ul>\n")
	case code:
		p.raw("<pre tabindex=\"0\">" + html.EscapeString(printable(string(b))) + "</pre>\n")
	case tabular:
		_ = b.Write(p, table.HTML) // a buffer takes everything
	case figures:
		p.raw("<div class=\"figures\">\n")
		for _, f := range b {
			p.raw("<figure>" + f.SVG() + "</figure>\n")
		}
		p.raw("</div>\n")
	}
}

func (p *htmlPage) list(items []string) {
	p.raw("<ul>\n")
	for _, item := range items {
		p.element("li", "", item)
	}
	p.raw("</ul>\n")
}
