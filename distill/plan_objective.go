package distill

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"parley/distill/objective"
)

// mostOthers bounds the scores of other turns' candidates in a batch.
const mostOthers = 100_000_000

// UsesLabels tells whether the plan looks at what is judged relevant.
func (p Plan) UsesLabels() bool {
	criterion, err := parseCriterion(p.Validation.Measure)
	return p.Labelled || p.Candidates.Gold || err == nil && criterion.judged
}

// validateLabels reports what the turns and candidates of a plan leave the terms
// of its objective nothing to act on.
func (p Plan) validateLabels() error {
	o, batch := p.Objective, p.Optimiser.Batch
	if labelled := o.Labelled(); len(labelled) > 0 && !p.Candidates.Gold {
		return fmt.Errorf("%s must have candidates.gold true: a relevant passage would be a candidate by chance alone", strings.Join(labelled, ", "))
	}
	if !o.Needs().Others {
		return nil
	}
	ofBatch := slices.Contains([]string{o.InfoNCE.Negatives, o.CrossEntropy.Negatives, o.Hinge.Negatives}, objective.NegativesBatch)
	switch everything := p.Candidates.Needs().Everything; {
	case everything && ofBatch:
		return errors.New("negatives of the batch alone leave nothing to tell apart where the candidates of each turn are all passages: let negatives be turn")
	case everything:
		return nil
	case batch == 1:
		return errors.New("optimiser.batch must be at least 2 for negatives of the batch, or negatives must be turn: a turn alone has no others")
	case batch*batch*p.Candidates.Most(math.MaxInt) > mostOthers:
		return errors.New("optimiser.batch times itself times the number of candidates must be at most 100 million for negatives of the batch")
	}
	return nil
}
