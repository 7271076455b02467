package chart_test

import (
	"fmt"
	"strings"

	"parley/internal/chart"
)

func Example() {
	c := chart.Chart{
		ID: "recall", Title: "R@100 by weight", Desc: "R@100 falls from .84 to .81",
		X: chart.Axis{Label: "weight"}, Y: chart.Axis{Label: "R@100", Share: true},
		Series: []chart.Series{{Slot: 1, Line: true, Points: []chart.Point{chart.At(0, .84), chart.At(.5, .83), chart.At(1, .81)}}},
	}
	fmt.Println(strings.Count(c.SVG(), "<circle"), "markers")
	// Output: 3 markers
}
