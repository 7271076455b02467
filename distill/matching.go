package distill

import (
	"slices"

	"parley/distill/objective"
	"parley/internal/f32"
)

// matching scores queries against passages and takes the gradients by the scores
// back to both. The vectors of both change in training, so that it works on the
// vectors of a batch, not on an index. Its results do not depend on the number of
// workers: each score, and each gradient of a vector, is one goroutine's.
type matching struct {
	queries    []objective.Turn // their Scores and ScoreGradient are of candidates
	passages   []objective.Turn // of the batch; they have vectors and gradients only
	candidates [][]int32        // [B][K] places in passages
	gradients  []float32        // [B×P] by the scores
	dense      [][]float32
}

func newMatching(workers, vocabulary int) *matching {
	m := &matching{dense: make([][]float32, workers)}
	for i := range m.dense {
		m.dense[i] = make([]float32, vocabulary)
	}
	return m
}

// The pieces of work that a team shares out.
type (
	matchScores   matching // the scores of a query's candidates
	matchQueries  matching // the gradient by a query's weights
	matchPassages matching // the gradient by a passage's weights
)

// score scores the candidates of each query.
func (m *matching) score(team *f32.Team) { team.Do(len(m.queries), (*matchScores)(m)) }

func (s *matchScores) Do(i, worker int) {
	t, dense := &s.queries[i], s.dense[worker]
	for j, term := range t.Query.Terms {
		dense[term] = t.Query.Weights[j]
	}
	for c, p := range s.candidates[i] {
		v, sum := &s.passages[p].Query, 0.0
		for j, term := range v.Terms {
			sum += float64(dense[term]) * float64(v.Weights[j])
		}
		t.Scores[c] = sum
	}
	for _, term := range t.Query.Terms {
		dense[term] = 0
	}
}

// backward adds what comes through the scores to the gradients of queries and
// passages.
func (m *matching) backward(team *f32.Team) {
	n := len(m.passages)
	m.gradients = f32.Zeroed(m.gradients, len(m.queries)*n)
	for i := range m.queries {
		for c, p := range m.candidates[i] {
			m.gradients[i*n+int(p)] = float32(m.queries[i].ScoreGradient[c])
		}
	}
	team.Do(len(m.queries), (*matchQueries)(m))
	team.Do(n, (*matchPassages)(m))
}

func (q *matchQueries) Do(i, worker int) {
	n := len(q.passages)
	bring(&q.queries[i], q.passages, q.gradients[i*n:][:n], 1, q.dense[worker])
}

func (p *matchPassages) Do(i, worker int) {
	bring(&p.passages[i], p.queries, p.gradients[i:], len(p.passages), p.dense[worker])
}

// bring adds Σ g·v to the gradient of t, v being the vectors of others and g, at
// every stride-th place of gradients, those by their scores with t. dense is 0
// before and after.
func bring(t *objective.Turn, others []objective.Turn, gradients []float32, stride int, dense []float32) {
	for o := range others {
		g, v := gradients[o*stride], &others[o].Query
		if g == 0 {
			continue
		}
		for j, term := range v.Terms {
			dense[term] += g * v.Weights[j]
		}
	}
	for j, term := range t.Query.Terms {
		t.WeightGradient[j] += dense[term]
	}
	clear(dense)
}

// weigh gives each term of the queries the share of the passages that have it.
func (m *matching) weigh(counts []int32) {
	clear(counts)
	for i := range m.passages {
		for _, term := range m.passages[i].Query.Terms {
			counts[term]++
		}
	}
	for i := range m.queries {
		t := &m.queries[i]
		t.Cost = slices.Grow(t.Cost[:0], t.Query.Len())
		for _, term := range t.Query.Terms {
			t.Cost = append(t.Cost, float32(counts[term])/float32(len(m.passages)))
		}
	}
}
