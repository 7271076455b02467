package measure

import (
	"iter"

	"parley/sparse"
)

// Costs says what queries cost a system that walks the postings of their
// terms, as means over queries.
type Costs struct {
	Queries  int
	L0       float64 // terms in a query
	FLOPS    float64 // Σ_j p_q(j)·p_d(j): terms that a query shares with a passage drawn at random
	Postings float64 // postings that a query touches without pruning: FLOPS times the number of passages
}

// CostsOf returns the costs of queries against an index of so many passages,
// where df says in how many of them a term occurs. With p_q(j) the share of
// queries that have term j and p_d(j) = df(j)/passages (Paria et al., ICLR
// 2020), FLOPS is the same as the mean over queries of Σ_j p_d(j) over their
// terms. Without queries or passages all costs are 0.
func CostsOf(queries iter.Seq[sparse.Vector], df func(term uint32) int, passages int) Costs {
	var c Costs
	terms, postings := 0, 0
	for q := range queries {
		c.Queries++
		terms += len(q.Terms)
		for _, term := range q.Terms {
			postings += df(term)
		}
	}
	if c.Queries > 0 {
		c.L0 = float64(terms) / float64(c.Queries)
		c.Postings = float64(postings) / float64(c.Queries)
	}
	if passages > 0 {
		c.FLOPS = c.Postings / float64(passages)
	}
	return c
}
