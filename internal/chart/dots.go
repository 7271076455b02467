package chart

// Dots is a drawing of one value for each of some categories, one below the
// other: a dot where others draw a bar, since an axis of dots need not begin at
// 0.
type Dots struct {
	ID, Title, Desc string
	X               Axis
	Rows            []Row
	Reference       *Reference // a value that others are seen against; its Y is a value of X
}

// Row is a category.
type Row struct {
	Name      string
	Value     float64
	Low, High float64   // the range around Value; none where they are equal
	Seeds     []float64 // single values, shown small
	Slot      int       // as in Series
	Hint      string
}

const rowHeight = 30

// SVG implements Drawing.
func (d Dots) SVG() string { return inPage(d) }

// File implements Drawing.
func (d Dots) File() []byte { return asFile(d) }

func (d Dots) draw(style string) (string, float64) {
	names := 40.0
	for _, r := range d.Rows {
		names = max(names, min(textWidth(r.Name), 150))
	}
	left, right, top := names+22, float64(width-20), 34.0
	if d.Reference != nil {
		top += 12
	}
	bottom := top + rowHeight*float64(len(d.Rows)) + 4
	s := newScale(d.X, d.values(), left, right)
	return frame(d.ID, d.Title, d.Desc, width, bottom+42, style, func(c *canvas) {
		c.text("title", 12, 20, shorten(d.Title, (width-24)/1.12))
		d.axis(c, s, top, bottom)
		for i, r := range d.Rows {
			r.draw(c, s, names, top+rowHeight*(float64(i)+.5)+2)
		}
	})
}

func (d Dots) values() (values []float64) {
	for _, r := range d.Rows {
		if shown(r.Value, d.X.Log) {
			values = append(append(append(values, r.Value), ends(r.Low, r.High)...), r.Seeds...)
		}
	}
	if d.Reference != nil {
		values = append(values, d.Reference.Y)
	}
	return values
}

func (d Dots) axis(c *canvas, s scale, top, bottom float64) {
	for _, v := range s.ticks(5) {
		x := s.at(v)
		c.line("grid", x, top, x, bottom)
		c.text("middle", x, bottom+15, d.X.number(v))
	}
	c.line("axis", s.from, bottom, s.to, bottom)
	label := d.X.Label
	if !s.log && s.lo > 0 {
		label += " (axis does not begin at 0)"
	}
	c.text("end name", s.to, bottom+33, shorten(label, width-24))
	if r := d.Reference; r != nil && s.shows(r.Y) {
		x := s.at(r.Y)
		c.line("reference", x, top-2, x, bottom)
		half := textWidth(r.Label) * .45
		c.text("small middle", min(max(x, 12+half), width-12-half), top-6, r.Label)
	}
}

func (r Row) draw(c *canvas, s scale, names, y float64) {
	lines := wrap(r.Name, names)
	for i, line := range lines {
		c.text("name end", 12+names, y+4+13*(float64(i)-float64(len(lines)-1)/2), line)
	}
	if !s.shows(r.Value) {
		c.text("small", s.from+6, y+4, "not measured")
		return
	}
	if r.Low != r.High && finite(r.Low, r.High) {
		low, high := s.at(s.clamp(r.Low)), s.at(s.clamp(r.High))
		classes := "whisker " + stroke(r.Slot)
		c.line(classes, low, y, high, y)
		c.line(classes, low, y-3, low, y+3)
		c.line(classes, high, y-3, high, y+3)
	}
	for _, v := range r.Seeds {
		if s.shows(v) {
			c.line("seed "+stroke(r.Slot), s.at(v), y+6, s.at(v), y+10)
		}
	}
	c.marker(r.Slot, s.at(r.Value), y, r.Hint)
}
