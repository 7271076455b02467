package objective_test

import (
	"fmt"

	"parley/distill/objective"
	"parley/sparse"
)

// A turn with two candidates, of which the first is relevant: the divergence from
// the teacher's distribution, and a contrastive term that fades in.
func ExamplePlan() {
	plan := objective.Plan{
		KLD:     objective.KLDPlan{Schedule: objective.Schedule{Weight: .9}},
		InfoNCE: objective.ContrastPlan{Schedule: objective.Schedule{Weight: .1, To: .5}},
	}.Resolved()
	if err := plan.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	var turn objective.Turn
	turn.Reset(sparse.Vector{Terms: []uint32{7}, Weights: []float32{1}}, 2)
	copy(turn.Scores, []float64{1, 1})
	copy(turn.Teacher, []float64{2, 0})
	turn.Positives = append(turn.Positives, 0)
	batch := &objective.Batch{Turns: []objective.Turn{turn}}
	const steps = 100
	for _, term := range plan.Terms(steps) {
		weight := term.At(25)
		fmt.Printf("%s: %.3f at weight %.3f\n", term.Name(), term.Add(batch, weight), weight)
	}
	fmt.Printf("gradient by the scores: %.3f\n", batch.Turns[0].ScoreGradient)
	// Output:
	// kld: 0.328 at weight 0.900
	// infonce: 0.693 at weight 0.025
	// gradient by the scores: [-0.355 0.355]
}
