package distill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"parley/dialog"
	"parley/internal/f32"
	"parley/internal/input"
	"parley/internal/wordpiece"
	"parley/sparse"
)

// Data are what a student is trained on.
type Data struct {
	Conversations []dialog.Conversation
	Vocabulary    *wordpiece.Vocabulary
	Passages      Passages
	// Rank returns the k best passages for a query vector, best first.
	Rank func(q sparse.Vector, k int) []uint32
	// Encode is the query encoder that Passages were made to be searched with;
	// the rewrites are encoded by it.
	Encode func(dialog.Context) sparse.Vector
}

// example is a turn made ready for training.
type example struct {
	context  input.Context
	number   int           // of the turn, from 1
	teacher  sparse.Vector // the teacher's query
	rankings Rankings
	seed     uint64 // tells the turn's random numbers from those of other turns
}

// Counts tell what became of the turns of the conversations.
type Counts struct {
	Turns         int `json:"turns"`         // all
	NoTeacher     int `json:"no_teacher"`    // skipped: the teacher has no rewrite
	Unreachable   int `json:"unreachable"`   // skipped: none of the teacher's terms is both in the input and in a passage
	Training      int `json:"training"`      // trained on
	Validation    int `json:"validation"`    // held out
	Conversations int `json:"conversations"` // with a turn in one of the two
}

// examples makes the turns of the data ready, in their order, those of the
// held-out conversations apart.
func (t *trainer) examples(ctx context.Context, d Data, teacher Teacher, progress func(done, total int)) (training, validation []example, err error) {
	type place struct{ conversation, turn int }
	var places []place
	for c := range d.Conversations {
		for i := range d.Conversations[c].Turns {
			places = append(places, place{c, i})
		}
	}
	ready := make([]*example, len(places))
	var noTeacher, unreachable, done atomic.Int64
	f32.Parallel(len(places), t.workers, func(n int) {
		if ctx.Err() != nil {
			return
		}
		at := places[n]
		q, ok := teacher.Query(d.Conversations[at.conversation], at.turn)
		switch {
		case !ok:
			noTeacher.Add(1)
		default:
			if ready[n] = t.example(d, q, d.Conversations[at.conversation], at.turn); ready[n] == nil {
				unreachable.Add(1)
			}
		}
		if progress != nil {
			progress(int(done.Add(1)), len(places))
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	held := heldOut(len(d.Conversations), t.plan.Validation)
	seen := map[int]bool{}
	for n, ex := range ready {
		if ex == nil {
			continue
		}
		ex.seed = uint64(n)
		seen[places[n].conversation] = true
		if held[places[n].conversation] {
			validation = append(validation, *ex)
		} else {
			training = append(training, *ex)
		}
	}
	t.counts = Counts{
		Turns: len(places), NoTeacher: int(noTeacher.Load()), Unreachable: int(unreachable.Load()),
		Training: len(training), Validation: len(validation), Conversations: len(seen),
	}
	return training, validation, t.enough(teacher)
}

func (t *trainer) enough(teacher Teacher) error {
	switch c := t.counts; {
	case c.Training == 0 && c.NoTeacher == c.Turns:
		return fmt.Errorf("no turn can be trained on: none of the %d turns has the rewrite by %s", c.Turns, teacher)
	case c.Training == 0:
		return fmt.Errorf("no turn can be trained on: of %d turns %d lack a rewrite by %s, and of %d no rewritten term is in the history and in a passage", c.Turns, c.NoTeacher, teacher, c.Unreachable)
	case c.Validation == 0 && t.plan.Validation > 0:
		return fmt.Errorf("no turn is held out for validation: %d conversations are too few for a share of %g; raise validation in the plan, or set it to 0 to keep the last checkpoint", c.Conversations, t.plan.Validation)
	}
	return nil
}

// example returns turn i of c with the teacher's query q, or nil if q has
// nothing to teach.
func (t *trainer) example(d Data, q sparse.Vector, c dialog.Conversation, i int) *example {
	ex := &example{context: t.reader.Context(c.History(i)), number: i + 1}
	terms := t.reader.AppendContent(nil, ex.context)
	slices.Sort(terms)
	terms = slices.Compact(terms)
	if t.plan.Teacher.Reachable {
		q = reachable(q, terms)
	}
	if !slices.ContainsFunc(q.Terms, func(term uint32) bool { return d.Passages.DF(term) > 0 }) {
		return nil
	}
	ex.teacher = q
	depth := t.plan.Candidates.Depth
	if t.plan.Candidates.Teacher > 0 {
		ex.rankings.Teacher = d.Rank(q, depth)
	}
	if t.plan.Candidates.History > 0 {
		ex.rankings.History = d.Rank(sparse.Bag(terms), depth)
	}
	return ex
}

// heldOut chooses the given share of n conversations, at least one if the share
// is not 0 and there are two. The choice does not depend on the plan's seed, so
// that runs of several seeds are chosen on the same turns.
func heldOut(n int, share float64) map[int]bool {
	if share == 0 || n < 2 {
		return nil
	}
	held := map[int]bool{}
	for _, c := range rand.New(rand.NewPCG(0x76616c6964, uint64(n))).Perm(n)[:max(1, int(share*float64(n)))] { // "valid"
		held[c] = true
	}
	return held
}
