package questions

import (
	"slices"

	"parley/dialog"
	"parley/index"
	"parley/trec"
)

// Judgements are the passages of an index that are relevant to turns, from grade
// 1 on.
type Judgements struct {
	All     int // relevant passages, counted for each turn
	Lacking int // of these, which the index lacks

	index    *index.Index
	relevant map[string][]uint32 // by the turn's id, ascending
}

// NewJudgements returns no judgements of passages of ix.
func NewJudgements(ix *index.Index) *Judgements {
	return &Judgements{index: ix, relevant: map[string][]uint32{}}
}

// Add adds judgements.
func (j *Judgements) Add(qrels trec.Qrels) {
	for turn, grades := range qrels {
		for id, grade := range grades {
			if grade <= 0 {
				continue
			}
			j.All++
			if i, ok := j.index.Lookup(id); ok {
				j.relevant[turn] = append(j.relevant[turn], uint32(i))
			} else {
				j.Lacking++
			}
		}
		slices.Sort(j.relevant[turn])
		j.relevant[turn] = slices.Compact(j.relevant[turn])
	}
}

// Of returns the passages that are relevant to turn i (from 0) of c, ascending.
func (j *Judgements) Of(c dialog.Conversation, i int) []uint32 { return j.relevant[c.Turns[i].ID] }
