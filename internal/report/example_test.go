package report_test

import (
	"fmt"

	"parley/internal/report"
)

func ExampleParseFormats() {
	formats, err := report.ParseFormats("html, csv")
	fmt.Println(formats, err)
	_, err = report.ParseFormats("pdf")
	fmt.Println(err)
	// Output:
	// [html csv] <nil>
	// unknown format "pdf": use html, md, latex, csv or svg, parted by commas
}
