package study_test

import (
	"fmt"
	"log"
	"strings"

	"parley/study"
)

func ExampleReadPlan() {
	const text = `name: How warm?
encoder: {vocab: vocab.txt}
collections: [{name: talk, path: talk, split: {names: [train, test]}}]
train: {passages: train, turns: [train]}
tests: [{name: unseen, passages: talk, turns: test, unseen: true}]
experiments:
  - {name: temperature, vary: {objective.kld.temperature: [1, 5]}}
`
	plan, err := study.ReadPlan(strings.NewReader(text), "plan.yaml")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.Name, plan.Measures, plan.Seeds)
	_, err = study.ReadPlan(strings.NewReader(strings.Replace(text, "kld", "kdl", 1)), "plan.yaml")
	fmt.Println(err)
	// Output:
	// How warm? [R@100 R@10 RR nDCG@3] [1 2 3]
	// plan.yaml:7: experiment "temperature": objective.kdl.temperature: unknown field "kdl"
}
