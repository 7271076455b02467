package chart

// Sheet is several drawings as one, two side by side.
type Sheet struct {
	ID, Title string
	Drawings  []Drawing
}

// columns is how many drawings of a sheet stand side by side.
const columns = 2

// SVG implements Drawing.
func (s Sheet) SVG() string { return inPage(s) }

// File implements Drawing.
func (s Sheet) File() []byte { return asFile(s) }

func (s Sheet) draw(style string) (string, float64) {
	parts, tops := make([]string, len(s.Drawings)), make([]float64, len(s.Drawings))
	top, tallest := 0.0, 0.0
	for i, d := range s.Drawings {
		if i%columns == 0 {
			top, tallest = top+tallest, 0
		}
		svg, height := d.draw("")
		parts[i], tops[i], tallest = svg, top, max(tallest, height)
	}
	across := min(columns, max(len(s.Drawings), 1))
	return frame(s.ID, s.Title, s.Title, float64(across*width), top+tallest, style, func(c *canvas) {
		for i, svg := range parts {
			c.open("g", attr{"transform", "translate(" + pixels(float64(i%columns*width)) + " " + pixels(tops[i]) + ")"})
			c.out.WriteString(svg) // ours, escaped where it was drawn
			c.close("g")
		}
	})
}
