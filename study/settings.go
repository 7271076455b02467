package study

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"parley/distill"
)

// Setting gives a value to a key of the plan of a training.
type Setting struct {
	Path  string `json:"path"`  // keys with dots between them: objective.kld.temperature
	Value any    `json:"value"` // as YAML has it: a number, a string, a list, a section; nil for null

	line int // in the plan file; 0: none
}

// Settings are settings in the order of the file.
type Settings []Setting

// UnmarshalYAML reads a mapping in its order.
func (s *Settings) UnmarshalYAML(unmarshal func(any) error) error {
	var items yaml.MapSlice
	if err := unmarshal(&items); err != nil {
		return err
	}
	*s = nil
	for _, item := range items {
		*s = append(*s, Setting{Path: fmt.Sprint(item.Key), Value: plain(item.Value)})
	}
	return nil
}

// Variation has the values that a setting takes in turn.
type Variation struct {
	Path   string `json:"path"`
	Values []any  `json:"values"`

	line int
}

// Variations are variations in the order of the file.
type Variations []Variation

// UnmarshalYAML reads a mapping of paths to lists in its order.
func (v *Variations) UnmarshalYAML(unmarshal func(any) error) error {
	var items yaml.MapSlice
	if err := unmarshal(&items); err != nil {
		return err
	}
	*v = nil
	for _, item := range items {
		values, ok := plain(item.Value).([]any)
		if !ok || len(values) == 0 {
			return fmt.Errorf("vary: %v needs a list of values, as in [0, .1, .2]", item.Key)
		}
		*v = append(*v, Variation{Path: fmt.Sprint(item.Key), Values: values})
	}
	return nil
}

// plain turns ordered mappings within a value into maps.
func plain(value any) any {
	switch v := value.(type) {
	case yaml.MapSlice:
		m := make(map[string]any, len(v))
		for _, item := range v {
			m[fmt.Sprint(item.Key)] = plain(item.Value)
		}
		return m
	case map[string]any:
		for key := range v {
			v[key] = plain(v[key])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return value
}

// shown writes a value for people: "0.1", "[teacher, history]".
func shown(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = shown(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, key+": "+shown(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(value)
}

// labels returns short names of paths that differ: without the section that a
// long one begins with, as long as that leaves them apart.
func labels(paths []string) []string {
	short := make([]string, len(paths))
	seen := map[string]bool{}
	for i, path := range paths {
		short[i] = path
		if head, rest, _ := strings.Cut(path, "."); strings.Contains(rest, ".") && head != "" {
			short[i] = rest
		}
		if seen[short[i]] {
			return paths
		}
		seen[short[i]] = true
	}
	return short
}

// flatten returns the settings that a tree is made of, by path.
func flatten(prefix string, tree map[string]any) []Setting {
	var settings []Setting
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		if section, ok := tree[key].(map[string]any); ok && len(section) > 0 {
			settings = append(settings, flatten(prefix+key+".", section)...)
			continue
		}
		settings = append(settings, Setting{Path: prefix + key, Value: plain(tree[key])})
	}
	return settings
}

// put gives a tree the value of a setting.
func (s Setting) put(tree map[string]any) error {
	keys := strings.Split(s.Path, ".")
	for i, key := range keys[:len(keys)-1] {
		if key == "" {
			return fmt.Errorf("%q is no path of keys with dots between them", s.Path)
		}
		switch section := tree[key].(type) {
		case map[string]any:
			tree = section
		case nil:
			fresh := map[string]any{}
			tree[key] = fresh
			tree = fresh
		default:
			return fmt.Errorf("%s has a value and no settings below it", strings.Join(keys[:i+1], "."))
		}
	}
	tree[keys[len(keys)-1]] = copied(s.Value)
	return nil
}

// copied returns a value whose sections can be changed.
func copied(value any) any {
	section, ok := value.(map[string]any)
	if !ok {
		return value
	}
	fresh := make(map[string]any, len(section))
	for key := range section {
		fresh[key] = copied(section[key])
	}
	return fresh
}

// place is where the reader of training plans says that something is wrong, in a
// file that nobody sees.
var place = regexp.MustCompile(`^\[\d+:\d+\] `)

// resolver remembers what settings came to: a design asks for the same ones
// again and again. It is safe for concurrent use.
type resolver struct {
	base func() []Setting // what the study's plan sets for all trainings

	mu    sync.Mutex
	plans map[string]distill.Plan // by their settings
	texts map[string]string       // of plans, by their settings and the seed
}

// training returns the plan of a training, the default one with the settings put
// into it, the later over the earlier, and a seed.
func (p *Plan) training(settings []Setting, seed uint64) (distill.Plan, error) {
	r, key := p.resolver, keyOf(settings)
	r.mu.Lock()
	defer r.mu.Unlock()
	plan, known := r.plans[key]
	if !known {
		var err error
		if plan, err = resolve(settings); err != nil {
			return plan, err
		}
		r.plans[key] = plan
	}
	plan.Seed = seed
	return plan, nil
}

// text returns the plan of a training as its file says it, every value named.
func (p *Plan) text(settings []Setting, plan distill.Plan) string {
	r, key := p.resolver, fmt.Sprintf("%sseed=%d", keyOf(settings), plan.Seed)
	r.mu.Lock()
	defer r.mu.Unlock()
	text, known := r.texts[key]
	if !known {
		var b strings.Builder
		_ = plan.Write(&b) // a builder takes every write
		text = b.String()
		r.texts[key] = text
	}
	return text
}

// keyOf tells settings from others.
func keyOf(settings []Setting) string {
	var key []byte
	for _, s := range settings {
		key = fmt.Appendf(key, "%s=%#v\n", s.Path, s.Value)
	}
	return string(key)
}

// resolve puts settings into the default plan.
func resolve(settings []Setting) (distill.Plan, error) {
	tree := map[string]any{}
	for _, s := range settings {
		if s.Path == "seed" {
			return distill.Plan{}, errors.New("seed is set by seeds")
		}
		if err := s.put(tree); err != nil {
			return distill.Plan{}, err
		}
	}
	text, err := yaml.Marshal(tree)
	if err != nil {
		return distill.Plan{}, err
	}
	plan, err := distill.ReadPlan(bytes.NewReader(text), "", distill.DefaultPlan(distill.StudentFeatures))
	if err != nil {
		_, reason, found := strings.Cut(err.Error(), " is not valid: ")
		if !found {
			return plan, err
		}
		return plan, errors.New(place.ReplaceAllString(reason, ""))
	}
	return plan, nil
}

// culprit returns the place of the setting, of some that cannot go together,
// with which they go wrong for good.
func culprit(settings []Setting) int {
	n := len(settings)
	for n > 0 {
		if _, err := resolve(settings[:n-1]); err == nil {
			break
		}
		n--
	}
	return max(n-1, 0)
}
