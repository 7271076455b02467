package distill

import (
	"context"
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
	"parley/distill/objective"
	"parley/distill/sample"
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
	w, err := makeWorld()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func makeWorld() (*world, error) {
	var things, attributes []string
	for i := range 12 {
		things = append(things, fmt.Sprintf("thing%c", 'a'+i))
		attributes = append(attributes, fmt.Sprintf("trait%c", 'a'+i))
	}
	tokens := append([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "what", "is", "the", "of", "its", "and", "?", "a", "well", "known"}, things...)
	vocab, err := wordpiece.NewVocabulary(append(tokens, attributes...), wordpiece.Options{})
	if err != nil {
		return nil, err
	}
	counter, err := encoder.NewBM25Counter(wordpiece.New(vocab))
	if err != nil {
		return nil, err
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
	return w, nil
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
	p.Candidates = sample.Mixture(4, 4, 4, 20)
	p.Validation.Share = .2
	p.Objective.DFL1.Weight = 0
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

// TestLearns says that each student brings its held-out loss down, and that the
// right passage comes first where a pronoun hides the thing.
func TestLearns(t *testing.T) {
	w := newWorld(t)
	for _, kind := range []string{StudentFeatures, StudentMLP} {
		r := train(t, w, smallPlan(kind), Options{Workers: 2})
		first, last := r.History[0].Validation.Loss, r.History[len(r.History)-1].Validation.Loss
		if last > first*.8 {
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
					want := s.Forward([]Input{{Context: s.reader.Context(c.History(i))}})[0]
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

// TestBestEpochIsKept says that the student that is saved is that of the epoch
// with the lowest loss on the held-out turns.
func TestBestEpochIsKept(t *testing.T) {
	w := newWorld(t)
	p := smallPlan(StudentMLP)
	p.Optimiser.LearningRate = .3 // too high to get better all the time
	for p.Seed = range uint64(20) {
		r := train(t, w, p, Options{})
		lowest := 0
		for i, e := range r.History {
			if e.Validation.Loss < r.History[lowest].Validation.Loss {
				lowest = i
			}
		}
		if r.Best != lowest+1 {
			t.Fatalf("seed %d: kept epoch %d, the best is %d", p.Seed, r.Best, lowest+1)
		}
		tr := r.keeper.t.(*trainer)
		kept, err := tr.look(context.Background(), true)
		if err != nil {
			t.Fatal(err)
		}
		if kept.Loss != r.History[lowest].Validation.Loss {
			t.Errorf("seed %d: the loss of the kept student is %v, that of its epoch %v", p.Seed, kept.Loss, r.History[lowest].Validation.Loss)
		}
		if r.Best < len(r.History) {
			return
		}
	}
	t.Error("the last epoch was the best with every seed: the test is too weak")
}

// TestValidationAtFullWeight says that held-out turns are judged by the whole
// objective even while the regulariser's weight still rises.
func TestValidationAtFullWeight(t *testing.T) {
	p := smallPlan(StudentFeatures)
	p.Objective.DFL1.Weight, p.Objective.DFL1.To = .5, 1
	r := train(t, newWorld(t), p, Options{})
	first := r.History[0]
	if w := first.Terms[1].Weight; w >= .1 {
		t.Errorf("the weight at the end of the first epoch is %v already", w)
	}
	v := first.Validation
	if want := v.Terms[0].Value + .5*v.Terms[1].Value; v.Terms[1].Weight != .5 || math.Abs(v.Loss-want) > 1e-12 {
		t.Errorf("held-out loss %v at weight %v, want %v", v.Loss, v.Terms[1].Weight, want)
	}
}

// TestLossGradient takes the loss of a batch, from scores over all candidates to
// each parameter, and compares the gradient with central differences.
func TestLossGradient(t *testing.T) {
	w := newWorld(t)
	p := everyTerm(smallPlan(StudentMLP))
	p.Objective.VectorL1.Weight, p.Objective.Hinge.Weight = 0, 0 // they have kinks
	tr, err := newTrainer(context.Background(), w.judged(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 3))
	for _, param := range tr.student.Parameters() { // away from the ties of a fresh student
		for i := range param.Value {
			param.Value[i] += float32(rng.NormFloat64() * .1)
		}
	}
	batch := []int{3, 40, 77}
	tr.terms = p.Objective.Terms(0) // no ramp
	forward := func() float64 {
		tr.begin(tr.training, batch, false)
		b := tr.forward(0, len(batch))
		tr.evaluate(b, 0)
		var s sums
		s.add(b, tr.stage.losses)
		return s.mean(nil).Loss
	}
	forward()
	tr.backward()
	checked := 0
	for _, param := range tr.student.Parameters() {
		for i := range param.Value {
			got := float64(param.Grad[i])
			if math.Abs(got) < .02 {
				continue // too small for differences in single precision
			}
			const h = 1. / 512
			x := param.Value[i]
			param.Value[i] = x + h
			up := forward()
			param.Value[i] = x - h
			down := forward()
			param.Value[i] = x
			if want := (up - down) / (2 * h); math.Abs(got-want) > .03*math.Abs(want)+.002 {
				t.Errorf("gradient by %s[%d]: %v, central difference %v", param.Name, i, got, want)
			}
			checked++
		}
	}
	if checked < 20 {
		t.Errorf("only %d parameters have a gradient to speak of: the test is too weak", checked)
	}
}

func TestDivergenceIsTold(t *testing.T) {
	w := newWorld(t)
	p := smallPlan(StudentFeatures)
	p.Objective.L1.Weight, p.Objective.L1.Shape, p.Optimiser.LearningRate = 1e6, objective.ShapeConstant, 1 // drives all weights to 0
	path := filepath.Join(t.TempDir(), "checkpoint")
	if _, err := Train(context.Background(), w.data(), p, Options{Checkpoint: path}); err == nil || !strings.Contains(err.Error(), "the training diverged in epoch") {
		t.Errorf("a student without weights: error %v", err)
	}
	tr, err := newTrainer(context.Background(), w.data(), smallPlan(StudentFeatures), Options{})
	if err != nil {
		t.Fatal(err)
	}
	tr.student.Parameters()[0].Value[0] = float32(math.Inf(1))
	if err := tr.step([]int{0, 1}); err == nil || !strings.Contains(err.Error(), "diverged") {
		t.Errorf("an infinite weight: error %v", err)
	}
}

// TestRegulariserPaysByPrice says that the df-weighted regulariser cuts the
// cost of the queries far more than their number of terms.
func TestRegulariserPaysByPrice(t *testing.T) {
	w := newWorld(t)
	p := smallPlan(StudentMLP)
	plain := train(t, w, p, Options{}).History[p.Optimiser.Epochs-1].Validation
	p.Objective.DFL1.Weight = .5
	cut := train(t, w, p, Options{}).History[p.Optimiser.Epochs-1].Validation
	if cut.FLOPS > plain.FLOPS*.7 || cut.FLOPS/plain.FLOPS > cut.L0/plain.L0 {
		t.Errorf("FLOPS went from %v to %v, L0 from %v to %v", plain.FLOPS, cut.FLOPS, plain.L0, cut.L0)
	}
}

func ExampleTrain() {
	w, err := makeWorld() // conversations, and passages encoded by BM25
	if err != nil {
		fmt.Println(err)
		return
	}
	data := Data{
		Conversations: w.talk,
		Vocabulary:    w.bm25.Vocabulary(),
		Passages:      w.passages,      // an index.Index will do
		Rank:          w.passages.rank, // what search finds in it
		Encode:        w.bm25.Query,
	}
	plan := DefaultPlan(StudentFeatures)
	plan.Optimiser.Epochs = 2
	result, err := Train(context.Background(), data, plan, Options{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Counts.Training, "turns trained on,", result.Counts.Validation, "held out")
	// result.Save("student") writes the model folder that encoder.Open reads.
	// Output: 152 turns trained on, 8 held out
}
