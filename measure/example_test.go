package measure_test

import (
	"fmt"

	"parley/measure"
	"parley/trec"
)

func Example() {
	qrels := trec.Qrels{"c_1": {"p1": 1}, "c_2": {"p2": 2, "p3": 1}, "c_3": {"p4": 1}}
	last := trec.Run{"c_1": {{Passage: "p1", Score: 3}}, "c_2": {{Passage: "p9", Score: 2}, {Passage: "p3", Score: 1}}}
	student := trec.Run{"c_1": {{Passage: "p1", Score: 3}}, "c_2": {{Passage: "p2", Score: 2}}, "c_3": {{Passage: "p4", Score: 1}}}

	measures, err := measure.ParseList("RR nDCG@3")
	if err != nil {
		fmt.Println(err)
		return
	}
	var evaluations []*measure.Evaluation
	for _, run := range []trec.Run{last, student} {
		e, err := measure.Evaluate(qrels, run, measures, measure.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		evaluations = append(evaluations, e)
		fmt.Printf("%v %.4f, %v %.4f %v\n", measures[0], e.Aggregate(0), measures[1], e.Aggregate(1), e.Warnings)
	}
	comparisons, err := measure.Compare(evaluations[0], evaluations[1:], measure.CompareOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := comparisons[0][0]
	fmt.Printf("RR %+.4f, p = %.2f: %d better, %d worse\n", c.Difference, c.P, c.Wins, c.Losses)
	fmt.Println(c.Warnings[0])
	// Output:
	// RR 0.5000, nDCG@3 0.4133 [1 of 3 judged topics are missing from the run and score 0 (c_3)]
	// RR 1.0000, nDCG@3 0.9201 []
	// RR +0.5000, p = 0.23: 2 better, 0 worse
	// 3 topics are few to compare systems by: take 25 or more
}
