package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"parley/index"
	"parley/internal/table"
)

func newIndexStatsCommand(io streams) *cobra.Command {
	return &cobra.Command{
		Use:     "stats INDEX",
		Short:   "Check an index and print its figures",
		Example: "  parley index stats mine.index",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			ix, err := index.Open(args[0])
			if err != nil {
				return err
			}
			defer ix.Close()
			return indexStats(ix).Write(io.out, tableFormat(io.out))
		},
	}
}

// indexStats returns the figures of an index.
func indexStats(ix *index.Index) *table.Table {
	used, longest := 0, 0
	for term := range uint32(ix.Vocabulary()) {
		df := ix.DF(term)
		longest = max(longest, df)
		if df > 0 {
			used++
		}
	}
	t := table.New("", "figure", "value")
	for _, row := range []struct {
		name string
		cell table.Cell
	}{
		{"passages", table.Int(ix.N())},
		{"vocabulary", table.Int(ix.Vocabulary())},
		{"terms used", table.Int(used)},
		{"postings", table.Int(ix.Size())},
		{"terms per passage", table.Float(float64(ix.Size())/float64(ix.N()), 1)},
		{"longest posting list", table.Int(longest)},
		{"bytes", table.Int(ix.Bytes())},
		{"weight of impact 1", table.Number(strconv.FormatFloat(float64(ix.Scale()), 'g', 6, 32))},
	} {
		t.Row(table.Text(row.name), row.cell)
	}
	t.Note(fmt.Sprintf("encoder: %s", ix.Encoder()))
	t.Note(fmt.Sprintf("vocabulary: %s", ix.Fingerprint()))
	return t
}
