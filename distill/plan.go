package distill

import (
	"cmp"
	"io"
	"math"
	"slices"

	"parley/dialog"
	"parley/distill/objective"
	"parley/distill/sample"
	"parley/internal/prune"
)

// Kinds of student.
const (
	StudentFeatures = "features"
	StudentMLP      = "mlp"
	StudentSplade   = "splade"
)

// Plan says how a student is trained. It is the plan file; DefaultPlan has the
// values that a plan file need not name.
type Plan struct {
	Student    StudentPlan    `yaml:"student" json:"student"`
	Context    dialog.Budget  `yaml:"context" json:"context"`
	Teacher    TeacherPlan    `yaml:"teacher" json:"teacher"`
	Candidates sample.Plan    `yaml:"candidates" json:"candidates"`
	Objective  objective.Plan `yaml:"objective" json:"objective"`
	Optimiser  OptimiserPlan  `yaml:"optimiser" json:"optimiser"`

	// Labelled trains on those turns alone that have a passage that is judged
	// relevant.
	Labelled   bool           `yaml:"labelled" json:"labelled"`
	Validation ValidationPlan `yaml:"validation" json:"validation"`
	// Prune is what the student keeps of the terms of a query, once it is trained.
	Prune prune.Rule `yaml:"prune,omitempty" json:"prune,omitzero"`
	// Seed sets the initial weights, the order of the turns, the candidates and
	// the dropped tokens. The held-out conversations do not depend on it.
	Seed uint64 `yaml:"seed" json:"seed"`
}

// StudentPlan says what is trained.
type StudentPlan struct {
	Kind     string `yaml:"kind" json:"kind"`           // features, mlp or splade
	From     string `yaml:"from" json:"from"`           // splade: folder of the checkpoint that it starts from
	Dim      int    `yaml:"dim" json:"dim"`             // mlp: width of the term embeddings
	Hidden   int    `yaml:"hidden" json:"hidden"`       // mlp: hidden units
	MinCount int    `yaml:"min_count" json:"min_count"` // mlp: terms seen less often share one embedding
	// Recompute spends time to save memory: activations within a layer are
	// computed again in the backward pass. No result depends on it.
	Recompute bool `yaml:"recompute" json:"recompute"` // splade
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
	Dropout      float64 `yaml:"dropout" json:"dropout"`             // splade: dropout within the network
	WeightDecay  float64 `yaml:"weight_decay" json:"weight_decay"`   // decoupled, of matrices
	// MicroBatch is the most tokens that go through the student at once; the
	// gradients of a batch are added up. 0 means no bound.
	MicroBatch int `yaml:"micro_batch" json:"micro_batch"`
}

// DefaultPlan returns the default plan of the given kind of student, taught by
// the human rewrites.
func DefaultPlan(kind string) Plan {
	if kind == StudentSplade {
		return defaultSplade()
	}
	return Plan{
		Student:    StudentPlan{Kind: kind, Dim: 64, Hidden: 64, MinCount: 6},
		Context:    dialog.Budget{}.Resolved(),
		Teacher:    TeacherPlan{Rewriters: []string{dialog.Human}, Reachable: true},
		Candidates: sample.Mixture(16, 16, 16, 64),
		Objective: objective.Plan{
			KLD:  objective.KLDPlan{Schedule: objective.Schedule{Weight: 1}, Temperature: 5},
			DFL1: objective.RegulariserPlan{Schedule: objective.Schedule{Weight: .1}},
		}.Resolved(),
		Optimiser: OptimiserPlan{
			Batch: 64, LearningRate: 2e-3, WarmUp: .05, Clip: 1, TokenDropout: .15,
		},
		Validation: defaultValidation(),
		Seed:       1,
	}
}

// ReadPlan reads a plan file, YAML over the values of base, or over the default
// plan of the kind of student that it names where that is another one. Unknown
// keys are refused; errors have the place in the file that name names.
func ReadPlan(r io.Reader, name string, base Plan) (Plan, error) {
	return readPlan(r, name, func(content any) (Plan, error) {
		if kind, ok := kindIn(content); ok && kind != base.Student.Kind {
			base = DefaultPlan(kind)
		}
		return base, objective.CheckNames(objectiveIn(content))
	}, Plan.resolved)
}

// kindIn returns the kind of student that the content of a plan file names.
func kindIn(content any) (kind string, ok bool) {
	plan, _ := content.(map[string]any)
	student, _ := plan["student"].(map[string]any)
	kind, ok = student["kind"].(string)
	return kind, ok
}

// resolved returns the plan that a file with the given content was read into,
// with every setting named of what acts.
func (p Plan) resolved(content any) (Plan, error) {
	if err := p.Objective.CheckNamed(objectiveIn(content)); err != nil {
		return p, err
	}
	return p.Resolved(), p.Validate()
}

// Resolved returns the plan with every setting named of the terms of the
// objective that are on, and nothing of those that are off.
func (p Plan) Resolved() Plan {
	p.Objective = p.Objective.Resolved()
	return p
}

// objectiveIn returns the objective's section in the content of a plan file.
func objectiveIn(content any) map[string]any {
	plan, _ := content.(map[string]any)
	named, _ := plan["objective"].(map[string]any)
	return named
}

// Write writes the plan as a plan file, every value named.
func (p Plan) Write(w io.Writer) error { return writePlan(w, p) }

// Validate reports the first setting that makes no sense.
func (p Plan) Validate() error {
	o := p.Optimiser
	mlp := p.Student.Kind == StudentMLP
	return cmp.Or(firstFailed([]check{
		{p.known(), "student.kind must be features, mlp or splade"},
		{!mlp || within(p.Student.Dim, 1, 4096) && within(p.Student.Hidden, 1, 4096), "student.dim and student.hidden must be from 1 to 4096"},
		{p.Student.MinCount >= 0, "student.min_count must not be negative"},
		{tokens(p.Context.Answer), "context.answer_tokens must be positive, or -1 for no limit; leave answers out with context.no_answers"},
		{tokens(p.Context.Total), "context.tokens must be positive, or -1 for no limit"},
		{len(p.Teacher.Rewriters) > 0, "teacher.rewriters must name at least one rewriter"},
		{distinct(p.Teacher.Rewriters), "teacher.rewriters must be names that differ, none of them empty"},
		{within(o.Epochs, 0, 10_000), "optimiser.epochs must be from 1 to 10000, or 0 for the default"},
		{within(o.Batch, 1, 100_000), "optimiser.batch must be from 1 to 100000"},
		{o.LearningRate > 0 && o.LearningRate <= 1, "optimiser.learning_rate must be above 0 and at most 1"},
		{share(o.WarmUp), "optimiser.warm_up must be from 0 to 1"},
		{o.Clip > 0 && finite(o.Clip), "optimiser.clip must be positive"},
		{share(o.TokenDropout) && o.TokenDropout < 1, "optimiser.token_dropout must be at least 0 and below 1"},
		{share(o.WeightDecay), "optimiser.weight_decay must be from 0 to 1"},
		{o.MicroBatch >= 0, "optimiser.micro_batch must be a number of tokens, or 0 for no bound"},
	}), p.validateCandidates(), p.Objective.Validate(), p.validateLabels(), p.Validation.validate(MeasureLoss), p.applies(), p.checkCosts())
}

func (p Plan) known() bool {
	return slices.Contains([]string{StudentFeatures, StudentMLP, StudentSplade}, p.Student.Kind)
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

// tokens tells whether a plan, where every value is named, may have n as the
// length of a text.
func tokens(n int) bool { return n > 0 || n == -1 }

// distinct tells whether names differ, and none is empty.
func distinct(names []string) bool {
	seen := map[string]bool{"": true}
	for _, name := range names {
		if seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

func share(x float64) bool { return x >= 0 && x <= 1 }
