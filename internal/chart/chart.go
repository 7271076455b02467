// Package chart draws small charts as SVG: lines over two axes with their
// spread, scattered points, distributions, and dots by category.
//
// Its guarantee: a drawing depends on its data alone, byte for byte, shows each
// point at its place that is finite and no larger than 10^15, and says in words
// where an axis does not begin at 0. No text of the data can leave its place: everything is escaped.
//
// It is hand-written rather than drawn by a plotting library because the
// drawings stand within a page: they take its light or dark colours by CSS
// custom properties, shrink to a phone with text that can still be read, carry
// titles and descriptions for screen readers, are told apart by shapes and
// dashes where colours are not seen, and weigh a few kilobytes. The library at
// hand (gonum/plot) fixes fonts and colours in the drawing.
//
// It computes no statistics: means, spreads and bands come in as numbers.
package chart

import (
	_ "embed"
	"math"
)

// Drawing is what can be shown as a figure.
type Drawing interface {
	// SVG returns the drawing as an element for a page that has Style in it.
	SVG() string
	// File returns the drawing as a file of its own, which brings its style along.
	File() []byte

	// draw returns the drawing with the style in it, and its height.
	draw(style string) (svg string, height float64)
}

// Chart is a drawing over two axes of numbers.
type Chart struct {
	ID    string // begins the ids in the drawing: another for each of a page, of letters, digits and hyphens
	Title string
	Desc  string // what the chart shows, in words, for those who do not see it
	X, Y  Axis

	Series     []Series
	References []Reference
	Counts     *Counts
}

// Axis says how a range of numbers is shown. The zero value is a linear axis
// over what there is.
type Axis struct {
	Label string
	Log   bool // logarithmic; a 0 stands apart at its low end, negative numbers are left out
	Zero  bool // begins at 0; for linear axes
	Whole bool // ticks at whole numbers alone
	Share bool // numbers between -1 and 1 are written without the zero before the point
}

// Series is a set of points that belong together.
type Series struct {
	Name   string
	Slot   int // colour, shape and dash, from 1 to Slots; 0: grey
	Points []Point

	Line   bool // points are joined, in their order
	Steps  bool // joined by steps, level from each point to the next
	Filled bool // the area down to the low end of the axis is tinted
	Bare   bool // points have no marker
	Band   bool // the range in Y is a tinted band; otherwise ranges are whiskers
}

// Slots is how many series can be told apart by colour, shape and dash.
const Slots = 2 * colours

// Point is a place with the ranges around it. A range is left out where both
// its ends are equal.
type Point struct {
	X, Y        float64
	XLow, XHigh float64
	YLow, YHigh float64
	Seeds       []float64 // single values of Y, shown small
	Label       string    // written beside the point
	Hint        string    // shown where a pointer rests on it
}

// At returns a point without ranges.
func At(x, y float64) Point { return Point{X: x, Y: y, XLow: x, XHigh: x, YLow: y, YHigh: y} }

// Spread returns the point with a range of so much to both sides in Y.
func (p Point) Spread(d float64) Point {
	p.YLow, p.YHigh = p.Y-d, p.Y+d
	return p
}

// Reference is a value of Y that others are seen against, drawn across.
type Reference struct {
	Label string
	Y     float64
}

// Counts is a strip of bars below the axis of X: how many things each point is
// about.
type Counts struct {
	Label string
	X     []float64
	N     []int
}

// Style is the style sheet of the drawings, for the page they stand in.
//
//go:embed chart.css
var Style string

func finite(v ...float64) bool {
	for _, v := range v {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
