package report

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"parley/study"
)

// Experiment is what an experiment of the plan found.
type Experiment struct {
	Name      string       `json:"name"`
	Title     string       `json:"title,omitempty"`
	Note      string       `json:"note,omitempty"`
	Show      string       `json:"show"` // how it is shown
	Compare   string       `json:"compare,omitempty"`
	Axis      *Axis        `json:"axis,omitempty"`    // of lines
	Systems   []System     `json:"systems,omitempty"` // in the order of the plan
	Tests     []Comparison `json:"tests,omitempty"`
	Frontiers []Frontier   `json:"frontiers,omitempty"` // by test
	Targets   []Target     `json:"targets,omitempty"`
	Selection *Selection   `json:"selection,omitempty"`
}

// System is a system of an experiment.
type System struct {
	Name     string          `json:"name"`
	Title    string          `json:"title,omitempty"`
	Settings []study.Setting `json:"settings,omitempty"` // of the point alone
	X        *float64        `json:"x,omitempty"`        // its place on the axis
	Series   string          `json:"series,omitempty"`   // its other settings that vary
	Failed   []string        `json:"failed,omitempty"`   // why trials of it ended without a student
}

// Axis is what a sweep varies.
type Axis struct {
	Label string `json:"label"`
	Log   bool   `json:"log"`
}

func (e Experiment) title() string { return titled(e.Title, e.Name) }

// system returns the system with a name.
func (e Experiment) system(name string) System {
	for _, s := range e.Systems {
		if s.Name == name {
			return s
		}
	}
	return System{Name: name}
}

// compareExperiments fills in all experiments.
func (m *maker) compareExperiments() error {
	for _, found := range m.results.Experiments {
		e := Experiment{Name: found.Plan.Name, Title: found.Plan.Title, Note: found.Plan.Note, Selection: selectionOf(found.Selection)}
		var base *study.System
		if len(found.Systems) > 0 {
			base = found.Base()
			e.Compare = base.Name
		}
		e.Systems = systemsOf(found)
		e.shape(found)
		systems := found.Systems
		if e.Show == study.ShowFrontier {
			systems = append(slices.Clone(systems), m.chosen(&e, found)...)
		}
		for test := range m.results.Tests {
			c, err := m.compare(systems, base, test)
			if err != nil {
				return fmt.Errorf("experiment %q: %w", e.Name, err)
			}
			if len(c.Rows) == 0 {
				continue
			}
			e.Tests = append(e.Tests, c)
			if e.Show == study.ShowFrontier && c.Base != "" {
				e.Frontiers = append(e.Frontiers, m.frontier(e, c, systems, test))
			}
		}
		if e.Show == study.ShowTargets {
			e.Targets = m.targets(found)
		}
		m.report.Experiments = append(m.report.Experiments, e)
	}
	return nil
}

func systemsOf(found *study.Experiment) []System {
	var systems []System
	for _, s := range found.Systems {
		system := System{Name: s.Name, Title: s.Title, Settings: s.Settings, X: s.X}
		for _, t := range s.Trials {
			if t.Failed != "" {
				system.Failed = append(system.Failed, fmt.Sprintf("seed %d: %s", t.Seed, t.Failed))
			}
		}
		systems = append(systems, system)
	}
	return systems
}

// showSelection is how the search for a setting is shown.
const showSelection = "selection"

// shape decides how an experiment is shown: as the plan says, or as its form
// asks for.
func (e *Experiment) shape(found *study.Experiment) {
	axis := e.placeOnAxis(found)
	switch {
	case found.Plan.Select != nil:
		e.Show = showSelection
	case found.Plan.Show != "":
		e.Show = found.Plan.Show
	case steered(found):
		e.Show = study.ShowTargets
	case axis:
		e.Show = study.ShowLines
	case len(found.Systems) > 1:
		e.Show = study.ShowDots
	default:
		e.Show = study.ShowTable
	}
	if e.Show == study.ShowLines && !axis {
		e.Show = study.ShowDots
	}
	if e.Show == study.ShowFrontier {
		e.family()
	}
}

// mostSeries is how many lines one chart can hold apart.
const mostSeries = 8

// placeOnAxis gives each system its place on the axis of a sweep, and tells
// whether there is one: places that the plan gives, or the values of the one
// setting that takes at least three, all of them numbers.
func (e *Experiment) placeOnAxis(found *study.Experiment) bool {
	if slices.ContainsFunc(e.Systems, func(s System) bool { return s.X != nil }) {
		e.Axis = &Axis{Label: titled(found.Plan.X, "x"), Log: e.wide()}
		return e.places() == len(e.Systems)
	}
	varied := e.varied()
	path := ""
	for _, p := range varied {
		if values := e.values(p); len(values) >= 3 {
			if path != "" {
				return false
			}
			path = p
		}
	}
	if path == "" {
		return false
	}
	for i, s := range e.Systems {
		for _, setting := range s.Settings {
			if v, ok := numeric(setting.Value); ok && setting.Path == path {
				e.Systems[i].X = &v
			}
		}
		e.Systems[i].Series = settingsBut(s.Settings, varied, func(o study.Setting) bool { return o.Path == path })
	}
	if e.series() > mostSeries {
		return false
	}
	e.Axis = &Axis{Label: titled(found.Plan.X, path), Log: e.wide()}
	return true
}

// varied returns the paths whose values differ between systems, in their order.
func (e *Experiment) varied() []string {
	var paths, varied []string
	for _, s := range e.Systems {
		for _, o := range s.Settings {
			if !slices.Contains(paths, o.Path) {
				paths = append(paths, o.Path)
			}
		}
	}
	for _, p := range paths {
		first, known := valueOf(e.Systems[0], p)
		if slices.ContainsFunc(e.Systems, func(s System) bool {
			v, has := valueOf(s, p)
			return has != known || !reflect.DeepEqual(v, first)
		}) {
			varied = append(varied, p)
		}
	}
	return varied
}

func valueOf(s System, path string) (any, bool) {
	for _, o := range s.Settings {
		if o.Path == path {
			return o.Value, true
		}
	}
	return nil, false
}

// values returns the different numbers that a setting takes; none if it takes
// anything else.
func (e *Experiment) values(path string) []float64 {
	var values []float64
	for _, s := range e.Systems {
		value, has := valueOf(s, path)
		if !has || value == nil {
			continue // off: a system beside the axis
		}
		v, ok := numeric(value)
		if !ok {
			return nil
		}
		if !slices.Contains(values, v) {
			values = append(values, v)
		}
	}
	return values
}

// wide tells whether the places want a logarithmic axis: none below 0, and the
// others over more than a decade and a half.
func (e *Experiment) wide() bool {
	low, high := math.Inf(1), 0.0
	for _, s := range e.Systems {
		if s.X == nil || *s.X == 0 {
			continue
		}
		low, high = math.Min(low, *s.X), math.Max(high, *s.X)
	}
	return low > 0 && high/low > 30
}

// places counts the systems with a place that no earlier one has, and those
// without.
func (e *Experiment) places() int {
	seen, n := map[float64]bool{}, 0
	for _, s := range e.Systems {
		if s.X == nil || !seen[*s.X] {
			n++
		}
		if s.X != nil {
			seen[*s.X] = true
		}
	}
	return n
}

func (e *Experiment) series() int {
	seen := map[string]bool{}
	for _, s := range e.Systems {
		seen[s.Series] = true
	}
	return len(seen)
}

// numeric returns the number that a value of YAML is.
func numeric(v any) (float64, bool) {
	switch v := reflect.ValueOf(v); {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0)
	}
	return 0, false
}

// settingsBut writes settings without some of them, those of the paths given
// where there are any.
func settingsBut(settings []study.Setting, paths []string, but func(study.Setting) bool) string {
	var parts []string
	for _, o := range settings {
		if but(o) || o.Value == nil || paths != nil && !slices.Contains(paths, o.Path) {
			continue
		}
		parts = append(parts, o.Path+"="+valueText(o.Value))
	}
	return strings.Join(parts, " ")
}

func valueText(v any) string {
	if n, ok := numeric(v); ok {
		return strconv.FormatFloat(n, 'g', -1, 64)
	}
	return fmt.Sprint(v) // maps in the order of their keys
}

// family gives each system of a frontier what it is joined to others by: the
// settings in which it differs from the one compared with, without the keys that
// all of them begin and end with.
func (e *Experiment) family() {
	base := e.system(e.Compare)
	keys := make([][]string, len(e.Systems))
	var all [][]string
	for i, s := range e.Systems {
		for _, o := range s.Settings {
			if own, has := valueOf(base, o.Path); o.Value == nil || has && reflect.DeepEqual(own, o.Value) {
				continue
			}
			keys[i] = append(keys[i], o.Path)
			all = append(all, strings.Split(o.Path, "."))
		}
	}
	head, tail := shared(all)
	for i := range e.Systems {
		var parts []string
		for _, key := range keys[i] {
			path := strings.Split(key, ".")
			parts = append(parts, strings.Join(path[head:len(path)-tail], "."))
		}
		e.Systems[i].Series = strings.Join(parts, " + ")
	}
}

// chosen adds to a frontier the systems whose settings were chosen on held-out
// conversations, where these are settings of the frontier and the student is of
// the same kind: what was chosen without the tests stands beside what the tests
// would have chosen.
func (m *maker) chosen(e *Experiment, frontier *study.Experiment) []*study.System {
	var paths []string
	for _, s := range e.Systems {
		for _, o := range s.Settings {
			paths = append(paths, o.Path)
		}
	}
	var systems []*study.System
	for _, other := range m.results.Experiments {
		selection := m.selection(other.Plan.From)
		if selection == nil || slices.ContainsFunc(selection.Chosen.Settings, func(o study.Setting) bool { return !slices.Contains(paths, o.Path) }) {
			continue
		}
		for _, s := range other.Systems {
			if frontier.Base() == nil || s.Plan.Student != frontier.Base().Plan.Student || e.has(s.Name) {
				continue
			}
			systems = append(systems, s)
			e.Systems = append(e.Systems, System{Name: s.Name, Title: s.Title, Settings: selection.Chosen.Settings, Series: chosenFamily})
		}
	}
	return systems
}

func (e *Experiment) has(name string) bool {
	return slices.ContainsFunc(e.Systems, func(s System) bool { return s.Name == name })
}

// selection returns what the experiment of a name chose; nil for none.
func (m *maker) selection(name string) *study.Selection {
	for _, e := range m.results.Experiments {
		if name != "" && e.Plan.Name == name {
			return e.Selection
		}
	}
	return nil
}

// shared returns how many keys different paths all begin with, and how many they
// end with, leaving each path one key at least.
func shared(paths [][]string) (head, tail int) {
	if !slices.ContainsFunc(paths, func(p []string) bool { return !slices.Equal(p, paths[0]) }) {
		return 0, 0
	}
	shortest := len(paths[0])
	for _, p := range paths {
		shortest = min(shortest, len(p))
	}
	same := func(at func(p []string) string) bool {
		return !slices.ContainsFunc(paths, func(p []string) bool { return at(p) != at(paths[0]) })
	}
	for head < shortest-1 && same(func(p []string) string { return p[head] }) {
		head++
	}
	for tail < shortest-1-head && same(func(p []string) string { return p[len(p)-1-tail] }) {
		tail++
	}
	return head, tail
}
