package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"parley/internal/report"
	"parley/study"
)

func newReportCommand(io streams) *cobra.Command {
	var output, names string
	var asJSON, noTimes bool
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Show a study as a page, tables and figures",
		Long: `Reads the folder of a study and writes a report of what is done so far: tables
with deviations over seeds and tests of significance, sweeps, frontiers, what
changes by turn, costs, examples of queries, and how to repeat it all.

The page, report.html, needs nothing else: no network, no files beside it, and
no script to be read. Markdown has its figures beside it; LaTeX and CSV are a
file a table, SVG one a figure. report.json holds all numbers as they were
measured; everything else shows them rounded.

Without times (--no-times) the report depends on nothing but what was measured:
two runs of one study give the same bytes.`,
		Example: `  parley report STUDY
  parley report STUDY -o paper --format latex,svg
  parley report STUDY --json --no-times > numbers.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			formats, err := report.ParseFormats(names)
			if err != nil {
				return usagef("--format: %v", err)
			}
			if asJSON && (cmd.Flags().Changed("output") || cmd.Flags().Changed("format")) {
				return usagef("--json writes to standard output alone: leave out --output and --format")
			}
			results, err := study.Load(args[0])
			if err != nil {
				return err
			}
			made, err := report.New(results, !noTimes)
			if err != nil {
				return err
			}
			if asJSON {
				data, err := made.JSON()
				if err == nil {
					_, err = io.out.Write(data)
				}
				return err
			}
			if output == "" {
				output = filepath.Join(args[0], "report")
			}
			return writeStudyReport(io, made, output, formats)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "", "folder to write, new or of an earlier report (default DIR/report)")
	flags.StringVar(&names, "format", "html,md,latex,csv,svg", "what to write, parted by commas: html, md, latex, csv, svg")
	flags.BoolVar(&asJSON, "json", false, "write all numbers as JSON for programs, and no files")
	flags.BoolVar(&noTimes, "no-times", false, "leave out times, which no other run repeats")
	return cmd
}

// writeStudyReport writes the files and prints what was found.
func writeStudyReport(io streams, r *report.Report, output string, formats []report.Format) error {
	if err := r.Write(output, formats...); err != nil {
		return err
	}
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(f.String())
	}
	fmt.Fprintf(&b, "report: %s\n", output)
	_, err := fmt.Fprint(io.out, b.String())
	return err
}
