package distill

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"parley/dialog"
	"parley/distill/objective"
)

// Where the relevant passages of a query come from.
const (
	PositivesJudged = "judged" // the judgements
	PositivesBest   = "best"   // the first passage of the run
)

// EncoderPlan says how an encoder of queries and passages is trained. It is the
// plan file; DefaultEncoderPlan has the values that a plan file need not name.
type EncoderPlan struct {
	Encoder   EncoderShape         `yaml:"encoder" json:"encoder"`
	Context   dialog.Budget        `yaml:"context" json:"context"`
	Pairs     PairsPlan            `yaml:"pairs" json:"pairs"`
	Objective PairsObjectivePlan   `yaml:"objective" json:"objective"`
	Optimiser EncoderOptimiserPlan `yaml:"optimiser" json:"optimiser"`

	// Validation is of held-out conversations; of passages where there are
	// pseudo-queries only. Measures are of rankings of a fixed pool.
	Validation ValidationPlan `yaml:"validation" json:"validation"`
	// Seed sets the order, the choice of texts and negatives, and dropout. What
	// is held out does not depend on it.
	Seed uint64 `yaml:"seed" json:"seed"`
}

// EncoderShape says what is trained.
type EncoderShape struct {
	// Separate gives queries and passages weights of their own, which start equal.
	Separate bool `yaml:"separate" json:"separate"`
	// PassageTokens is the most tokens read of a passage, special ones included.
	PassageTokens int `yaml:"passage_tokens" json:"passage_tokens"`
	// StartTerms is about how many terms a passage has before the first step where
	// the checkpoint has no masked-LM head: the bias of the output is lowered until
	// it is so. 0 leaves the head as it is.
	StartTerms int `yaml:"start_terms" json:"start_terms"`
}

// PairsPlan says which queries and passages are brought together.
type PairsPlan struct {
	// Queries are the ways in which a turn is asked, as dialog.ParseMode reads
	// them; each time, one of those that a turn has is drawn.
	Queries []string `yaml:"queries" json:"queries"`
	// Positives says where relevant passages come from: judged or best.
	Positives string `yaml:"positives" json:"positives"`
	// Negatives is how many passages of the run, not relevant ones, stand beside
	// each query's relevant passage; they are drawn from the first Depth.
	Negatives int        `yaml:"negatives" json:"negatives"`
	Depth     int        `yaml:"depth" json:"depth"`
	Pseudo    PseudoPlan `yaml:"pseudo" json:"pseudo"`
}

// PseudoPlan says which queries are made of passages themselves: spans of their
// words, the inverse cloze task (Lee et al., arXiv 1906.00300).
type PseudoPlan struct {
	Each     int     `yaml:"each" json:"each"`           // of each passage in each epoch
	Passages int     `yaml:"passages" json:"passages"`   // at most so many passages, drawn by the seed
	MinWords int     `yaml:"min_words" json:"min_words"` // shortest span
	MaxWords int     `yaml:"max_words" json:"max_words"` // longest
	Title    float64 `yaml:"title" json:"title"`         // share of the queries that begin with the passage's title
	Removed  float64 `yaml:"removed" json:"removed"`     // share of the passages that are shown without the span
}

// PairsObjectivePlan weighs the terms of the loss.
type PairsObjectivePlan struct {
	InfoNCE     float64 `yaml:"infonce" json:"infonce"`
	MarginMSE   float64 `yaml:"margin_mse" json:"margin_mse"`
	KLD         float64 `yaml:"kld" json:"kld"`
	Temperature float64 `yaml:"temperature" json:"temperature"` // of infonce and kld
	// TeacherScale multiplies the run's scores, which are the teacher's.
	TeacherScale float64 `yaml:"teacher_scale" json:"teacher_scale"`
	QueryFLOPS   float64 `yaml:"query_flops" json:"query_flops"`
	PassageFLOPS float64 `yaml:"passage_flops" json:"passage_flops"`
	QueryL1      float64 `yaml:"query_l1" json:"query_l1"`
	// Ramp is the share of all steps over which the regularisers' weights rise.
	Ramp float64 `yaml:"ramp" json:"ramp"`
}

// teaches tells whether the objective looks at a teacher's scores.
func (o PairsObjectivePlan) teaches() bool { return o.MarginMSE > 0 || o.KLD > 0 }

// EncoderOptimiserPlan says how the loss is brought down: by AdamW, with a
// learning rate that rises and then falls to 0, both linearly.
type EncoderOptimiserPlan struct {
	// Epochs is how often each query is seen; 0 means 3, or as many as make 100
	// steps of smaller data, but not more than 10.
	Epochs       int     `yaml:"epochs" json:"epochs"`
	Batch        int     `yaml:"batch" json:"batch"` // queries, each with its passages
	LearningRate float64 `yaml:"learning_rate" json:"learning_rate"`
	WarmUp       float64 `yaml:"warm_up" json:"warm_up"` // share of all steps over which the rate rises
	WeightDecay  float64 `yaml:"weight_decay" json:"weight_decay"`
	Dropout      float64 `yaml:"dropout" json:"dropout"`
	Clip         float64 `yaml:"clip" json:"clip"` // highest norm of the gradient
	// MicroBatch is the most tokens whose activations are held at once. A batch
	// that has more goes through the network twice, and its loss is still that of
	// the whole batch. 0 means no bound.
	MicroBatch int `yaml:"micro_batch" json:"micro_batch"`
}

// Bounds of the default number of epochs.
const (
	fewestEncoderEpochs = 3
	mostEncoderEpochs   = 10
	enoughEncoderSteps  = 100
)

// epochs returns the number of epochs over n queries.
func (o EncoderOptimiserPlan) epochs(n int) int {
	if o.Epochs > 0 {
		return o.Epochs
	}
	return min(max(fewestEncoderEpochs, enoughEncoderSteps*o.Batch/max(1, n)), mostEncoderEpochs)
}

// encoderMeasure chooses the epoch of an encoder. The loss does not: that of raw
// scores, which only grow surer, rises while ranks still get better.
const encoderMeasure = "RR"

// DefaultEncoderPlan returns the default plan: human rewrites and judgements,
// told apart by InfoNCE over the passages of the batch.
func DefaultEncoderPlan() EncoderPlan {
	return EncoderPlan{
		Encoder: EncoderShape{PassageTokens: 256, StartTerms: 200},
		Context: dialog.Budget{}.Resolved(),
		Pairs: PairsPlan{
			Queries: []string{"rewrite"}, Positives: PositivesJudged, Negatives: 1, Depth: 30,
			Pseudo: PseudoPlan{Passages: 100_000, MinWords: 3, MaxWords: 8, Title: .7, Removed: .9},
		},
		Objective: PairsObjectivePlan{
			InfoNCE: 1, Temperature: 1, TeacherScale: 1, QueryFLOPS: 1e-3, PassageFLOPS: 1e-3, Ramp: .33,
		},
		Optimiser: EncoderOptimiserPlan{
			Batch: 32, LearningRate: 1e-4, WarmUp: .05, WeightDecay: .01, Dropout: .1, Clip: 1, MicroBatch: 8192,
		},
		Validation: ValidationPlan{Share: .1, Measure: encoderMeasure, Every: 1},
		Seed:       1,
	}
}

// ReadEncoderPlan reads a plan file, YAML over the values of base. Unknown keys
// are refused; errors have the place in the file that name names.
func ReadEncoderPlan(r io.Reader, name string, base EncoderPlan) (EncoderPlan, error) {
	return readPlan(r, name, func(any) (EncoderPlan, error) { return base, nil },
		func(plan EncoderPlan, _ any) (EncoderPlan, error) { return plan, plan.Validate() })
}

// Write writes the plan as a plan file, every value named.
func (p EncoderPlan) Write(w io.Writer) error { return writePlan(w, p) }

// Validate reports the first setting that makes no sense.
func (p EncoderPlan) Validate() error {
	if _, err := p.modes(); err != nil {
		return err
	}
	for _, checks := range [][]check{p.Pairs.checks(), p.Objective.checks(), p.Optimiser.checks(), {
		{p.Encoder.PassageTokens > 2 || p.Encoder.PassageTokens == -1, "encoder.passage_tokens must be more than 2, or -1 for no limit"},
		{p.Encoder.StartTerms >= 0, "encoder.start_terms must be a number of terms, or 0 to leave the head as it is"},
		{tokens(p.Context.Answer), "context.answer_tokens must be positive, or -1 for no limit; leave answers out with context.no_answers"},
		{p.Context.Total > 2 || p.Context.Total == -1, "context.tokens must be more than 2, or -1 for no limit"},
		{!strings.HasPrefix(p.Validation.Measure, MeasureOverlap), "validation.measure must be RR, R@10 or the like, or loss: no teacher ranks the pool, so that there is no overlap"},
		{p.Objective.teaches() || p.Objective.InfoNCE > 0, "objective.infonce, objective.margin_mse or objective.kld must be above 0: nothing else teaches"},
		{p.Objective.InfoNCE > 0 || p.Pairs.Negatives > 0, "pairs.negatives must be at least 1 where only a teacher teaches: it scores no other passages"},
		{p.Objective.InfoNCE > 0 || p.Pairs.Pseudo.Each == 0, "pairs.pseudo.each must be 0 where only a teacher teaches: it scores no pseudo-queries"},
	}} {
		if err := firstFailed(checks); err != nil {
			return err
		}
	}
	return p.Validation.validate(encoderMeasure)
}

func (p PairsPlan) checks() []check {
	s := p.Pseudo
	return []check{
		{len(p.Queries) > 0 || s.Each > 0, "pairs.queries must name a way to ask, such as rewrite, unless pairs.pseudo makes queries"},
		{distinct(p.Queries), "pairs.queries must be ways to ask that differ"},
		{p.Positives == PositivesJudged || p.Positives == PositivesBest, "pairs.positives must be judged or best"},
		{within(p.Depth, 1, 10_000), "pairs.depth must be from 1 to 10000"},
		{within(p.Negatives, 0, p.Depth), "pairs.negatives must be from 0 to pairs.depth, from which they are drawn"},
		{within(s.Each, 0, 1000), "pairs.pseudo.each must be from 0 to 1000"},
		{within(s.Passages, 1, 100_000_000), "pairs.pseudo.passages must be from 1 to 100 million"},
		{within(s.MinWords, 1, s.MaxWords), "pairs.pseudo.min_words must be from 1 to pairs.pseudo.max_words"},
		{s.MaxWords <= 10_000, "pairs.pseudo.max_words must be at most 10000"},
		{share(s.Title), "pairs.pseudo.title must be from 0 to 1"},
		{share(s.Removed), "pairs.pseudo.removed must be from 0 to 1"},
	}
}

func (o PairsObjectivePlan) checks() []check {
	return []check{
		{weight(o.InfoNCE), "objective.infonce must be from 0 to 1e6"},
		{weight(o.MarginMSE), "objective.margin_mse must be from 0 to 1e6"},
		{weight(o.KLD), "objective.kld must be from 0 to 1e6"},
		{o.Temperature >= 1/objective.Highest && o.Temperature <= objective.Highest, "objective.temperature must be from 1e-6 to 1e6"},
		{o.TeacherScale > 0 && o.TeacherScale <= objective.Highest, "objective.teacher_scale must be above 0 and at most 1e6"},
		{weight(o.QueryFLOPS), "objective.query_flops must be from 0 to 1e6"},
		{weight(o.PassageFLOPS), "objective.passage_flops must be from 0 to 1e6"},
		{weight(o.QueryL1), "objective.query_l1 must be from 0 to 1e6"},
		{share(o.Ramp), "objective.ramp must be from 0 to 1"},
	}
}

func (o EncoderOptimiserPlan) checks() []check {
	return []check{
		{within(o.Epochs, 0, 10_000), "optimiser.epochs must be from 1 to 10000, or 0 for the default"},
		{within(o.Batch, 2, 10_000), "optimiser.batch must be from 2 to 10000: the queries of a batch lend each other their passages"},
		{o.LearningRate > 0 && o.LearningRate <= 1, "optimiser.learning_rate must be above 0 and at most 1"},
		{share(o.WarmUp), "optimiser.warm_up must be from 0 to 1"},
		{share(o.WeightDecay), "optimiser.weight_decay must be from 0 to 1"},
		{share(o.Dropout) && o.Dropout < 1, "optimiser.dropout must be at least 0 and below 1"},
		{o.Clip > 0 && finite(o.Clip), "optimiser.clip must be positive"},
		{o.MicroBatch >= 0, "optimiser.micro_batch must be a number of tokens, or 0 for no bound"},
	}
}

// modes returns the ways in which turns are asked.
func (p EncoderPlan) modes() ([]dialog.Mode, error) {
	var modes []dialog.Mode
	for _, name := range p.Pairs.Queries {
		mode, err := dialog.ParseMode(name)
		if err != nil {
			return nil, fmt.Errorf("pairs.queries: %w", err)
		}
		modes = append(modes, mode)
	}
	return modes, nil
}

// query returns the terms of the objective that look at queries and scores, for
// a training of the given number of steps.
func (o PairsObjectivePlan) query(steps int) []objective.Weighted {
	ramp := int(o.Ramp * float64(steps))
	var terms []objective.Weighted
	add := func(term objective.Term, weight float64, ramp int) {
		if weight > 0 {
			terms = append(terms, objective.Weighted{Term: term, Weight: weight, To: ramp, Shape: objective.ShapeQuadratic})
		}
	}
	add(objective.InfoNCE{Temperature: o.Temperature}, o.InfoNCE, 0)
	add(objective.MarginMSE{}, o.MarginMSE, 0)
	add(objective.KLD{Temperature: o.Temperature}, o.KLD, 0)
	add(&objective.FLOPS{}, o.QueryFLOPS, ramp)
	add(objective.L1{}, o.QueryL1, ramp)
	return terms
}

// passage returns the term of the objective that looks at passages.
func (o PairsObjectivePlan) passage(steps int) []objective.Weighted {
	if o.PassageFLOPS == 0 {
		return nil
	}
	return []objective.Weighted{{
		Term: passageFLOPS{&objective.FLOPS{}}, Weight: o.PassageFLOPS, To: int(o.Ramp * float64(steps)), Shape: objective.ShapeQuadratic,
	}}
}

// passageFLOPS is FLOPS under the name that tells passages from queries.
type passageFLOPS struct{ *objective.FLOPS }

func (passageFLOPS) Name() string { return "passage_flops" }

// check is a setting that must make sense, and what to say where it does not.
type check struct {
	ok   bool
	what string
}

// firstFailed returns what to say of the first check that failed.
func firstFailed(checks []check) error {
	for _, c := range checks {
		if !c.ok {
			return errors.New(c.what)
		}
	}
	return nil
}
