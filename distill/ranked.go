package distill

import (
	"context"

	"parley/distill/sample"
	"parley/internal/f32"
	"parley/sparse"
)

// ranked are the passages as the student ranked them when it was last asked, for
// each turn trained on. They are part of the training's state: between two
// refreshes they follow from no weights that still exist.
type ranked struct {
	depth int // 0: no sampler draws from them
	every sample.Refresh
	rank  func(q sparse.Vector, k int) []uint32
	rows  []uint32 // [turns][1+depth] how many, and which
}

func newRanked(p sample.Plan, turns int, rank func(q sparse.Vector, k int) []uint32) ranked {
	depth := p.Needs().Student
	if depth == 0 {
		return ranked{}
	}
	return ranked{depth: depth, every: p.Resolved().Refresh, rank: rank, rows: make([]uint32, turns*(1+depth))}
}

// of returns the ranking of a turn.
func (r *ranked) of(turn int) []uint32 {
	row := r.rows[turn*(1+r.depth) : (turn+1)*(1+r.depth)]
	return row[1 : 1+row[0]]
}

// put makes passages the ranking of a turn.
func (r *ranked) put(turn int, passages []uint32) {
	row := r.rows[turn*(1+r.depth) : (turn+1)*(1+r.depth)]
	row[0] = uint32(copy(row[1:], passages))
}

// due tells whether the student is to rank anew before a step: at the beginning
// and then every so often.
func (r *ranked) due(epoch, at, step int) bool {
	switch {
	case r.depth == 0:
		return false
	case r.every.Steps > 0:
		return step%r.every.Steps == 0
	}
	return at == 0 && epoch%r.every.Epochs == 0
}

// rankAnew lets the student rank for the turns trained on, nothing hidden from
// it. An interruption leaves rankings of which some are new, and the student as
// it was: who goes on ranks again.
func (t *trainer) rankAnew(ctx context.Context) error {
	return t.encode(ctx, t.training, (*selfRanking)(t))
}

// rankHeldOut lets the untrained student rank for the held-out turns. They keep
// that ranking, so that losses on them can be compared.
func (t *trainer) rankHeldOut(ctx context.Context) error {
	return t.encode(ctx, t.held, (*firstRanking)(t))
}

// encode runs the student on all turns, as it serves, and gives the vectors of
// each part of them to a task.
func (t *trainer) encode(ctx context.Context, all []example, task f32.Task) error {
	s := &t.stage
	s.all, s.train = all, false
	batch := make([]int, 0, t.plan.Optimiser.Batch)
	for first := 0; first < len(all); first += t.plan.Optimiser.Batch {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch = batch[:0]
		for i := first; i < min(first+t.plan.Optimiser.Batch, len(all)); i++ {
			s.inputs[len(batch)] = Input{Context: all[i].context}
			batch = append(batch, i)
		}
		s.batch = batch
		for from, to := 0, 0; from < len(batch); from = to {
			to = t.next(from)
			s.from = from
			s.vectors = t.student.Forward(s.inputs[from:to])
			t.team.Do(to-from, task)
		}
	}
	return nil
}

// The tasks of the student's ranking, a turn a piece.
type (
	selfRanking  trainer // of the turns trained on
	firstRanking trainer // of the held-out turns
)

func (d *selfRanking) Do(i, _ int) {
	s, r := &d.stage, &d.ranked
	r.put(s.batch[s.from+i], r.rank(s.vectors[i], r.depth))
}

func (d *firstRanking) Do(i, _ int) {
	s, r := &d.stage, &d.ranked
	s.all[s.batch[s.from+i]].rankings.Student = r.rank(s.vectors[i], r.depth)
}

var (
	_ f32.Task = (*selfRanking)(nil)
	_ f32.Task = (*firstRanking)(nil)
)
