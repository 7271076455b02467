package encoder

import (
	"fmt"

	"parley/internal/model"
	"parley/internal/prune"
)

// Options change what the folder of an encoder says. The zero value changes
// nothing. Of encoders that are not of kind splade only the pruning of queries
// can be changed.
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
// says, and one below 0 for no limit. All but Tokens are conditions that the terms
// of a vector have to fulfil; one term is kept whatever they say.
type Side struct {
	Tokens    int     // most tokens of a text, the special ones included
	TopK      int     // most terms of a vector: the heaviest are kept
	Threshold float64 // a term's least weight
	// Mass is the share of the sum of weights that is kept, in the heaviest terms.
	Mass float64
	// ValuePerCost is, of queries, the least ratio of a term's share of the sum of
	// weights to the share of the index's passages that have the term.
	ValuePerCost float64
}

// rule returns the rule of a folder, changed as s says.
func (s Side) rule(folder prune.Rule) (prune.Rule, error) {
	return folder.Changed(prune.Rule{TopK: s.TopK, Threshold: s.Threshold, Mass: s.Mass, ValuePerCost: s.ValuePerCost})
}

// queryRule returns the rule by which an encoder of the given kind, which has no
// other settings, prunes queries: its folder's, changed as o says.
func (o Options) queryRule(dir, kind string, folder *prune.Rule) (rule prune.Rule, err error) {
	query := o.Query
	if o.Query.Tokens = 0; query.Tokens != 0 || o.Passage != (Side{}) || o.Queries != "" {
		return rule, fmt.Errorf("%s: lengths, the pruning of passages and other models of queries are settings of encoders of kind splade, and this one is of kind %s: leave them out", dir, kind)
	}
	if folder != nil {
		rule = *folder
	}
	if rule, err = query.rule(rule); err != nil {
		return rule, fmt.Errorf("%s: %w", dir, err)
	}
	return rule, nil
}
