package sample

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// read reads a section over the default, as a plan file is read.
func read(text string) (Plan, error) {
	p := Mixture(16, 16, 16, 64)
	err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(&p)
	if err != nil {
		return p, err
	}
	return p, p.Validate()
}

func TestValidate(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"depth: 9\nfrom: [{sampler: top, n: 3}]", ""},
		{"from: [{sampler: window, ranking: student, n: 3, last: 20}]\nrefresh: {steps: 100}", ""},
		{"gold: true\nfrom: [{sampler: random, n: 1}]", ""},
		{"gold: true\nfrom: []", ""},
		{"from: [{sampler: full}]", ""},
		{"from: [{sampler: full, ranking: history}, {sampler: batch, n: 5}]", ""},
		{"gold: true\nfrom: [{sampler: batch, n: 5}]", ""},
		{"from: [{sampler: top, n: 8}, {sampler: importance, n: 8}, {sampler: random, n: 8, outside: teacher}]", ""},
		{"from: [{sampler: importance, n: 8, by: rank, ranking: history, power: .5}]", ""},

		{"depth: 0", "candidates.depth must be from 1 to 10000"},
		{"from: []", "must name at least one sampler"},
		{"from: [{sampler: best, n: 3}]", `candidates.from[0]: sampler must be top, window, stratified, importance, random, batch or full, not "best"`},
		{"from: [{sampler: top, n: 3}, {n: 3}]", `candidates.from[1]: sampler must be`},
		{"from: [{sampler: top, n: 3, ranking: human}]", `ranking must be teacher, history or student, not "human"`},
		{"from: [{sampler: top}]", "n must be from 1"},
		{"from: [{sampler: random, n: -3}]", "n must be from 1"},
		{"from: [{sampler: random, n: 3, outside: here}]", "outside must be"},
		{"from: [{sampler: random, n: 3, ranking: teacher}]", "ranking is not for the sampler random, which has n, outside"},
		{"from: [{sampler: top, n: 3, power: 2}]", "power is not for the sampler top"},
		{"from: [{sampler: full, n: 3}]", "n is not for the sampler full"},
		{"from: [{sampler: top, n: 65}]", "65 candidates cannot come from the first 64 ranks"},
		{"from: [{sampler: importance, n: 65}]", "65 candidates cannot come from the first 64 ranks"},
		{"from: [{sampler: stratified, n: 65}]", "65 candidates cannot come from the first 64 ranks"},
		{"from: [{sampler: window, n: 9, last: 65}]", "last: rank 65 is beyond candidates.depth, which is 64"},
		{"from: [{sampler: window, n: 9, first: 60}]", "9 candidates cannot come from the ranks 60 to 64"},
		{"from: [{sampler: window, n: 1, first: 9, last: 8}]", "first and last must be ranks"},
		{"from: [{sampler: window, n: 1, first: -1}]", "first and last must be ranks"},
		{"from: [{sampler: stratified, n: 9, over: time}]", `over must be rank or score, not "time"`},
		{"from: [{sampler: stratified, n: 9, over: score, ranking: history}]", "only the teacher's ranking has scores"},
		{"from: [{sampler: stratified, n: 9, share: fair}]", "share must be equal or proportional"},
		{"from: [{sampler: stratified, n: 9, strata: 1001}]", "strata must be from 1 to 1000"},
		{"from: [{sampler: importance, n: 9, by: luck}]", "by must be score, rank or uniform"},
		{"from: [{sampler: importance, n: 9, ranking: student}]", "only the teacher's ranking has scores"},
		{"from: [{sampler: importance, n: 9, power: -1}]", "power must be above 0"},
		{"from: [{sampler: importance, n: 9, power: .nan}]", "power must be above 0"},
		{"from: [{sampler: importance, n: 9, by: uniform, power: 2}]", "power acts on score or rank"},
		{"from: [{sampler: importance, n: 9, by: rank, temperature: 2}]", "temperature is for by: score"},
		{"from: [{sampler: importance, n: 9, temperature: 1e-9}]", "temperature must be from 1e-6"},
		{"from: [{sampler: importance, n: 9, temperature: .nan}]", "temperature must be from 1e-6"},

		{"from: [{sampler: full}, {sampler: top, n: 3}]", "full takes every passage"},
		{"from: [{sampler: batch, n: 3}]", "name a sampler beside it, or gold"},
		{"from: [{sampler: batch, n: 3}, {sampler: top, n: 3}]", "name it last"},
		{"refresh: {epochs: 1}", "candidates.refresh acts on the student's ranking"},
		{"refresh: {epochs: 1, steps: 2}\nfrom: [{sampler: top, n: 3, ranking: student}]", "epochs or of steps, not both"},
		{"refresh: {steps: -2}\nfrom: [{sampler: top, n: 3, ranking: student}]", "epochs or of steps, not both"},
		{"from: [{sampler: top, n: 1}]", "at least 2 in all, or 1 beside the judged ones"},

		{"from: [{sampler: importance, n: 9}, {sampler: batch, n: 3}]", "importance sampling needs the probability of each candidate, which is not known for batch"},
		{"from: [{sampler: importance, n: 9}, {sampler: random, n: 3}]", "candidates.from[1]: importance sampling needs the probability of each candidate, which is not known for random beside another"},
		{"from: [{sampler: window, n: 9}, {sampler: importance, n: 3}]", "two samplers may draw the same passages"},
		{"from: [{sampler: importance, n: 9}, {sampler: top, n: 3}]", "name top before what draws by chance"},
		{"correct: true", "candidates.from[1]: candidates.correct: true needs the probability"},

		{"from: [{sampler: top, n: 3, ranked: human}]", `[1:29] unknown field "ranked"`},
		{"teacher: 16", `unknown field "teacher"`},
		{"from: 3", "[1:7]"},
	} {
		p, err := read(test.text)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s\nerror %v, want %q; plan %+v", test.text, err, test.want, p)
		}
	}
}

// TestNamingSourcesReplacesThem says that no default shows through.
func TestNamingSourcesReplacesThem(t *testing.T) {
	p, err := read("from: [{sampler: random, n: 3}]")
	if want := []Source{{Sampler: Random, N: 3}}; err != nil || !reflect.DeepEqual(p.From, want) || p.Depth != 64 {
		t.Errorf("read %+v, %v", p, err)
	}
}

func TestNeeds(t *testing.T) {
	for text, want := range map[string]Needs{
		"depth: 64": {Teacher: 64, History: 64},
		"from: [{sampler: window, n: 3, last: 20}, {sampler: top, n: 2, ranking: student}]": {Teacher: 20, Student: 64},
		"from: [{sampler: stratified, n: 3, over: score}]":                                  {Teacher: 64, Scores: true},
		"from: [{sampler: importance, n: 3}]":                                               {Teacher: 64, Scores: true},
		"from: [{sampler: importance, n: 3, by: rank, ranking: history}]":                   {History: 64},
		"from: [{sampler: random, n: 3, outside: history}, {sampler: batch, n: 2}]":         {History: 64, Batch: true},
		"from: [{sampler: full}]":                                                           {Everything: true},
		"from: [{sampler: full, ranking: teacher}]":                                         {Teacher: 64},
	} {
		p, err := read(text)
		if got := p.Needs(); err != nil || got != want {
			t.Errorf("%s: needs %+v, %v; want %+v", text, got, err, want)
		}
	}
	if p, _ := read("from: [{sampler: full, ranking: teacher}, {sampler: random, n: 6}]"); p.Most(1000) != 70 || p.Most(50) != 50 {
		t.Errorf("at most %d candidates", p.Most(1000))
	}
	if p, _ := read("from: [{sampler: top, n: 6, ranking: student}]"); p.Resolved().Refresh.Epochs != 1 {
		t.Errorf("refreshed every %+v", p.Resolved().Refresh)
	}
}

// FuzzPlan reads sections of plan files. What is valid is read back as it was
// written, and can be drawn from.
func FuzzPlan(f *testing.F) {
	f.Add("depth: 9\nfrom: [{sampler: top, n: 3}]", uint64(1))
	f.Add("from: [{sampler: window, ranking: student, n: 3, last: 20}, {sampler: batch, n: 2}]\nrefresh: {steps: 100}", uint64(2))
	f.Add("gold: true\nfrom: [{sampler: top, n: 8}, {sampler: importance, n: 8}, {sampler: random, n: 8, outside: teacher}]", uint64(3))
	f.Add("correct: true\nfrom: [{sampler: stratified, n: 8, over: score, strata: 3, share: proportional}]", uint64(4))
	f.Add("from: [{sampler: full}]", uint64(5))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		if strings.Contains(text, "!") {
			return // tags are refused where plan files are read
		}
		p, err := read(text)
		if err != nil {
			return
		}
		written, err := yaml.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		back, err := read(string(bytes.TrimSpace(written)))
		if err != nil || !reflect.DeepEqual(back, p) && len(p.From) > 0 {
			t.Fatalf("%+v was read back as %+v, %v", p, back, err)
		}
		rng := source(seed)
		n := 1 + rng.IntN(100)
		r := listed(n, rng.IntN(n+1), seed)
		s := New(p, Options{Passages: n, Temperature: 5})
		batch := []*Candidates{new(Candidates), new(Candidates)}
		for _, c := range batch {
			s.Draw(c, r, rng)
		}
		for i, c := range batch {
			if s.Share(batch, i, rng); len(c.Passages) > p.Most(n) {
				t.Fatalf("%+v drew %d candidates of %d passages", p, len(c.Passages), n)
			}
		}
	})
}
