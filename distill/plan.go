package distill

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"github.com/goccy/go-yaml"

	"parley/dialog"
)

// Kinds of student.
const (
	StudentFeatures = "features"
	StudentMLP      = "mlp"
)

// Plan says how a student is trained. It is the plan file; DefaultPlan has the
// values that a plan file need not name.
type Plan struct {
	Student    StudentPlan   `yaml:"student" json:"student"`
	Context    dialog.Budget `yaml:"context" json:"context"`
	Teacher    TeacherPlan   `yaml:"teacher" json:"teacher"`
	Candidates SamplerPlan   `yaml:"candidates" json:"candidates"`
	Objective  ObjectivePlan `yaml:"objective" json:"objective"`
	Optimiser  OptimiserPlan `yaml:"optimiser" json:"optimiser"`

	// Validation is the share of the conversations held out to choose the best
	// checkpoint.
	Validation float64 `yaml:"validation" json:"validation"`
	// Seed sets the initial weights, the order of the turns, the candidates and
	// the dropped tokens. The held-out conversations do not depend on it.
	Seed uint64 `yaml:"seed" json:"seed"`
}

// StudentPlan says what is trained.
type StudentPlan struct {
	Kind     string `yaml:"kind" json:"kind"`           // features or mlp
	Dim      int    `yaml:"dim" json:"dim"`             // mlp: width of the term embeddings
	Hidden   int    `yaml:"hidden" json:"hidden"`       // mlp: hidden units
	MinCount int    `yaml:"min_count" json:"min_count"` // mlp: terms seen less often share one embedding
}

// TeacherPlan says whom the student learns from.
type TeacherPlan struct {
	// Rewriters are the rewriters whose rewrites rank; of several, the mean of
	// their vectors.
	Rewriters []string `yaml:"rewriters" json:"rewriters"`
	// Reachable keeps only those of the teacher's terms that are in the
	// student's input.
	Reachable bool `yaml:"reachable" json:"reachable"`
}

// SamplerPlan says on which passages student and teacher are compared.
type SamplerPlan struct {
	Teacher int `yaml:"teacher" json:"teacher"` // from the head of the teacher's ranking
	History int `yaml:"history" json:"history"` // from the head of the full history's ranking
	Random  int `yaml:"random" json:"random"`   // from all passages
	Depth   int `yaml:"depth" json:"depth"`     // length of the heads
}

// ObjectivePlan weighs the terms of the loss. The weights of the regularisers
// depend on the scale of the scores and on the temperature.
type ObjectivePlan struct {
	KLD         float64 `yaml:"kld" json:"kld"`
	Temperature float64 `yaml:"temperature" json:"temperature"`
	L1          float64 `yaml:"l1" json:"l1"`
	DFL1        float64 `yaml:"df_l1" json:"df_l1"`
	// Ramp is the share of all steps over which the regularisers' weights rise.
	Ramp float64 `yaml:"ramp" json:"ramp"`
}

// OptimiserPlan says how the loss is brought down: by Adam, with a learning
// rate that rises and then falls to 0, both linearly.
type OptimiserPlan struct {
	// Epochs is how often each turn is seen; 0 means 6, or as many as make 2,500
	// steps of smaller data, but not more than 60.
	Epochs       int     `yaml:"epochs" json:"epochs"`
	Batch        int     `yaml:"batch" json:"batch"` // turns
	LearningRate float64 `yaml:"learning_rate" json:"learning_rate"`
	WarmUp       float64 `yaml:"warm_up" json:"warm_up"`             // share of all steps over which the rate rises
	Clip         float64 `yaml:"clip" json:"clip"`                   // highest norm of the gradient
	TokenDropout float64 `yaml:"token_dropout" json:"token_dropout"` // share of the tokens hidden in each step
}

// DefaultPlan returns the default plan of the given kind of student, taught by
// the human rewrites.
func DefaultPlan(kind string) Plan {
	return Plan{
		Student:    StudentPlan{Kind: kind, Dim: 64, Hidden: 64, MinCount: 6},
		Context:    dialog.Budget{}.Resolved(),
		Teacher:    TeacherPlan{Rewriters: []string{dialog.Human}, Reachable: true},
		Candidates: SamplerPlan{Teacher: 16, History: 16, Random: 16, Depth: 64},
		Objective:  ObjectivePlan{KLD: 1, Temperature: 5, DFL1: .1, Ramp: .33},
		Optimiser: OptimiserPlan{
			Batch: 64, LearningRate: 2e-3, WarmUp: .05, Clip: 1, TokenDropout: .15,
		},
		Validation: .05,
		Seed:       1,
	}
}

// ReadPlan reads a plan file, YAML over the values of base. Unknown keys are
// refused; errors have the place in the file that name names.
func ReadPlan(r io.Reader, name string, base Plan) (Plan, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return Plan{}, fmt.Errorf("cannot read the plan %s: %w", name, err)
	}
	plan := base
	var content any
	err = yaml.Unmarshal(data, &content)
	if err == nil && content != nil { // a plan without content would be read as zeroes
		err = yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&plan)
	}
	if err != nil {
		return Plan{}, fmt.Errorf("the plan %s is not valid: %s", name, yaml.FormatError(err, false, false))
	}
	if err := plan.Validate(); err != nil {
		return Plan{}, fmt.Errorf("the plan %s is not valid: %w", name, err)
	}
	return plan, nil
}

// Write writes the plan as a plan file, every value named.
func (p Plan) Write(w io.Writer) error {
	data, err := yaml.Marshal(p)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// Validate reports the first setting that makes no sense.
func (p Plan) Validate() error {
	candidates := p.Candidates.Teacher + p.Candidates.History + p.Candidates.Random
	mlp := p.Student.Kind == StudentMLP
	for _, check := range []struct {
		ok   bool
		what string
	}{
		{mlp || p.Student.Kind == StudentFeatures, "student.kind must be features or mlp"},
		{!mlp || within(p.Student.Dim, 1, 4096) && within(p.Student.Hidden, 1, 4096), "student.dim and student.hidden must be from 1 to 4096"},
		{p.Student.MinCount >= 0, "student.min_count must not be negative"},
		{len(p.Teacher.Rewriters) > 0, "teacher.rewriters must name at least one rewriter"},
		{min(p.Candidates.Teacher, p.Candidates.History, p.Candidates.Random) >= 0, "the numbers of candidates must not be negative"},
		{within(candidates, 2, 10_000), "candidates must number from 2 to 10000 in all"},
		{within(p.Candidates.Depth, 1, 10_000), "candidates.depth must be from 1 to 10000"},
		{p.Objective.KLD > 0 && finite(p.Objective.KLD), "objective.kld must be positive: nothing else teaches"},
		{p.Objective.Temperature > 0 && finite(p.Objective.Temperature), "objective.temperature must be positive"},
		{notNegative(p.Objective.L1), "objective.l1 must not be negative"},
		{notNegative(p.Objective.DFL1), "objective.df_l1 must not be negative"},
		{share(p.Objective.Ramp), "objective.ramp must be from 0 to 1"},
		{within(p.Optimiser.Epochs, 0, 10_000), "optimiser.epochs must be from 1 to 10000, or 0 for the default"},
		{within(p.Optimiser.Batch, 1, 100_000), "optimiser.batch must be from 1 to 100000"},
		{p.Optimiser.LearningRate > 0 && finite(p.Optimiser.LearningRate), "optimiser.learning_rate must be positive"},
		{share(p.Optimiser.WarmUp), "optimiser.warm_up must be from 0 to 1"},
		{p.Optimiser.Clip > 0 && finite(p.Optimiser.Clip), "optimiser.clip must be positive"},
		{share(p.Optimiser.TokenDropout) && p.Optimiser.TokenDropout < 1, "optimiser.token_dropout must be at least 0 and below 1"},
		{share(p.Validation) && p.Validation < 1, "validation must be at least 0 and below 1"},
	} {
		if !check.ok {
			return fmt.Errorf("%s", check.what)
		}
	}
	return nil
}

// Bounds of the default number of epochs.
const (
	fewestEpochs = 6
	mostEpochs   = 60
	enoughSteps  = 2500
)

// epochs returns the number of epochs over n training turns.
func (o OptimiserPlan) epochs(n int) int {
	if o.Epochs > 0 {
		return o.Epochs
	}
	return min(max(fewestEpochs, enoughSteps*o.Batch/max(1, n)), mostEpochs)
}

func within(n, low, high int) bool { return low <= n && n <= high }

func finite(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }

func notNegative(x float64) bool { return x >= 0 && finite(x) }

func share(x float64) bool { return x >= 0 && x <= 1 }

// terms returns the plan's objective for a training of the given number of
// steps.
func (p Plan) terms(steps int) []weighted {
	o, ramp := p.Objective, int(p.Objective.Ramp*float64(steps))
	terms := []weighted{{Term: KLD{Temperature: o.Temperature}, weight: o.KLD}}
	if o.L1 > 0 {
		terms = append(terms, weighted{Term: L1{}, weight: o.L1, ramp: ramp})
	}
	if o.DFL1 > 0 {
		terms = append(terms, weighted{Term: DFL1{}, weight: o.DFL1, ramp: ramp})
	}
	return terms
}
