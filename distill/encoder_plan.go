package distill

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"parley/dialog"
	"parley/distill/objective"
	"parley/internal/bert"
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
	Objective objective.PairsPlan  `yaml:"objective" json:"objective"`
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
	// Pooling is max or sum: what becomes of a term's weights by the tokens of a
	// text. "" is what the checkpoint does.
	Pooling string `yaml:"pooling" json:"pooling"`
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
		Objective: objective.PairsPlan{
			InfoNCE:      objective.ContrastPlan{Schedule: objective.Schedule{Weight: 1}, Temperature: 1},
			QueryFLOPS:   objective.RegulariserPlan{Schedule: objective.Schedule{Weight: 1e-3}},
			PassageFLOPS: objective.RegulariserPlan{Schedule: objective.Schedule{Weight: 1e-3}},
			TeacherScale: 1,
		}.Resolved(),
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
		func(plan EncoderPlan, content any) (EncoderPlan, error) {
			if err := plan.Objective.CheckNamed(objectiveIn(content)); err != nil {
				return plan, err
			}
			return plan.Resolved(), plan.Validate()
		})
}

// Resolved returns the plan with every setting named of the terms of the
// objective that are on, and nothing of those that are off.
func (p EncoderPlan) Resolved() EncoderPlan {
	p.Objective = p.Objective.Resolved()
	return p
}

// Write writes the plan as a plan file, every value named.
func (p EncoderPlan) Write(w io.Writer) error { return writePlan(w, p) }

// Validate reports the first setting that makes no sense.
func (p EncoderPlan) Validate() error {
	if _, err := p.modes(); err != nil {
		return err
	}
	for _, checks := range [][]check{p.Pairs.checks(), p.Optimiser.checks(), {
		{p.Encoder.PassageTokens > 2 || p.Encoder.PassageTokens == -1, "encoder.passage_tokens must be more than 2, or -1 for no limit"},
		{slices.Contains([]string{"", bert.Max.String(), bert.Sum.String()}, p.Encoder.Pooling), "encoder.pooling must be max or sum, or empty for that of the checkpoint"},
		{p.Encoder.StartTerms >= 0, "encoder.start_terms must be a number of terms, or 0 to leave the head as it is"},
		{tokens(p.Context.Answer), "context.answer_tokens must be positive, or -1 for no limit; leave answers out with context.no_answers"},
		{p.Context.Total > 2 || p.Context.Total == -1, "context.tokens must be more than 2, or -1 for no limit"},
		{!strings.HasPrefix(p.Validation.Measure, MeasureOverlap), "validation.measure must be RR, R@10 or the like, or loss: no teacher ranks the pool, so that there is no overlap"},
		{p.Objective.Contrasts() || p.Pairs.Negatives > 0, "pairs.negatives must be at least 1 where only a teacher teaches: it scores no other passages"},
		{p.Objective.Contrasts() || p.Pairs.Pseudo.Each == 0, "pairs.pseudo.each must be 0 where only a teacher teaches: it scores no pseudo-queries"},
	}} {
		if err := firstFailed(checks); err != nil {
			return err
		}
	}
	return cmp.Or(p.Objective.Validate(), p.Validation.validate(encoderMeasure))
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
