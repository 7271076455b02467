package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // the work failed, or its data are bad
	exitUsage = 2 // the command line is wrong
)

// streams are what a command reads from and writes to: results go to out,
// progress and messages to err.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// usageError is a wrong command line.
type usageError struct{ error }

// usagef returns an error that ends the program with exitUsage.
func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRootCommand(streams{stdin, stdout, stderr})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(stderr, "parley: %s\n", strings.TrimSuffix(err.Error(), "\n"))
	if errors.As(err, new(usageError)) || isCobraUsage(err) {
		fmt.Fprintln(stderr, "Run the command with --help for its usage.")
		return exitUsage
	}
	return exitError
}

// isCobraUsage tells the one kind of usage error that the command library
// makes itself and gives no type.
func isCobraUsage(err error) bool {
	return strings.HasPrefix(err.Error(), "unknown command ") || strings.HasPrefix(err.Error(), "required flag(s) ")
}

func newRootCommand(io streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "parley",
		Short: "Conversational search with learned sparse vectors, distilled on a CPU",
		Long: `Parley distils what a query rewriter knows into a small student query encoder
over learned sparse vectors: no LLM at query time, an ordinary inverted index,
exact results in milliseconds.`,
		Example:       "  parley demo\n  parley index --collection DIR -o INDEX",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		newVersionCommand(io),
	)
	wrapArgs(root)
	return root
}

// wrapArgs makes wrong positional arguments usage errors throughout the tree.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}
