package chart

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Sizes of a drawing, in pixels. At this width its text can be read on a phone,
// and two drawings stand side by side on a desk.
const (
	width      = 420
	plotHeight = 190
	countsRoom = 44
)

// plot is a chart while it is drawn: the canvas, the frame of the axes, and
// their scales.
type plot struct {
	*canvas
	Chart
	left, right, top, bottom float64
	x, y                     scale
	empty                    bool
}

// SVG implements Drawing.
func (c Chart) SVG() string { return inPage(c) }

// File implements Drawing.
func (c Chart) File() []byte { return asFile(c) }

func (c Chart) draw(style string) (string, float64) {
	legend := newLegend(c.named(), width-24)
	p := plot{Chart: c, left: 52, right: width - 16, top: 46 + legend.height()}
	p.bottom = p.top + plotHeight
	if c.labelled() {
		p.right -= 8
	}
	p.setScales()
	height := p.bottom + 42
	if c.Counts != nil {
		height += countsRoom
	}
	return frame(c.ID, c.Title, c.Desc, width, height, style, func(v *canvas) {
		p.canvas = v
		v.text("title", 12, 20, shorten(c.Title, (width-24)/1.12))
		legend.draw(v, 12, 40)
		p.axes()
		p.references()
		for _, s := range c.Series {
			p.under(s)
		}
		for _, s := range c.Series {
			p.over(s)
		}
		if c.Counts != nil {
			p.counts(*c.Counts)
		}
		if p.empty {
			v.text("middle", (p.left+p.right)/2, (p.top+p.bottom)/2, "nothing was measured")
		}
	})
}

// named returns the series for the legend: none where one stands alone, since
// the title says what it is.
func (c Chart) named() []Series {
	if len(c.Series) < 2 {
		return nil
	}
	return c.Series
}

func (c Chart) labelled() bool {
	for _, s := range c.Series {
		for _, p := range s.Points {
			if p.Label != "" {
				return true
			}
		}
	}
	return false
}

// setScales gives each axis the range of all that is shown over it.
func (p *plot) setScales() {
	var xs, ys []float64
	for _, s := range p.Series {
		for _, q := range s.Points {
			if !shown(q.X, p.X.Log) || !shown(q.Y, p.Y.Log) {
				continue
			}
			xs = append(append(xs, q.X), ends(q.XLow, q.XHigh)...)
			ys = append(append(ys, q.Y), ends(q.YLow, q.YHigh)...)
			ys = append(ys, q.Seeds...)
		}
	}
	p.empty = len(xs) == 0
	for _, r := range p.References {
		ys = append(ys, r.Y)
	}
	p.x = newScale(p.X, xs, p.left, p.right)
	p.y = newScale(p.Y, ys, p.bottom, p.top)
}

// ends returns the ends of a range, if it is one.
func ends(low, high float64) []float64 {
	if low == high {
		return nil
	}
	return []float64{low, high}
}

// axes draws the grid, the frame, the ticks and the names of the axes.
func (p *plot) axes() {
	for _, v := range p.y.ticks(6) {
		y := p.y.at(v)
		p.line("grid", p.left, y, p.right, y)
		p.text("end", p.left-6, y+4, p.Y.number(v))
	}
	p.line("axis", p.left, p.bottom, p.right, p.bottom)
	free := p.left - 20
	for _, v := range p.x.ticks(8) {
		x, label := p.x.at(v), p.X.number(v)
		p.line("axis", x, p.bottom, x, p.bottom+4)
		if half := textWidth(label) / 2; x-half > free {
			p.text("middle", math.Min(x, width-half-2), p.bottom+17, label)
			free = x + half + 4
		}
	}
	if p.x.apart {
		p.apart()
	}
	below := p.bottom + 34
	p.text("middle name", (p.left+p.right)/2, below, shorten(p.X.Label+logarithmic(p.X), p.right-p.left))
	p.text("small", p.left, p.top-7, shorten(p.Y.Label+p.start(), (p.right-p.left)*1.1))
}

// apart marks where the axis of X breaks between its 0 and the rest.
func (p *plot) apart() {
	x := (p.x.zero + p.x.from) / 2
	p.rect("ground", "", x-3, p.bottom-2, 6, 4)
	p.line("axis", x-5, p.bottom+4, x-1, p.bottom-4)
	p.line("axis", x+1, p.bottom+4, x+5, p.bottom-4)
}

// start says where the axis of Y begins, if a reader would think at 0.
func (p *plot) start() string {
	if !p.y.log && p.y.lo > 0 {
		return " (axis does not begin at 0)"
	}
	return logarithmic(p.Y)
}

func logarithmic(a Axis) string {
	if a.Log {
		return " (logarithmic)"
	}
	return ""
}

// references draws the lines and names them at the left: those that lie close
// together once, above the first of them or, where there is no room, below the
// last.
func (p *plot) references() {
	lines := slices.DeleteFunc(slices.Clone(p.References), func(r Reference) bool { return !p.y.shows(r.Y) })
	slices.SortStableFunc(lines, func(a, b Reference) int { return cmp.Compare(b.Y, a.Y) })
	for len(lines) > 0 {
		first := p.y.at(lines[0].Y)
		last, names := first, []string{}
		for len(lines) > 0 && p.y.at(lines[0].Y) < last+nameRoom+2 {
			last = p.y.at(lines[0].Y)
			p.line("reference", p.left, last, p.right, last)
			names, lines = append(names, lines[0].Label), lines[1:]
		}
		at := first - 4
		if at-nameRoom < p.top {
			at = last + nameRoom - 1
		}
		p.referenceName(shorten(strings.Join(names, ", "), p.right-p.left), at)
	}
}

// referenceName writes the name of a line at the end where fewer points are in
// its way, the left where it makes no difference.
func (p *plot) referenceName(name string, y float64) {
	wide := textWidth(name) + 8
	left, right := 0, 0
	for _, s := range p.Series {
		_, places := p.shown(s)
		for _, q := range places {
			if q.y < y-nameRoom-4 || q.y > y+6 {
				continue
			}
			if q.x < p.left+wide {
				left++
			}
			if q.x > p.right-wide {
				right++
			}
		}
	}
	if right < left {
		p.text("small halo end", p.right-4, y, name)
		return
	}
	p.text("small halo", p.left+4, y, name)
}

// nameRoom is the height of a small line of text.
const nameRoom = 12

// shown returns the points of a series that have a place.
func (p *plot) shown(s Series) (points []Point, places []place) {
	for _, q := range s.Points {
		if p.x.shows(q.X) && p.y.shows(q.Y) {
			points = append(points, q)
			places = append(places, place{p.x.at(q.X), p.y.at(q.Y)})
		}
	}
	return points, places
}

// under draws what lies below lines and markers: areas, bands, whiskers.
func (p *plot) under(s Series) {
	points, places := p.shown(s)
	if len(places) == 0 {
		return
	}
	if s.Filled {
		outline := stepped(places, s.Steps)
		outline = append(outline, place{outline[len(outline)-1].x, p.bottom}, place{outline[0].x, p.bottom})
		p.path("area "+fill(s.Slot), outline, true)
	}
	if s.Band {
		p.band(s, points, places)
		return
	}
	for i, q := range points {
		if q.YLow != q.YHigh && finite(q.YLow, q.YHigh) {
			p.whisker(s.Slot, places[i].x, p.y.at(p.y.clamp(q.YLow)), p.y.at(p.y.clamp(q.YHigh)))
		}
		if q.XLow != q.XHigh && finite(q.XLow, q.XHigh) {
			p.line(p.whiskers(s.Slot), p.x.at(p.x.clamp(q.XLow)), places[i].y, p.x.at(p.x.clamp(q.XHigh)), places[i].y)
		}
	}
}

func (p *plot) band(s Series, points []Point, places []place) {
	outline := make([]place, 0, 2*len(points))
	for i, q := range points {
		outline = append(outline, place{places[i].x, p.y.at(p.y.clamp(q.YHigh))})
	}
	for i := len(points) - 1; i >= 0; i-- {
		outline = append(outline, place{places[i].x, p.y.at(p.y.clamp(points[i].YLow))})
	}
	p.path("area "+fill(s.Slot), outline, true)
}

// crowded is the number of series from which whiskers stand back.
const crowded = 5

// whiskers returns the classes of a slot's whiskers.
func (p *plot) whiskers(slot int) string {
	classes := "whisker " + stroke(slot)
	if len(p.Series) >= crowded {
		classes += " faint"
	}
	return classes
}

// whisker draws a range in Y with its ends.
func (p *plot) whisker(slot int, x, low, high float64) {
	classes := p.whiskers(slot)
	p.line(classes, x, low, x, high)
	p.line(classes, x-3, low, x+3, low)
	p.line(classes, x-3, high, x+3, high)
}

// over draws lines, seeds, markers and labels.
func (p *plot) over(s Series) {
	points, places := p.shown(s)
	if s.Line && len(places) > 1 {
		p.path("line "+stroke(s.Slot)+" "+dash(s.Slot), stepped(places, s.Steps), false)
	}
	for i, q := range points {
		for _, v := range q.Seeds {
			if p.y.shows(v) {
				y := p.y.at(v)
				p.line("seed "+stroke(s.Slot), places[i].x+6, y, places[i].x+10, y)
			}
		}
		if !s.Bare {
			p.marker(s.Slot, places[i].x, places[i].y, q.Hint)
		}
	}
	for i, q := range points {
		if q.Label != "" {
			p.label(q.Label, places[i])
		}
	}
}

// label writes beside a point, on the side that has room.
func (p *plot) label(text string, at place) {
	if at.x+8+textWidth(text)*.9 > p.right {
		p.text("small halo end", at.x-8, at.y-5, text)
		return
	}
	p.text("small halo", at.x+7, at.y-5, text)
}

// stepped returns the corners of the steps through places, or the places.
func stepped(places []place, steps bool) []place {
	if !steps {
		return append([]place(nil), places...)
	}
	corners := places[:1:1]
	for i := 1; i < len(places); i++ {
		corners = append(corners, place{places[i].x, places[i-1].y}, places[i])
	}
	return corners
}

// counts draws the strip of bars below the axis.
func (p *plot) counts(c Counts) {
	top, bottom := p.bottom+56, p.bottom+42+countsRoom-6
	most := 0
	for _, n := range c.N {
		most = max(most, n)
	}
	p.line("axis", p.left, bottom, p.right, bottom)
	p.text("small end", p.left-6, bottom, c.Label)
	free := p.left - 20
	for i, n := range c.N {
		if !p.x.shows(c.X[i]) || n <= 0 {
			continue
		}
		x, height := p.x.at(c.X[i]), (bottom-top)*float64(n)/float64(most)
		label := short(float64(n))
		p.rect("bar", p.X.number(c.X[i])+": "+label, x-4, bottom-height, 8, height)
		if half := textWidth(label) * .44; x-half > free {
			p.text("small middle halo", x, bottom-height-2, label)
			free = x + half + 2
		}
	}
}
