package study

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"parley/dialog"
	"parley/distill"
	"parley/measure"
)

// Plan says what a study does. It is the plan file.
type Plan struct {
	Name        string            `yaml:"name" json:"name"`
	Encoder     EncoderPlan       `yaml:"encoder" json:"encoder"`
	Collections []CollectionPlan  `yaml:"collections" json:"collections"`
	Train       TrainPlan         `yaml:"train" json:"train"`
	Tests       []TestPlan        `yaml:"tests" json:"tests"`
	Measures    []measure.Measure `yaml:"measures" json:"measures"`
	// Baselines are ways to ask without a student, each on the tests that have
	// such texts.
	Baselines []string `yaml:"baselines" json:"baselines"`
	// Base is what all trainings share, as far as it differs from the default
	// plan of a training.
	Base        map[string]any   `yaml:"base" json:"base"`
	Seeds       []uint64         `yaml:"seeds" json:"seeds"` // each system is trained from each of them
	Experiments []ExperimentPlan `yaml:"experiments" json:"experiments"`
	SaveModels  bool             `yaml:"save_models" json:"save_models"` // keep the students, too
	Report      ReportPlan       `yaml:"report" json:"report,omitzero"`

	source   source
	resolver *resolver
}

// EncoderPlan says what makes the passages' vectors.
type EncoderPlan struct {
	Vocab string   `yaml:"vocab" json:"vocab,omitempty"` // BM25, over the vocabulary of this file
	K1    *float64 `yaml:"k1" json:"k1,omitempty"`       // of BM25
	B     *float64 `yaml:"b" json:"b,omitempty"`         // of BM25
	From  string   `yaml:"from" json:"from,omitempty"`   // or the folder of a model that encodes passages
}

// CollectionPlan names a collection.
type CollectionPlan struct {
	Name    string     `yaml:"name" json:"name"`
	Path    string     `yaml:"path" json:"path"`
	Exclude string     `yaml:"exclude" json:"exclude,omitempty"` // file of conversation ids to leave out, one a line
	Index   string     `yaml:"index" json:"index,omitempty"`     // an index of its passages that is there already
	Split   *SplitPlan `yaml:"split" json:"split,omitempty"`
}

// SplitPlan makes two more collections of one, by conversation. A passage that
// only one half claims is not in the other.
type SplitPlan struct {
	Names    []string `yaml:"names" json:"names"`       // of the two
	Fraction float64  `yaml:"fraction" json:"fraction"` // of the conversations that go to the first; 0 means .5
	Seed     uint64   `yaml:"seed" json:"seed"`
}

// TrainPlan says what students are trained on.
type TrainPlan struct {
	Passages string   `yaml:"passages" json:"passages"` // the collection whose passages are ranked
	Turns    []string `yaml:"turns" json:"turns"`       // the collections whose conversations are learned from
}

// TestPlan says what students are measured on.
type TestPlan struct {
	Name     string   `yaml:"name" json:"name"`
	Title    string   `yaml:"title" json:"title,omitempty"`
	Passages string   `yaml:"passages" json:"passages"` // the collection that is searched
	Turns    string   `yaml:"turns" json:"turns"`       // the collection that asks; "": that of the passages
	Query    string   `yaml:"query" json:"query"`       // what a student reads: a query mode; "": history
	Subset   string   `yaml:"subset" json:"subset"`     // all, first, later, rewritten or rewritten:NAME; "": all
	Unseen   bool     `yaml:"unseen" json:"unseen"`     // leave out passages that repeat an earlier answer
	K        int      `yaml:"k" json:"k"`               // passages found for each turn; 0: 100
	Teacher  []string `yaml:"teacher" json:"teacher"`   // rewriters whose scores a student's are compared with; none: those that teach
}

// ExperimentPlan says what is varied. Its systems are the points one by one, or
// the cross product of what varies, or one.
type ExperimentPlan struct {
	Name    string      `yaml:"name" json:"name"`
	Title   string      `yaml:"title" json:"title,omitempty"`
	Note    string      `yaml:"note" json:"note,omitempty"`
	From    string      `yaml:"from" json:"from,omitempty"` // an earlier experiment, whose choice is set first
	Set     Settings    `yaml:"set" json:"set,omitempty"`   // what all its systems share
	Vary    Variations  `yaml:"vary" json:"vary,omitempty"`
	Points  []PointPlan `yaml:"points" json:"points,omitempty"`
	Select  *SelectPlan `yaml:"select" json:"select,omitempty"`   // or a search for the best setting, which is tested nowhere
	Compare string      `yaml:"compare" json:"compare,omitempty"` // the system that the others are compared with; "": the first
	Seeds   []uint64    `yaml:"seeds" json:"seeds,omitempty"`     // instead of the study's
	Tests   []string    `yaml:"tests" json:"tests,omitempty"`     // instead of all
	X       string      `yaml:"x" json:"x,omitempty"`             // what the points' x are
	Show    string      `yaml:"show" json:"show,omitempty"`       // how a report shows it: table, lines, dots, frontier or targets; "": as fits
}

// PointPlan is one system of an experiment.
type PointPlan struct {
	Name  string   `yaml:"name" json:"name"`
	Title string   `yaml:"title" json:"title,omitempty"`
	X     *float64 `yaml:"x" json:"x,omitempty"` // its place in a chart where what varies is no number
	Set   Settings `yaml:"set" json:"set,omitempty"`
}

// ReportPlan says what a report of the study shows. Systems are named as
// EXPERIMENT/POINT, or baseline/MODE.
type ReportPlan struct {
	Measure  string       `yaml:"measure" json:"measure,omitempty"` // of the charts; "": the first of the measures
	Tests    []string     `yaml:"tests" json:"tests,omitempty"`     // that charts are drawn of; none: all
	Main     []string     `yaml:"main" json:"main,omitempty"`       // systems of the main table; none: baselines and the first experiment that is tested
	Turns    []string     `yaml:"turns" json:"turns,omitempty"`     // systems in the charts by turn number and of scores
	Examples ExamplesPlan `yaml:"examples" json:"examples,omitzero"`
}

// ExamplesPlan says which queries a report shows as examples.
type ExamplesPlan struct {
	Before string `yaml:"before" json:"before,omitempty"` // the system whose queries stand on the left
	After  string `yaml:"after" json:"after,omitempty"`   // and on the right
	Test   string `yaml:"test" json:"test,omitempty"`
	Turns  int    `yaml:"turns" json:"turns,omitempty"` // how many
}

// Defaults of a plan.
const (
	DefaultK        = 100
	DefaultMeasures = "R@100 R@10 RR nDCG@3"
)

// ReadPlan reads a plan file, YAML. Unknown keys are refused; errors have the
// place in the file that name names. Every setting of a training is looked at,
// so that a plan that was read can be run.
func ReadPlan(r io.Reader, name string) (*Plan, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("cannot read the plan %s: %w", name, err)
	}
	if !utf8.Valid(data) || bytes.HasPrefix(data, []byte("\ufeff")) {
		return nil, fmt.Errorf("the plan %s is not plain UTF-8: save it as UTF-8 without a byte order mark", name)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, fmt.Errorf("the plan %s is not valid: %s", name, yaml.FormatError(err, false, false))
	}
	p := &Plan{source: source{name: name, data: data, file: file}, resolver: &resolver{plans: map[string]distill.Plan{}, texts: map[string]string{}}}
	p.resolver.base = sync.OnceValue(p.baseSettings)
	switch bodies(file) {
	case 0:
		return nil, fmt.Errorf("the plan %s is empty: docs/study.md says what it holds", name)
	case 1:
	default:
		return nil, fmt.Errorf("the plan %s is not valid: a second document follows the first", name)
	}
	if alias := firstAlias(file); alias != nil {
		return nil, p.source.errorAt(alias.GetToken().Position.Line, "it has the alias %s: write out what it stands for", alias)
	}
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(p); err != nil {
		return nil, fmt.Errorf("the plan %s is not valid: %s", name, yaml.FormatError(err, false, false))
	}
	p.fill()
	if err := p.check(); err != nil {
		return nil, err
	}
	return p, nil
}

// Text returns the plan's file as it was read; "" for a plan that was not.
func (p *Plan) Text() string { return string(p.source.data) }

// bodies counts the documents of a file that are not empty.
func bodies(file *ast.File) int {
	n := 0
	for _, doc := range file.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType && doc.Body.Type() != ast.CommentType {
			n++
		}
	}
	return n
}

// firstAlias returns the first alias in a file, nil for none. A few of them can
// stand for more than fits into memory.
func firstAlias(file *ast.File) ast.Node {
	var f aliasFinder
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(&f, doc.Body)
		}
	}
	return f.found
}

type aliasFinder struct{ found ast.Node }

// Visit notes the first alias.
func (f *aliasFinder) Visit(node ast.Node) ast.Visitor {
	if node.Type() == ast.AliasType && f.found == nil {
		f.found = node
	}
	return f
}

// fill fills in the defaults.
func (p *Plan) fill() {
	if p.Measures == nil {
		p.Measures, _ = measure.ParseList(DefaultMeasures) // a constant
	}
	if p.Seeds == nil {
		p.Seeds = []uint64{1, 2, 3}
	}
	for i := range p.Tests {
		t := &p.Tests[i]
		if t.Turns == "" {
			t.Turns = t.Passages
		}
		if t.Query == "" {
			t.Query = dialog.HistoryMode.String()
		}
		if t.Subset == "" {
			t.Subset = subsetAll
		}
		if t.K == 0 {
			t.K = DefaultK
		}
	}
}

// source is a plan file, where lines can be looked up.
type source struct {
	name string
	data []byte
	file *ast.File
}

// line returns the line of what stands at a path of keys and places in lists, or
// of as much of it as there is; 0 where nothing is known.
func (s source) line(path ...any) int {
	for s.file != nil && len(path) > 0 {
		b := new(yaml.PathBuilder).Root()
		for _, step := range path {
			switch step := step.(type) {
			case int:
				b = b.Index(uint(step))
			case string:
				b = b.Child(step)
			}
		}
		if node, err := b.Build().FilterFile(s.file); err == nil && node != nil {
			return node.GetToken().Position.Line
		}
		path = path[:len(path)-1]
	}
	return 0
}

// errorf returns an error with the place in the plan file.
func (s source) errorf(path []any, format string, args ...any) error {
	return s.errorAt(s.line(path...), format, args...)
}

func (s source) errorAt(line int, format string, args ...any) error {
	if line == 0 {
		return fmt.Errorf("%s: %w", s.name, fmt.Errorf(format, args...))
	}
	return fmt.Errorf("%s:%d: %w", s.name, line, fmt.Errorf(format, args...))
}
