package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"parley/distill"
)

// trainingRun says how a training is run, whatever is trained.
type trainingRun struct {
	planFile string
	exclude  string
	seed     uint64
	epochs   int
	workers  int
	restart  bool
	every    time.Duration
	output   string
}

// flags declares the flags of a run; what the seed sets and how many epochs there
// are by default is said by the command.
func (r *trainingRun) flags(flags *pflag.FlagSet, seeded, epochs string) {
	flags.StringVar(&r.planFile, "plan", "", "plan file (YAML); other flags go before it")
	flags.StringVar(&r.exclude, "exclude", "", "file of conversation ids to leave out, one a line")
	flags.IntVar(&r.epochs, "epochs", 0, epochs)
	flags.Uint64Var(&r.seed, "seed", 0, "seed of "+seeded+" (default 1)")
	flags.IntVar(&r.workers, "workers", 0, "goroutines; they change no result (default: one for each processor)")
	flags.BoolVar(&r.restart, "restart", false, "drop the checkpoint of an interrupted training")
	flags.DurationVar(&r.every, "checkpoint-every", 0, "how much work an interruption may cost (default 15s, more where checkpoints are large)")
	flags.StringVarP(&r.output, "output", "o", "", "folder of the model")
}

// check refuses flags whose values make no sense in any plan.
func (r *trainingRun) check(given func(flag string) bool) error {
	switch {
	case r.workers < 0:
		return usagef("--workers %d: it cannot be negative", r.workers)
	case r.every <= 0 && given("checkpoint-every"):
		return usagef("--checkpoint-every %v: it must be more than 0, such as 15s", r.every)
	case r.epochs < 0:
		return usagef("--epochs %d: it cannot be negative", r.epochs)
	}
	return nil
}

// options returns the run's options, the checkpoint dropped that is not wanted.
func (r *trainingRun) options() (distill.Options, error) {
	o := distill.Options{Workers: r.workers, Checkpoint: filepath.Clean(r.output) + ".checkpoint", CheckpointEvery: r.every}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if r.restart {
		if err := os.Remove(o.Checkpoint); err != nil && !errors.Is(err, os.ErrNotExist) {
			return o, err
		}
	}
	return o, nil
}

// require refuses a command line without the given flags. It is asked after
// --print-plan, which needs none.
func require(cmd *cobra.Command, flags ...string) error {
	for _, flag := range flags {
		_ = cmd.MarkFlagRequired(flag) // fails only if there is no such flag
	}
	if err := cmd.ValidateRequiredFlags(); err != nil {
		return usageError{err}
	}
	return nil
}

// tellEarlyEnd tells of a training whose patience ended before its epochs.
func tellEarlyEnd(io streams, seen, epochs, patience int) {
	if seen < epochs {
		fmt.Fprintf(io.out, "ended after %d of %d epochs: %s in a row, none better than the best\n", seen, epochs, count(patience, "look"))
	}
}
