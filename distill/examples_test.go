package distill

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/dialog"
	"parley/distill/objective"
	"parley/internal/input"
	"parley/internal/wordpiece"
	"parley/sparse"
)

func TestCounts(t *testing.T) {
	w := newWorld(t)
	w.talk[0].Turns[1].Rewrite = ""
	w.talk[1].Turns[2].Rewrite = "zebra crossing" // unknown to the vocabulary
	r := train(t, w, smallPlan(StudentFeatures), Options{})
	c := r.Counts
	if c.Turns != 160 || c.NoTeacher != 1 || c.Unreachable != 1 || c.Training+c.Validation != 158 || c.Validation != 32 && c.Validation != 31 && c.Validation != 30 {
		t.Errorf("counts %+v", c)
	}
	p := smallPlan(StudentFeatures)
	p.Teacher.Rewriters = []string{"nobody"}
	if _, err := Train(context.Background(), w.data(), p, Options{}); err == nil || !strings.Contains(err.Error(), "none of the 160 turns has the rewrite by nobody") {
		t.Errorf("a teacher without rewrites: error %v", err)
	}
}

func TestTeachers(t *testing.T) {
	w := newWorld(t)
	c := w.talk[0]
	c.Turns[1].Rewrites = map[string]string{"llm": "what is thinga"}
	mean, err := NewRewriteTeacher(w.bm25.Query, dialog.Human, "llm")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := mean.Query(c, 0); ok {
		t.Error("a turn that lacks one of two rewrites was taught by the other alone")
	}
	q, ok := mean.Query(c, 1)
	if !ok {
		t.Fatal("a turn with both rewrites was not taught")
	}
	human, _ := dialog.RewriteMode(dialog.Human).Context(c, 1)
	llm, _ := dialog.RewriteMode("llm").Context(c, 1)
	for _, v := range w.passages.vectors[:20] {
		want := (sparse.Dot(w.bm25.Query(human), v) + sparse.Dot(w.bm25.Query(llm), v)) / 2
		if got := sparse.Dot(q, v); math.Abs(got-want) > 1e-6 {
			t.Errorf("score of the mean %v, mean of the scores %v", got, want)
		}
	}
	if got := reachable(sparse.Bag([]uint32{1, 3, 5}), []uint32{0, 3, 4, 5, 9}); !reflect.DeepEqual(got, sparse.Bag([]uint32{3, 5})) {
		t.Errorf("reachable: %v", got)
	}
}

func TestHeldOut(t *testing.T) {
	var ids []string
	for i := range 40 {
		ids = append(ids, fmt.Sprint(i), "", fmt.Sprint(i))
	}
	held, n := heldOut(ids, .1)
	if got := slices.Sorted(maps.Keys(held)); n != 40 || !slices.Equal(got, []string{"11", "17", "24", "29"}) {
		t.Errorf("held out %v of %d", got, n) // a change here changes which turns every training is chosen on
	}
	if held, n := heldOut([]string{"a", "a", ""}, .5); held != nil || n != 1 {
		t.Errorf("held out %v of %d", held, n)
	}
	if held, _ := heldOut([]string{"a", "b"}, .01); len(held) != 1 {
		t.Errorf("held out %v", held)
	}
}

// TestNoConversationOnBothSides trains on the same conversations twice.
func TestNoConversationOnBothSides(t *testing.T) {
	w := newWorld(t)
	once := train(t, w, smallPlan(StudentFeatures), Options{}).Counts
	w.talk = append(w.talk, w.talk...)
	twice := train(t, w, smallPlan(StudentFeatures), Options{}).Counts
	if twice.Conversations != once.Conversations || twice.Validation != 2*once.Validation {
		t.Errorf("counts %+v, of the same conversations twice %+v", once, twice)
	}
}

// TestFewTurnsHaveTheTeacher holds out among the conversations that can teach.
func TestFewTurnsHaveTheTeacher(t *testing.T) {
	w := newWorld(t)
	for c := range w.talk {
		for i := range w.talk[c].Turns {
			if c == 5 || c == 31 {
				w.talk[c].Turns[i].Rewrites = map[string]string{"llm": w.talk[c].Turns[i].Rewrite}
			}
		}
	}
	p := smallPlan(StudentFeatures)
	p.Teacher.Rewriters = []string{"llm"}
	if c := train(t, w, p, Options{}).Counts; c.Training != 4 || c.Validation != 4 {
		t.Errorf("counts %+v", c)
	}
	w.talk[5].Turns = w.talk[5].Turns[:0]
	if _, err := Train(context.Background(), w.data(), p, Options{}); err == nil || !strings.Contains(err.Error(), "only one has turns to train on") {
		t.Errorf("with one conversation: error %v", err)
	}
	p.Validation.Share = 0
	if r := train(t, w, p, Options{}); r.Counts.Training != 4 || r.Best != 0 {
		t.Errorf("without validation: %+v, best %d", r.Counts, r.Best)
	}
}

// TestReachableTeaches says whose terms the examples have.
func TestReachableTeaches(t *testing.T) {
	w := newWorld(t)
	for _, reachable := range []bool{true, false} {
		p := smallPlan(StudentFeatures)
		p.Teacher.Reachable = reachable
		w.talk[0].Turns[0].Rewrite = "what is the traitz thinga traita?"
		w.talk[0].Turns[0].Question = "what is traita?"
		tr, err := newTrainer(context.Background(), w.data(), p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		id, _ := w.bm25.Vocabulary().ID("thinga")
		for _, ex := range append(tr.training, tr.held...) {
			if ex.seed == 0 && (ex.teacher.Weight(id) > 0) == reachable {
				t.Errorf("reachable %v: the teacher has terms %v", reachable, ex.teacher.Terms)
			}
		}
	}
}

func TestDrop(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	n := 0
	for _, dropped := range drop(nil, .25, 10_000, rng) {
		if dropped {
			n++
		}
	}
	if n < 2300 || n > 2700 {
		t.Errorf("%d of 10000 tokens are dropped, about 2500 should be", n)
	}
	if drop(nil, 0, 10, rng) != nil {
		t.Error("tokens are dropped at probability 0")
	}
}

// TestMinCount says which terms have an embedding of their own.
func TestMinCount(t *testing.T) {
	w := newWorld(t)
	reader, err := input.NewReader(wordpiece.New(w.bm25.Vocabulary()), dialog.Budget{})
	if err != nil {
		t.Fatal(err)
	}
	contexts := []input.Context{{IDs: []uint32{5, 5, 5, 6, 6, 7}}, {IDs: []uint32{7, 8}}}
	p := smallPlan(StudentMLP)
	p.Student.MinCount = 2
	for _, tensor := range newLexicalStudent(p, reader, w.passages, contexts, 1).net.Tensors() {
		if tensor.Name == "terms" && !slices.Equal(tensor.I32, []int32{5, 6, 7}) {
			t.Errorf("embedded terms %v, want 5, 6 and 7", tensor.I32)
		}
	}
}

// TestLabelledTurnsAlone trains on the turns that are judged, and says how many
// the others are.
func TestLabelledTurnsAlone(t *testing.T) {
	d, p := newWorld(t).judged(), smallPlan(StudentFeatures)
	p.Optimiser.Epochs = 1
	counts := func() Counts {
		r, err := Train(context.Background(), d, p, Options{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		return r.Counts
	}
	all := counts()
	if n := all.Training + all.Validation; all.Labelled == 0 || all.Labelled >= n || all.Unlabelled != 0 {
		t.Fatalf("%d of %d turns are labelled", all.Labelled, n)
	}
	p.Labelled = true
	if c := counts(); c.Training+c.Validation != all.Labelled || c.Labelled != all.Labelled || c.Unlabelled != all.Training+all.Validation-all.Labelled {
		t.Errorf("of %+v the labelled ones alone are %+v", all, c)
	}
}

// TestWithoutLabels says which plans need judgements.
func TestWithoutLabels(t *testing.T) {
	for _, test := range []struct {
		change func(*Plan)
		want   string // "" where none is needed
	}{
		{func(p *Plan) {}, ""},
		{func(p *Plan) { p.Labelled = true }, "the plan asks for labelled turns alone, and none of 160"},
		{func(p *Plan) { p.Candidates.Gold = true }, "candidates.gold cannot act: of none of the"},
		{func(p *Plan) {
			p.Candidates.Gold = true
			p.Objective.InfoNCE = objective.ContrastPlan{Schedule: objective.Schedule{Weight: 1}, Temperature: 1}
		}, "objective.infonce, candidates.gold cannot act: of none of the"},
	} {
		p := smallPlan(StudentFeatures)
		p.Optimiser.Epochs = 1
		test.change(&p)
		for _, judged := range []func(dialog.Conversation, int) []uint32{nil, func(dialog.Conversation, int) []uint32 { return nil }} {
			d := newWorld(t).data()
			d.Judged = judged
			_, err := Train(context.Background(), d, p, Options{})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		}
	}
}
