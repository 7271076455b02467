package distill

import (
	"context"
	"math/rand/v2"
	"slices"

	"parley/distill/objective"
	"parley/internal/f32"
)

// pairsStage is what a step over a batch of queries and their passages works
// with. It is reused from step to step.
type pairsStage struct {
	t        *encoderTrainer
	spans    *spanner
	queries  objective.Batch
	passages objective.Batch // its turns have vectors and gradients only
	matching *matching
	counts   []int32 // [V] passages of the batch that have the term
	loss     []Loss
	source   rand.PCG
	rng      *rand.Rand // over source

	slots  []pairsSlot // [B]
	places []int       // [P] of the passages' texts in their tower
	from   []uint32    // [P] the passage that is shown
	shown  map[uint32]int32
	own    []int // [P] the last query, from 1, that a passage became a candidate of
	query  []uint32
	text   []uint32
	order  []int
}

// pairsSlot is what one query of a batch needs.
type pairsSlot struct {
	place     int          // of its text in its tower
	judged    *pairedQuery // nil for a pseudo-query
	source    uint32       // pseudo-query: the passage that it was made of
	positive  graded
	negatives []graded
	first     []int32 // its own passages' places in the batch, the relevant one first
}

func newPairsStage(t *encoderTrainer, workers int) *pairsStage {
	s := &pairsStage{
		t: t, shown: map[uint32]int32{}, counts: make([]int32, t.start.Config.Vocabulary),
		spans:    newSpanner(t.plan.Pairs.Pseudo, t.plan.Context.Total, t.start.Vocabulary),
		matching: newMatching(workers, t.start.Config.Vocabulary),
	}
	s.rng = rand.New(&s.source)
	return s
}

// reset makes room for a batch of n queries.
func (s *pairsStage) reset(n int) {
	for _, w := range s.t.towers {
		w.reset()
	}
	s.slots = slices.Grow(s.slots[:0], n)[:n]
	s.places, s.from = s.places[:0], s.from[:0]
	clear(s.shown)
}

// draw brings the items of an epoch at the places in batch on stage: a text and
// a relevant passage of each, negatives, and seeds of dropout.
func (s *pairsStage) draw(batch []int) {
	t := s.t
	s.reset(len(batch))
	for i, item := range batch {
		t.seed(&s.source, streamTurn, uint64(t.epoch), uint64(item))
		if item < len(t.pairs.training) {
			s.drawQuery(&s.slots[i], &t.pairs.training[item])
		} else {
			s.drawSpan(&s.slots[i], t.pairs.pseudo[(item-len(t.pairs.training))%len(t.pairs.pseudo)])
		}
	}
}

// drawQuery draws a text, a relevant passage and negatives of a turn.
func (s *pairsStage) drawQuery(slot *pairsSlot, q *pairedQuery) {
	slot.judged = q
	slot.place = s.t.query.add(q.texts[s.rng.IntN(len(q.texts))], s.rng.Uint64())
	slot.positive = q.positives[s.rng.IntN(len(q.positives))]
	slot.negatives, slot.first = slot.negatives[:0], append(slot.first[:0], s.place(slot.positive.passage))
	s.order = s.order[:0]
	for n := range q.negatives {
		s.order = append(s.order, n)
	}
	for n := range min(s.t.plan.Pairs.Negatives, len(s.order)) {
		other := n + s.rng.IntN(len(s.order)-n)
		s.order[n], s.order[other] = s.order[other], s.order[n]
		negative := q.negatives[s.order[n]]
		slot.negatives = append(slot.negatives, negative)
		slot.first = append(slot.first, s.place(negative.passage))
	}
}

// drawSpan makes a pseudo-query of the passage with the given number.
func (s *pairsStage) drawSpan(slot *pairsSlot, number uint32) {
	slot.judged, slot.source, slot.positive, slot.negatives = nil, number, graded{passage: number}, slot.negatives[:0]
	s.query, s.text = s.spans.span(s.query[:0], s.text[:0], &s.t.pairs.passages[number], s.rng)
	slot.place = s.t.query.add(s.query, s.rng.Uint64())
	slot.first = append(slot.first[:0], s.addPassage(number, s.text))
}

// place brings a passage on stage, once however often it is named, and returns
// its place.
func (s *pairsStage) place(number uint32) int32 {
	place, there := s.shown[number]
	if !there {
		place = s.addPassage(number, s.t.pairs.passages[number].ids)
		s.shown[number] = place
	}
	return place
}

func (s *pairsStage) addPassage(number uint32, ids []uint32) int32 {
	s.places = append(s.places, s.t.passage.add(ids, s.rng.Uint64()))
	s.from = append(s.from, number)
	return int32(len(s.places) - 1)
}

// show brings the held-out queries on stage, each in its first text and with its
// first relevant passage, the head of its negatives, and the pool.
func (s *pairsStage) show() {
	p := s.t.pairs
	s.reset(len(p.held))
	for i := range p.held {
		slot, q := &s.slots[i], &p.held[i]
		slot.judged, slot.positive = q, q.positives[0]
		slot.negatives = append(slot.negatives[:0], q.negatives[:min(len(q.negatives), s.t.plan.Pairs.Negatives)]...)
		slot.place = s.t.query.add(q.texts[0], 0)
		slot.first = append(slot.first[:0], s.place(slot.positive.passage))
		for _, negative := range slot.negatives {
			slot.first = append(slot.first, s.place(negative.passage))
		}
	}
	for _, number := range p.pool {
		s.place(number)
	}
}

// forward encodes what is on stage and scores it.
func (s *pairsStage) forward(ctx context.Context, train bool) error {
	for _, w := range s.t.towers {
		if err := w.forward(ctx, train); err != nil {
			return err
		}
	}
	s.arrange()
	s.matching.score(s.t.team)
	s.matching.weigh(s.counts)
	return nil
}

// arrange makes queries and passages of the vectors that the towers have.
func (s *pairsStage) arrange() {
	t := s.t
	s.passages.Turns = slices.Grow(s.passages.Turns[:0], len(s.places))[:len(s.places)]
	for i, place := range s.places {
		turn := &s.passages.Turns[i]
		turn.Query, turn.WeightGradient = t.passage.vector(place)
	}
	m := s.matching
	s.queries.Turns = slices.Grow(s.queries.Turns[:0], len(s.slots))[:len(s.slots)]
	m.candidates = slices.Grow(m.candidates[:0], len(s.slots))[:len(s.slots)]
	s.own = s.own[:0]
	for range s.places {
		s.own = append(s.own, 0)
	}
	for i := range s.slots {
		turn := &s.queries.Turns[i]
		m.candidates[i] = s.candidates(m.candidates[i][:0], i, turn)
		turn.Query, turn.WeightGradient = t.query.vector(s.slots[i].place)
		turn.Scores = f32.Zeroed(turn.Scores, len(m.candidates[i]))
		turn.ScoreGradient = f32.Zeroed(turn.ScoreGradient, len(m.candidates[i]))
		turn.Positives = append(turn.Positives[:0], 0)
	}
	m.queries, m.passages = s.queries.Turns, s.passages.Turns
}

// candidates appends the places of query i's candidates: its relevant passage,
// its negatives, and all other passages on stage that are not known to be
// relevant. Those that the teacher scored, if it scored the relevant one, come
// first, and their scores are turn's.
func (s *pairsStage) candidates(places []int32, i int, turn *objective.Turn) []int32 {
	slot := &s.slots[i]
	turn.Teacher = turn.Teacher[:0]
	taught := s.t.plan.Objective.Teaches() && slot.positive.scored
	add := func(p int32) {
		g, scored := slot.score(s.from[p])
		if s.own[p] == i+1 || taught && !scored || slot.isRelevant(s.from[p]) && len(places) > 0 {
			return
		}
		s.own[p] = i + 1
		places = append(places, p)
		if taught {
			turn.Teacher = append(turn.Teacher, s.t.plan.Objective.TeacherScale*g.score)
		}
	}
	for {
		for _, p := range slot.first {
			add(p)
		}
		for p := range s.from {
			add(int32(p))
		}
		if !taught {
			return places
		}
		taught = false // now those without a score
	}
}

// score returns the teacher's score of a passage.
func (q *pairsSlot) score(passage uint32) (g graded, scored bool) {
	if q.judged == nil {
		return g, false
	}
	return lookup(q.judged.scores, passage)
}

func (q *pairsSlot) isRelevant(passage uint32) bool {
	if q.judged == nil {
		return passage == q.source
	}
	return q.judged.isRelevant(passage)
}

// losses evaluates the terms on what is on stage.
func (s *pairsStage) losses(queries, passages []objective.Weighted, step int) []Loss {
	s.loss = s.loss[:0]
	for _, part := range []struct {
		terms []objective.Weighted
		batch *objective.Batch
	}{{queries, &s.queries}, {passages, &s.passages}} {
		for _, term := range part.terms {
			w := term.At(step)
			s.loss = append(s.loss, Loss{Term: term.Name(), Weight: w, Value: term.Add(part.batch, w), Temperature: term.Learned()})
		}
	}
	return s.loss
}

// recallDepth is the rank up to which a relevant passage counts as found among
// the candidates of a held-out query.
const recallDepth = 10

// ranks gives w the ranks of the relevant passages among all passages on stage
// that are not known to be relevant too, and returns the mean reciprocal rank and
// the share of the queries that have it within recallDepth. Of equal scores the
// relevant passage has the last rank.
func (s *pairsStage) ranks(w *watch) (reciprocal, recall float64) {
	n := float64(len(s.queries.Turns))
	for i := range s.queries.Turns {
		t := &s.queries.Turns[i]
		rank := 0
		for _, score := range t.Scores {
			if score >= t.Scores[t.Positives[0]] {
				rank++
			}
		}
		w.place(i, rank)
		reciprocal += 1 / float64(rank) / n
		if rank <= recallDepth {
			recall += 1 / n
		}
	}
	return reciprocal, recall
}
