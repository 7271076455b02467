package encoder

import (
	"fmt"

	"parley/internal/model"
)

// Options change what the folder of an encoder of kind splade says. The zero
// value changes nothing.
type Options struct {
	Query   Side // how queries are encoded
	Passage Side // how passages are encoded
	// Queries names another model folder, whose model of queries is taken; or it
	// is IDF.
	Queries string
}

// IDF says in Options of queries that a term of the context weighs its inverse
// document frequency in the index that is searched: no network runs.
const IDF = model.IDF

// Side are settings of one side. Of each number 0 stands for what the folder
// says, and one below 0 for no limit.
type Side struct {
	Tokens    int     // most tokens of a text, the special ones included
	TopK      int     // most terms of a vector: the heaviest are kept
	Threshold float64 // a term's least weight
}

// refuse tells that encoders of the given kind have no such settings.
func (o Options) refuse(dir, kind string) error {
	if o == (Options{}) {
		return nil
	}
	return fmt.Errorf("%s: lengths, top k and threshold are settings of encoders of kind splade, and this one is of kind %s: leave them out", dir, kind)
}
