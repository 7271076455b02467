package world_test

import (
	"fmt"

	"parley/internal/world"
)

func Example() {
	w := world.New(1, 200)
	conversation, judgements := w.Conversation(0)
	for _, turn := range conversation.Turns[:3] {
		fmt.Printf("%d. %s (%s)\n", turn.Number, turn.Question, turn.Rewrite)
	}
	fmt.Println(judgements[0].Turn, judgements[0].Passage, judgements[0].Grade)
	// Output:
	// 1. What was the Steiwolen engine meant for? (What was the Steiwolen engine meant for?)
	// 2. And when was that? (When did the Steiwolen engine work for the first time?)
	// 3. How long did it take to write The Stranger and the Letter? (How long did it take to write The Stranger and the Letter?)
	// c00001_1 p000167 2
}
