package parley_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"parley"
	"parley/dialog"
	"parley/internal/wordpiece"
)

func Example() {
	dir, err := os.MkdirTemp("", "parley")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	birdsIndex := filepath.Join(dir, "birds.index")
	if err := build(birdsIndex, birds, wordpiece.Options{}); err != nil { // as parley index does
		log.Fatal(err)
	}

	engine, err := parley.Open(birdsIndex, "") // or with the folder of a trained student
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	conversation := dialog.Conversation{Turns: []dialog.Turn{
		{Question: "Which bird hunts mice?", Answer: "Two of them."},
		{Question: "And by day?"},
	}}
	hits, err := engine.Search(context.Background(), conversation, 2)
	if err != nil {
		log.Fatal(err)
	}
	for _, hit := range hits {
		fmt.Printf("%s: %s\n", hit.Title, hit.Text)
	}
	shares, err := engine.Explain(context.Background(), conversation, "kestrel")
	if err != nil {
		log.Fatal(err)
	}
	for _, share := range shares[:3] {
		fmt.Println(share.Token)
	}
	// Output:
	// Kestrel: The kestrel hunts mice by day, hovering against the wind.
	// Barn owl: The barn owl hunts mice at night by sound alone.
	// day
	// hunts
	// mice
}
