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

// judged returns the judgements of the collections trained on: the passages of
// the index that are relevant to a turn, from grade 1 on.
func (o *training) judged(ix *index.Index) (func(c dialog.Conversation, i int) []uint32, error) {
	relevant := map[string][]uint32{} // by the turn's id
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
			relevant[turn] = append(relevant[turn], passagesOf(ix, grades)...)
		}
	}
	for turn, passages := range relevant {
		slices.Sort(passages)
		relevant[turn] = slices.Compact(passages)
	}
	return func(c dialog.Conversation, i int) []uint32 { return relevant[c.Turns[i].ID] }, nil
}

// passagesOf returns the passages of the index that are graded relevant.
func passagesOf(ix *index.Index, grades map[string]int) []uint32 {
	var passages []uint32
	for id, grade := range grades {
		if grade <= 0 {
			continue
		}
		if i, ok := ix.Lookup(id); ok {
			passages = append(passages, uint32(i))
		}
	}
	return passages
}
