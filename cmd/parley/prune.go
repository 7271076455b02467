package main

import (
	"math"

	"github.com/spf13/cobra"

	"parley/encoder"
	"parley/internal/prune"
)

// pruneFlags say which terms of vectors are kept.
type pruneFlags struct {
	rule   prune.Rule // of each number 0: as the model says, below 0: no such condition
	prefix string     // of the flags' names
}

// bind adds the flags, their names begun with prefix, for vectors of texts of the
// given name. Where the prefix is empty, they are those of passages, too.
func (p *pruneFlags) bind(cmd *cobra.Command, prefix, texts string) {
	flags := cmd.Flags()
	p.prefix = prefix
	flags.IntVar(&p.rule.TopK, prefix+"top-k", 0, "most terms that are kept of "+texts+", the heaviest (default: as the model says; -1 for all)")
	flags.Float64Var(&p.rule.Threshold, prefix+"threshold", 0, "least weight of a term of "+texts+" (default: as the model says; -1 for none)")
	flags.Float64Var(&p.rule.Mass, prefix+"mass", 0, "share of the sum of weights that is kept of "+texts+", in the heaviest terms (default: as the model says; -1 for all)")
	flags.Float64Var(&p.rule.ValuePerCost, prefix+"value-per-cost", 0, "queries: least ratio of a term's share of the weights to the share of the passages that have it (default: as the model says; -1 for none)")
}

func (p *pruneFlags) check() error {
	r := p.rule
	for _, f := range []struct {
		name  string
		value float64
	}{{"threshold", r.Threshold}, {"mass", r.Mass}, {"value-per-cost", r.ValuePerCost}} {
		if !(f.value >= 0 || f.value == -1) || math.IsInf(f.value, 0) {
			return usagef("--%s%s %v: it must be 0 or more, or -1 for none", p.prefix, f.name, f.value)
		}
	}
	switch {
	case r.TopK < -1:
		return usagef("--%stop-k %d: it must be 1 or more, or -1 for all terms", p.prefix, r.TopK)
	case r.Mass > 1:
		return usagef("--%smass %v: it must be a share, such as .95", p.prefix, r.Mass)
	}
	return nil
}

// side returns the settings of a side that the flags stand for.
func (p *pruneFlags) side() encoder.Side {
	return encoder.Side{TopK: p.rule.TopK, Threshold: p.rule.Threshold, Mass: p.rule.Mass, ValuePerCost: p.rule.ValuePerCost}
}

// unpruned are settings that keep all terms of queries.
var unpruned = encoder.Options{Query: encoder.Side{TopK: -1, Threshold: -1, Mass: -1, ValuePerCost: -1}}
