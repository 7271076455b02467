package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"parley/internal/checkpoint"
	"parley/internal/model"
)

// modelConvert is the command line of model convert.
type modelConvert struct{ title, output string }

func newModelConvertCommand(io streams) *cobra.Command {
	var o modelConvert
	cmd := &cobra.Command{
		Use:   "convert FOLDER -o FOLDER",
		Short: "Write a model anew, so that others load it",
		Long: `Writes the encoder in FOLDER anew: weights in float32 and in one file, under the
names of transformers, with the modules of sentence-transformers and a model
card. A checkpoint without a masked-LM head gets one that changes hidden states
little, its decoder tied to the embeddings: something to train a sparse encoder
from.`,
		Example: "  parley model convert models/all-MiniLM-L6-v2 -o models/untrained-splade",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return o.run(io, args[0]) },
	}
	cmd.Flags().StringVar(&o.title, "title", "", "title of the model card")
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "write the model to the folder `FOLDER`")
	_ = cmd.MarkFlagRequired("output") // fails only if there is no such flag
	return cmd
}

func (o *modelConvert) run(io streams, path string) (err error) {
	if err := resolveModels(&path); err != nil {
		return err
	}
	folder, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer func() {
		if closed := folder.Close(); err == nil {
			err = closed
		}
	}()
	writing, err := folder.Writing()
	if err != nil {
		return err
	}
	writing.Card = checkpoint.Card{Title: o.title, Notes: folder.Notes}
	if err := checkpoint.Write(o.output, writing); err != nil {
		return err
	}
	notes := folder.Notes
	if _, err := os.Stat(filepath.Join(path, model.SpladeFile)); err == nil {
		notes = append(notes, model.SpladeFile+", what Parley keeps besides, is left behind")
	}
	for _, note := range notes {
		fmt.Fprintf(io.err, "note: %s\n", note)
	}
	_, err = fmt.Fprintln(io.out, o.output)
	return err
}
