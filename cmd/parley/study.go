package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"parley/internal/table"
	"parley/study"
)

func newStudyCommand(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "study",
		Short: "Run a plan of many trainings, and see where it stands",
		Long: `A study trains the students that a plan names, each from several seeds, and
searches with them on several tests. Its folder is a ledger: a trial is there
whole or not at all, so that a study goes on where it was stopped or killed, and
several processes can share one. docs/study.md says what a plan holds.`,
		Example: "  parley study run plan.yaml -o study\n  parley study status study",
	}
	cmd.AddCommand(newStudyRunCommand(io), newStudyStatusCommand(io))
	return cmd
}

// studying says what is run, and how.
type studying struct {
	data        string
	workers     int
	retry       bool
	only        []string
	codeVersion string
	output      string
}

func newStudyRunCommand(io streams) *cobra.Command {
	var o studying
	cmd := &cobra.Command{
		Use:   "run PLAN -o DIR",
		Short: "Run the trials of a plan that its folder does not hold yet",
		Long: `Runs the trials of a plan: each trains a student, or takes none for a baseline,
and searches with it on the tests. Collections are split and indexed in DIR, and
trials share encoded texts and rankings. A trial is keyed by its resolved plan,
its data and the version of the code, so that after a change of the plan those
that still fit are kept; what DIR held for other plans stays there.

An interrupted study, even a killed one, is taken up by the same command, and
ends with the same numbers. Started twice, it is shared: each process takes
trials that the other does not run. A training that diverges is recorded as a
result, with its reason, and does not stop the others.

Of a build from a repository without changes the code version is the commit, of
another one a checksum of the program. Where a new build computes the same, give
both the same --code-version.`,
		Example: `  parley study run plan.yaml -o study
  parley study run plan.yaml --data collections -o study --workers 4
  parley study run plan.yaml -o study --only objective,frontier`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), io, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.data, "data", "", "folder that relative paths of the plan start from (default: the plan's)")
	flags.IntVar(&o.workers, "workers", 0, "trials run by so many at once; it changes no result (default: one for each processor)")
	flags.StringSliceVar(&o.only, "only", nil, "experiments whose trials are run now, and those of the baselines (default: all)")
	flags.BoolVar(&o.retry, "retry-failed", false, "run trials again that failed")
	flags.StringVar(&o.codeVersion, "code-version", "", "what stands for the version of the code in the keys of trials")
	flags.StringVarP(&o.output, "output", "o", "", "folder of the study")
	_ = cmd.MarkFlagRequired("output")
	return cmd
}

func (o *studying) run(ctx context.Context, io streams, path string) error {
	if o.workers < 0 {
		return usagef("--workers %d: it cannot be negative", o.workers)
	}
	plan, err := readStudy(path)
	if err != nil {
		return err
	}
	options := study.Options{Data: o.data, Workers: o.workers, CodeVersion: o.codeVersion, Only: o.only, RetryFailed: o.retry}
	if options.Data == "" {
		options.Data = filepath.Dir(path)
	}
	if options.Workers == 0 {
		options.Workers = runtime.GOMAXPROCS(0)
	}
	if options.CodeVersion == "" {
		if options.CodeVersion, err = codeVersion(); err != nil {
			return err
		}
	}
	var p *progress
	options.Preparing = func(what string) {
		if !*io.quiet {
			fmt.Fprintf(io.err, "study: prepare %s\n", what)
		}
	}
	options.Progress = func(now study.Progress) {
		if p == nil {
			p = io.estimated("study", int64(now.Total), "trials")
			p.Known(int64(now.Done))
		}
		p.Stand(int64(now.Done), int64(now.Total), now.Left)
		p.Note(studyNote(now))
	}
	defer func() { p.Done() }()
	summary, err := study.Run(ctx, plan, o.output, options)
	if err != nil {
		return err
	}
	p.Note("")
	p.Done()
	tellStudy(io, summary)
	return nil
}

// readStudy reads the plan of a study.
func readStudy(path string) (*study.Plan, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return study.ReadPlan(file, path)
}

// studyNote says in a few words what a study does.
func studyNote(now study.Progress) string {
	note := now.Trial
	if now.Training.Steps > 0 {
		note += fmt.Sprintf(", epoch %d loss %.4f", now.Training.Epoch.Epoch, now.Training.Epoch.Loss)
	}
	if now.Failed > 0 {
		note += fmt.Sprintf("; %d failed", now.Failed)
	}
	return note
}

// tellStudy tells what a run of a study ended with.
func tellStudy(io streams, s *study.Summary) {
	fmt.Fprintf(io.out, "%d of %s done, %d of them now\n", s.Done, count(s.Total, "trial"), s.Ran)
	for _, failed := range s.Failed {
		fmt.Fprintf(io.out, "failed: %s\n", failed)
	}
	if s.Elsewhere > 0 {
		fmt.Fprintf(io.out, "%s still run by another process\n", count(s.Elsewhere, "trial"))
	}
}

func newStudyStatusCommand(io streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status DIR",
		Short: "Tell which trials of a study are done, run and failed",
		Long: `Tells of each experiment of the study in DIR how many of its trials are done,
run at the moment (by whatever process) and failed, and how long those took that
are done. A trial of several experiments is counted in each, and once in all. Of a
selection that has not chosen yet the total is about what it will want.`,
		Example: "  parley study status study\n  parley study status study --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := study.Look(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(io.out)
				encoder.SetIndent("", " ")
				return encoder.Encode(s)
			}
			return statusTable(s).Write(io.out, tableFormat(io.out))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

func statusTable(s *study.Status) *table.Table {
	t := table.New(s.Name, "experiment", "trials", "done", "running", "failed", "time")
	row := func(name string, c study.Counted) {
		took := time.Duration(c.Seconds * float64(time.Second))
		t.Row(table.Text(name), table.Int(c.Total), table.Int(c.Done), table.Int(c.Running), table.Int(c.Failed), table.Number(short(took)))
	}
	for _, e := range s.Experiments {
		row(e.Name, e.Counted)
		if e.Chosen != "" {
			t.Note(e.Name + " chose " + e.Chosen)
		}
	}
	row("all", s.Trials)
	for _, f := range s.Failed {
		t.Note("failed: " + f.Name + ": " + strings.TrimSpace(f.Reason))
	}
	return t
}
