package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"parley/internal/table"
)

// demonstration is a run of the main job on the built-in collection: it runs
// the very commands that it shows.
type demonstration struct {
	dir                     string // where the files go
	passages, conversations int
	seed                    uint64
	json                    bool
	io                      streams
}

// demoSystems are what the demo compares, in the order of the table: the
// baselines by what they know of the conversation, then the students.
var demoSystems = []struct{ run, title string }{
	{"last", "last question"},
	{"questions", "all questions"},
	{"history", "full history"},
	{"rewrite", "human rewrite (the ceiling)"},
	{"student", "student"},
	{"regularised", "regularised student"},
}

const (
	// demoReference is the system that the others are compared with.
	demoReference = "student"

	demoMeasures = "R@10,R@100,RR,nDCG@3"
	demoEpochs   = "8"

	demoPassages      = 5000
	demoConversations = 800
)

// listSyntax are the characters that have a meaning in flags that take lists.
const listSyntax = ",\"\r\n"

func newDemoCommand(io streams) *cobra.Command {
	d := demonstration{io: io}
	var output string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole loop on a made-up collection, in about a minute",
		Long: `Makes up a collection, splits its conversations in two, indexes the passages,
distils the rewrites of the one half into two students, searches for the turns
of the other half, and shows what the students gained and what they cost. Each
step is a command of this program, shown as it is run.

Nothing stays behind, unless -o names a folder for the files.`,
		Example: "  parley demo\n  parley demo -o demo-files\n  parley demo --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			d.dir = output
			switch {
			case strings.ContainsAny(output, listSyntax):
				return usagef("-o %q: its path goes into lists, which a comma, a quote or a line break would break: name another folder", output)
			case output != "":
				err = os.MkdirAll(output, 0o777)
			case strings.ContainsAny(os.TempDir(), listSyntax):
				return fmt.Errorf("the path of the folder for temporary files, %q, goes into lists, which a comma, a quote or a line break would break: name a folder with -o", os.TempDir())
			default:
				d.dir, err = os.MkdirTemp("", "parley-demo-")
				defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
			}
			if err != nil {
				return err
			}
			return d.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "", "folder to keep the files in (default: none are kept)")
	flags.IntVar(&d.passages, "passages", demoPassages, "passages of the collection")
	flags.IntVar(&d.conversations, "conversations", demoConversations, "conversations of the collection")
	flags.Uint64Var(&d.seed, "seed", 1, "seed of the collection and of the students")
	flags.BoolVar(&d.json, "json", false, "write JSON for programs")
	return cmd
}

// run runs the loop and shows what came of it.
func (d *demonstration) run(ctx context.Context) error {
	start := time.Now()
	seed := strconv.FormatUint(d.seed, 10)
	steps := [][]string{
		{"collection", "synthesize", "--passages", strconv.Itoa(d.passages), "--conversations", strconv.Itoa(d.conversations), "--seed", seed, "-o", "@world"},
		{"collection", "split", "@world", "--fraction", ".6", "--seed", seed, "-o", "@train,@test"},
		{"index", "--collection", "@world", "--vocab-size", "8000", "-o", "@index"},
		{"train", "--index", "@index", "--turns", "@train", "--student", "mlp", "--epochs", demoEpochs, "--df-l1", "0", "--seed", seed, "-o", "@student"},
		{"train", "--index", "@index", "--turns", "@train", "--student", "mlp", "--epochs", demoEpochs, "--seed", seed, "-o", "@regularised"},
	}
	for _, s := range demoSystems {
		how := []string{"--query", s.run}
		if s.run == "student" || s.run == "regularised" {
			how = []string{"--encoder", "@" + s.run}
		}
		search := append([]string{"search", "--index", "@index", "--collection", "@test"}, how...)
		steps = append(steps, append(search, "--k", "100", "-o", "@"+s.run+".run"))
	}
	for _, args := range steps {
		if _, err := d.step(ctx, args); err != nil {
			return err
		}
	}
	evaluation := []string{"eval", "@test", "@" + demoReference + ".run"} // the first is compared with
	for _, s := range demoSystems {
		if s.run != demoReference {
			evaluation = append(evaluation, "@"+s.run+".run")
		}
	}
	scores, err := d.step(ctx, append(evaluation, "--measures", demoMeasures, "--json"))
	if err != nil {
		return err
	}
	r, err := d.result(scores)
	if err != nil {
		return err
	}
	r.Seconds = time.Since(start).Seconds()
	if d.json {
		out := json.NewEncoder(d.io.out)
		out.SetIndent("", "  ")
		return out.Encode(r)
	}
	return d.show(r)
}

// step shows a command and runs it, and returns what it printed. A leading @ of
// an argument, or of an item of a list, stands for the demo's folder.
func (d *demonstration) step(ctx context.Context, args []string) ([]byte, error) {
	shown := strings.Join(inFolder(args, ""), " ")
	if !d.json {
		fmt.Fprintln(d.io.out, "$ parley", shown)
	}
	located := inFolder(args, d.dir+string(filepath.Separator))
	var out, messages bytes.Buffer
	errOut := d.io.err
	switch {
	case d.io.quiet != nil && *d.io.quiet || d.json:
		located, errOut = append(located, "--quiet"), &messages
	case args[0] == "eval": // its few warnings, of ties, would hide the table
		errOut = &messages
	}
	root, _ := newRootCommand(streams{in: d.io.in, out: &out, err: errOut})
	root.SetArgs(located)
	if err := root.ExecuteContext(ctx); err != nil {
		return nil, fmt.Errorf("parley %s: %w", shown, err)
	}
	return out.Bytes(), nil
}

// inFolder writes folder for the leading @ of each argument or list item.
func inFolder(args []string, folder string) []string {
	located := make([]string, len(args))
	for i, arg := range args {
		items := strings.Split(arg, ",")
		for j, item := range items {
			if name, ok := strings.CutPrefix(item, "@"); ok {
				items[j] = folder + name
			}
		}
		located[i] = strings.Join(items, ",")
	}
	return located
}

// demoResult is what parley demo --json writes.
type demoResult struct {
	Turns    int           `json:"turns"` // that were searched for
	Measures []string      `json:"measures"`
	Systems  []demoSystem  `json:"systems"`
	Examples []demoExample `json:"examples"`
	Seconds  float64       `json:"seconds"`
}

// demoSystem is a row of the demo's table.
type demoSystem struct {
	Name   string    `json:"name"`
	Scores []float64 `json:"scores"` // in the order of the measures
	// Significant tells for each measure whether the system is above (1) or
	// below (-1) the student, by a paired t-test with Holm's correction.
	Significant  []int   `json:"significant_against_student"`
	L0           float64 `json:"l0"`
	FLOPS        float64 `json:"flops"`
	Milliseconds float64 `json:"ms_per_query"` // the median
}

// result gathers scores and costs.
func (d *demonstration) result(scores []byte) (*demoResult, error) {
	var report evalReport
	if err := json.Unmarshal(scores, &report); err != nil {
		return nil, err
	}
	scored := map[string][]scoreReport{}
	for _, s := range report.Systems {
		scored[s.Name] = s.Scores
	}
	r := &demoResult{Turns: report.Topics, Measures: strings.Split(demoMeasures, ",")}
	for _, s := range demoSystems {
		c, err := openCosts(filepath.Join(d.dir, s.run+".run"))
		if err != nil {
			return nil, err
		}
		row := demoSystem{Name: s.title, L0: c.MeanL0, FLOPS: c.FLOPS, Milliseconds: float64(c.P50) / 1000}
		for _, score := range scored[s.run+".run"] {
			row.Scores = append(row.Scores, score.Value)
			significant := 0
			if score.Against != nil {
				significant = score.Against.Significant
			}
			row.Significant = append(row.Significant, significant)
		}
		r.Systems = append(r.Systems, row)
	}
	var err error
	r.Examples, err = d.examples()
	return r, err
}

// show prints the table, the examples, and what to do next.
func (d *demonstration) show(r *demoResult) error {
	header := append([]string{""}, r.Measures...)
	t := table.New(fmt.Sprintf("%d turns that no student has seen", r.Turns), append(header, "L0", "FLOPS", "ms/query")...)
	for _, s := range r.Systems {
		cells := []table.Cell{table.Text(s.Name)}
		for i, v := range s.Scores {
			cells = append(cells, table.Share(v, 3).Marked([]string{"▼", "", "▲"}[s.Significant[i]+1]))
		}
		t.Row(append(cells, table.Float(s.L0, 1), table.Float(s.FLOPS, 2), table.Float(s.Milliseconds, 2))...)
	}
	t.Note("▲ ▼ significantly above, below the student: paired t-test, Holm's correction, p < .05")
	t.Note("L0: terms of a query. FLOPS: share of the passages that a query's terms touch, summed over its terms. ms/query: the median.")
	fmt.Fprintln(d.io.out)
	if err := t.Write(d.io.out, tableFormat(d.io.out)); err != nil {
		return err
	}
	for _, e := range r.Examples {
		fmt.Fprintln(d.io.out)
		e.write(d.io.out)
	}
	fmt.Fprintf(d.io.out, `
%.0f seconds in all. On your own data, a folder as docs/collection-format.md says:

  parley collection check DIR
  parley index --collection DIR -o mine.index
  parley train --index mine.index --turns DIR -o student
  parley search --index mine.index --collection DIR --encoder student -o student.run
  parley eval DIR student.run
`, r.Seconds)
	return nil
}
