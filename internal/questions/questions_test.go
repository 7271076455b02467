package questions

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"parley/dialog"
	"parley/index"
	"parley/sparse"
	"parley/trec"
)

// talk is a conversation whose second answer is repeated by two passages.
var talk = dialog.Conversation{ID: "c", Turns: []dialog.Turn{
	{ID: "c1", Conversation: "c", Number: 1, Question: "Who?", Answer: "A heron."},
	{ID: "c2", Conversation: "c", Number: 2, Question: "Where?", Answer: "In a pond.", Rewrite: "Where is the heron?"},
	{ID: "c3", Conversation: "c", Number: 3, Question: "Why?", Rewrite: "Why is the heron in a pond?"},
}}

func pond(t testing.TB) *index.Index {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index")
	b, err := index.Create(path, index.Options{Vocabulary: 4, Fingerprint: "f"})
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"A heron.", "In a pond.", "Something else.", "In a pond."} {
		if err := b.Add(fmt.Sprintf("p%d", i), "", text, sparse.Vector{Terms: []uint32{uint32(i)}, Weights: []float32{1}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	ix, err := index.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	return ix
}

func TestQuestions(t *testing.T) {
	qrels := trec.Qrels{"c2": {"p1": 1}, "c3": {"p1": 0, "p2": 1}}
	ix := pond(t)
	var l List
	l.Add(talk, dialog.RewriteMode(dialog.Human), qrels, func(turn dialog.Turn, judged bool) bool { return judged || turn.Number == 1 })
	if len(l.Lacking) != 1 || l.Lacking[0].ID != "c1" {
		t.Errorf("lacking: %v, want the first turn, which has no rewrite", l.Lacking)
	}
	if len(l.Questions) != 2 || l.Questions[1].Turn().ID != "c3" || l.Questions[1].Context.Text() != "Why is the heron in a pond?" {
		t.Fatalf("%+v", l.Questions)
	}
	if l.Skip(&l.Questions[1], ix) != nil {
		t.Error("something is left out before repeats were looked for")
	}
	l.FindRepeats(ix)
	var left [2][]int
	for i := range l.Questions {
		skip := l.Skip(&l.Questions[i], ix)
		for p := range ix.N() {
			if skip != nil && skip(p) {
				left[i] = append(left[i], p)
			}
		}
	}
	// Before c2 only the first answer was given; p1 is judged for c3, if irrelevant.
	if want := [2][]int{{0}, {0, 3}}; !reflect.DeepEqual(left, want) {
		t.Errorf("left out: %v, want %v", left, want)
	}
}

func TestJudgements(t *testing.T) {
	j := NewJudgements(pond(t))
	j.Add(trec.Qrels{"c2": {"p3": 2, "p1": 1, "p0": 0, "gone": 1}})
	j.Add(trec.Qrels{"c2": {"p2": 1, "p1": 1}, "c3": {"gone": 1}})
	if got := j.Of(talk, 1); !slices.Equal(got, []uint32{1, 2, 3}) {
		t.Errorf("relevant to c2: %v", got)
	}
	if got := j.Of(talk, 2); len(got) != 0 {
		t.Errorf("relevant to c3: %v", got)
	}
	if j.All != 6 || j.Lacking != 2 {
		t.Errorf("%d in all, %d lacking; want 6 and 2", j.All, j.Lacking)
	}
}

func ExampleList() {
	var l List
	l.Add(talk, dialog.LastMode, nil, func(turn dialog.Turn, _ bool) bool { return turn.Number > 1 })
	for _, q := range l.Questions {
		fmt.Println(q.Turn().ID, q.Context.Text())
	}
	// Output:
	// c2 Where?
	// c3 Why?
}
