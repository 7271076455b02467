package wordpiece_test

import (
	"fmt"

	"parley/internal/wordpiece"
)

func Example() {
	vocabulary, err := wordpiece.NewVocabulary([]string{"[UNK]", "[SEP]", "who", "wrote", "sonnet", "##s", "?"}, wordpiece.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	tokenizer := wordpiece.New(vocabulary)
	for _, id := range tokenizer.Append(nil, "Who wrote the Sonnets?[SEP]Whó") {
		fmt.Print(id, " ", vocabulary.Token(id), "; ")
	}
	// Output: 2 who; 3 wrote; 0 [UNK]; 4 sonnet; 5 ##s; 6 ?; 1 [SEP]; 2 who;
}
