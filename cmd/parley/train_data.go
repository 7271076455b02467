package main

import (
	"slices"

	"parley/collection"
	"parley/dialog"
	"parley/distill"
	"parley/index"
	"parley/search"
	"parley/sparse"
)

// trainingData joins conversations and the index whose passages are ranked.
func trainingData(ix *index.Index, talk []dialog.Conversation) (distill.Data, error) {
	own, err := openEncoder("", ix)
	if err != nil {
		return distill.Data{}, err
	}
	searcher := search.New(ix, search.Options{Workers: 1})
	rank := func(q sparse.Vector, k int) []uint32 {
		hits := searcher.Search(q, k, nil)
		passages := make([]uint32, len(hits))
		for i, h := range hits {
			passages[i] = uint32(h.Passage)
		}
		return passages
	}
	return distill.Data{
		Conversations: talk, Vocabulary: own.Vocabulary(), Passages: ix, Rank: rank,
		Encode: own.Query,
	}, nil
}

// judgements are those of the collections trained on: the passages of the index
// that are relevant, from grade 1 on.
type judgements struct {
	relevant map[string][]uint32 // by the turn's id, ascending
	lacking  int                 // relevant passages that the index lacks, counted for each turn
	all      int                 // relevant passages, counted for each turn
}

// of returns the passages that are relevant to turn i of c.
func (j *judgements) of(c dialog.Conversation, i int) []uint32 { return j.relevant[c.Turns[i].ID] }

func (o *training) judgements(ix *index.Index) (*judgements, error) {
	all := &judgements{relevant: map[string][]uint32{}}
	for _, dir := range o.turns {
		c, err := collection.Open(dir)
		if err != nil {
			return nil, err
		}
		qrels, err := c.Qrels()
		if err != nil {
			return nil, err
		}
		for turn, grades := range qrels {
			all.add(ix, turn, grades)
		}
	}
	for turn, passages := range all.relevant {
		slices.Sort(passages)
		all.relevant[turn] = slices.Compact(passages)
	}
	return all, nil
}

// add adds what is judged for a turn.
func (j *judgements) add(ix *index.Index, turn string, grades map[string]int) {
	for id, grade := range grades {
		if grade <= 0 {
			continue
		}
		j.all++
		if i, ok := ix.Lookup(id); ok {
			j.relevant[turn] = append(j.relevant[turn], uint32(i))
		} else {
			j.lacking++
		}
	}
}
