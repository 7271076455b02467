package main

import (
	"github.com/spf13/cobra"

	"parley/collection"
)

func newCollectionSynthesizeCommand(io streams) *cobra.Command {
	var options collection.SynthesisOptions
	var dir string
	cmd := &cobra.Command{
		Use:   "synthesize -o DIR",
		Short: "Make up a collection of any size",
		Long: `Makes up a small world of towns, people, companies, works, clubs, animals and
machines, with passages about them, conversations, two rewriters (human, and
machine, which makes mistakes) and judgements. The same seed and sizes give the
same files everywhere.`,
		Example: "  parley collection synthesize -o world\n  parley collection synthesize --passages 1000000 --conversations 100 --seed 7 -o large",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if options.Passages < 1 || options.Conversations < 1 {
				return usagef("--passages and --conversations must be positive")
			}
			s, err := collection.Synthesise(options)
			if err != nil {
				return usageError{err}
			}
			p := io.progress("synthesize", int64(options.Passages), "passages")
			defer p.Done()
			return s.Write(cmd.Context(), dir, func() { p.Add(1) })
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&options.Passages, "passages", collection.DefaultPassages, "number of passages")
	flags.IntVar(&options.Conversations, "conversations", collection.DefaultConversations, "number of conversations")
	flags.Uint64Var(&options.Seed, "seed", 1, "which world")
	flags.StringVarP(&dir, "output", "o", "", "folder to write")
	_ = cmd.MarkFlagRequired("output")
	return cmd
}
