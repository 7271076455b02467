package main

import "github.com/spf13/cobra"

func newCollectionCommand(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "collection",
		Short: "Check, split or make up a collection",
		Long: `A collection is a folder with corpus.jsonl (passages), turns.jsonl (the turns of
conversations) and qrels.txt (judgements), each plain or compressed (.gz, .zst).
docs/collection-format.md describes it.`,
	}
	cmd.AddCommand(
		newCollectionCheckCommand(io),
		newCollectionSplitCommand(io),
		newCollectionSynthesizeCommand(io),
	)
	return cmd
}
