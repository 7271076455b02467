package collection_test

import (
	"fmt"

	"parley/collection"
)

func Example() {
	c, err := collection.Open("../testdata/tiny")
	if err != nil {
		fmt.Println(err)
		return
	}
	passages := 0
	for _, err := range c.Passages() {
		if err != nil {
			fmt.Println(err)
			return
		}
		passages++
	}
	fmt.Println(passages, "passages")
	for conversation, err := range c.Conversations() {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, turn := range conversation.Turns[:3] {
			fmt.Println(turn.Question)
			fmt.Println(" ", turn.Rewrite)
		}
		break
	}
	// Output:
	// 60 passages
	// Which event did Karl Naltmann play a leading part in?
	//   Which event did Karl Naltmann play a leading part in?
	// What recalls the Revolt of Skernlathten today?
	//   What recalls the Revolt of Skernlathten today?
	// In which town did it happen?
	//   In which town did the Revolt of Skernlathten happen?
}
