package main

import "github.com/spf13/cobra"

func newModelCommand(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Fetch, inspect and convert published models, and prune what they make of queries",
		Long: `A model is a folder of a transformer's configuration, vocabulary and weights, as
the field publishes them. docs/models.md says which ones Parley reads.`,
	}
	cmd.AddCommand(newModelFetchCommand(io), newModelInspectCommand(io), newModelConvertCommand(io), newModelPruneCommand(io))
	return cmd
}
