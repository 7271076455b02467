package report

import (
	"strconv"
	"strings"

	"parley/internal/chart"
	"parley/internal/table"
)

// document is a report in words, tables and figures, before it is written in
// a format. All its text is plain: each format escapes it.
type document struct {
	title    string
	lead     []string // what the study is, in a few lines
	sections []*section
	aside    []tabular // tables for programs alone: too long to be read
	ids      ids
}

// section is a part of a document under a heading.
type section struct {
	id, title string
	blocks    []block
}

// block is a part of a section: one of the types below.
type block interface{ isBlock() }

type (
	heading   struct{ id, text string }
	paragraph string
	list      []string
	outline   []Finding
	code      string // a file's text
	tabular   struct {
		id string
		*table.Table
	}
	figures []figure // shown side by side where there is room
)

// figure is a drawing with its file's name and what it shows, in words.
type figure struct {
	id, alt string
	chart.Drawing
}

func (heading) isBlock()   {}
func (paragraph) isBlock() {}
func (list) isBlock()      {}
func (outline) isBlock()   {}
func (code) isBlock()      {}
func (tabular) isBlock()   {}
func (figures) isBlock()   {}

// section begins a section. Only those that get blocks are written.
func (d *document) section(title string) *section {
	s := &section{id: d.ids.next(title), title: title}
	d.sections = append(d.sections, s)
	return s
}

// add adds blocks, but for figures without any.
func (s *section) add(blocks ...block) {
	for _, b := range blocks {
		if f, ok := b.(figures); !ok || len(f) > 0 {
			s.blocks = append(s.blocks, b)
		}
	}
}

// say adds a paragraph.
func (s *section) say(text string) { s.add(paragraph(text)) }

// filled returns the sections that hold something.
func (d *document) filled() []*section {
	var filled []*section
	for _, s := range d.sections {
		if len(s.blocks) > 0 {
			filled = append(filled, s)
		}
	}
	return filled
}

// tables returns all tables, in order.
func (d *document) tables() []tabular {
	var all []tabular
	for _, s := range d.sections {
		for _, b := range s.blocks {
			if t, ok := b.(tabular); ok {
				all = append(all, t)
			}
		}
	}
	return all
}

// figures returns all figures, in order.
func (d *document) figures() []figure {
	var all []figure
	for _, s := range d.sections {
		for _, b := range s.blocks {
			if f, ok := b.(figures); ok {
				all = append(all, f...)
			}
		}
	}
	return all
}

// ids hands out names for parts of a page and for files: letters, digits and
// hyphens, each once, made of the words given.
type ids map[string]bool

// longest bounds the length of an id, which is a file's name too.
const longest = 80

func (used ids) next(words ...string) string {
	base := slug(strings.Join(words, " "))
	id := base
	for n := 2; used[id]; n++ {
		id = base + "-" + strconv.Itoa(n)
	}
	used[id] = true
	return id
}

// slug makes words an id: lower case, all but letters and digits of ASCII one
// hyphen.
func slug(words string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(words) {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == longest {
			break
		}
	}
	id := strings.TrimSuffix(b.String(), "-")
	if id == "" || '0' <= id[0] && id[0] <= '9' {
		return strings.TrimSuffix("part-"+id, "-")
	}
	return id
}
