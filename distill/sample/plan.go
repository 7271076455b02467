package sample

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Samplers.
const (
	Top        = "top"        // the head of a ranking
	Window     = "window"     // uniform in ranks first to last
	Stratified = "stratified" // uniform in each stratum of a ranking
	Importance = "importance" // in proportion to a proposal
	Random     = "random"     // uniform in all passages
	Batch      = "batch"      // of what other turns of the batch have drawn
	Full       = "full"       // all of them
)

// Rankings to draw from.
const (
	Teacher = "teacher"
	History = "history"
	Student = "student"
)

// What strata and proposals go by, and how strata share candidates.
const (
	Score        = "score"
	Rank         = "rank"
	Uniform      = "uniform"
	Equal        = "equal"
	Proportional = "proportional"
)

// Most is the largest number of candidates that a source can be asked for, and
// the longest ranking.
const Most = 10_000

// Plan says on which passages student and teacher are compared. It is the
// section candidates of a plan file.
type Plan struct {
	// Depth is the length of the rankings that candidates are drawn from.
	Depth int `yaml:"depth" json:"depth"`
	// Gold makes all judged passages of a turn candidates, certain to be there.
	Gold bool `yaml:"gold" json:"gold"`
	// Correct shifts each logit by −ln π, so that candidates stand for the list
	// that they were drawn from. Importance sampling always does.
	Correct bool `yaml:"correct" json:"correct"`
	// Refresh is how often the student ranks anew; nothing stands for each epoch.
	Refresh Refresh `yaml:"refresh,omitempty" json:"refresh,omitzero"`
	// From are the sources, drawn from one after another. Who is a candidate
	// already is not drawn again; where fewer exist than asked for, all are taken.
	From []Source `yaml:"from" json:"from"`
}

// Refresh is how often the student's own ranking is made anew: every so many
// epochs or steps, one of them 0.
type Refresh struct {
	Epochs int `yaml:"epochs,omitempty" json:"epochs,omitempty"`
	Steps  int `yaml:"steps,omitempty" json:"steps,omitempty"`
}

// Source is a sampler and what it needs to know. What it leaves out has the
// default that the field states.
type Source struct {
	Sampler string `yaml:"sampler" json:"sampler"`
	// Ranking is teacher, history or student: teacher, but for full, which takes
	// every passage if it is left out.
	Ranking string `yaml:"ranking,omitempty" json:"ranking,omitempty"`
	N       int    `yaml:"n,omitempty" json:"n,omitempty"` // how many

	First int `yaml:"first,omitempty" json:"first,omitempty"` // window: rank, from 1: 1
	Last  int `yaml:"last,omitempty" json:"last,omitempty"`   // window: rank: that of the depth

	Over   string `yaml:"over,omitempty" json:"over,omitempty"`     // stratified: rank or score: rank
	Strata int    `yaml:"strata,omitempty" json:"strata,omitempty"` // stratified: 8
	Share  string `yaml:"share,omitempty" json:"share,omitempty"`   // stratified: equal or proportional: equal

	By    string  `yaml:"by,omitempty" json:"by,omitempty"`       // importance: score, rank or uniform: score
	Power float64 `yaml:"power,omitempty" json:"power,omitempty"` // importance: of p_T or of 1/rank: 1
	// Temperature is that of p_T in importance by score: that of the divergence.
	Temperature float64 `yaml:"temperature,omitempty" json:"temperature,omitempty"`

	// Outside leaves out, of random's passages, those of a ranking.
	Outside string `yaml:"outside,omitempty" json:"outside,omitempty"`
}

// Mixture is the plan of three sources: uniform in the heads of the teacher's
// and of the history's ranking, and uniform in all passages. It estimates no
// expectation: the heads tell the student what is good and what misleads, the
// rest that most is neither.
func Mixture(teacher, history, random, depth int) Plan {
	p := Plan{Depth: depth}
	for _, s := range []Source{
		{Sampler: Window, Ranking: Teacher, N: teacher}, {Sampler: Window, Ranking: History, N: history}, {Sampler: Random, N: random},
	} {
		if s.N > 0 {
			p.From = append(p.From, s)
		}
	}
	return p
}

// Needs are what a plan draws from: how much of each ranking, and what else.
type Needs struct {
	Teacher, History, Student int  // depths; 0 for none
	Scores                    bool // the teacher's, of its ranking
	Everything                bool // the candidates of every turn are all passages
	Batch                     bool // other turns' candidates: [Sampler.Share]
}

// Needs returns what the plan draws from.
func (p Plan) Needs() Needs {
	p = p.Resolved()
	n := Needs{Everything: p.everything()}
	for _, s := range p.From {
		last := p.Depth
		if s.Sampler == Window {
			last = s.Last
		}
		for name, depth := range map[string]*int{Teacher: &n.Teacher, History: &n.History, Student: &n.Student} {
			if s.Ranking == name || s.Outside == name {
				*depth = max(*depth, last)
			}
		}
		n.Scores = n.Scores || s.Over == Score || s.By == Score
		n.Batch = n.Batch || s.Sampler == Batch
	}
	return n
}

// Resolved returns the plan with every default that acts in its place, but the
// temperature's.
func (p Plan) Resolved() Plan {
	p.From = slices.Clone(p.From)
	for i := range p.From {
		p.From[i].resolve(p.Depth)
	}
	if p.Refresh == (Refresh{}) && slices.ContainsFunc(p.From, func(s Source) bool { return s.Ranking == Student || s.Outside == Student }) {
		p.Refresh.Epochs = 1
	}
	return p
}

func (s *Source) resolve(depth int) {
	fill := func(text *string, value string) {
		if *text == "" {
			*text = value
		}
	}
	count := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	switch s.Sampler {
	case Top:
		fill(&s.Ranking, Teacher)
	case Window:
		fill(&s.Ranking, Teacher)
		count(&s.First, 1)
		count(&s.Last, depth)
	case Stratified:
		fill(&s.Ranking, Teacher)
		fill(&s.Over, Rank)
		fill(&s.Share, Equal)
		count(&s.Strata, 8)
	case Importance:
		fill(&s.Ranking, Teacher)
		fill(&s.By, Score)
		if s.Power == 0 && s.By != Uniform {
			s.Power = 1
		}
	}
}

// Corrected tells whether logits are shifted by −ln π.
func (p Plan) Corrected() bool {
	return p.Correct || slices.ContainsFunc(p.From, func(s Source) bool { return s.Sampler == Importance })
}

// everything tells whether every passage is a candidate.
func (p Plan) everything() bool {
	return slices.ContainsFunc(p.From, func(s Source) bool { return s.Sampler == Full && s.Ranking == "" })
}

// Most returns the largest number of candidates that a turn can have, judged
// ones not counted, where there are n passages.
func (p Plan) Most(n int) int {
	if p.everything() {
		return n
	}
	sum := 0
	for _, s := range p.From {
		if s.Sampler == Full {
			sum += p.Depth
		}
		sum += s.N
	}
	return min(sum, n)
}

// Validate reports the first setting that makes no sense.
func (p Plan) Validate() error {
	switch {
	case p.Depth < 1 || p.Depth > Most:
		return fmt.Errorf("candidates.depth must be from 1 to %d", Most)
	case len(p.From) == 0 && !p.Gold:
		return errors.New("candidates.from must name at least one sampler")
	case len(p.From) > 100:
		return errors.New("candidates.from must name at most 100 samplers")
	}
	p = p.Resolved()
	for i, s := range p.From {
		if err := s.validate(p.Depth); err != nil {
			return fmt.Errorf("candidates.from[%d]: %w", i, err)
		}
	}
	if err := p.together(); err != nil {
		return err
	}
	return p.probabilities()
}

// together reports sources that do not go together.
func (p Plan) together() error {
	needs := p.Needs()
	batch := slices.IndexFunc(p.From, func(s Source) bool { return s.Sampler == Batch })
	switch {
	case p.everything() && len(p.From) > 1:
		return errors.New("candidates.from: full takes every passage, so that no sampler beside it can add one: name it alone, or give it a ranking")
	case batch >= 0 && len(p.From) == 1 && !p.Gold:
		return errors.New("candidates.from: batch draws from what other turns have drawn: name a sampler beside it, or gold")
	case batch >= 0 && batch < len(p.From)-1:
		return errors.New("candidates.from: batch draws when all others have drawn: name it last, and once")
	case p.Refresh != (Refresh{}) && needs.Student == 0:
		return errors.New("candidates.refresh acts on the student's ranking, from which no sampler draws: leave it out")
	case p.Refresh.Epochs < 0 || p.Refresh.Steps < 0 || p.Refresh.Epochs > 0 && p.Refresh.Steps > 0:
		return errors.New("candidates.refresh must name a positive number of epochs or of steps, not both")
	case p.Most(math.MaxInt) < 2 && !p.Gold:
		return errors.New("candidates must number at least 2 in all, or 1 beside the judged ones (gold: true): a divergence over one is always 0")
	}
	return nil
}

// probabilities reports why the probabilities of inclusion of a corrected plan
// are not known.
func (p Plan) probabilities() error {
	if !p.Corrected() {
		return nil
	}
	why := "candidates.correct: true"
	if !p.Correct {
		why = "importance sampling"
	}
	chance := -1 // the source of a ranking that draws by chance
	random := -1
	for i, s := range p.From {
		at := fmt.Sprintf("candidates.from[%d]: %s needs the probability of each candidate, ", i, why)
		switch s.Sampler {
		case Batch:
			return errors.New(at + "which is not known for batch: leave one of them out")
		case Full, Top:
			if chance >= 0 || random >= 0 {
				return errors.New(at + "which is known if what is certain comes first: name " + s.Sampler + " before what draws by chance")
			}
		case Random:
			if random >= 0 || chance >= 0 && p.From[chance].Ranking != s.Outside {
				return errors.New(at + "which is not known for random beside another sampler that may draw the same passages: leave one out, or let random draw outside of that one's ranking")
			}
			random = i
		default:
			if chance >= 0 || random >= 0 {
				return errors.New(at + "which is not known where two samplers may draw the same passages: leave one out, or draw the rest with random, outside of this ranking and after it")
			}
			chance = i
		}
	}
	return nil
}
