package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"parley/collection"
	"parley/dialog"
	"parley/distill"
	"parley/index"
	"parley/internal/checkpoint"
	"parley/internal/durable"
	"parley/internal/model"
	"parley/internal/prune"
	"parley/internal/questions"
	"parley/internal/table"
	"parley/sparse"
)

// modelPrune is the command line of model prune.
type modelPrune struct {
	keep     pruneFlags
	flops    float64
	l0       float64
	turns    []string
	index    string
	mode     string
	measured string
	workers  int
	json     bool
	output   string
}

func newModelPruneCommand(io streams) *cobra.Command {
	var o modelPrune
	cmd := &cobra.Command{
		Use:   "prune MODEL -o MODEL",
		Short: "Make a model keep fewer terms of its queries",
		Long: `Writes the query encoder in MODEL anew, with a rule of which terms it keeps of a
query. Nothing is trained, and the weights of the terms that stay do not change.
Every condition that is named holds, beside those that MODEL has already:

  --value-per-cost  a term's share of the query's weight, over the share of the
                    passages that have it; it does not depend on the scale of
                    the weights, and asks the index that is searched
  --threshold       a term's weight
  --mass            the heaviest terms, up to a share of the sum of weights
  --top-k           the heaviest terms, up to a number

One term of a query always stays: the heaviest, or the one of the highest value
per cost. With --flops or --l0 the value per
cost is chosen so that the queries of given conversations cost at most so much in
the mean (--turns, --index): the share of the passages that a query's terms touch,
summed over the terms, or their number. As for parley search, the turns are those
that have judgements, or all where there are none. Conversations to measure by are
not those to test by.`,
		Example: `  parley model prune student --value-per-cost .5 -o cheap
  parley model prune student --flops .3 --turns data/mine --index mine.index -o cheap
  parley model prune splade --mass .95 --turns data/mine --index splade.index -o short`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			mode, err := o.check(cmd.Flags().Changed)
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), io, args[0], mode)
		},
	}
	o.keep.bind(cmd, "", "a query")
	flags := cmd.Flags()
	flags.Float64Var(&o.flops, "flops", 0, "choose the value per cost for at most so many FLOPS of a query in the mean")
	flags.Float64Var(&o.l0, "l0", 0, "choose the value per cost for at most so many terms of a query in the mean")
	flags.StringSliceVar(&o.turns, "turns", nil, "folders of collections whose turns the costs are measured on")
	flags.StringVar(&o.index, "index", "", "folder of the index that is searched")
	flags.StringVar(&o.mode, "query", "history", "query mode that the model reads: last, questions, history, rewrite or rewrite:NAME")
	flags.StringVar(&o.measured, "measure", "", "judged or all turns (default judged, where a collection has judgements)")
	flags.IntVar(&o.workers, "workers", 0, "goroutines; they change no result (default: one for each processor)")
	flags.BoolVar(&o.json, "json", false, "write JSON for programs")
	flags.StringVarP(&o.output, "output", "o", "", "folder of the pruned model")
	_ = cmd.MarkFlagRequired("output") // fails only if there is no such flag
	return cmd
}

func (o *modelPrune) check(given func(flag string) bool) (dialog.Mode, error) {
	mode, err := dialog.ParseMode(o.mode)
	if err != nil {
		return mode, usagef("--query: %w", err)
	}
	if err := o.keep.check(); err != nil {
		return mode, err
	}
	for _, f := range []struct {
		name  string
		value float64
	}{{"flops", o.flops}, {"l0", o.l0}} {
		if given(f.name) && (!(f.value > 0) || math.IsInf(f.value, 0)) {
			return mode, usagef("--%s %v: it must be more than 0", f.name, f.value)
		}
	}
	measured := len(o.turns) > 0 && o.index != ""
	switch {
	case o.flops > 0 && o.l0 > 0:
		return mode, usagef("--flops and --l0 both choose the value per cost: name one")
	case (o.flops > 0 || o.l0 > 0) && o.keep.rule.ValuePerCost > 0:
		return mode, usagef("--value-per-cost is what --flops and --l0 choose: leave it out")
	case (o.flops > 0 || o.l0 > 0) && !measured:
		return mode, usagef("costs are measured by searching an index for the turns of collections: name them with --index and --turns")
	case !measured && (len(o.turns) > 0 || o.index != ""):
		return mode, usagef("--turns and --index measure costs together: name both, or none")
	case o.keep.rule == prune.Rule{} && o.flops == 0 && o.l0 == 0:
		return mode, usagef("nothing would be pruned: name --value-per-cost, --threshold, --mass or --top-k, or --flops or --l0")
	case o.measured != "" && o.measured != "judged" && o.measured != "all":
		return mode, usagef("--measure %s: use judged or all", o.measured)
	case o.workers < 0:
		return mode, usagef("--workers %d: it cannot be negative", o.workers)
	case o.workers == 0:
		o.workers = runtime.GOMAXPROCS(0)
	}
	return mode, nil
}

// prunable is a model whose rule can be changed.
type prunable struct {
	rule   prune.Rule
	marker string                                  // file that such a folder has
	write  func(dir string, rule prune.Rule) error // into an empty folder
	close  func() error
}

// openPrunable opens the model folder dir.
func openPrunable(dir string) (prunable, error) {
	if model.IsSplade(dir) {
		c, err := model.OpenSplade(dir, "")
		if err != nil {
			return prunable{}, err
		}
		return prunable{c.Settings.Query.Rule, model.SpladeFile, func(to string, rule prune.Rule) error {
			settings := c.Settings
			settings.Query.Rule = rule
			return c.Copy(to, settings)
		}, c.Close}, nil
	}
	folder, err := model.Open(dir)
	if err != nil {
		return prunable{}, err
	}
	if folder.Config.Kind == model.KindBM25 {
		return prunable{}, fmt.Errorf("%s: an encoder of kind bm25 has no rule for queries: prune as you search, with --query-value-per-cost", dir)
	}
	rule := prune.Rule{}
	if folder.Config.Prune != nil {
		rule = *folder.Config.Prune
	}
	return prunable{rule, model.ConfigFile, folder.Copy, func() error { return nil }}, nil
}

func (o *modelPrune) run(ctx context.Context, io streams, dir string, mode dialog.Mode) (err error) {
	if err := resolveModels(&dir); err != nil {
		return err
	}
	m, err := openPrunable(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if err := checkOutput(o.output, m.marker); err != nil {
		return err
	}
	rule, err := m.rule.Changed(o.keep.rule)
	if err != nil {
		return err
	}
	told := pruning{Before: pruned{Rule: m.rule}, After: pruned{Rule: rule}}
	if o.index != "" {
		if err := o.measure(ctx, io, dir, mode, &told); err != nil {
			return err
		}
	}
	if err := o.write(dir, m, told.After.Rule); err != nil {
		return err
	}
	return told.write(io, o.json)
}

// measure measures what queries cost by the rules, the later one chosen if a cost
// is asked for.
func (o *modelPrune) measure(ctx context.Context, io streams, dir string, mode dialog.Mode, told *pruning) error {
	ix, err := index.Open(o.index)
	if err != nil {
		return err
	}
	defer ix.Close()
	vectors, err := o.encode(ctx, io, dir, mode, ix)
	if err != nil {
		return err
	}
	after := &told.After.Rule
	var costs prune.Costs
	switch {
	case o.flops > 0:
		*after, costs, err = after.ToFLOPS(vectors, ix, o.flops)
	case o.l0 > 0:
		*after, costs, err = after.ToL0(vectors, ix, o.l0)
	default:
		costs = after.Costs(vectors, ix)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	before := told.Before.Rule.Costs(vectors, ix)
	told.Turns, told.Before.Costs, told.After.Costs = len(vectors), &before, &costs
	return nil
}

// encode returns the whole vectors of the turns.
func (o *modelPrune) encode(ctx context.Context, io streams, dir string, mode dialog.Mode, ix *index.Index) ([]sparse.Vector, error) {
	enc, err := openEncoderWith(dir, ix, unpruned)
	if err != nil {
		return nil, err
	}
	var asked questions.List
	for _, dir := range o.turns {
		if err := o.ask(&asked, dir, mode); err != nil {
			return nil, err
		}
	}
	contexts := func(yield func(dialog.Context, error) bool) {
		for _, q := range asked.Questions {
			if !yield(q.Context, ctx.Err()) {
				return
			}
		}
	}
	p := io.progress("encode", int64(len(asked.Questions)), "turns")
	defer p.Done()
	var all []sparse.Vector
	for v, err := range ordered(contexts, o.workers, 1, func(_ int, asked dialog.Context) sparse.Vector { return enc.Query(asked) }) {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
		p.Add(1)
	}
	return all, nil
}

// ask adds the turns of the collection dir that costs are measured on.
func (o *modelPrune) ask(asked *questions.List, dir string, mode dialog.Mode) error {
	c, err := collection.Open(dir)
	if err != nil {
		return err
	}
	qrels, err := c.Qrels()
	if err != nil {
		return err
	}
	if o.measured == "judged" && len(qrels) == 0 {
		return fmt.Errorf("%s has no judgements: measure its turns with --measure all", dir)
	}
	all := o.measured == "all" || len(qrels) == 0
	for conversation, err := range c.Conversations() {
		if err != nil {
			return err
		}
		asked.Add(conversation, mode, qrels, func(_ dialog.Turn, judged bool) bool { return all || judged })
	}
	return nil
}

// write writes the model with a rule, and what is known of its training.
func (o *modelPrune) write(dir string, m prunable, rule prune.Rule) error {
	out, err := durable.CreateDir(o.output, m.marker)
	if err != nil {
		return err
	}
	defer out.Discard()
	for _, name := range []string{distill.PlanFile, distill.HistoryFile, checkpoint.ReadmeFile} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = durable.WriteFile(filepath.Join(out.Path(), name), data)
		}
		if err != nil {
			return err
		}
	}
	if err := m.write(out.Path(), rule); err != nil {
		return err
	}
	return out.Commit()
}

// pruning is what a model made of queries, and makes of them now.
type pruning struct {
	Turns  int    `json:"turns"` // that costs were measured on
	Before pruned `json:"before"`
	After  pruned `json:"after"`
}

// pruned is a rule, and what queries cost by it where that was measured.
type pruned struct {
	Rule  prune.Rule   `json:"keep"`
	Costs *prune.Costs `json:"costs,omitempty"`
}

func (p *pruning) write(io streams, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(io.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(p)
	}
	if p.After.Costs == nil {
		_, err := fmt.Fprintf(io.out, "keeps %s, where it kept %s\n", p.After.Rule, p.Before.Rule)
		return err
	}
	t := table.New("", "", "L0", "FLOPS", "keeps")
	for _, row := range []struct {
		name string
		pruned
	}{{"before", p.Before}, {"after", p.After}} {
		t.Row(table.Text(row.name), table.Float(row.Costs.L0, 1), table.Float(row.Costs.FLOPS, 3), table.Text(row.Rule.String()))
	}
	t.Note(fmt.Sprintf("mean costs of %s", count(p.Turns, "turn")))
	return t.Write(io.out, tableFormat(io.out))
}
