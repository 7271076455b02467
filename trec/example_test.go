package trec_test

import (
	"fmt"
	"os"
	"strings"

	"parley/trec"
)

func Example() {
	const judged = "war_1 0 p7 1\nwar_2 0 p9 2\n"
	qrels, err := trec.LoadQrels(strings.NewReader(judged), "qrels.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(qrels["war_2"]["p9"])

	run := trec.Run{"war_1": {{Passage: "p7", Score: 12.25}, {Passage: "p3", Score: 0.1}}}
	if err := trec.WriteRun(os.Stdout, run, "student"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 2
	// war_1 Q0 p7 1 12.25 student
	// war_1 Q0 p3 2 0.1 student
}
