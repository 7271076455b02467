package chart

import (
	"encoding/xml"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

const hostile = `</title><script>alert(1)</script> & "q" 'a' ` + "\x00\x1b\uFFFE\xff"

// sweep is a chart with all that a chart can have.
func sweep() Chart {
	var a, b []Point
	for i, w := range []float64{0, .001, .01, .1, 1} {
		p := At(w, .8-.05*w).Spread(.004)
		p.Seeds, p.Hint = []float64{p.Y - .004, p.Y + .004}, "seed "+strconv.Itoa(i)
		a = append(a, p)
		q := At(w, .81-.09*w)
		q.XLow, q.XHigh, q.Label = w*.9, w*1.1, "w"
		b = append(b, q)
	}
	return Chart{
		ID: "sweep", Title: "R@100 by weight", Desc: "R@100 falls as the weight grows",
		X: Axis{Label: "weight", Log: true}, Y: Axis{Label: "R@100", Share: true},
		Series:     []Series{{Name: "one", Slot: 1, Points: a, Line: true}, {Name: "other", Slot: 8, Points: b, Line: true}},
		References: []Reference{{"teacher", .79}},
	}
}

func byTurn() Chart {
	var p []Point
	c := &Counts{Label: "turns"}
	for i := 1; i <= 12; i++ {
		p = append(p, At(float64(i), 20+float64(i)).Spread(float64(i)/4))
		c.X, c.N = append(c.X, float64(i)), append(c.N, 400/i)
	}
	return Chart{
		ID: "turns", Title: "L0 by turn", Desc: "L0 grows", X: Axis{Label: "turn", Whole: true}, Y: Axis{Label: "L0", Zero: true},
		Series: []Series{{Name: "student", Slot: 1, Points: p, Line: true, Band: true}}, Counts: c,
	}
}

func distribution() Chart {
	var p []Point
	for i := range 20 {
		p = append(p, At(float64(i), math.Exp(-float64((i-9)*(i-9))/30)))
	}
	return Chart{
		ID: "scores", Title: "Scores", Desc: "bell", X: Axis{Label: "score"}, Y: Axis{Label: "share of pairs", Zero: true},
		Series: []Series{{Name: "teacher", Slot: 1, Points: p, Line: true, Steps: true, Filled: true, Bare: true}},
	}
}

func samplers() Dots {
	return Dots{
		ID: "samplers", Title: "R@100 by sampler", Desc: "all alike", X: Axis{Label: "R@100", Share: true},
		Rows: []Row{
			{Name: "top", Value: .8, Low: .79, High: .81, Seeds: []float64{.79, .81}, Slot: 1, Hint: ".800"},
			{Name: "stratified over the logarithm of the rank", Value: .82, Slot: 2},
			{Name: "failed", Value: math.NaN()},
		},
		Reference: &Reference{"top", .8},
	}
}

func drawings() map[string]Drawing {
	return map[string]Drawing{"sweep": sweep(), "turns": byTurn(), "scores": distribution(), "samplers": samplers(), "sheet": Sheet{"sheet", "two and one", []Drawing{sweep(), samplers(), distribution()}}, "empty": Chart{ID: "empty", Title: "nothing"}}
}

func TestGolden(t *testing.T) {
	for name, d := range drawings() {
		path := filepath.Join("testdata", name+".svg")
		if *update {
			if err := os.WriteFile(path, d.File(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(d.File())); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// parse reads a drawing as XML: names of elements, and all text and attributes.
func parse(t testing.TB, svg string) (elements, words []string) {
	t.Helper()
	in := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := in.Token()
		if err == io.EOF {
			return elements, words
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements = append(elements, token.Name.Local)
			for _, a := range token.Attr {
				words = append(words, a.Value)
			}
		case xml.CharData:
			words = append(words, string(token))
		}
	}
}

// TestHostile asks that no text leaves its place, wherever it stands.
func TestHostile(t *testing.T) {
	c := sweep()
	c.Title, c.Desc, c.X.Label, c.Y.Label = hostile, hostile, hostile, hostile
	c.Series[0].Name, c.Series[0].Points[0].Hint, c.Series[1].Points[0].Label, c.References[0].Label = hostile, hostile, hostile, hostile
	c.Counts = &Counts{Label: hostile, X: []float64{.1}, N: []int{1}}
	d := samplers()
	d.Title, d.Desc, d.Rows[0].Name, d.Rows[0].Hint, d.Reference.Label = hostile, hostile, hostile, hostile, hostile
	for name, drawing := range map[string]Drawing{"chart": c, "dots": d} {
		elements, words := parse(t, string(drawing.File()))
		for _, e := range elements {
			if e == "script" {
				t.Errorf("%s: a script came in", name)
			}
		}
		if all := strings.Join(words, "\n"); !strings.Contains(all, "<script>alert(1)</script>") {
			t.Errorf("%s: the text is not there as it was", name)
		}
	}
}

// TestDescribed asks that those who do not see a drawing are told what it shows.
func TestDescribed(t *testing.T) {
	for name, d := range drawings() {
		svg := d.SVG()
		if _, words := parse(t, svg); !strings.Contains(strings.Join(words, "\n"), name+"-title "+name+"-desc") {
			t.Errorf("%s has no title and description", name)
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%s: places that are no numbers:\n%s", name, svg)
		}
	}
}

// TestPlaces reads markers back: their places tell the numbers they stand for.
func TestPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfNDistinct(rapid.Float64Range(-1e6, 1e6), 3, 9, rapid.ID[float64])
		xs, ys := numbers.Draw(t, "xs"), rapid.SliceOfN(rapid.Float64Range(-50, 50), 9, 9).Draw(t, "ys")
		var c Chart
		c.ID, c.Series = "c", []Series{{Slot: 1}}
		for i, x := range xs {
			c.Series[0].Points = append(c.Series[0].Points, At(x, ys[i]))
		}
		at := circles(t, c.SVG())
		if len(at) != len(xs) {
			t.Fatalf("%d markers for %d points", len(at), len(xs))
		}
		for i := range xs {
			for j := range xs {
				if xs[i] < xs[j] && at[i].x > at[j].x || ys[i] < ys[j] && at[i].y < at[j].y {
					t.Fatalf("points (%v, %v) and (%v, %v) stand at %v and %v", xs[i], ys[i], xs[j], ys[j], at[i], at[j])
				}
			}
			// Three points on a line keep their ratios, to the tenth of a pixel written.
			if got, want := (at[i].x-at[0].x)*(xs[1]-xs[0]), (at[1].x-at[0].x)*(xs[i]-xs[0]); math.Abs(got-want) > .21*(math.Abs(xs[1]-xs[0])+math.Abs(xs[i]-xs[0])) {
				t.Fatalf("x %v stands at %v", xs, at)
			}
		}
	})
}

func circles(t *rapid.T, svg string) (at []place) {
	in := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := in.Token()
		if err == io.EOF {
			return at
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			var p place
			for _, a := range e.Attr {
				v, _ := strconv.ParseFloat(a.Value, 64)
				switch a.Name.Local {
				case "cx":
					p.x = v
				case "cy":
					p.y = v
				}
			}
			at = append(at, p)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		axis   Axis
		values []float64
		want   string
	}{
		{Axis{Share: true}, []float64{.712, .748}, ".71 .72 .73 .74 .75"},
		{Axis{Zero: true}, []float64{12, 70}, "0 20 40 60"},
		{Axis{Whole: true}, []float64{1, 3}, "1 2 3"},
		{Axis{Log: true}, []float64{.1, 10}, "0.1 0.3 1 3 10"},
		{Axis{Log: true}, []float64{0, .001, 1}, "0 0.001 0.01 0.1 1"},
		{Axis{Log: true}, []float64{2.1, 2.4}, "2.1 2.2 2.3 2.4"},
		{Axis{}, []float64{-2e6, 3e6}, "−2M −1M 0 1M 2M 3M"},
		{Axis{}, []float64{1e-6, 4e-6}, "0 1e-6 2e-6 3e-6 4e-6"},
		{Axis{}, []float64{5, 5}, "4.8 4.9 5 5.1 5.2"},
	} {
		var got []string
		for _, v := range newScale(c.axis, c.values, 0, 100).ticks(6) {
			got = append(got, c.axis.number(v))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%+v over %v: %s, want %s", c.axis, c.values, s, c.want)
		}
	}
}

// TestHonest asks that an axis which begins elsewhere says so.
func TestHonest(t *testing.T) {
	c := sweep()
	const words = "does not begin at 0"
	if !strings.Contains(c.SVG(), words) || !strings.Contains(samplers().SVG(), words) {
		t.Error("an axis hides where it begins")
	}
	if strings.Contains(byTurn().SVG(), words) {
		t.Error("an axis that begins at 0 says it does not")
	}
}

func TestWrap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, room := rapid.String().Draw(t, "s"), rapid.Float64Range(30, 200).Draw(t, "room")
		lines := wrap(s, room)
		if len(lines) > 2 {
			t.Fatalf("%q: %q", s, lines)
		}
		for _, l := range lines {
			if textWidth(l) > room || utf8.ValidString(s) != utf8.ValidString(l) && utf8.ValidString(s) {
				t.Fatalf("%q: %q is wider than %v", s, l, room)
			}
		}
	})
}

func FuzzNumbers(f *testing.F) {
	f.Add(0.0, 1.0, -1.0, true, "name")
	f.Add(math.Inf(1), math.NaN(), 1e308, false, hostile)
	f.Add(5e-324, 1e-310, 1e-300, true, "")
	f.Fuzz(func(t *testing.T, a, b, c float64, log bool, name string) {
		points := []Point{At(a, b), {X: b, Y: c, XLow: a, XHigh: c, YLow: a, YHigh: b}, At(c, a)}
		chart := Chart{
			ID: "c", Title: name, X: Axis{Log: log, Label: name}, Y: Axis{Log: !log},
			Series: []Series{{Name: name, Slot: 1, Points: points, Line: true}, {Name: name, Slot: 12, Points: points, Band: true, Line: true}},
		}
		dots := Dots{ID: "d", X: Axis{Log: log}, Rows: []Row{{Name: name, Value: a, Low: b, High: c}}, Reference: &Reference{name, b}}
		for _, d := range []Drawing{chart, dots} {
			svg := d.SVG()
			parse(t, svg)
			for _, wrong := range []string{`="NaN"`, `="+Inf"`, `="-Inf"`} {
				if strings.Contains(svg, wrong) {
					t.Fatalf("%s in\n%s", wrong, svg)
				}
			}
		}
	})
}
