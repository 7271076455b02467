package distill

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/dialog"
	"parley/encoder"
	"parley/internal/wordpiece"
	"parley/sparse"
)

// world is a small made-up collection: things with attributes, asked about by
// name and then by pronoun.
type world struct {
	bm25     *encoder.BM25
	passages memory
	talk     []dialog.Conversation
}

// memory are passages held in memory.
type memory struct {
	vectors []sparse.Vector
	df      map[uint32]int
}

func (m memory) N() int             { return len(m.vectors) }
func (m memory) DF(term uint32) int { return m.df[term] }
func (m memory) Vector(i int, buf sparse.Vector) sparse.Vector {
	return sparse.Vector{
		Terms:   append(buf.Terms[:0], m.vectors[i].Terms...),
		Weights: append(buf.Weights[:0], m.vectors[i].Weights...),
	}
}

func (m memory) rank(q sparse.Vector, k int) []uint32 {
	order := make([]uint32, m.N())
	scores := make([]float64, m.N())
	for i := range order {
		order[i], scores[i] = uint32(i), sparse.Dot(q, m.vectors[i])
	}
	slices.SortStableFunc(order, func(a, b uint32) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	return order[:min(k, len(order))]
}

func newWorld(t testing.TB) *world {
	t.Helper()
	var things, attributes []string
	for i := range 12 {
		things = append(things, fmt.Sprintf("thing%c", 'a'+i))
		attributes = append(attributes, fmt.Sprintf("trait%c", 'a'+i))
	}
	tokens := append([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "what", "is", "the", "of", "its", "and", "?", "a", "well", "known"}, things...)
	vocab, err := wordpiece.NewVocabulary(append(tokens, attributes...), wordpiece.Options{})
	if err != nil {
		t.Fatal(err)
	}
	counter, err := encoder.NewBM25Counter(wordpiece.New(vocab))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, thing := range things {
		for _, attribute := range attributes {
			texts = append(texts, fmt.Sprintf("the %s of %s is a well known %s", attribute, thing, attribute))
		}
	}
	for _, text := range texts {
		counter.Add("", text)
	}
	w := &world{bm25: counter.BM25(encoder.BM25Options{}), passages: memory{df: map[uint32]int{}}}
	for _, text := range texts {
		v := w.bm25.Passage("", text)
		for _, term := range v.Terms {
			w.passages.df[term]++
		}
		w.passages.vectors = append(w.passages.vectors, v)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for c := range 40 {
		talk := dialog.Conversation{ID: fmt.Sprint(c)}
		thing := things[rng.IntN(len(things))]
		for i := range 4 {
			attribute := attributes[rng.IntN(len(attributes))]
			turn := dialog.Turn{ID: fmt.Sprintf("%d_%d", c, i+1), Conversation: talk.ID, Number: i + 1}
			turn.Rewrite = fmt.Sprintf("what is the %s of %s?", attribute, thing)
			turn.Question, turn.Answer = turn.Rewrite, fmt.Sprintf("a well known %s", attribute)
			if i > 0 {
				turn.Question = fmt.Sprintf("and what is its %s?", attribute)
			}
			talk.Turns = append(talk.Turns, turn)
		}
		w.talk = append(w.talk, talk)
	}
	return w
}

func (w *world) data() Data {
	return Data{
		Conversations: w.talk, Vocabulary: w.bm25.Vocabulary(), Passages: w.passages,
		Rank: w.passages.rank, Encode: w.bm25.Query,
	}
}

func smallPlan(kind string) Plan {
	p := DefaultPlan(kind)
	p.Student.Dim, p.Student.Hidden, p.Student.MinCount = 8, 8, 2
	p.Optimiser.Epochs, p.Optimiser.Batch, p.Optimiser.LearningRate = 6, 16, 1e-2
	p.Candidates = SamplerPlan{Teacher: 4, History: 4, Random: 4, Depth: 20}
	p.Validation = .2
	p.Objective.DFL1 = 0
	return p
}

func train(t testing.TB, w *world, p Plan, o Options) *Result {
	t.Helper()
	r, err := Train(context.Background(), w.data(), p, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// weights returns the bytes of the weights of a saved result.
func weights(t testing.TB, r *Result) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestLearns says that each student brings its loss down by half, and that the
// right passage comes first where a pronoun hides the thing.
func TestLearns(t *testing.T) {
	w := newWorld(t)
	for _, kind := range []string{StudentFeatures, StudentMLP} {
		r := train(t, w, smallPlan(kind), Options{Workers: 2})
		first, last := r.History[0].Validation.Loss, r.History[len(r.History)-1].Validation.Loss
		if kind == StudentMLP && last > first/2 {
			t.Errorf("%s: held-out loss went from %v to %v only", kind, first, last)
		}
		dir := filepath.Join(t.TempDir(), "model")
		if err := r.Save(dir); err != nil {
			t.Fatal(err)
		}
		e, err := encoder.Open(dir, w.passages)
		if err != nil {
			t.Fatal(err)
		}
		hits := func(q func(c dialog.Conversation, i int) sparse.Vector) (n int) {
			for _, c := range w.talk {
				rewrite, _ := dialog.RewriteMode(dialog.Human).Context(c, 3)
				want := w.passages.rank(w.bm25.Query(rewrite), 1)
				if slices.Equal(w.passages.rank(q(c, 3), 1), want) {
					n++
				}
			}
			return n
		}
		student := hits(func(c dialog.Conversation, i int) sparse.Vector { return e.Query(c.History(i)) })
		history := hits(func(c dialog.Conversation, i int) sparse.Vector { return w.bm25.Query(c.History(i)) })
		last4 := hits(func(c dialog.Conversation, i int) sparse.Vector { return w.bm25.Query(c.Last(i)) })
		if student <= history+5 || student <= last4+5 {
			t.Errorf("%s: the student finds %d of %d, the history %d, the last question %d", kind, student, len(w.talk), history, last4)
		}
	}
}

// TestServingIsTraining says that the encoder of a saved student gives the
// vectors that the student gave in training, bit for bit.
func TestServingIsTraining(t *testing.T) {
	w := newWorld(t)
	for _, kind := range []string{StudentFeatures, StudentMLP} {
		r := train(t, w, smallPlan(kind), Options{})
		dir := filepath.Join(t.TempDir(), "model")
		if err := r.Save(dir); err != nil {
			t.Fatal(err)
		}
		for _, stats := range []encoder.Statistics{w.passages, nil} { // nil: the model's own counts, here the same
			e, err := encoder.Open(dir, stats)
			if err != nil {
				t.Fatal(err)
			}
			s := r.student.(*lexicalStudent)
			for _, c := range w.talk[:10] {
				for i := range c.Turns {
					want := s.Forward([]Input{{Context: s.reader.Context(c.History(i))}}, 1)[0]
					if got := e.Query(c.History(i)); !reflect.DeepEqual(got, want) {
						t.Fatalf("%s: turn %s is encoded as %v in serving, %v in training", kind, c.Turns[i].ID, got, want)
					}
				}
			}
		}
	}
}

func TestWorkersChangeNothing(t *testing.T) {
	w := newWorld(t)
	one := train(t, w, smallPlan(StudentMLP), Options{Workers: 1})
	two := train(t, w, smallPlan(StudentMLP), Options{Workers: 3})
	if !reflect.DeepEqual(one.History, two.History) {
		t.Error("three workers have another history of losses than one")
	}
	if weights(t, one) != weights(t, two) {
		t.Error("three workers end with other weights than one")
	}
}

func TestSeedsDiffer(t *testing.T) {
	w := newWorld(t)
	p := smallPlan(StudentMLP)
	one := weights(t, train(t, w, p, Options{}))
	p.Seed = 2
	if weights(t, train(t, w, p, Options{})) == one {
		t.Error("two seeds end with the same weights")
	}
}

// TestResumes interrupts a training after every number of steps in turn, takes
// it up again, and wants the weights of the undisturbed one.
func TestResumes(t *testing.T) {
	w := newWorld(t)
	p := smallPlan(StudentMLP)
	p.Optimiser.Epochs = 2
	p.Objective.DFL1 = .1
	whole := train(t, w, p, Options{})
	steps := len(whole.History) * ((whole.Counts.Training + p.Optimiser.Batch - 1) / p.Optimiser.Batch)
	for after := 1; after < steps; after += 5 {
		path := filepath.Join(t.TempDir(), "checkpoint")
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Train(ctx, w.data(), p, Options{Checkpoint: path, Progress: func(at Progress) {
			if at.Step == after {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted after step %d: error %v", after, err)
		}
		resumedAt := 0
		r := train(t, w, p, Options{Checkpoint: path, Progress: func(at Progress) {
			if resumedAt == 0 {
				resumedAt = at.Step
			}
		}})
		if resumedAt != after+1 {
			t.Errorf("interrupted after step %d, taken up at step %d", after, resumedAt)
		}
		if !reflect.DeepEqual(r.History, whole.History) || weights(t, r) != weights(t, whole) {
			t.Errorf("taken up after step %d, the training ended elsewhere", after)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the checkpoint of a saved training is still there: %v", err)
		}
	}
}

func TestCheckpointRefused(t *testing.T) {
	w := newWorld(t)
	p := smallPlan(StudentFeatures)
	path := filepath.Join(t.TempDir(), "checkpoint")
	interrupted := func() {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Train(ctx, w.data(), p, Options{Checkpoint: path, Progress: func(Progress) { cancel() }})
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	interrupted()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := p
	other.Seed++
	fewer := w.data()
	fewer.Conversations = fewer.Conversations[1:]
	for name, test := range map[string]struct {
		content string
		plan    Plan
		data    Data
		want    string
	}{
		"another plan": {string(good), other, w.data(), "another plan or other data"},
		"other data":   {string(good), p, fewer, "another plan or other data"},
		"cut":          {string(good[:len(good)-3]), p, w.data(), "whole weight file"},
		"flipped":      {string(good[:len(good)-3]) + "\x00\x00\x01", p, w.data(), "damaged"},
		"empty":        {"", p, w.data(), "whole weight file"},
		"model":        {weights(t, train(t, w, p, Options{})), p, w.data(), "no training's state"},
	} {
		if err := os.WriteFile(path, []byte(test.content), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := Train(context.Background(), test.data, test.plan, Options{Checkpoint: path})
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
}

// TestRegulariserPaysByPrice says that the df-weighted regulariser cuts the
// cost of the queries far more than their number of terms.
func TestRegulariserPaysByPrice(t *testing.T) {
	w := newWorld(t)
	p := smallPlan(StudentMLP)
	plain := train(t, w, p, Options{}).History[p.Optimiser.Epochs-1].Validation
	p.Objective.DFL1 = .5
	cut := train(t, w, p, Options{}).History[p.Optimiser.Epochs-1].Validation
	if cut.FLOPS > plain.FLOPS*.7 || cut.FLOPS/plain.FLOPS > cut.L0/plain.L0 {
		t.Errorf("FLOPS went from %v to %v, L0 from %v to %v", plain.FLOPS, cut.FLOPS, plain.L0, cut.L0)
	}
}

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

func TestMixture(t *testing.T) {
	r := Rankings{Teacher: []uint32{0, 1, 2, 3}, History: []uint32{2, 3, 4, 5, 6}}
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		got := mixture{teacher: 2, history: 3, random: 3, passages: 9}.Sample([]uint32{77}, r, rng)
		if got[0] != 77 || len(got) != 9 {
			t.Fatalf("sample %v: want 8 passages after the first", got)
		}
		sorted := slices.Sorted(slices.Values(got[1:]))
		if len(slices.Compact(sorted)) != 8 || slices.ContainsFunc(got[1:3], func(p uint32) bool { return p > 3 }) {
			t.Errorf("sample %v", got)
		}
	}
	if got := (mixture{random: 5, passages: 3}).Sample(nil, Rankings{}, rand.New(rand.NewPCG(1, 1))); len(got) != 3 {
		t.Errorf("%v drawn where only 3 passages are", got)
	}
}

func Example() {
	w := newWorld(&testing.T{})
	plan := DefaultPlan(StudentFeatures)
	plan.Optimiser.Epochs = 1
	result, err := Train(context.Background(), w.data(), plan, Options{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Counts.Training, "turns trained on,", result.Counts.Validation, "held out")
	// Output: 152 turns trained on, 8 held out
}
