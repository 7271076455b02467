package distill

import (
	"parley/dialog"
	"parley/distill/objective"
	"parley/distill/sample"
)

// defaultSplade is the published recipe (arXiv 2410.14609): AdamW at 2e-5 with 1 %
// of warm-up and no weight decay, 20 turns a step with 16 candidates each,
// temperature 1 on scores that an index keeps at their own scale. At most 2048
// tokens at once keep the activations of a BERT-base below 2 GB.
func defaultSplade() Plan {
	return Plan{
		Student:    StudentPlan{Kind: StudentSplade},
		Context:    dialog.Budget{}.Resolved(),
		Teacher:    TeacherPlan{Rewriters: []string{dialog.Human}},
		Candidates: sample.Mixture(8, 4, 4, 64),
		Objective: objective.Plan{
			KLD: objective.KLDPlan{Schedule: objective.Schedule{Weight: 1}, Temperature: 1},
		}.Resolved(),
		Optimiser: OptimiserPlan{
			Epochs: 5, Batch: 20, LearningRate: 2e-5, WarmUp: .01, Clip: 1, Dropout: .1, MicroBatch: 2048,
		},
		Validation: defaultValidation(),
		Seed:       1,
	}
}

// applies reports the first setting that cannot act on the plan's kind of
// student.
func (p Plan) applies() error {
	s, o := p.Student, p.Optimiser
	checks := []check{
		{s.From == "", "student.from is for student.kind splade: the others start from nothing"},
		{!s.Recompute, "student.recompute is for student.kind splade: the others keep next to nothing to compute again"},
		{o.Dropout == 0, "optimiser.dropout is for student.kind splade: the others have optimiser.token_dropout"},
	}
	if s.Kind == StudentSplade {
		checks = []check{
			{s.Dim == 0 && s.Hidden == 0 && s.MinCount == 0, "student.dim, student.hidden and student.min_count are for student.kind mlp: the sizes of a splade student are those of its checkpoint"},
			{!p.Teacher.Reachable, "teacher.reachable must be false for student.kind splade: it reaches all terms"},
			{o.TokenDropout == 0, "optimiser.token_dropout must be 0 for student.kind splade: it has optimiser.dropout"},
			{share(o.Dropout) && o.Dropout < 1, "optimiser.dropout must be at least 0 and below 1"},
			{p.Context.Total > 2, "context.tokens must be at least 3 for student.kind splade, [CLS] and [SEP] among them: its checkpoint has a limit, too"},
		}
	}
	return firstFailed(checks)
}
