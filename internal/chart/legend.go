package chart

// legend names the series of a drawing, each with its marker and dash.
type legend struct {
	rows [][]Series
}

const (
	legendRow = 17
	sample    = 26 // of a line or a marker, before its name
)

// newLegend lays the names out in rows of a width.
func newLegend(series []Series, width float64) legend {
	var l legend
	room := -1.0
	for _, s := range series {
		need := sample + textWidth(s.Name) + 14
		if need > room {
			l.rows, room = append(l.rows, nil), width
		}
		last := len(l.rows) - 1
		l.rows[last] = append(l.rows[last], s)
		room -= need
	}
	return l
}

func (l legend) height() float64 {
	if len(l.rows) == 0 {
		return 0
	}
	return float64(len(l.rows))*legendRow + 4
}

func (l legend) draw(c *canvas, x, y float64) {
	for i, row := range l.rows {
		at := x
		for _, s := range row {
			s.sample(c, at, y+float64(i)*legendRow-4)
			name := shorten(s.Name, c.width-at-sample-8)
			c.text("name", at+sample, y+float64(i)*legendRow, name)
			at += sample + textWidth(name) + 14
		}
	}
}

// sample draws what the series looks like.
func (s Series) sample(c *canvas, x, y float64) {
	if s.Line {
		c.path("line "+stroke(s.Slot)+" "+dash(s.Slot), []place{{x, y}, {x + sample - 6, y}}, false)
	}
	if s.Filled {
		c.rect("area "+fill(s.Slot), "", x, y-5, sample-6, 10)
	}
	if !s.Bare {
		c.marker(s.Slot, x+(sample-6)/2, y, "")
	}
}
