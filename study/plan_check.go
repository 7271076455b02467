package study

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"parley/dialog"
)

// name is what may stand for a file.
var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$`)

// Subsets of a test's turns.
const (
	subsetAll       = "all"
	subsetFirst     = "first"
	subsetLater     = "later"
	subsetRewritten = "rewritten" // with a colon and a rewriter, or the human
)

// subset returns which turns a subset has.
func subset(name string) (func(t dialog.Turn) bool, error) {
	switch rewriter, isRewritten := strings.CutPrefix(name, subsetRewritten); {
	case name == subsetAll:
		return func(dialog.Turn) bool { return true }, nil
	case name == subsetFirst:
		return func(t dialog.Turn) bool { return t.Number == 1 }, nil
	case name == subsetLater:
		return func(t dialog.Turn) bool { return t.Number > 1 }, nil
	case isRewritten && rewriter == "":
		return func(t dialog.Turn) bool { _, ok := t.RewriteBy(dialog.Human); return ok }, nil
	case isRewritten && len(rewriter) > 1 && rewriter[0] == ':':
		return func(t dialog.Turn) bool { _, ok := t.RewriteBy(rewriter[1:]); return ok }, nil
	}
	return nil, fmt.Errorf("subset %q is unknown: use all, first, later, rewritten or rewritten:NAME", name)
}

// check reports the first thing in the plan that cannot be run.
func (p *Plan) check() error {
	for _, part := range []func() error{
		p.checkCollections, p.checkEncoder, p.checkTrain, p.checkTests, p.checkMeasures, p.checkBaselines, p.checkSeeds, p.checkExperiments, p.checkTrainings, p.checkReport,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// names returns the names of all collections, halves behind their whole.
func (p *Plan) names() []string {
	var all []string
	for _, c := range p.Collections {
		all = append(all, c.Name)
		if c.Split != nil {
			all = append(all, c.Split.Names...)
		}
	}
	return all
}

// naming makes sure that names can stand for files and differ.
type naming struct {
	p    *Plan
	what string
	seen map[string]bool
}

func (p *Plan) naming(what string) *naming { return &naming{p, what, map[string]bool{}} }

func (n *naming) add(name string, path ...any) error {
	switch {
	case name == "":
		return n.p.source.errorf(path, "a %s has no name", n.what)
	case !fileName.MatchString(name):
		return n.p.source.errorf(path, "the name of the %s %q must be of letters, digits, dots, hyphens and underscores, and begin with a letter or digit", n.what, name)
	case n.seen[strings.ToLower(name)]:
		return n.p.source.errorf(path, "there are two %ss %q: give each its own name", n.what, name)
	}
	n.seen[strings.ToLower(name)] = true
	return nil
}

func (p *Plan) checkCollections() error {
	if p.Name == "" {
		return p.source.errorf([]any{"name"}, "the study has no name")
	}
	if len(p.Collections) == 0 {
		return p.source.errorf([]any{"collections"}, "collections must name at least one collection")
	}
	all := p.naming("collection")
	for i, c := range p.Collections {
		if err := all.add(c.Name, "collections", i, "name"); err != nil {
			return err
		}
		if c.Path == "" {
			return p.source.errorf([]any{"collections", i}, "the collection %q has no path", c.Name)
		}
		if c.Split == nil {
			continue
		}
		at := []any{"collections", i, "split"}
		if len(c.Split.Names) != 2 {
			return p.source.errorf(at, "the split of %q needs names for its two halves, as in names: [train, test]", c.Name)
		}
		if f := c.Split.Fraction; !(f >= 0 && f < 1) {
			return p.source.errorf(append(at, "fraction"), "the fraction of the split of %q must lie between 0 and 1", c.Name)
		}
		for j, name := range c.Split.Names {
			if err := all.add(name, append(at, "names", j)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// has tells whether there is a collection, or a half of one, of a name.
func (p *Plan) has(name string) bool {
	return slices.Contains(p.names(), name)
}

func (p *Plan) checkEncoder() error {
	e, at := p.Encoder, []any{"encoder"}
	switch {
	case e.Vocab != "" && e.From != "":
		return p.source.errorf(at, "encoder: give vocab for BM25, or from for a model, not both")
	case e.From != "" && (e.K1 != nil || e.B != nil):
		return p.source.errorf(at, "encoder: k1 and b are for BM25: leave them out beside from")
	case e.K1 != nil && !(*e.K1 >= 0 && *e.K1 <= 1e6):
		return p.source.errorf(append(at, "k1"), "encoder.k1 must be 0 or more")
	case e.B != nil && !(*e.B >= 0 && *e.B <= 1):
		return p.source.errorf(append(at, "b"), "encoder.b must be from 0 to 1")
	case e.Vocab == "" && e.From == "":
		for _, name := range p.searched() {
			if c := p.collection(name); c.Name != name || c.Index == "" {
				return p.source.errorf(at, "encoder: say what encodes the passages of %q: vocab, a vocabulary file for BM25, or from, the folder of a model", name)
			}
		}
	}
	return nil
}

// searched returns the names of the collections that need an index, each once.
func (p *Plan) searched() []string {
	all := []string{p.Train.Passages}
	for _, t := range p.Tests {
		if !slices.Contains(all, t.Passages) {
			all = append(all, t.Passages)
		}
	}
	return all
}

// collection returns the collection of a name, or the one that it is a half of.
func (p *Plan) collection(name string) CollectionPlan {
	for _, c := range p.Collections {
		if c.Name == name || c.Split != nil && slices.Contains(c.Split.Names, name) {
			return c
		}
	}
	return CollectionPlan{}
}

func (p *Plan) checkTrain() error {
	at := []any{"train"}
	switch {
	case !p.has(p.Train.Passages):
		return p.source.errorf(append(at, "passages"), "train.passages is %q, and no collection has this name", p.Train.Passages)
	case len(p.Train.Turns) == 0:
		return p.source.errorf(append(at, "turns"), "train.turns must name at least one collection")
	}
	for i, name := range p.Train.Turns {
		if !p.has(name) {
			return p.source.errorf(append(at, "turns", i), "train.turns has %q, and no collection has this name", name)
		}
		if slices.Contains(p.Train.Turns[:i], name) {
			return p.source.errorf(append(at, "turns", i), "train.turns has %q twice", name)
		}
	}
	return nil
}

func (p *Plan) checkTests() error {
	if len(p.Tests) == 0 {
		return p.source.errorf([]any{"tests"}, "tests must name at least one test")
	}
	all := p.naming("test")
	for i, t := range p.Tests {
		if err := all.add(t.Name, "tests", i, "name"); err != nil {
			return err
		}
		wrong := func(key, format string, args ...any) error {
			return p.source.errorf([]any{"tests", i, key}, "test %q: %w", t.Name, fmt.Errorf(format, args...))
		}
		if !p.has(t.Passages) {
			return wrong("passages", "passages is %q, and no collection has this name", t.Passages)
		}
		if !p.has(t.Turns) {
			return wrong("turns", "turns is %q, and no collection has this name", t.Turns)
		}
		if _, err := dialog.ParseMode(t.Query); err != nil {
			return wrong("query", "%w", err)
		}
		if _, err := subset(t.Subset); err != nil {
			return wrong("subset", "%w", err)
		}
		if t.K < 1 || t.K > 10_000 {
			return wrong("k", "k must be from 1 to 10000")
		}
		for _, m := range p.Measures {
			if m.Cutoff > t.K {
				return wrong("k", "%s needs the first %d passages, and k is %d: raise it", m, m.Cutoff, t.K)
			}
		}
	}
	return nil
}

func (p *Plan) checkMeasures() error {
	for i, m := range p.Measures {
		if slices.Contains(p.Measures[:i], m) {
			return p.source.errorf([]any{"measures", i}, "the measure %s is given twice", m)
		}
	}
	if len(p.Measures) == 0 {
		return p.source.errorf([]any{"measures"}, "measures must name at least one, as in [%s]", strings.ReplaceAll(DefaultMeasures, " ", ", "))
	}
	return nil
}

func (p *Plan) checkBaselines() error {
	for i, name := range p.Baselines {
		at := []any{"baselines", i}
		mode, err := dialog.ParseMode(name)
		if err != nil {
			return p.source.errorf(at, "%w", err)
		}
		p.Baselines[i] = mode.String()
		if slices.Contains(p.Baselines[:i], mode.String()) {
			return p.source.errorf(at, "the baseline %s is given twice", mode)
		}
	}
	return nil
}

func (p *Plan) checkSeeds() error {
	if err := p.distinctSeeds(p.Seeds, "seeds"); err != nil {
		return err
	}
	for i, e := range p.Experiments {
		if e.Seeds == nil {
			continue
		}
		if err := p.distinctSeeds(e.Seeds, "experiments", i, "seeds"); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) distinctSeeds(seeds []uint64, at ...any) error {
	if len(seeds) == 0 {
		return p.source.errorf(at, "seeds must name at least one")
	}
	for i, seed := range seeds {
		if slices.Contains(seeds[:i], seed) {
			return p.source.errorf(append(at, i), "the seed %d is given twice", seed)
		}
	}
	return nil
}
