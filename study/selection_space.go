package study

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Space is what a selection searches: of each setting, by its dotted path in the
// plan of a training, the values that it may have.
type Space map[string]Dimension

// Dimension is the values that one setting may have: in a plan file a list, or
// low and high of a range that values are drawn from.
type Dimension struct {
	Values []any  // in the order of the list
	Range  *Range // where there is no list
}

// Range is an interval of numbers, its ends included.
type Range struct {
	Low     float64 `yaml:"low" json:"low"`
	High    float64 `yaml:"high" json:"high"`
	Scale   string  `yaml:"scale" json:"scale"`     // linear, or "", or log: equal ratios are as likely
	Integer bool    `yaml:"integer" json:"integer"` // whole numbers alone
}

// Scales of a range.
const (
	ScaleLinear = "linear"
	ScaleLog    = "log"
)

// Point is one choice of a value for each setting of a space.
type Point struct {
	Index    int       `json:"index"`    // among the points of its selection, from 0
	Settings []Setting `json:"settings"` // by path
}

// String names the point by its settings.
func (p Point) String() string {
	names := make([]string, len(p.Settings))
	for i, s := range p.Settings {
		names[i] = fmt.Sprintf("%s=%v", s.Path, s.Value)
	}
	return strings.Join(names, " ")
}

// UnmarshalYAML reads a list of values or a range.
func (d *Dimension) UnmarshalYAML(unmarshal func(any) error) error {
	var content any
	if err := unmarshal(&content); err != nil {
		return err
	}
	if _, ok := content.([]any); ok {
		return unmarshal(&d.Values)
	}
	if _, ok := content.(map[string]any); !ok {
		return errors.New("the values of a setting are a list, or {low: …, high: …}")
	}
	d.Range = &Range{Scale: ScaleLinear}
	return unmarshal(d.Range)
}

// MarshalYAML writes what UnmarshalYAML reads.
func (d Dimension) MarshalYAML() (any, error) {
	if d.Range != nil {
		return d.Range, nil
	}
	return d.Values, nil
}

// MarshalJSON writes the list or the range.
func (d Dimension) MarshalJSON() ([]byte, error) {
	content, _ := d.MarshalYAML()
	return json.Marshal(content)
}

// mostPoints bounds the points of a selection.
const mostPoints = 10_000

// validate reports the first dimension that makes no sense.
func (s Space) validate() error {
	if len(s) == 0 {
		return errors.New("names no setting: give the paths of those to choose, each with its values")
	}
	paths := s.paths()
	for i, path := range paths {
		if err := s[path].validate(); err != nil {
			return fmt.Errorf("%q: %w", path, err)
		}
		if path == "seed" || path == "validation" || strings.HasPrefix(path, "validation.") {
			return fmt.Errorf("%q cannot be chosen: it is what points are compared by", path)
		}
		for _, other := range paths[i+1:] {
			if strings.HasPrefix(other, path+".") {
				return fmt.Errorf("%q is part of %q, which is chosen too: name one of them", other, path)
			}
		}
	}
	return nil
}

func (d Dimension) validate() error {
	if d.Range != nil {
		return d.Range.validate()
	}
	if len(d.Values) == 0 {
		return errors.New("it has no values")
	}
	for i, v := range d.Values {
		for _, other := range d.Values[:i] {
			if reflect.DeepEqual(v, other) {
				return fmt.Errorf("the value %v is given twice", v)
			}
		}
	}
	return nil
}

func (r *Range) validate() error {
	whole := func(x float64) bool { return x == math.Trunc(x) && math.Abs(x) < 1<<53 }
	switch {
	case math.IsNaN(r.Low) || math.IsNaN(r.High) || math.IsInf(r.High-r.Low, 0) || r.Low >= r.High:
		return errors.New("low must be below high")
	case r.Scale != "" && r.Scale != ScaleLinear && r.Scale != ScaleLog:
		return errors.New("scale must be linear or log")
	case r.Scale == ScaleLog && r.Low <= 0:
		return errors.New("low must be above 0 on a log scale")
	case r.Integer && (!whole(r.Low) || !whole(r.High)):
		return errors.New("low and high must be whole numbers where integer is true")
	}
	return nil
}

// paths returns the paths of the settings, ascending.
func (s Space) paths() []string { return slices.Sorted(maps.Keys(s)) }

// size returns the number of points, or ok false where there are more than can
// be counted off.
func (s Space) size() (n int, ok bool) {
	n = 1
	for _, d := range s {
		values := len(d.Values)
		if d.Range != nil {
			if !d.Range.Integer || d.Range.High-d.Range.Low >= mostPoints {
				return 0, false
			}
			values = int(d.Range.High-d.Range.Low) + 1
		}
		if n *= values; n > mostPoints {
			return 0, false
		}
	}
	return n, true
}

// grid returns all points, the last path's value changing fastest. The space has
// lists only.
func (s Space) grid() []Point {
	points := []Point{{}}
	for _, path := range s.paths() {
		var more []Point
		for _, p := range points {
			for _, v := range s[path].Values {
				settings := append(slices.Clone(p.Settings), Setting{Path: path, Value: v})
				more = append(more, Point{Settings: settings})
			}
		}
		points = more
	}
	return numbered(points)
}

// draw returns n points that differ, drawn by the seed; fewer are the first of
// more.
func (s Space) draw(n int, seed uint64) ([]Point, error) {
	rng := rand.New(rand.NewPCG(0x73656c656374, seed)) // "select"
	paths := s.paths()
	seen := map[string]bool{}
	var points []Point
	for draws := 0; len(points) < n; draws++ {
		if draws > 1000+100*n {
			return nil, fmt.Errorf("select.space has hardly more than %d points: lower select.trials, or give it more values", len(points))
		}
		var p Point
		for _, path := range paths {
			p.Settings = append(p.Settings, Setting{Path: path, Value: s[path].draw(rng)})
		}
		if name := fmt.Sprintf("%#v", p.Settings); !seen[name] {
			seen[name] = true
			points = append(points, p)
		}
	}
	return numbered(points), nil
}

func numbered(points []Point) []Point {
	for i := range points {
		points[i].Index = i
	}
	return points
}

func (d Dimension) draw(rng *rand.Rand) any {
	if d.Range == nil {
		return d.Values[rng.IntN(len(d.Values))]
	}
	return d.Range.at(rng.Float64())
}

// at returns the value of the range at the share x of its way, 0 ≤ x < 1. Numbers
// that are not whole have four digits: a plan is to be read.
func (r *Range) at(x float64) any {
	low, high := r.Low, r.High
	if r.Integer { // each whole number has an equal share of the scale, as far as it can
		low, high = low-.5, high+.5
		if r.Scale == ScaleLog {
			low = max(low, r.Low/2)
		}
	}
	value := low + x*(high-low)
	if r.Scale == ScaleLog {
		value = low * math.Exp(x*math.Log(high/low))
	}
	if r.Integer {
		return int64(min(max(math.Round(value), r.Low), r.High))
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(value, 'g', 4, 64), 64)
	if err != nil {
		panic("study: a number that was written is not read: " + err.Error())
	}
	return min(max(rounded, r.Low), r.High)
}
