package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
	quiet    *bool // the flag --quiet, once the command line is read
}

// usageError is a wrong command line.
type usageError struct{ error }

// usagef returns an error that ends the program with exitUsage.
func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// run is the whole program: it returns the exit code. The first interrupt asks
// the command to stop, which leaves earlier outputs whole; the second kills.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root, started := newRootCommand(streams{in: stdin, out: stdout, err: stderr})
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	return conclude(ctx, cmd, err, *started, stderr)
}

// conclude tells the user why cmd failed, if it did, and returns the exit code.
func conclude(ctx context.Context, cmd *cobra.Command, err error, started bool, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	fmt.Fprintf(stderr, "parley: %s\n", strings.TrimSpace(err.Error()))
	if errors.As(err, new(usageError)) || !started {
		fmt.Fprintf(stderr, "usage: %s\nRun \"%s --help\" for more.\n", cmd.UseLine(), cmd.CommandPath())
		return exitUsage
	}
	return exitError
}

// newRootCommand returns the tree of commands, and a place that tells whether
// a command was started: whatever fails before that is wrong usage.
func newRootCommand(io streams) (*cobra.Command, *bool) {
	io.quiet = new(bool)
	root := &cobra.Command{
		Use:   "parley",
		Short: "Conversational search with learned sparse vectors, distilled on a CPU",
		Long: `Parley distils what a query rewriter knows into a small student query encoder
over learned sparse vectors: no LLM at query time, an ordinary inverted index,
exact results in milliseconds.

Exit codes: 0 all went well, 1 the work failed or its data are bad (also when
interrupted), 2 the command line is wrong. Outputs are written whole or not at
all, so a run that failed leaves the earlier ones as they were.`,
		Example:       "  parley demo\n  parley index --help",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version(),
		Args:          unknownSubcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("parley {{.Version}}\n")
	root.SuggestionsMinimumDistance = 2
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return errors.New(parserTalk.ReplaceAllString(err.Error(), ""))
	})
	root.PersistentFlags().BoolVarP(io.quiet, "quiet", "q", false, "report no progress")
	group(root, "Start here", newDemoCommand(io))
	group(root, "Data", newCollectionCommand(io), newVocabCommand(io), newTokenizeCommand(io), newModelCommand(io))
	group(root, "Search", newEncodeCommand(io), newIndexCommand(io), newSearchCommand(io), newExplainCommand(io))
	group(root, "Train", newTrainCommand(io))
	group(root, "Measure", newEvalCommand(io), newStudyCommand(io), newReportCommand(io))
	root.AddCommand(newVersionCommand(io))
	root.SetHelpCommand(newHelpCommand())
	started := new(bool)
	for _, cmd := range root.Commands() {
		settle(cmd, started)
	}
	return root, started
}

// parserTalk is what errors about the values of flags say of the program's own
// functions.
var parserTalk = regexp.MustCompile(`strconv\.\w+: parsing "[^"]*": `)

// group adds commands under a title of their own in the root's help.
func group(root *cobra.Command, title string, cmds ...*cobra.Command) {
	if len(cmds) == 0 {
		return
	}
	root.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
	for _, cmd := range cmds {
		cmd.GroupID = title
		root.AddCommand(cmd)
	}
}

// settle makes each command under cmd note in started that its line was right,
// and gives those that only hold others the answer to a wrong name.
func settle(cmd *cobra.Command, started *bool) {
	if !cmd.Runnable() {
		cmd.SuggestionsMinimumDistance = 2
		cmd.Args = unknownSubcommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	work := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		*started = true
		if err := refuseEmpty(cmd, args); err != nil {
			return err
		}
		if err := chooseKernels(os.Getenv(kernelsVariable)); err != nil {
			return err
		}
		return work(cmd, args)
	}
	for _, sub := range cmd.Commands() {
		settle(sub, started)
	}
}

// refuseEmpty refuses arguments and flags that are empty. Most are variables of
// a shell script that are not set, and would stand for the current folder, or
// for a default that is not meant.
func refuseEmpty(cmd *cobra.Command, args []string) (err error) {
	if slices.Contains(args, "") {
		return usagef("an argument is empty: name what it stands for")
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		empty := f.Value.String() == ""
		if list, ok := f.Value.(pflag.SliceValue); ok {
			empty = len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), "")
		}
		if empty && err == nil {
			err = usagef("--%s is empty, or has an empty item: give it a value or leave it out", f.Name)
		}
	})
	return err
}

// newHelpCommand returns the library's command help, but for a wrong name, which
// it shrugs off.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err == nil {
				err = unknownSubcommand(about, rest)
			}
			if err != nil {
				return usageError{err}
			}
			return about.Help()
		},
	}
}

// unknownSubcommand refuses the arguments of a command that only holds others,
// and says which may be meant.
func unknownSubcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
		hint = fmt.Sprintf(": did you mean %s?", strings.Join(names, " or "))
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), hint)
}
