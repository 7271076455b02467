package study

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"parley/distill"
	"parley/measure"
)

func (p *Plan) checkExperiments() error {
	if len(p.Experiments) == 0 {
		return p.source.errorf([]any{"experiments"}, "experiments must name at least one experiment")
	}
	all := p.naming("experiment")
	for i := range p.Experiments {
		e := &p.Experiments[i]
		if err := all.add(e.Name, "experiments", i, "name"); err != nil {
			return err
		}
		p.findLines(i)
		if err := p.checkExperiment(i); err != nil {
			return err
		}
	}
	return nil
}

// findLines notes where the settings of an experiment stand.
func (p *Plan) findLines(i int) {
	e := &p.Experiments[i]
	for j := range e.Set {
		e.Set[j].line = p.source.line("experiments", i, "set", e.Set[j].Path)
	}
	for j := range e.Vary {
		e.Vary[j].line = p.source.line("experiments", i, "vary", e.Vary[j].Path)
	}
	for j := range e.Points {
		for k := range e.Points[j].Set {
			e.Points[j].Set[k].line = p.source.line("experiments", i, "points", j, "set", e.Points[j].Set[k].Path)
		}
	}
}

func (p *Plan) checkExperiment(i int) error {
	e := p.Experiments[i]
	wrong := func(key, format string, args ...any) error { return p.wrongExperiment(i, key, format, args...) }
	switch {
	case e.Vary != nil && e.Points != nil:
		return wrong("points", "give vary or points, not both")
	case e.Points != nil && len(e.Points) == 0:
		return wrong("points", "points is empty: leave it out, or name a point")
	case e.product() > mostSystems:
		return wrong("vary", "it has more than %d systems: vary less at once", mostSystems)
	case !slices.Contains([]string{"", ShowTable, ShowLines, ShowDots, ShowFrontier, ShowTargets}, e.Show):
		return wrong("show", "show is %q: say table, lines, dots, frontier or targets, or leave it out", e.Show)
	}
	if e.From != "" && !slices.ContainsFunc(p.Experiments[:i], func(o ExperimentPlan) bool { return o.Name == e.From && o.Select != nil }) {
		return wrong("from", "from is %q: name an experiment that stands before this one and has select", e.From)
	}
	if e.Select != nil {
		return p.checkSelect(i)
	}
	var points []string
	for _, s := range p.systems(i) {
		switch {
		case s.Name == "":
			return wrong("points", "a point has no name")
		case slices.Contains(points, s.Name):
			return wrong("points", "there are two systems %q: give each its own name and its own values", s.Name)
		}
		points = append(points, s.Name)
	}
	if e.Compare != "" && !slices.Contains(points, e.Compare) {
		return wrong("compare", "compare is %q, and no system has this name: they are %s", e.Compare, strings.Join(points, ", "))
	}
	if missing := e.withoutX(); missing != "" {
		return wrong("points", "the point %q has no x, and others have: give it one, or name it in compare", missing)
	}
	for j, name := range e.Tests {
		switch {
		case !slices.ContainsFunc(p.Tests, func(t TestPlan) bool { return t.Name == name }):
			return wrong("tests", "there is no test %q", name)
		case slices.Contains(e.Tests[:j], name):
			return wrong("tests", "the test %q is named twice", name)
		}
	}
	if e.Tests != nil && len(e.Tests) == 0 {
		return wrong("tests", "tests is empty: leave it out for all")
	}
	return nil
}

// wrongExperiment returns an error with the place of a key of an experiment.
func (p *Plan) wrongExperiment(i int, key, format string, args ...any) error {
	return p.source.errorf([]any{"experiments", i, key}, "experiment %q: %w", p.Experiments[i].Name, fmt.Errorf(format, args...))
}

// checkSelect checks an experiment that chooses.
func (p *Plan) checkSelect(i int) error {
	e := p.Experiments[i]
	if e.Vary != nil || e.Points != nil || e.Compare != "" || e.Tests != nil || e.Seeds != nil || e.Show != "" {
		return p.wrongExperiment(i, "select", "select goes with set and from alone: it is tested nowhere, has seeds of its own, and what varies is in its space")
	}
	if err := e.Select.Validate(); err != nil {
		return p.wrongExperiment(i, "select", "%w", err)
	}
	return nil
}

// withoutX returns a point that has no x where others have, but for the one that
// they are compared with, which may be apart from them; "" where there is none.
func (e ExperimentPlan) withoutX() string {
	has, missing := false, ""
	for i, point := range e.Points {
		switch compared := point.Name == e.Compare || e.Compare == "" && i == 0; {
		case point.X != nil:
			has = true
		case !compared && missing == "":
			missing = point.Name
		}
	}
	if !has {
		return ""
	}
	return missing
}

// mostSystems bounds the systems of an experiment.
const mostSystems = 10_000

// product returns how many systems what varies makes, or more than mostSystems.
func (e ExperimentPlan) product() int {
	n := 1
	for _, v := range e.Vary {
		if n *= len(v.Values); n > mostSystems {
			break
		}
	}
	return n
}

// point is a system of an experiment as the plan says it.
type point struct {
	Name, Title string
	X           *float64
	Set         []Setting
}

// systems returns the systems of an experiment: its points, or the cross product
// of what varies, the last setting varying fastest, or one.
func (p *Plan) systems(i int) []point {
	e := p.Experiments[i]
	if e.Points != nil {
		points := make([]point, len(e.Points))
		for j, named := range e.Points {
			points[j] = point{named.Name, named.Title, named.X, named.Set}
		}
		return points
	}
	if len(e.Vary) == 0 {
		return []point{{Name: e.Name, Title: e.Title}}
	}
	paths := make([]string, len(e.Vary))
	for j, r := range e.Vary {
		paths[j] = r.Path
	}
	points := []point{{}}
	for j, label := range labels(paths) {
		var longer []point
		for _, before := range points {
			for _, value := range e.Vary[j].Values {
				set := append(slices.Clone(before.Set), Setting{Path: paths[j], Value: value, line: e.Vary[j].line})
				longer = append(longer, point{Name: strings.TrimSpace(before.Name + " " + label + "=" + shown(value)), Set: set})
			}
		}
		points = longer
	}
	return points
}

// baseSettings returns what the plan sets for all trainings, with its places.
func (p *Plan) baseSettings() []Setting {
	settings := flatten("", p.Base)
	for i := range settings {
		path := []any{"base"}
		for _, key := range strings.Split(settings[i].Path, ".") {
			path = append(path, key)
		}
		settings[i].line = p.source.line(path...)
	}
	return settings
}

// checkTrainings resolves the plans of all systems that can be known yet.
func (p *Plan) checkTrainings() error {
	base := p.resolver.base()
	if _, err := p.training(base, 0); err != nil {
		return p.wrongTraining(base, "base", err)
	}
	for i, e := range p.Experiments {
		points := p.systems(i)
		if e.Select != nil {
			var err error
			if points, err = p.tried(i); err != nil {
				return err
			}
		}
		for _, s := range points {
			settings := slices.Concat(base, e.Set, s.Set)
			plan, err := p.training(settings, 0)
			if err != nil {
				return p.wrongTraining(settings, fmt.Sprintf("experiment %q", e.Name), err)
			}
			if plan.Student.Kind == distill.StudentSplade && plan.Student.From == "" {
				return p.wrongTraining(settings, fmt.Sprintf("experiment %q", e.Name),
					errors.New("a splade student starts from a checkpoint: name its folder as student.from"))
			}
		}
	}
	return nil
}

// looked is how many points of a selection are looked at before it begins.
const looked = 300

// tried returns the first points of a selection, and refuses one that no
// training can decide.
func (p *Plan) tried(i int) ([]point, error) {
	e := p.Experiments[i]
	tried, err := e.Select.Points()
	if err != nil {
		return nil, p.wrongExperiment(i, "select", "%w", err)
	}
	plan, err := p.training(slices.Concat(p.resolver.base(), e.Set, e.Select.measured()), 0)
	switch {
	case err != nil:
		return nil, p.wrongExperiment(i, "select", "%w", err)
	case plan.Validation.Share == 0:
		return nil, p.wrongExperiment(i, "select", "validation.share is 0, so that nothing is measured on held-out conversations: set it")
	case e.Select.Method == SelectHalving && plan.Optimiser.Epochs == 0:
		return nil, p.wrongExperiment(i, "select", "halving shares out the epochs: set optimiser.epochs")
	}
	var points []point
	for _, t := range tried[:min(len(tried), looked)] {
		points = append(points, point{Name: t.String(), Set: t.Settings})
	}
	return points, nil
}

// measured returns the setting of the measure that chooses.
func (p SelectPlan) measured() []Setting {
	if p.Measure == "" {
		return nil
	}
	return []Setting{{Path: "validation.measure", Value: p.Measure}}
}

// wrongTraining says which setting makes a plan of a training wrong.
func (p *Plan) wrongTraining(settings []Setting, of string, reason error) error {
	if len(settings) == 0 {
		return p.source.errorAt(p.source.line("base"), "%s: %w", of, reason)
	}
	s := settings[culprit(settings)]
	if s.line == 0 {
		return p.source.errorf([]any{"experiments"}, "%s: %s: %w", of, s.Path, reason)
	}
	return p.source.errorAt(s.line, "%s: %s: %w", of, s.Path, reason)
}

// How a report shows an experiment.
const (
	ShowTable    = "table"
	ShowLines    = "lines"
	ShowDots     = "dots"
	ShowFrontier = "frontier"
	ShowTargets  = "targets"
)

// only returns which experiments are run where only some are named: those, and the
// ones that they begin from.
func (p *Plan) only(names []string) ([]bool, error) {
	run := make([]bool, len(p.Experiments))
	for i := range run {
		run[i] = len(names) == 0
	}
	find := func(name string) int {
		return slices.IndexFunc(p.Experiments, func(e ExperimentPlan) bool { return e.Name == name })
	}
	for _, name := range names {
		i := find(name)
		if i < 0 {
			return nil, fmt.Errorf("%s has no experiment %q to run alone", p.source.name, name)
		}
		for ; i >= 0; i = find(p.Experiments[i].From) {
			run[i] = true
		}
	}
	return run, nil
}

// checkReport makes sure that what a report is to show is there.
func (p *Plan) checkReport() error {
	r, at := p.Report, func(key ...any) []any { return append([]any{"report"}, key...) }
	known := p.systemNames()
	if r.Measure != "" && !slices.ContainsFunc(p.Measures, func(m measure.Measure) bool { return m.String() == r.Measure }) {
		return p.source.errorf(at("measure"), "report.measure is %q, and the study does not measure it", r.Measure)
	}
	for _, list := range []struct {
		key   []any
		names []string
	}{
		{[]any{"main"}, r.Main},
		{[]any{"turns"}, r.Turns},
		{[]any{"examples", "before"}, []string{r.Examples.Before}},
		{[]any{"examples", "after"}, []string{r.Examples.After}},
	} {
		for _, name := range list.names {
			if (name != "" || len(list.key) == 1) && !slices.Contains(known, name) {
				return p.source.errorf(at(list.key...), "report has %q, and there is no such system: name it as EXPERIMENT/POINT or baseline/MODE", name)
			}
		}
	}
	for _, name := range r.Tests {
		if !slices.ContainsFunc(p.Tests, func(t TestPlan) bool { return t.Name == name }) {
			return p.source.errorf(at("tests"), "report.tests has %q, and there is no such test", name)
		}
	}
	if name := r.Examples.Test; name != "" && !slices.ContainsFunc(p.Tests, func(t TestPlan) bool { return t.Name == name }) {
		return p.source.errorf(at("examples", "test"), "report.examples.test is %q, and there is no such test", name)
	}
	if r.Examples.Turns < 0 || r.Examples.Turns > 1000 {
		return p.source.errorf(at("examples", "turns"), "report.examples.turns must be from 0 to 1000")
	}
	return nil
}

// systemNames returns the names of all systems, as a report's plan has them.
func (p *Plan) systemNames() []string {
	var all []string
	for _, mode := range p.Baselines {
		all = append(all, baselineName(mode))
	}
	for i, e := range p.Experiments {
		if e.Select != nil {
			continue
		}
		for _, s := range p.systems(i) {
			all = append(all, e.Name+"/"+s.Name)
		}
	}
	return all
}

func baselineName(mode string) string { return "baseline/" + mode }
