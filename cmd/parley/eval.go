package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"parley/internal/table"
	"parley/measure"
	"parley/trec"
)

// evalOptions are the flags of parley eval as they were given.
type evalOptions struct {
	measures, by, turns, format string
	topics                      string
	test, correction, cluster   string
	turnsFromIDs, each          bool
	json, intervals, costs      bool
	level                       int
	alpha, confidence           float64
	seed                        uint64
}

const evalMeasures = "nDCG@3,RR,R@10,R@100"

func newEvalCommand(io streams) *cobra.Command {
	var o evalOptions
	cmd := &cobra.Command{
		Use:   "eval QRELS RUN...",
		Short: "Score runs against judgements, and compare them with the first",
		Long: `Scores each RUN, a file in the TREC format, against QRELS, a qrels file or a
collection's folder, with the digits of trec_eval 10 under -c: a judged turn
that is missing from a run scores 0.

The systems after the first are compared with the first, turn by turn: ▲ and ▼
mark those significantly above and below it. Several runs of one system, such
as those of students trained from different seeds, are given as one RUN:
NAME=FILE,FILE,... Each turn then counts with its mean over the runs, and the
deviation of the runs from each other is shown in a line of its own.`,
		Example: `  parley eval COLLECTION last.run history.run student.run
  parley eval COLLECTION last.run student=s1.run,s2.run,s3.run --by turn
  parley eval qrels.txt student.run --format trec_eval --each --level 2`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := newEval(o, cmd.Flags().Changed("measures"), args)
			if err != nil {
				return err
			}
			return e.run(cmd.Context(), io)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.measures, "measures", "m", evalMeasures, "measures in the notation of ir_measures, parted by blanks or commas")
	f.IntVarP(&o.level, "level", "l", 1, "lowest grade that counts as relevant, where a measure does not name its own")
	f.StringVar(&o.topics, "topics", "", "file whose lines begin with the topics to score, such as a list, a run or qrels (default all that are judged)")
	f.StringVar(&o.by, "by", "", "show the scores apart: by turn (number in the conversation) or by topic")
	f.StringVar(&o.turns, "turns", "", "collection whose turns give the turn numbers and conversations (default QRELS where that is a collection)")
	f.BoolVar(&o.turnsFromIDs, "turns-from-ids", false, "take the turn number from the end of the id, CONVERSATION_NUMBER")
	f.StringVar(&o.test, "test", "t", "paired test: t or randomisation")
	f.StringVar(&o.correction, "correction", "holm", "correction for the comparisons of a measure: holm, bonferroni or none")
	f.Float64Var(&o.alpha, "alpha", .05, "level of significance of the marks")
	f.BoolVar(&o.intervals, "intervals", false, "show bootstrap confidence intervals (BCa, 10,000 resamples)")
	f.Float64Var(&o.confidence, "confidence", .95, "probability of the intervals")
	f.StringVar(&o.cluster, "cluster", "turn", "what the bootstrap draws: turn or conversation")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the bootstrap and the randomisation test")
	f.BoolVar(&o.costs, "costs", false, "show what the queries cost, from the RUN.cost.json that parley search writes")
	f.StringVar(&o.format, "format", "plain", "plain, boxed, markdown, csv or trec_eval")
	f.BoolVar(&o.each, "each", false, "with --format trec_eval: also print every topic, like its -q")
	f.BoolVar(&o.json, "json", false, "write JSON for programs")
	return cmd
}

// eval is the command with its options resolved.
type eval struct {
	evalOptions
	measures []measure.Measure
	format   table.Format
	asTrec   bool
	compare  measure.CompareOptions
	qrels    string
	systems  []evalSystem
}

// evalSystem is what one RUN argument names.
type evalSystem struct {
	name  string
	paths []string
	costs []*costs // of each run, where they are asked for
}

func newEval(o evalOptions, chosen bool, args []string) (*eval, error) {
	e := &eval{evalOptions: o, qrels: args[0], asTrec: o.format == "trec_eval"}
	for _, resolve := range []func() error{
		e.checkValues,
		e.checkCombinations,
		func() error { return e.parseNames(chosen) },
		func() (err error) { e.systems, err = parseSystems(args[1:]); return err },
	} {
		if err := resolve(); err != nil {
			return nil, usageError{err}
		}
	}
	if e.asTrec && (len(e.systems) > 1 || len(e.systems[0].paths) > 1) {
		return nil, usagef("--format trec_eval takes one run: run it once for each")
	}
	e.compare.Seed = e.seed
	return e, nil
}

func (e *eval) checkValues() error {
	switch {
	case e.level < 1:
		return fmt.Errorf("--level is %d: it is a grade from 1", e.level)
	case !(0 < e.alpha && e.alpha < 1):
		return fmt.Errorf("--alpha is %v: it lies between 0 and 1", e.alpha)
	case !(0 < e.confidence && e.confidence < 1):
		return fmt.Errorf("--confidence is %v: it lies between 0 and 1", e.confidence)
	case e.by != "" && e.by != "turn" && e.by != "topic":
		return fmt.Errorf("--by is %q: say turn or topic", e.by)
	case e.cluster != "turn" && e.cluster != "conversation":
		return fmt.Errorf("--cluster is %q: say turn or conversation", e.cluster)
	}
	return nil
}

func (e *eval) checkCombinations() error {
	switch {
	case e.each && !e.asTrec:
		return errors.New("--each belongs to --format trec_eval: say --by topic for a table")
	case e.asTrec && (e.by != "" || e.json || e.intervals || e.costs):
		return errors.New("--format trec_eval goes with none of --by, --json, --intervals and --costs")
	case e.by == "topic" && !e.json && (e.intervals || e.costs):
		return errors.New("--by topic shows single scores, with neither --intervals nor --costs")
	case e.cluster == "conversation" && !e.intervals:
		return errors.New("--cluster says how --intervals are drawn: say --intervals too")
	case e.turns != "" && e.turnsFromIDs:
		return errors.New("--turns and --turns-from-ids exclude each other")
	case (e.turns != "" || e.turnsFromIDs) && e.by != "turn" && e.cluster != "conversation":
		return errors.New("turn numbers are for --by turn and --cluster conversation alone")
	}
	return nil
}

func (e *eval) parseNames(chosen bool) (err error) {
	if e.asTrec && !chosen {
		e.measures = measure.TrecEvalDefault()
	} else if e.measures, err = measure.ParseList(e.evalOptions.measures); err != nil {
		return fmt.Errorf("--measures: %w", err)
	}
	if e.compare.Test, err = measure.ParseTest(e.test); err != nil {
		return fmt.Errorf("--test: %w", err)
	}
	if e.compare.Correction, err = measure.ParseCorrection(e.correction); err != nil {
		return fmt.Errorf("--correction: %w", err)
	}
	if !e.asTrec {
		if e.format, err = table.ParseFormat(e.evalOptions.format); err != nil {
			return fmt.Errorf("--format is %q: say plain, boxed, markdown, csv or trec_eval", e.evalOptions.format)
		}
	}
	return nil
}

// parseSystems reads RUN arguments: FILE, or NAME=FILE,FILE,... where no file
// has that whole name.
func parseSystems(args []string) ([]evalSystem, error) {
	systems := make([]evalSystem, len(args))
	seen := make(map[string]int)
	for i, arg := range args {
		systems[i] = evalSystem{name: filepath.Base(arg), paths: []string{arg}}
		name, list, several := strings.Cut(arg, "=")
		if several && !exists(arg) {
			systems[i] = evalSystem{name: name, paths: strings.Split(list, ",")}
		}
		for _, path := range systems[i].paths {
			if path == "" || systems[i].name == "" {
				return nil, fmt.Errorf("run %q: write FILE, or NAME=FILE,FILE,... for several runs of one system", arg)
			}
		}
		seen[systems[i].name]++
	}
	for i, arg := range args {
		if seen[systems[i].name] > 1 {
			systems[i].name = arg // files of one name in different folders
		}
		for _, other := range systems[:i] {
			if other.name == systems[i].name {
				return nil, fmt.Errorf("run %q is given twice", arg)
			}
		}
	}
	return systems, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (e *eval) run(ctx context.Context, io streams) error {
	qrels, err := openQrels(e.qrels)
	if err != nil {
		return err
	}
	if qrels, err = e.only(qrels); err != nil {
		return err
	}
	turns, err := e.openTurns(qrels)
	if err != nil {
		return err
	}
	if e.intervals {
		e.compare.Intervals = &measure.Bootstrap{Confidence: e.confidence, Seed: e.seed}
		if e.cluster == "conversation" {
			e.compare.Intervals.Cluster = func(topic string) string { return turns[topic].conversation }
		}
	}
	if err := e.openCosts(); err != nil {
		return err
	}
	evaluations, warnings, err := e.evaluate(ctx, qrels)
	if err != nil {
		return err
	}
	if e.asTrec {
		warn(io.err, warnings)
		return measure.WriteTrecEval(io.out, evaluations[0], e.each)
	}
	report, err := e.report(evaluations, turns)
	if err != nil {
		return err
	}
	report.Warnings = append(warnings, report.Warnings...)
	warn(io.err, report.Warnings)
	if e.json {
		return report.writeJSON(io.out)
	}
	return e.write(io.out, report)
}

func (e *eval) openCosts() error {
	if !e.costs {
		return nil
	}
	for i := range e.systems {
		for _, path := range e.systems[i].paths {
			c, err := openCosts(path)
			if err != nil {
				return err
			}
			e.systems[i].costs = append(e.systems[i].costs, c)
		}
	}
	return nil
}

// evaluate scores all systems, one run in memory at a time.
func (e *eval) evaluate(ctx context.Context, qrels trec.Qrels) (evaluations []*measure.Evaluation, warnings []evalWarning, err error) {
	for _, system := range e.systems {
		var seeds []*measure.Evaluation
		for _, path := range system.paths {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
			seed, err := e.evaluateRun(qrels, path)
			if err != nil {
				return nil, nil, err
			}
			warnings = append(warnings, e.warningsOf(seed, path, len(evaluations)+len(seeds) == 0)...)
			seeds = append(seeds, seed)
		}
		joined, err := measure.Average(seeds...)
		if err != nil {
			return nil, nil, err
		}
		evaluations = append(evaluations, joined)
	}
	return evaluations, warnings, nil
}

// warningsOf returns the warnings about a run, and with the first run those
// about the qrels, which are the same for every run.
func (e *eval) warningsOf(scored *measure.Evaluation, path string, first bool) []evalWarning {
	var warnings []evalWarning
	for _, w := range scored.Warnings {
		about := path
		if w.Kind == measure.ExtraTopics && e.topics != "" {
			continue // they were left out on purpose
		}
		if w.Kind == measure.NoRelevant {
			if !first {
				continue
			}
			about = e.qrels
		}
		warnings = append(warnings, evalWarning{Warning: w, About: about, Text: w.String()})
	}
	return warnings
}

// evaluateRun scores a run, and refuses one that has nothing to do with the
// qrels: its zeros would look like a bad system.
func (e *eval) evaluateRun(qrels trec.Qrels, path string) (*measure.Evaluation, error) {
	run, err := trec.OpenRun(path)
	if err != nil {
		return nil, err
	}
	if len(run) == 0 {
		return nil, fmt.Errorf("%s: the run is empty: is this the file that the search wrote?", path)
	}
	scored, err := measure.Evaluate(qrels, run, e.measures, measure.Options{Level: e.level})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, w := range scored.Warnings {
		if w.Kind == measure.NoCommonTopics {
			return nil, fmt.Errorf("%s: %v", path, w)
		}
	}
	return scored, nil
}
