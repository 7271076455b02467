package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"parley/collection"
	"parley/dialog"
	"parley/distill"
	"parley/distill/objective"
	"parley/index"
	"parley/internal/durable"
)

// training says what is trained, and on what.
type training struct {
	trainingRun
	index    string
	turns    []string
	teachers []string
	student  string
	from     string
	dfL1     float64
}

func newTrainCommand(io streams) *cobra.Command {
	var o training
	cmd := &cobra.Command{
		Use:   "train --index INDEX --turns DIR[,DIR...] -o MODEL",
		Short: "Distil a rewriter into a student query encoder",
		Long: `Trains a student that reads a conversation and weighs terms, so that it ranks
the passages of the index as the teacher's rewrites rank them. It needs no
judgements: every turn that has the teacher's rewrite is learned from, and the
others are counted. Of several teachers, the mean of their vectors teaches.

There are three students. features looks at no word, only at where and how often
it was said and how rare it is: it trains in seconds and carries over to other
collections. mlp also looks at each term and its neighbours: it is the better
one on conversations like those that it was trained on. Both are made cheap to
search with, see --df-l1. splade is a transformer that starts from a checkpoint
(--from), as a rule the one that encoded the index, and weighs any term of the
vocabulary, said or not. The passages stay what the index holds: none is encoded
again. What a plan file can say is printed by --print-plan.

Some conversations are held out to choose the best epoch: by the loss or, if the
plan's validation.measure says so, by how they are searched for (R@100, RR, ...,
where the collections have judgements; overlap@10, the agreement with the
teacher, where they have none). With validation.patience the training ends when
it gets no better. Beside the weights, MODEL holds the resolved plan (plan.yaml)
and the history of losses (history.json). A training that was interrupted, even
killed, is taken up by the same command from MODEL.checkpoint and ends with the
same weights, bit for bit.`,
		Example: `  parley train --index mine.index --turns data/mine -o student
  parley train --index mine.index --turns data/mine,data/more --teacher gpt,human --student mlp -o student
  parley train --index mine.index --turns data/mine --student splade --from splade-checkpoint -o student
  parley train --print-plan --student splade > plan.yaml
  parley train --index mine.index --turns data/mine --plan plan.yaml --exclude ids.txt -o student`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.index, "index", "", "folder of the index whose passages teacher and student rank")
	flags.StringSliceVar(&o.turns, "turns", nil, "folders of the collections whose conversations are trained on")
	flags.StringSliceVar(&o.teachers, "teacher", nil, "rewriters to learn from: human, or names of the collection's rewrites (default human)")
	flags.StringVar(&o.student, "student", "", "features, mlp or splade (default features)")
	flags.StringVar(&o.from, "from", "", "folder of the checkpoint that a splade student starts from")
	flags.Float64Var(&o.dfL1, "df-l1", 0, "weight of the regulariser that makes queries cheap to search (default .1, splade: 0; 0 for none)")
	o.flags(flags, "weights, order, candidates and dropout", "how often each turn is seen (default 6, more where turns are few; splade: 5)")
	printPlan := flags.Bool("print-plan", false, "print the resolved plan and train nothing")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		plan, err := o.plan(cmd.Flags().Changed)
		if err != nil {
			return err
		}
		if *printPlan {
			return plan.Write(io.out)
		}
		if err := require(cmd, "index", "turns", "output"); err != nil {
			return err
		}
		if plan.Student.Kind == distill.StudentSplade && plan.Student.From == "" {
			return usagef("a splade student starts from a checkpoint: name its folder with --from")
		}
		return o.run(cmd.Context(), io, plan)
	}
	cmd.AddCommand(newTrainEncoderCommand(io))
	return cmd
}

// check refuses flags whose values make no sense in any plan.
func (o *training) check(given func(flag string) bool) error {
	if !(o.dfL1 >= 0) || math.IsInf(o.dfL1, 0) {
		return usagef("--df-l1 %v: it must be a number, 0 or more", o.dfL1)
	}
	return o.trainingRun.check(given)
}

// plan resolves defaults, plan file and flags, the later before the earlier.
func (o *training) plan(given func(flag string) bool) (distill.Plan, error) {
	plan := distill.DefaultPlan(distill.StudentFeatures)
	if err := o.check(given); err != nil {
		return plan, err
	}
	if o.student != "" {
		plan = distill.DefaultPlan(o.student)
	}
	if o.planFile != "" {
		file, err := os.Open(o.planFile)
		if err != nil {
			return plan, err
		}
		defer file.Close()
		if plan, err = distill.ReadPlan(file, o.planFile, plan); err != nil {
			return plan, err
		}
	}
	if o.student != "" {
		plan.Student.Kind = o.student
	}
	if o.from != "" {
		plan.Student.From = o.from
	}
	if o.teachers != nil {
		plan.Teacher.Rewriters = o.teachers
	}
	if given("seed") {
		plan.Seed = o.seed
	}
	if given("epochs") {
		plan.Optimiser.Epochs = o.epochs
	}
	if given("df-l1") {
		plan.Objective.DFL1.Weight = o.dfL1
	}
	plan = plan.Resolved()
	if err := plan.Validate(); err != nil {
		return plan, usageError{err}
	}
	return plan, nil
}

func (o *training) run(ctx context.Context, io streams, plan distill.Plan) error {
	if err := resolveModels(&plan.Student.From); err != nil {
		return err
	}
	if err := checkOutput(o.output, distill.PlanFile); err != nil {
		return err
	}
	ix, err := index.Open(o.index)
	if err != nil {
		return err
	}
	defer ix.Close()
	talk, err := o.conversations(io)
	if err != nil {
		return err
	}
	data, err := trainingData(ix, talk)
	if err != nil {
		return err
	}
	judged, err := o.judgements(ix)
	if err != nil {
		return err
	}
	data.Judged = judged.Of
	if judged.Lacking > 0 && plan.UsesLabels() {
		fmt.Fprintf(io.err, "the index lacks %d of the %s judged relevant\n", judged.Lacking, count(judged.All, "passage"))
	}
	data.Name = o.name()
	options, err := o.options()
	if err != nil {
		return err
	}
	result, err := trainStudent(ctx, io, "train", data, plan, options)
	if err != nil {
		return err
	}
	if err := result.Save(o.output); err != nil {
		return err
	}
	for _, note := range result.Notes {
		fmt.Fprintf(io.err, "%s: %s\n", plan.Student.From, note)
	}
	tellTraining(io, result)
	return nil
}

// name says what is trained on.
func (o *training) name() string {
	var names []string
	for _, dir := range o.turns {
		names = append(names, filepath.Base(dir))
	}
	return fmt.Sprintf("Conversations of %s, and the passages of the index %s", strings.Join(names, ", "), filepath.Base(o.index))
}

// checkOutput tells that the folder path, known by the file marker, cannot be
// written before the work of writing it is done.
func checkOutput(path, marker string) error {
	dir, err := durable.CreateDir(path, marker)
	if err == nil {
		dir.Discard()
	}
	return err
}

// conversations reads the conversations to train on.
func (o *training) conversations(io streams) ([]dialog.Conversation, error) {
	excluded, err := readIDs(o.exclude)
	if err != nil {
		return nil, err
	}
	var talk []dialog.Conversation
	left := map[string]bool{}
	for _, dir := range o.turns {
		c, err := collection.Open(dir)
		if err != nil {
			return nil, err
		}
		for conversation, err := range c.Conversations() {
			switch {
			case err != nil:
				return nil, err
			case excluded[conversation.ID]:
				left[conversation.ID] = true
			default:
				talk = append(talk, conversation)
			}
		}
	}
	if o.exclude != "" {
		if len(left) == 0 {
			return nil, fmt.Errorf("%s names no conversation of %s, so that it would leave out none: write their ids, one a line",
				o.exclude, strings.Join(o.turns, ", "))
		}
		fmt.Fprintf(io.err, "left out %d of the %s that %s names\n", len(left), count(len(excluded), "conversation"), o.exclude)
	}
	if len(talk) == 0 {
		return nil, fmt.Errorf("there is no conversation to train on in %s", strings.Join(o.turns, ", "))
	}
	return talk, nil
}

// trainStudent trains with progress under the given title.
func trainStudent(ctx context.Context, io streams, title string, data distill.Data, plan distill.Plan, o distill.Options) (*distill.Result, error) {
	turns := 0
	for _, c := range data.Conversations {
		turns += len(c.Turns)
	}
	preparing := io.progress(title+": prepare", int64(turns), "turns")
	o.Preparing = func(int, int) { preparing.Add(1) }
	var steps *progress
	o.Progress = func(p distill.Progress) {
		if steps == nil {
			preparing.Done()
			steps = io.progress(title, int64(p.Turns+p.Left), "turns")
		}
		steps.Note(fmt.Sprintf("epoch %d loss %.4f L0 %.1f FLOPS %.3f", p.Epoch.Epoch, p.Epoch.Loss, p.Epoch.L0, p.Epoch.FLOPS))
		steps.Add(p.Turns)
	}
	defer func() { preparing.Done(); steps.Done() }()
	return distill.Train(ctx, data, plan, o)
}

// tellTraining tells what a training ended with.
func tellTraining(io streams, r *distill.Result) {
	c := r.Counts
	fmt.Fprintf(io.out, "trained on %d turns and held out %d, of %s", c.Training, c.Validation, count(c.Conversations, "conversation"))
	if skipped := c.NoTeacher + c.Unreachable; skipped > 0 {
		fmt.Fprintf(io.out, "; left out %d without a rewrite by the teacher and %d whose rewrite shares no term with history and passages", c.NoTeacher, c.Unreachable)
	}
	if c.Unlabelled > 0 {
		fmt.Fprintf(io.out, "; left out %d without a passage that is judged relevant", c.Unlabelled)
	}
	if r.Plan.UsesLabels() {
		fmt.Fprintf(io.out, "; %d have a passage that is judged relevant", c.Labelled)
	}
	fmt.Fprintln(io.out)
	kept := r.Kept()
	tellEarlyEnd(io, len(r.History), r.Plan.Optimiser.Epochs, r.Plan.Validation.Patience)
	if v := kept.Validation; v != nil {
		fmt.Fprintf(io.out, "kept epoch %d of %d: held-out ", kept.Epoch, len(r.History))
		if m := v.Measured; m.Measure != distill.MeasureLoss {
			fmt.Fprintf(io.out, "%s %.4f (%s), ", m.Measure, m.Value, count(m.Turns, "turn"))
		}
		fmt.Fprintf(io.out, "loss %.4f, L0 %.1f, FLOPS %.3f\n", v.Loss, v.L0, v.FLOPS)
		tellTarget(io, r.Plan.Objective.Target, v.Target)
	}
	if p := r.Pruned; p != nil {
		fmt.Fprintf(io.out, "queries keep %s: held-out L0 %.1f, FLOPS %.3f, where the whole ones have %.1f and %.3f\n", p.Rule, p.After.L0, p.After.FLOPS, p.Before.L0, p.Before.FLOPS)
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(io.err, "warning: %s\n", w)
	}
}

// tellTarget tells how near the student that was kept came to the target.
func tellTarget(io streams, target objective.TargetPlan, got *distill.Targeted) {
	switch {
	case got == nil:
	case target.L0 > 0:
		fmt.Fprintf(io.out, "target of %v terms: %.1f on %s, with %s at %.3g\n", target.L0, got.Cost, count(got.Turns, "held-out turn"), target.By, got.Weight)
	default:
		fmt.Fprintf(io.out, "target of %v FLOPS: %.3f on %s, with %s at %.3g\n", target.FLOPS, got.Cost, count(got.Turns, "held-out turn"), target.By, got.Weight)
	}
}
