package sample_test

import (
	"fmt"
	"math/rand/v2"

	"parley/distill/sample"
)

// Candidates from a ranking with scores, the best ones likelier to be drawn, and
// the judged one always.
func Example() {
	plan := sample.Plan{
		Depth: 8, Gold: true,
		From: []sample.Source{{Sampler: sample.Importance, N: 3, Temperature: 2}},
	}
	if err := plan.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	rankings := sample.Rankings{
		Gold:    []uint32{30},
		Teacher: []uint32{10, 20, 30, 40, 50, 60, 70, 80},
		Scores:  []float32{9, 8, 8, 7, 5, 4, 4, 1},
	}
	var c sample.Candidates
	sample.New(plan, sample.Options{Passages: 1000}).Draw(&c, &rankings, rand.New(rand.NewPCG(1, 1)))
	for i, passage := range c.Passages {
		fmt.Printf("%d ln π %.2f\n", passage, c.LogInclusion[i])
	}
	// Output:
	// 30 ln π 0.00
	// 10 ln π 0.00
	// 20 ln π -0.06
	// 40 ln π -0.56
}
