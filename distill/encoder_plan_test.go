package distill

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"parley/distill/objective"
)

func TestReadEncoderPlan(t *testing.T) {
	base := DefaultEncoderPlan()
	if err := base.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		text string
		want string // "" for a valid plan
	}{
		{"", ""},
		{"# nothing but a comment\n", ""},
		{"objective:\n  passage_flops: {weight: 0.1}\npairs:\n  negatives: 0\n", ""},
		{"objective: {infonce: {weight: 0}, margin_mse: {weight: 1}}\n", ""},
		{"objective: {hinge: {weight: 1, margin: 1}, passage_l1: {weight: 1}}\nencoder: {pooling: sum}\n", ""},
		{"pairs: {queries: [], pseudo: {each: 1}}\n", ""},
		{"objective:\n  flops: {weight: 0.1}\n", `[2:3] unknown field "flops"`},
		{"seed: many\n", "[1:7]"},
		{"seed: 2\n---\nseed: 3\n", "a second document"},
		{"\xff\xfes\x00", "is not plain UTF-8"},
		{"encoder: {passage_tokens: 2}\n", "encoder.passage_tokens must be more than 2"},
		{"encoder: {start_terms: -1}\n", "encoder.start_terms must be"},
		{"context: {tokens: 2}\n", "context.tokens must be more than 2"},
		{"context: {answer_tokens: 0}\n", "leave answers out with context.no_answers"},
		{"pairs: {queries: [rewrites]}\n", `pairs.queries: query mode "rewrites" is unknown`},
		{"pairs: {queries: [last, last]}\n", "ways to ask that differ"},
		{"pairs: {queries: []}\n", "pairs.queries must name a way to ask"},
		{"pairs: {positives: some}\n", "pairs.positives must be judged or best"},
		{"pairs: {depth: 0}\n", "pairs.depth must be from 1"},
		{"pairs: {negatives: 31}\n", "pairs.negatives must be from 0 to pairs.depth"},
		{"pairs: {pseudo: {each: -1}}\n", "pairs.pseudo.each must be from 0"},
		{"pairs: {pseudo: {passages: 0}}\n", "pairs.pseudo.passages must be from 1"},
		{"pairs: {pseudo: {min_words: 9}}\n", "pairs.pseudo.min_words must be from 1 to pairs.pseudo.max_words"},
		{"pairs: {pseudo: {max_words: 10001}}\n", "pairs.pseudo.max_words must be at most"},
		{"pairs: {pseudo: {title: 1.1}}\n", "pairs.pseudo.title must be from 0"},
		{"pairs: {pseudo: {removed: -.1}}\n", "pairs.pseudo.removed must be from 0"},
		{"objective: {infonce: {weight: 0}}\n", "objective has no term that teaches"},
		{"objective: {infonce: {weight: 0}, kld: {weight: 1, temperature: 1}}\npairs: {negatives: 0}\n", "pairs.negatives must be at least 1"},
		{"objective: {infonce: {weight: 0}, kld: {weight: 1, temperature: 1}}\npairs: {pseudo: {each: 1}}\n", "pairs.pseudo.each must be 0"},
		{"objective: {infonce: {weight: .nan}}\n", "objective.infonce.weight must be from 0"},
		{"objective: {margin_mse: {weight: -1}}\n", "objective.margin_mse.weight must be from 0"},
		{"objective: {kld: {weight: 1e7}}\n", "objective.kld.weight must be from 0"},
		{"objective: {kld: {weight: 1, temperature: -1}}\n", "objective.kld.temperature must be from 1e-6"},
		{"objective: {infonce: {temperature: 0}}\n", "objective.infonce.temperature must be above 0"},
		{"objective: {infonce: {negatives: turn}}\n", "objective.infonce.negatives must be both"},
		{"objective: {teacher_scale: 0}\n", "objective.teacher_scale must be above 0"},
		{"objective: {query_flops: {weight: -1}}\n", "objective.query_flops.weight must be from 0"},
		{"objective: {query_flops: {turn_power: 1}}\n", "turn_power is for students"},
		{"objective: {passage_flops: {weight: -1}}\n", "objective.passage_flops.weight must be from 0"},
		{"objective: {passage_l1: {to: 1}}\n", "objective.passage_l1 has no weight"},
		{"objective: {query_l1: {to: 1}}\n", "objective.query_l1 has no weight"},
		{"objective: {passage_flops: {to: 2}}\n", "objective.passage_flops.to must be a share"},
		{"objective: {ramp: 2}\n", `unknown field "ramp"`},
		{"encoder: {pooling: mean}\n", "encoder.pooling must be max or sum"},
		{"optimiser: {epochs: -1}\n", "optimiser.epochs must be from 1"},
		{"optimiser: {batch: 1}\n", "optimiser.batch must be from 2"},
		{"optimiser: {learning_rate: 0}\n", "optimiser.learning_rate must be above 0"},
		{"optimiser: {warm_up: -1}\n", "optimiser.warm_up must be from 0"},
		{"optimiser: {weight_decay: 2}\n", "optimiser.weight_decay must be from 0"},
		{"optimiser: {dropout: 1}\n", "optimiser.dropout must be at least 0"},
		{"optimiser: {clip: 0}\n", "optimiser.clip must be positive"},
		{"optimiser: {micro_batch: -1}\n", "optimiser.micro_batch must be a number of tokens"},
		{"validation: {share: 1}\n", "validation.share must be at least 0"},
		{"validation: .1\n", "[1:13]"},
		{"validation: {share: 0}\n", ""},
		{"validation: {share: 0, measure: R@10}\n", "validation.measure must be RR where validation.share is 0"},
		{"validation: {measure: overlap@10}\n", "no teacher ranks the pool"},
		{"validation: {measure: R}\n", "validation.measure: it must be loss"},
	} {
		plan, err := ReadEncoderPlan(strings.NewReader(test.text), "p.yaml", base)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q: %v", test.text, err)
		case test.want == "":
			if plan.Optimiser != base.Optimiser {
				t.Errorf("%q: what it does not name became %+v", test.text, plan.Optimiser)
			}
		case err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "the plan p.yaml is not "):
			t.Errorf("%q: want an error with %q, got %v", test.text, test.want, err)
		}
	}
}

// TestEncoderPlanIsReadAsWritten writes a plan without a default value in it and
// reads it back.
func TestEncoderPlanIsReadAsWritten(t *testing.T) {
	p := DefaultEncoderPlan()
	p.Encoder = EncoderShape{Separate: true, PassageTokens: -1, StartTerms: 7, Pooling: "sum"}
	p.Pairs.Queries, p.Pairs.Positives, p.Pairs.Negatives, p.Pairs.Depth = []string{"last", "rewrite:gpt"}, PositivesBest, 5, 60
	p.Pairs.Pseudo = PseudoPlan{Each: 2, Passages: 3, MinWords: 4, MaxWords: 5, Title: .25, Removed: .75}
	price := func(weight float64) objective.RegulariserPlan {
		return objective.RegulariserPlan{Schedule: objective.Schedule{Weight: weight, From: .25, To: .5, Shape: "linear"}}
	}
	atOnce := objective.Schedule{Weight: 2, Shape: "constant"}
	p.Objective = objective.PairsPlan{
		InfoNCE:      objective.ContrastPlan{Schedule: atOnce, Temperature: 5, Learned: true, Negatives: "both"},
		CrossEntropy: objective.ContrastPlan{Schedule: atOnce, Temperature: 6, Negatives: "both"},
		Hinge:        objective.HingePlan{Schedule: atOnce, Margin: 7, Negatives: "both"}, MarginMSE: objective.TermPlan{Schedule: atOnce},
		KLD:        objective.KLDPlan{Schedule: atOnce, Temperature: 8, Direction: "reverse"},
		QueryFLOPS: price(3), QueryL1: price(4), PassageFLOPS: price(5), PassageL1: price(6), TeacherScale: 9,
	}
	p.Optimiser = EncoderOptimiserPlan{Epochs: 2, Batch: 3, LearningRate: 1e-7, WarmUp: .5, WeightDecay: .25, Dropout: .3, Clip: 4, MicroBatch: 5}
	p.Validation, p.Seed = ValidationPlan{Share: .3, Measure: "R@10", Every: 2, Patience: 3}, 1<<63
	var text bytes.Buffer
	if err := p.Write(&text); err != nil {
		t.Fatal(err)
	}
	got, err := ReadEncoderPlan(&text, "p.yaml", DefaultEncoderPlan())
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("read %+v (%v), written %+v", got, err, p)
	}
}

func FuzzReadEncoderPlan(f *testing.F) {
	f.Add("seed: 1\nobjective: {kld: {weight: 1, temperature: 2}}\n")
	f.Add("pairs: {queries: [last, \"rewrite:x\"]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		plan, err := ReadEncoderPlan(strings.NewReader(text), "p.yaml", DefaultEncoderPlan())
		if err == nil && plan.Validate() != nil {
			t.Errorf("%q is read as a plan that is not valid", text)
		}
	})
}

func TestEncoderEpochs(t *testing.T) {
	for _, test := range []struct{ given, queries, want int }{{7, 1, 7}, {0, 1_000_000, 3}, {0, 800, 4}, {0, 10, 10}} {
		o := EncoderOptimiserPlan{Epochs: test.given, Batch: 32}
		if got := o.epochs(test.queries); got != test.want {
			t.Errorf("%d queries, %d epochs asked for: %d, want %d", test.queries, test.given, got, test.want)
		}
	}
}
