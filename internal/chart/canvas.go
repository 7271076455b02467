package chart

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// canvas is an SVG element as it grows.
type canvas struct {
	out           strings.Builder
	width, height float64
}

// attr is an attribute of an element.
type attr struct{ name, value string }

func class(names string) attr { return attr{"class", names} }

// length is an attribute in pixels, to a tenth.
func length(name string, v float64) attr { return attr{name, pixels(v)} }

func pixels(v float64) string {
	text := strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	if text == "-0" {
		return "0"
	}
	return text
}

// open begins an element, close ends it.
func (c *canvas) open(name string, attrs ...attr) {
	c.out.WriteByte('<')
	c.out.WriteString(name)
	for _, a := range attrs {
		c.out.WriteString(" " + a.name + `="` + escape(a.value) + `"`)
	}
	c.out.WriteByte('>')
}

func (c *canvas) close(name string) { c.out.WriteString("</" + name + ">\n") }

// element writes an element that holds a hint, or nothing.
func (c *canvas) element(name, hint string, attrs ...attr) {
	c.open(name, attrs...)
	if hint != "" {
		c.out.WriteString("<title>" + escape(hint) + "</title>")
	}
	c.close(name)
}

func (c *canvas) line(classes string, x1, y1, x2, y2 float64) {
	c.element("line", "", class(classes), length("x1", x1), length("y1", y1), length("x2", x2), length("y2", y2))
}

func (c *canvas) rect(classes, hint string, x, y, width, height float64) {
	c.element("rect", hint, class(classes), length("x", x), length("y", y), length("width", width), length("height", height))
}

func (c *canvas) text(classes string, x, y float64, text string) {
	c.open("text", class(classes), length("x", x), length("y", y))
	c.out.WriteString(escape(text))
	c.close("text")
}

// path writes a path through points.
func (c *canvas) path(classes string, points []place, closed bool) {
	var d strings.Builder
	for i, p := range points {
		if i == 0 {
			d.WriteByte('M')
		} else {
			d.WriteByte('L')
		}
		d.WriteString(pixels(p.x) + " " + pixels(p.y))
	}
	if closed {
		d.WriteByte('Z')
	}
	c.element("path", "", class(classes), attr{"d", d.String()})
}

// place is a point of the drawing, in pixels from the left and the top.
type place struct{ x, y float64 }

// marker draws the shape of a slot around (x, y): each slot has its own, so that
// it is known without its colour.
func (c *canvas) marker(slot int, x, y float64, hint string) {
	classes := "mark " + fill(slot)
	if slot > colours {
		classes = "hollow " + stroke(slot)
	}
	shape := shapes[(slot+colours-1)%colours]
	if slot == 0 {
		shape = nil
	}
	if shape == nil {
		c.element("circle", hint, class(classes), length("cx", x), length("cy", y), length("r", 4))
		return
	}
	var d strings.Builder
	for i, p := range shape {
		d.WriteByte("ML"[min(i, 1)])
		d.WriteString(pixels(x+p.x) + " " + pixels(y+p.y))
	}
	c.element("path", hint, class(classes), attr{"d", d.String() + "Z"})
}

// colours is how many colours there are; the slots beyond have them again, with
// hollow markers and other dashes.
const colours = 6

// shapes are the outlines of the markers: circle, square, triangle, diamond,
// triangle on its head, cross. All have about the area of the circle.
var shapes = [colours][]place{
	nil,
	{{-3.7, -3.7}, {3.7, -3.7}, {3.7, 3.7}, {-3.7, 3.7}},
	{{0, -5.2}, {4.8, 3.6}, {-4.8, 3.6}},
	{{0, -5.3}, {5.3, 0}, {0, 5.3}, {-5.3, 0}},
	{{0, 5.2}, {4.8, -3.6}, {-4.8, -3.6}},
	{{-1.7, -5}, {1.7, -5}, {1.7, -1.7}, {5, -1.7}, {5, 1.7}, {1.7, 1.7}, {1.7, 5}, {-1.7, 5}, {-1.7, 1.7}, {-5, 1.7}, {-5, -1.7}, {-1.7, -1.7}},
}

func fill(slot int) string   { return "f" + strconv.Itoa(colour(slot)) }
func stroke(slot int) string { return "k" + strconv.Itoa(colour(slot)) }
func dash(slot int) string   { return "d" + strconv.Itoa(slot) }

// colour returns the colour of a slot, 0 for grey.
func colour(slot int) int {
	if slot == 0 {
		return 0
	}
	return (slot-1)%colours + 1
}

// escape makes text safe between tags and within quotes.
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\uFFFE' || r == '\uFFFF' {
			return ' ' // XML has no way to write most of these
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return escaper.Replace(s)
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// textWidth estimates the width of text at 12 pixels: a drawing cannot measure
// the fonts of whoever reads it, and a little too wide does no harm.
func textWidth(s string) float64 {
	width := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune("iljtfrI.,:;|!'()[]- ", r):
			width += 4.3
		case strings.ContainsRune("mwMW@%—", r):
			width += 10.5
		case unicode.IsUpper(r):
			width += 8.4
		case r > 0x2E80: // ideographs and what comes after them
			width += 12.5
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		default:
			width += 7
		}
	}
	return width
}

// shorten cuts text to a width, marking the cut.
func shorten(s string, width float64) string {
	if textWidth(s) <= width {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && textWidth(string(runes))+9 > width {
		runes = runes[:len(runes)-1]
	}
	return strings.TrimRight(string(runes), " ") + "…"
}

// wrap breaks text at blanks into at most two lines of a width.
func wrap(s string, width float64) []string {
	if textWidth(s) <= width {
		return []string{s}
	}
	words := strings.Fields(s)
	first, used := "", 0
	for i, w := range words {
		if next := strings.TrimSpace(first + " " + w); textWidth(next) <= width {
			first, used = next, i+1
			continue
		}
		break
	}
	if used == 0 {
		return []string{shorten(s, width)}
	}
	if used == len(words) {
		return []string{first}
	}
	return []string{first, shorten(strings.Join(words[used:], " "), width)}
}

// inPage returns a drawing as an element of a page.
func inPage(d Drawing) string {
	svg, _ := d.draw("")
	return svg
}

// asFile returns a drawing as a file.
func asFile(d Drawing) []byte {
	svg, _ := d.draw(Style)
	return []byte(svg)
}

// frame writes the drawing's element around what draw draws, and returns its
// height.
func frame(id, title, desc string, width, height float64, style string, draw func(*canvas)) (string, float64) {
	height = math.Ceil(height)
	c := &canvas{width: width, height: height}
	size := pixels(width) + " " + pixels(height)
	c.open("svg", attr{"xmlns", "http://www.w3.org/2000/svg"}, class("chart"), attr{"id", id},
		attr{"viewBox", "0 0 " + size}, length("width", width), length("height", height),
		attr{"role", "img"}, attr{"aria-labelledby", id + "-title " + id + "-desc"})
	c.out.WriteByte('\n')
	for _, part := range []struct{ name, text string }{{"title", title}, {"desc", desc}} {
		c.open(part.name, attr{"id", id + "-" + part.name})
		c.out.WriteString(escape(part.text))
		c.close(part.name)
	}
	if style != "" {
		c.out.WriteString("<style>" + style + "</style>\n") // ours, no text of the data
	}
	c.rect("ground", "", 0, 0, width, height)
	draw(c)
	c.close("svg")
	return c.out.String(), height
}
