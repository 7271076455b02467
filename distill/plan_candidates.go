package distill

import (
	"errors"
	"fmt"
	"math"

	"parley/distill/sample"
)

// mostScores bounds the turns of a batch times the candidates of a turn.
const mostScores = 10_000_000

// validateCandidates reports what makes no sense about the candidates of a plan
// or does not go with the rest of it.
func (p Plan) validateCandidates() error {
	c := p.Candidates
	if err := c.Validate(); err != nil {
		return err
	}
	if p.Objective.KLD.Weight == 0 {
		for i, s := range c.From {
			if s.Sampler == sample.Importance && (s.By == "" || s.By == sample.Score) && s.Temperature == 0 {
				return fmt.Errorf("candidates.from[%d].temperature must be named where objective.kld is off: there is no other to draw by", i)
			}
		}
	}
	if !c.Needs().Everything && p.Optimiser.Batch*c.Most(math.MaxInt) > mostScores {
		return errors.New("optimiser.batch times the number of candidates must be at most 10 million")
	}
	return nil
}

// newSampler returns the sampler that the plan asks for, over n passages.
func (p Plan) newSampler(n int) (*sample.Sampler, error) {
	if p.Candidates.Needs().Everything && p.Optimiser.Batch*n > mostScores {
		return nil, fmt.Errorf("candidates.from: the full list of %d passages for %d turns at once is more than 10 million scores: "+
			"lower optimiser.batch, or name full with a ranking, which ends at candidates.depth", n, p.Optimiser.Batch)
	}
	return sample.New(p.Candidates, sample.Options{Passages: n, Temperature: p.Objective.KLD.Temperature}), nil
}
