package distill

import (
	"math"

	"parley/distill/objective"
	"parley/internal/prune"
)

// Loss is the value of one term of the objective: the mean over turns. While
// weights rise, Weight is that of the last step.
type Loss struct {
	Term   string  `json:"term"`
	Weight float64 `json:"weight"`
	Value  float64 `json:"value"`
	// Temperature is what a learned one was at last.
	Temperature float64 `json:"temperature,omitempty"`
}

// Epoch sums up an epoch's steps, or a look at the held-out turns.
type Epoch struct {
	Epoch int     `json:"epoch"` // from 1
	Loss  float64 `json:"loss"`  // mean of Σ weight·value, each step at its own weights
	Terms []Loss  `json:"terms"`
	L0    float64 `json:"l0"`    // mean number of terms of the student's vectors
	FLOPS float64 `json:"flops"` // mean share of the passages that a vector's terms touch, summed over its terms
	// Of an encoder of passages too: the mean number of terms of a passage, and on
	// held-out queries how well their relevant passages rank among a fixed pool:
	// the mean reciprocal rank, and the share within the first 10.
	PassageL0 float64 `json:"passage_l0,omitempty"`
	RR        float64 `json:"rr,omitempty"`
	Recall    float64 `json:"recall_10,omitempty"`
	// Scales are those of the scores, with which weights of regularisers go.
	Scales *Scales `json:"scales,omitempty"`
	// Served is what the queries of a look cost as search pays them, pruned as the
	// plan says.
	Served *prune.Costs `json:"served,omitempty"`
	// Target is how near a look found the cost that the plan asks for.
	Target *Targeted `json:"target,omitempty"`
	// Measured is what a look was to find out, and Validation the look after the
	// epoch, if there was one.
	Measured   *Measured `json:"measured,omitempty"`
	Validation *Epoch    `json:"validation,omitempty"`
}

// Scales are how far scores are apart: the standard deviation of the scores of a
// turn's candidates, in the mean over turns. The weight of a regulariser that
// suits a student goes with them, and with the temperature.
type Scales struct {
	Teacher float64 `json:"teacher"`
	Student float64 `json:"student"`
}

// deviation returns the standard deviation of scores.
func deviation(scores []float64) float64 {
	mean, sum, n := 0.0, 0.0, float64(len(scores))
	for _, s := range scores {
		mean += s / n
	}
	for _, s := range scores {
		sum += (s - mean) * (s - mean) / n
	}
	return math.Sqrt(sum)
}

// sums are running sums over the turns of some batches.
type sums struct {
	Turns  float64
	L0     float64
	FLOPS  float64
	Loss   float64
	Losses []Loss
	Scored float64 // turns whose candidates the teacher scored
	Scales Scales
}

func (s *sums) add(b *objective.Batch, losses []Loss) {
	s.Turns += float64(len(b.Turns))
	n := b.Size()
	for i := range b.Turns {
		s.L0 += float64(b.Turns[i].Query.Len())
		for _, cost := range b.Turns[i].Cost {
			s.FLOPS += float64(cost)
		}
		if scored := b.Turns[i].Teacher; len(scored) > 0 {
			s.Scored++
			s.Scales.Teacher += deviation(scored)
			s.Scales.Student += deviation(b.Turns[i].Scores[:len(scored)])
		}
	}
	if s.Losses == nil {
		s.Losses = make([]Loss, len(losses))
	}
	for i, l := range losses {
		s.Losses[i].Term = l.Term
		s.Losses[i].Weight = l.Weight
		s.Losses[i].Temperature = l.Temperature
		s.Losses[i].Value += n * l.Value
		s.Loss += n * l.Weight * l.Value
	}
}

// mean returns the means over the turns, their losses written over buffer.
func (s *sums) mean(buffer []Loss) Epoch {
	e := Epoch{Loss: s.Loss / s.Turns, L0: s.L0 / s.Turns, FLOPS: s.FLOPS / s.Turns, Terms: buffer[:0]}
	if s.Scored > 0 {
		e.Scales = &Scales{Teacher: s.Scales.Teacher / s.Scored, Student: s.Scales.Student / s.Scored}
	}
	for _, l := range s.Losses {
		l.Value /= s.Turns
		e.Terms = append(e.Terms, l)
	}
	return e
}

// summary sums up the epoch under way, its losses written over buffer.
func (t *trainer) summary(buffer []Loss) Epoch {
	e := t.running.mean(buffer)
	e.Epoch = t.epoch + 1
	return e
}
