package distill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"

	"parley/dialog"
	"parley/distill/sample"
	"parley/internal/f32"
	"parley/internal/input"
	"parley/internal/wordpiece"
	"parley/sparse"
)

// Data are what a student is trained on.
type Data struct {
	Name          string // what the data are called, for the model's card
	Conversations []dialog.Conversation
	Vocabulary    *wordpiece.Vocabulary
	Passages      Passages
	// Rank returns the k best passages for a query vector, best first.
	Rank func(q sparse.Vector, k int) []uint32
	// Encode is the query encoder that Passages were made to be searched with;
	// the rewrites are encoded by it.
	Encode func(dialog.Context) sparse.Vector
	// Judged returns the passages that are judged relevant to turn i (from 0) of
	// c, ascending; none where nothing is known. nil stands for no judgements.
	Judged func(c dialog.Conversation, i int) []uint32
	// Teacher is who teaches; nil stands for the rewriters that the plan names.
	Teacher Teacher
}

// example is a turn made ready for training.
type example struct {
	context  input.Context
	number   int           // of the turn in its conversation, from 1
	teacher  sparse.Vector // the teacher's query
	rankings sample.Rankings
	relevant []uint32 // the passages judged relevant, ascending
	answered bool     // there are answers in the conversation
	seed     uint64   // tells the turn's random numbers from those of other turns
}

// Counts tell what became of the turns of the conversations.
type Counts struct {
	Turns         int `json:"turns"`         // all
	NoTeacher     int `json:"no_teacher"`    // skipped: the teacher has no rewrite
	Unreachable   int `json:"unreachable"`   // skipped: none of the terms to learn is in a passage
	Unlabelled    int `json:"unlabelled"`    // skipped: no passage is judged relevant, and the plan wants labelled turns alone
	Training      int `json:"training"`      // trained on
	Validation    int `json:"validation"`    // held out
	Labelled      int `json:"labelled"`      // of those two, turns with a passage that is judged relevant
	Conversations int `json:"conversations"` // of those two kinds of turns
}

// examples makes the turns of the data ready to be trained on, in their order,
// and those of the held-out conversations apart.
func (t *trainer) examples(ctx context.Context, d Data, teacher Teacher, progress func(done, total int)) error {
	type place struct{ conversation, turn int }
	var places []place
	for c := range d.Conversations {
		for i := range d.Conversations[c].Turns {
			places = append(places, place{c, i})
		}
	}
	examples := make([]*example, len(places))
	var became [fates]atomic.Int64
	var done atomic.Int64
	f32.Parallel(len(places), t.workers, func(n int) {
		if ctx.Err() != nil {
			return
		}
		at := places[n]
		ex, fate := t.example(d, teacher, d.Conversations[at.conversation], at.turn)
		became[fate].Add(1)
		if ex != nil {
			ex.seed = uint64(n)
			examples[n] = ex
		}
		if progress != nil {
			progress(int(done.Add(1)), len(places))
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	ids := make([]string, len(places)) // of the conversations of the turns that are ready
	for n, ex := range examples {
		if ex != nil {
			ids[n] = d.Conversations[places[n].conversation].ID
		}
	}
	t.counts = Counts{
		Turns: len(places), NoTeacher: int(became[noTeacher].Load()), Unreachable: int(became[unreachable].Load()), Unlabelled: int(became[unlabelled].Load()),
	}
	t.divide(examples, ids)
	return t.enough(teacher)
}

// divide divides the turns that are ready, by the ids of their conversations, into
// those to train on and those held out.
func (t *trainer) divide(examples []*example, ids []string) {
	held, conversations := heldOut(ids, t.plan.Validation.Share)
	for n, ex := range examples {
		switch {
		case ex == nil:
			continue
		case held[ids[n]]:
			t.held = append(t.held, *ex)
		default:
			t.training = append(t.training, *ex)
		}
		if len(ex.relevant) > 0 {
			t.counts.Labelled++
		}
	}
	t.counts.Training, t.counts.Validation, t.counts.Conversations = len(t.training), len(t.held), conversations
}

// enough tells why there is nothing to train on.
func (t *trainer) enough(teacher Teacher) error {
	switch c := t.counts; {
	case c.Training+c.Validation == 0 && c.NoTeacher == c.Turns:
		return fmt.Errorf("no turn can be trained on: none of the %d turns has the rewrite by %s", c.Turns, teacher)
	case c.Training+c.Validation == 0 && c.Unlabelled > 0:
		return fmt.Errorf("no turn can be trained on: the plan asks for labelled turns alone, and none of %d that could be has a passage in the index that is judged relevant; add judgements, or set labelled to false in the plan", c.Unlabelled)
	case c.Training+c.Validation == 0:
		return fmt.Errorf("no turn can be trained on: of %d turns %d lack a rewrite by %s, and the rewrites of %d have no term that is both in the history and in a passage", c.Turns, c.NoTeacher, teacher, c.Unreachable)
	case c.Labelled == 0 && t.plan.Candidates.Most(t.passages.N()) < 2:
		return fmt.Errorf("candidates: one beside the judged passages is all that the plan draws, and no turn is judged: a divergence over one passage is always 0; draw more, or train with a collection that has judgements")
	case c.Validation == 0 && t.plan.Validation.Share > 0:
		return fmt.Errorf("no conversation can be held out for validation: only one has turns to train on; add conversations, or set validation.share to 0 in the plan to keep the last epoch")
	}
	return t.labels()
}

// labels tells why no term of the objective, or candidate, that needs labels can
// act.
func (t *trainer) labels() error {
	who := t.plan.Objective.Labelled()
	if t.plan.Candidates.Gold {
		who = append(who, "candidates.gold")
	}
	if len(who) == 0 || slices.ContainsFunc(t.training, func(ex example) bool { return len(ex.relevant) > 0 }) {
		return nil
	}
	return fmt.Errorf("%s cannot act: of none of the %d turns to train on is a passage of the index judged relevant; train on collections with judgements of these passages, or leave it out of the plan",
		strings.Join(who, ", "), len(t.training))
}

// What becomes of a turn.
const (
	isReady     = iota
	noTeacher   // the teacher has nothing to say
	unlabelled  // nothing is judged relevant, and the plan wants that
	unreachable // the teacher has nothing to teach
	fates
)

// example returns turn i of c made ready, or nil and why it cannot be.
func (t *trainer) example(d Data, teacher Teacher, c dialog.Conversation, i int) (ex *example, fate int) {
	q, ok := teacher.Query(c, i)
	if !ok {
		return nil, noTeacher
	}
	ex = &example{context: t.read(c.History(i)), number: i + 1}
	ex.answered = slices.ContainsFunc(c.Turns, func(turn dialog.Turn) bool { return turn.Answer != "" })
	terms := t.reader.AppendContent(nil, ex.context)
	slices.Sort(terms)
	terms = slices.Compact(terms)
	if t.plan.Teacher.Reachable {
		q = reachable(q, terms)
	}
	if !slices.ContainsFunc(q.Terms, func(term uint32) bool { return d.Passages.DF(term) > 0 }) {
		return nil, unreachable
	}
	ex.teacher = q
	if d.Judged != nil {
		ex.relevant = d.Judged(c, i)
	}
	if t.plan.Labelled && len(ex.relevant) == 0 {
		return nil, unlabelled
	}
	if t.needs.Teacher > 0 {
		ex.rankings.Teacher = d.Rank(q, t.needs.Teacher)
	}
	if t.needs.Scores {
		ex.rankings.Scores = scoresOf(q, ex.rankings.Teacher, d.Passages)
	}
	if t.needs.History > 0 {
		ex.rankings.History = d.Rank(sparse.Bag(terms), t.needs.History)
	}
	return ex, isReady
}

// scoresOf returns the scores of some passages by q.
func scoresOf(q sparse.Vector, ranking []uint32, passages Passages) []float32 {
	scores := make([]float32, len(ranking))
	var v sparse.Vector
	for i, passage := range ranking {
		v = passages.Vector(int(passage), v)
		scores[i] = float32(sparse.Dot(q, v))
	}
	return scores
}

// numbers returns the turns' numbers in their conversations.
func numbers(examples []example) []int {
	all := make([]int, len(examples))
	for i := range examples {
		all[i] = examples[i].number
	}
	return all
}

// heldOut chooses the given share of the conversations that have turns, at
// least one if the share is not 0 and there are two, and returns how many
// conversations there are. ids are those of the turns' conversations, empty for
// turns that are left out: equal ids are one conversation, wherever they come
// from, so that none is on both sides. The choice does not depend on the plan's
// seed, so that runs of several seeds are chosen on the same turns.
func heldOut(ids []string, share float64) (held map[string]bool, conversations int) {
	distinct := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	n := len(distinct)
	if share == 0 || n < 2 {
		return nil, n
	}
	held = map[string]bool{}
	for _, c := range rand.New(rand.NewPCG(0x76616c6964, uint64(n))).Perm(n)[:max(1, int(share*float64(n)))] { // "valid"
		held[distinct[c]] = true
	}
	return held, n
}
