package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"parley/collection"
	"parley/distill"
	"parley/internal/checkpoint"
	"parley/trec"
)

// encoderTraining says what encoder is trained, and on what.
type encoderTraining struct {
	trainingRun
	from        string
	collections []string
	queries     []string
	runs        []string
	separate    bool
	pseudo      int
}

func newTrainEncoderCommand(io streams) *cobra.Command {
	var o encoderTraining
	cmd := &cobra.Command{
		Use:   "encoder --from FOLDER --collection DIR[,DIR...] -o MODEL",
		Short: "Make a SPLADE encoder of queries and passages from a BERT",
		Long: `Trains an encoder that gives queries and passages sparse vectors over the whole
vocabulary, from any BERT or DistilBERT folder: with a masked-LM head or
without. Index with it, and distil students for conversations from it.

A query is a turn's rewrite, or what --query names; relevant to it is what the
collection's judgements say. The passages of the other queries of a batch are
its negatives, and so are those that --run found for it, but never one that is
relevant. With a run, its scores can teach too (objective.margin_mse and
objective.kld in the plan), even without judgements (pairs.positives: best).
Where there are no turns to learn from, --pseudo makes queries of spans of the
passages' own words. What a plan file can say is printed by --print-plan.

Some conversations are held out to choose the best epoch: by the RR in a pool of
passages, or by what the plan's validation says. MODEL is a folder that Hugging
Face transformers and sentence-transformers load too; beside the weights it
holds the resolved plan (plan.yaml) and the history of losses (history.json). A
training that was interrupted, even killed, is taken up by the same command from
MODEL.checkpoint and ends with the same weights, bit for bit.`,
		Example: `  parley search --index mine.index --collection data/mine --query rewrite --k 30 -o bm25.run
  parley train encoder --from minilm --collection data/mine --run bm25.run -o splade
  parley train encoder --from minilm --collection data/mine --query rewrite,last --separate -o splade
  parley train encoder --from minilm --collection data/corpus --pseudo 1 -o splade
  parley train encoder --print-plan > plan.yaml`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.from, "from", "", "folder of the BERT or DistilBERT to start from")
	flags.StringSliceVar(&o.collections, "collection", nil, "folders of collections: passages, turns and judgements")
	flags.StringSliceVar(&o.queries, "query", nil, "ways to ask a turn, one drawn each time: rewrite, rewrite:NAME, last, questions, history (default rewrite)")
	flags.StringSliceVar(&o.runs, "run", nil, "runs of a system that searched for the turns: negatives, and a teacher's scores")
	flags.BoolVar(&o.separate, "separate", false, "give queries and passages weights of their own")
	flags.IntVar(&o.pseudo, "pseudo", 0, "queries made of each passage in each epoch (default 0)")
	o.flags(flags, "order, negatives, pseudo-queries and dropout", "how often each query is seen (default 3, more where they are few)")
	printPlan := flags.Bool("print-plan", false, "print the resolved plan and train nothing")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		plan, err := o.plan(cmd.Flags().Changed)
		if err != nil {
			return err
		}
		if *printPlan {
			return plan.Write(io.out)
		}
		if err := require(cmd, "from", "collection", "output"); err != nil {
			return err
		}
		return o.run(cmd.Context(), io, plan)
	}
	return cmd
}

// check refuses flags whose values make no sense in any plan.
func (o *encoderTraining) check(given func(flag string) bool) error {
	if o.pseudo < 0 {
		return usagef("--pseudo %d: it cannot be negative", o.pseudo)
	}
	return o.trainingRun.check(given)
}

// plan resolves defaults, plan file and flags, the later before the earlier.
func (o *encoderTraining) plan(given func(flag string) bool) (distill.EncoderPlan, error) {
	plan := distill.DefaultEncoderPlan()
	if err := o.check(given); err != nil {
		return plan, err
	}
	if o.planFile != "" {
		file, err := os.Open(o.planFile)
		if err != nil {
			return plan, err
		}
		defer file.Close()
		if plan, err = distill.ReadEncoderPlan(file, o.planFile, plan); err != nil {
			return plan, err
		}
	}
	if o.queries != nil {
		plan.Pairs.Queries = o.queries
	}
	if given("separate") {
		plan.Encoder.Separate = o.separate
	}
	if given("pseudo") {
		plan.Pairs.Pseudo.Each = o.pseudo
	}
	if given("seed") {
		plan.Seed = o.seed
	}
	if given("epochs") {
		plan.Optimiser.Epochs = o.epochs
	}
	plan = plan.Resolved()
	if err := plan.Validate(); err != nil {
		return plan, usageError{err}
	}
	return plan, nil
}

func (o *encoderTraining) run(ctx context.Context, io streams, plan distill.EncoderPlan) error {
	if err := resolveModels(&o.from); err != nil {
		return err
	}
	if err := checkOutput(o.output, distill.PlanFile); err != nil {
		return err
	}
	folder, err := checkpoint.Open(o.from)
	if err != nil {
		return err
	}
	defer folder.Close()
	start, err := startOf(folder)
	if err != nil {
		return err
	}
	for _, note := range folder.Notes {
		fmt.Fprintf(io.err, "%s: %s\n", o.from, note)
	}
	data, err := o.data(ctx, io, plan)
	if err != nil {
		return err
	}
	options, err := o.options()
	if err != nil {
		return err
	}
	result, err := trainEncoder(ctx, io, start, data, plan, options)
	if err != nil {
		return err
	}
	about := distill.Provenance{Base: o.from, Data: strings.Join(o.collections, ", "), Notes: folder.Notes}
	if err := result.Save(o.output, about); err != nil {
		return err
	}
	tellEncoder(io, result)
	return nil
}

// startOf returns what a training starts from: the network of a folder that has
// one.
func startOf(folder *checkpoint.Folder) (distill.Start, error) {
	side := folder.Passage
	switch {
	case folder.Query != side:
		return distill.Start{}, fmt.Errorf("%s holds two encoders: start from the folder of one of them", folder.Path)
	case side.Static != nil:
		return distill.Start{}, fmt.Errorf("%s holds weights of terms and no network: start from a BERT or a DistilBERT", folder.Path)
	}
	return distill.Start{
		Config: side.Config, Weights: side.Source(), Vocabulary: side.Vocabulary, Fresh: !side.HasHead,
		MaxQuery: side.MaxQuery, MaxPassage: side.MaxPassage,
	}, nil
}

// data reads what the encoder is trained on. The passages are read as they are
// asked for.
func (o *encoderTraining) data(ctx context.Context, io streams, plan distill.EncoderPlan) (distill.PairsData, error) {
	data := distill.PairsData{Qrels: trec.Qrels{}}
	var all corpus
	all.ctx = ctx
	for _, dir := range o.collections {
		c, err := collection.Open(dir)
		if err != nil {
			return data, err
		}
		all.collections = append(all.collections, c)
		qrels, err := c.Qrels()
		if err != nil {
			return data, err
		}
		for topic, grades := range qrels {
			if data.Qrels[topic] == nil {
				data.Qrels[topic] = map[string]int{}
			}
			maps.Copy(data.Qrels[topic], grades)
		}
	}
	var err error
	if data.Run, err = openRuns(o.runs); err != nil {
		return data, err
	}
	if len(plan.Pairs.Queries) > 0 {
		turns := training{trainingRun: trainingRun{exclude: o.exclude}, turns: o.collections}
		if data.Conversations, err = turns.conversations(io); err != nil {
			return data, err
		}
	}
	data.Passages = func(yield func(distill.PassageText, error) bool) {
		for p, err := range all.passages() {
			if !yield(distill.PassageText{ID: p.ID, Title: p.Title, Text: p.Text}, err) {
				return
			}
		}
	}
	return data, nil
}

// openRuns reads runs as one; nil if there are none. No two may have the same
// topic.
func openRuns(paths []string) (trec.Run, error) {
	var all trec.Run
	for _, path := range paths {
		run, err := trec.OpenRun(path)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = run
			continue
		}
		for topic, hits := range run {
			if _, twice := all[topic]; twice {
				return nil, fmt.Errorf("%s has topic %q, which an earlier run has too: give one run for each turn", path, topic)
			}
			all[topic] = hits
		}
	}
	return all, nil
}

// trainEncoder trains with progress.
func trainEncoder(ctx context.Context, io streams, start distill.Start, data distill.PairsData, plan distill.EncoderPlan, o distill.Options) (*distill.EncoderResult, error) {
	reading := io.progress("train encoder: read", -1, "passages")
	o.Preparing = func(int, int) { reading.Add(1) }
	var steps *progress
	o.Progress = func(p distill.Progress) {
		if steps == nil {
			reading.Done()
			steps = io.progress("train encoder", int64(p.Turns+p.Left), "queries")
		}
		e := p.Epoch
		steps.Note(fmt.Sprintf("epoch %d loss %.4f L0 %.1f and %.1f FLOPS %.3f", e.Epoch, e.Loss, e.L0, e.PassageL0, e.FLOPS))
		steps.Add(p.Turns)
	}
	defer func() { reading.Done(); steps.Done() }()
	return distill.TrainEncoder(ctx, start, data, plan, o)
}

// tellEncoder tells what a training ended with.
func tellEncoder(io streams, r *distill.EncoderResult) {
	c := r.Counts
	fmt.Fprintf(io.out, "trained on %s and held out %d, of %s", count(c.Training, "turn"), c.Validation, count(c.Conversations, "conversation"))
	if c.Pseudo > 0 {
		fmt.Fprintf(io.out, ", and on spans of %s", count(c.Pseudo, "passage"))
	}
	if c.NoQuery+c.NoPositive > 0 {
		fmt.Fprintf(io.out, "; left out %d that are not asked so and %d without a relevant passage", c.NoQuery, c.NoPositive)
	}
	if c.Unscored > 0 {
		fmt.Fprintf(io.out, "; the run has no score for the relevant passage of %d", c.Unscored)
	}
	fmt.Fprintln(io.out)
	tellEarlyEnd(io, len(r.History), r.Plan.Optimiser.Epochs, r.Plan.Validation.Patience)
	if v := r.Kept().Validation; v != nil {
		fmt.Fprintf(io.out, "kept epoch %d of %d: held-out ", r.Kept().Epoch, len(r.History))
		if m := v.Measured; !slices.Contains([]string{distill.MeasureLoss, "RR", "R@10"}, m.Measure) { // those are told anyway
			fmt.Fprintf(io.out, "%s %.4f, ", m.Measure, m.Value)
		}
		fmt.Fprintf(io.out, "loss %.4f, RR %.4f and R@10 %.4f in the pool, L0 %.1f of queries and %.1f of passages, FLOPS %.3f\n", v.Loss, v.RR, v.Recall, v.L0, v.PassageL0, v.FLOPS)
	}
}
