package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"parley/collection"
	"parley/internal/table"
)

func newCollectionCheckCommand(io streams) *cobra.Command {
	var asJSON bool
	var options collection.CheckOptions
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Validate a collection, and print its statistics",
		Long: `Reads all of a collection and lists what is wrong with it, by file and line:
lines that are no JSON, of wrong types or no UTF-8, duplicate ids, gaps in turn
numbers, empty texts, judgements of unknown turns or passages. Then it prints
the statistics that a paper would.

Errors end with exit code 1, warnings do not.`,
		Example: "  parley collection check DIR\n  parley collection check DIR --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if options.Places < 1 {
				return usagef("--places is %d: list one at least", options.Places)
			}
			report, err := collection.Check(cmd.Context(), args[0], options)
			if err != nil {
				return err
			}
			write := writeReport
			if asJSON {
				write = writeReportJSON
			}
			if err := write(io.out, report); err != nil || report.Errors == 0 {
				return err
			}
			return fmt.Errorf("collection %s has %s and %s", args[0], count(report.Errors, "error"), count(report.Warnings, "warning"))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON for programs")
	cmd.Flags().IntVar(&options.Places, "places", collection.DefaultPlaces, "most places to list of each kind of mistake")
	return cmd
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

func writeReportJSON(w io.Writer, r *collection.Report) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(r)
}

// writeReport writes the findings and the tables, a blank line between them.
func writeReport(w io.Writer, r *collection.Report) error {
	if err := writeFindings(w, r); err != nil {
		return err
	}
	blank := len(r.Findings) > 0
	for _, t := range statisticsTables(&r.Statistics) {
		if blank {
			fmt.Fprintln(w)
		}
		if err := t.Write(w, tableFormat(w)); err != nil {
			return err
		}
		blank = true
	}
	return nil
}

func writeFindings(w io.Writer, r *collection.Report) error {
	for _, f := range r.Findings {
		for _, place := range f.Places {
			if _, err := fmt.Fprintf(w, "%s: %v\n", f.Severity, place); err != nil {
				return err
			}
		}
		if more := f.Count - len(f.Places); more > 0 {
			if _, err := fmt.Fprintf(w, "%s: %d more of the kind %q\n", f.Severity, more, f.Kind); err != nil {
				return err
			}
		}
	}
	return nil
}

// statisticsTables returns the statistics for people.
func statisticsTables(s *collection.Statistics) []*table.Table {
	tables := []*table.Table{sizesTable(s)}
	if len(s.Rewrites) > 0 {
		t := table.New("", "rewriter", "turns", "judged", "mean words")
		for _, r := range s.Rewrites {
			t.Row(table.Text(r.Rewriter), table.Int(r.Turns), table.Int(r.Judged), table.Float(r.Words, 1))
		}
		tables = append(tables, t)
	}
	if len(s.ByTurn) > 0 {
		t := table.New("", "turn number", "turns", "judged")
		for _, n := range s.ByTurn {
			t.Row(table.Int(n.Number), table.Int(n.Turns), table.Int(n.Judged))
		}
		tables = append(tables, t)
	}
	return tables
}

func sizesTable(s *collection.Statistics) *table.Table {
	t := table.New("", "collection", "number", "mean words")
	row := func(name string, n int, words table.Cell) { t.Row(table.Text(name), table.Int(n), words) }
	row("passages", s.Passages, table.Float(s.PassageWords, 1))
	row("conversations", s.Conversations, table.Missing())
	row("turns", s.Turns, table.Float(s.QuestionWords, 1))
	row("answers", s.Answers, table.Float(s.AnswerWords, 1))
	row("judged turns", s.JudgedTurns, table.Missing())
	row("judgements", s.Judgements, table.Missing())
	for _, g := range s.Grades {
		row(fmt.Sprintf("judgements of grade %d", g.Grade), g.Judgements, table.Missing())
	}
	if s.Conversations > 0 {
		t.Note(fmt.Sprintf("turns per conversation: %.1f on average, %d to %d", s.TurnsPerConversation.Mean, s.TurnsPerConversation.Min, s.TurnsPerConversation.Max))
	}
	if s.JudgedTurns > 0 {
		t.Note(fmt.Sprintf("relevant passages per judged turn: %.2f", s.RelevantPerTurn))
	}
	return t
}
