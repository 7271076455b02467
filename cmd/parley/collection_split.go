package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"parley/collection"
	"parley/internal/table"
)

func newCollectionSplitCommand(io streams) *cobra.Command {
	var o collection.SplitOptions
	var passages, exclude, output string
	cmd := &cobra.Command{
		Use:   "split DIR -o A,B",
		Short: "Split a collection by conversation into two",
		Long: `Writes the conversations of a collection to two new ones, each with its
judgements and passages. A conversation is never torn apart. The same seed and
conversations give the same halves.

With --passages all, both halves get the whole corpus. With --passages own, a
half does not get the passages that only the other half claims, by a judgement
of one of its turns or by an answer with the same text: a student trained over
the one half's passages has then never seen those of the other. Passages that
both halves claim, or neither, go to both.`,
		Example: `  parley collection split DIR --fraction .5 --seed 1 -o train,test
  parley collection split DIR --fraction .9 --passages own --exclude overlap.txt -o train,test`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			a, b, ok := strings.Cut(output, ",")
			switch {
			case !ok || a == "" || b == "" || strings.Contains(b, ","):
				return usagef("--output is %q: name two folders, A,B", output)
			case !(o.Fraction > 0 && o.Fraction < 1):
				return usagef("--fraction is %v: it lies between 0 and 1", o.Fraction)
			case passages != string(collection.ShareAll) && passages != string(collection.ShareOwn):
				return usagef("--passages is %q: say all or own", passages)
			}
			o.Passages = collection.PassageShare(passages)
			if o.Exclude, err = readIDs(exclude); err != nil {
				return err
			}
			c, err := collection.Open(args[0])
			if err != nil {
				return err
			}
			report, err := collection.Split(cmd.Context(), c, [2]string{a, b}, o)
			if err != nil {
				return err
			}
			return splitTable(report, len(o.Exclude), exclude).Write(io.out, tableFormat(io.out))
		},
	}
	flags := cmd.Flags()
	flags.Float64Var(&o.Fraction, "fraction", .5, "share of the conversations that go to A")
	flags.Uint64Var(&o.Seed, "seed", 1, "which conversations")
	flags.StringVar(&passages, "passages", string(collection.ShareAll), "passages of each half: all or own")
	flags.StringVar(&exclude, "exclude", "", "file of conversation ids, one a line, that go to neither half")
	flags.StringVarP(&output, "output", "o", "", "the two folders to write, A,B")
	_ = cmd.MarkFlagRequired("output")
	return cmd
}

// splitTable shows the halves, and how many of the named conversations that the
// file exclude names are there.
func splitTable(r collection.SplitReport, named int, exclude string) *table.Table {
	t := table.New("", "collection", "conversations", "turns", "judgements", "passages")
	for _, h := range r.Halves {
		t.Row(table.Text(h.Dir), table.Int(h.Conversations), table.Int(h.Turns), table.Int(h.Judgements), table.Int(h.Passages))
	}
	if exclude != "" {
		t.Note(fmt.Sprintf("left out %d of the %s that %s names", r.Excluded, count(named, "conversation"), exclude))
	}
	return t
}
