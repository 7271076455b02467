package main

import (
	"parley/collection"
	"parley/dialog"
	"parley/distill"
	"parley/index"
	"parley/internal/questions"
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

// judgements returns those of the collections trained on.
func (o *training) judgements(ix *index.Index) (*questions.Judgements, error) {
	all := questions.NewJudgements(ix)
	for _, dir := range o.turns {
		c, err := collection.Open(dir)
		if err != nil {
			return nil, err
		}
		qrels, err := c.Qrels()
		if err != nil {
			return nil, err
		}
		all.Add(qrels)
	}
	return all, nil
}
