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

	"parley/distill/objective"
	"parley/distill/sample"
	"parley/encoder"
	"parley/internal/bert"
	"parley/internal/checkpoint"
	"parley/internal/f32"
	"parley/internal/input"
	"parley/internal/wordpiece"
	"parley/sparse"
)

// tinySplade returns a small transformer over the world's vocabulary, its
// weights large enough that its vectors have some terms and its gradients can be
// told from rounding.
func tinySplade(vocabulary int, dropout float32) *bert.Network {
	net := bert.New(bert.Config{
		Vocabulary: vocabulary, Hidden: 8, Layers: 2, Heads: 2, Inner: 12, Positions: 64, Types: 2, Epsilon: 1e-12,
		Activation: f32.GELU, HeadActivation: f32.GELU, Dropout: dropout, AttentionDropout: dropout,
	}, 1)
	rng := rand.New(rand.NewPCG(4, 2))
	for _, p := range net.Parameters() {
		for i := range p.Value {
			p.Value[i] += float32(rng.NormFloat64() * .2)
		}
	}
	return net
}

func spladePlan() Plan {
	p := DefaultPlan(StudentSplade)
	p.Optimiser.Epochs, p.Optimiser.Batch, p.Optimiser.LearningRate = 2, 16, 1e-3
	p.Candidates = sample.Mixture(4, 4, 4, 20)
	p.Validation.Share = .2
	return p
}

// spladeTrainer returns a trainer of the tiny transformer.
func spladeTrainer(t testing.TB, p Plan, o Options) *trainer {
	t.Helper()
	w := newWorld(t)
	sequencer, err := input.NewSequencer(wordpiece.New(w.bm25.Vocabulary()), p.Context, 0)
	if err != nil {
		t.Fatal(err)
	}
	net := tinySplade(w.bm25.Vocabulary().Len(), float32(p.Optimiser.Dropout))
	tr, err := newTrainerFrom(context.Background(), w.taught(), p, o, &origin{net: net, sequencer: sequencer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.close)
	return tr
}

// TestSpladeStepGradient takes KLD, InfoNCE, L1 and the price of the query through the
// whole step, dropout and parts of the batch included, to each tensor of a small
// transformer, and compares the gradient with central differences along it and
// by single numbers.
func TestSpladeStepGradient(t *testing.T) {
	p := spladePlan()
	p.Objective.L1.Weight, p.Objective.DFL1.Weight = .05, .1
	p.Objective.KLD.Temperature = 3
	p.Optimiser.MicroBatch = 30
	tr := spladeTrainer(t, p, Options{Workers: 2})
	batch := []int{3, 40, 77, 12}
	tr.terms = append(p.Objective.Terms(0), objective.Weighted{Term: objective.InfoNCE{Temperature: 2}, Weight: .7})
	pass := func(backward bool) float64 {
		tr.begin(tr.training, batch, true)
		loss := 0.0
		for from, to := 0, 0; from < len(batch); from = to {
			to = tr.next(from)
			b := tr.forward(from, to)
			for i := range b.Turns {
				b.Turns[i].Positives = append(b.Turns[i].Positives[:0], i)
			}
			tr.evaluate(b, 0)
			for _, l := range tr.stage.losses {
				loss += l.Weight * l.Value
			}
			if backward {
				tr.backward()
			}
		}
		return loss
	}
	pass(true)
	difference := func(param *f32.Parameter, direction []float32, h float32) float64 {
		before := append([]float32{}, param.Value...)
		move := func(h float32) float64 {
			for i, d := range direction {
				param.Value[i] = before[i] + h*d
			}
			defer copy(param.Value, before)
			return pass(false)
		}
		return (move(h) - move(-h)) / (2 * float64(h))
	}
	for _, param := range tr.student.Parameters() {
		norm := 0.0
		for _, g := range param.Grad {
			norm += float64(g) * float64(g)
		}
		norm = math.Sqrt(norm)
		if strings.HasSuffix(param.Name, ".key.bias") && norm < 1e-6 {
			continue // the softmax does not see a common shift
		}
		along := make([]float32, len(param.Grad))
		for i, g := range param.Grad {
			along[i] = g / float32(norm)
		}
		if got := difference(param, along, 2e-3); math.Abs(got-norm) > .02*norm+1e-3 {
			t.Errorf("%s: the slope along the gradient is %v, its norm %v", param.Name, got, norm)
		}
	}
}

// TestSpladeStepAllocatesNothing runs the whole step, network and all.
func TestSpladeStepAllocatesNothing(t *testing.T) {
	for _, workers := range []int{1, 2} {
		p := spladePlan()
		p.Objective.DFL1.Weight = .1
		tr := spladeTrainer(t, p, Options{Workers: workers})
		batches := [][]int{{1, 2, 3, 4, 5, 6, 7, 8}, {9, 10, 11, 12, 13, 14, 15, 16}}
		n := 0
		step := func() {
			if err := tr.step(batches[n%2]); err != nil {
				t.Fatal(err)
			}
			n++
		}
		for range 4 {
			step()
		}
		if got := testing.AllocsPerRun(20, step); got > 0 {
			t.Errorf("%d workers: %v allocations in a step", workers, got)
		}
	}
}

// TestSpladeIsTheSameWithMoreWorkers trains with 1 and 3 goroutines, with and
// without recomputation, and wants the same weights.
func TestSpladeIsTheSameWithMoreWorkers(t *testing.T) {
	trained := func(workers int, recompute bool) (*trainer, []float32) {
		p := spladePlan()
		p.Student.Recompute = recompute
		tr := spladeTrainer(t, p, Options{Workers: workers})
		for tr.epoch < p.Optimiser.Epochs {
			if err := tr.runEpoch(context.Background(), nil, newKeeper(Options{}, tr)); err != nil {
				t.Fatal(err)
			}
		}
		var values []float32
		for _, param := range tr.student.Parameters() {
			values = append(values, param.Value...)
		}
		return tr, values
	}
	one, want := trained(1, false)
	for _, recompute := range []bool{false, true} {
		more, got := trained(3, recompute)
		if !slices.Equal(got, want) || !reflect.DeepEqual(more.history, one.history) {
			t.Errorf("three workers, recompute %v: other weights or losses than one", recompute)
		}
	}
	if first, last := one.history[0].Validation.Loss, one.history[1].Validation.Loss; last >= first {
		t.Errorf("held-out loss went from %v to %v", first, last)
	}
}

// TestSpladeServingIsTraining trains from a folder, and says that the encoder of
// the saved student gives the vectors that the student gave in training.
func TestSpladeServingIsTraining(t *testing.T) {
	w := newWorld(t)
	from := filepath.Join(t.TempDir(), "from")
	if err := os.Mkdir(from, 0o777); err != nil {
		t.Fatal(err)
	}
	net := tinySplade(w.bm25.Vocabulary().Len(), .2)
	part := checkpoint.Part{Config: net.Config(), Vocabulary: w.bm25.Vocabulary(), Parameters: net.Parameters()}
	if err := checkpoint.WriteFiles(from, checkpoint.Writing{Passage: part}); err != nil {
		t.Fatal(err)
	}
	p := spladePlan()
	p.Student.From, p.Context.Total, p.Optimiser.Epochs = from, 24, 1
	r := train(t, w, p, Options{Workers: 2})
	dir := filepath.Join(t.TempDir(), "model")
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	e, err := encoder.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newSpladeStudent(r.student.(*spladeStudent).from, 1, false)
	defer s.Close()
	for _, c := range w.talk[:10] {
		for i := range c.Turns {
			want := s.Forward([]Input{{Context: s.from.read(c.History(i))}})[0]
			got := e.Query(c.History(i))
			if !slices.Equal(got.Terms, want.Terms) {
				t.Fatalf("turn %s has the terms %v in serving, %v in training", c.Turns[i].ID, got.Terms, want.Terms)
			}
			for j, weight := range got.Weights {
				if d := weight - want.Weights[j]; max(d, -d) > 1e-5 {
					t.Errorf("turn %s: term %d has weight %v in serving, %v in training", c.Turns[i].ID, got.Terms[j], weight, want.Weights[j])
				}
			}
		}
	}
	back, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if back.Query.Config.Dropout != .2 {
		t.Errorf("the checkpoint's dropout of .2 became %v, that of the plan is %v", back.Query.Config.Dropout, p.Optimiser.Dropout)
	}
}

// benchTrainer returns a trainer of n turns of 256 tokens with so many
// candidates each, over a vocabulary of BERT's size and passages of 180 terms.
func benchTrainer(n, candidates int, student func(vocabulary int) Student) *trainer {
	const vocabulary, workers = 30522, 2
	rng := rand.New(rand.NewPCG(1, 1))
	passages := memory{}
	for range 5000 {
		passages.vectors = append(passages.vectors, randomVector(rng, vocabulary, 180))
	}
	p := DefaultPlan(StudentSplade)
	p.Candidates = sample.Mixture(0, 0, candidates, 1)
	t := &trainer{
		plan: p, workers: workers, passages: passages, sampler: sample.New(p.Candidates, sample.Options{Passages: len(passages.vectors)}),
		stage: newStage(n, workers, vocabulary), team: f32.NewTeam(workers), student: student(vocabulary), schedule: schedule{rate: 1e-5, steps: 1e6},
	}
	for range n {
		ex := example{teacher: randomVector(rng, vocabulary, 30)}
		for range 256 {
			ex.context.IDs = append(ex.context.IDs, uint32(rng.IntN(vocabulary)))
		}
		t.training = append(t.training, ex)
	}
	t.adam, t.terms = newAdam(t.student.Parameters(), 0), p.Objective.Terms(10)
	return t
}

func randomVector(rng *rand.Rand, vocabulary, terms int) sparse.Vector {
	weights := map[uint32]float32{}
	for len(weights) < terms {
		weights[uint32(rng.IntN(vocabulary))] = rng.Float32() * 3
	}
	return sparse.FromMap(weights)
}

// benchSteps measures steps over all turns once buffers have grown.
func benchSteps(b *testing.B, t *trainer) {
	defer t.close()
	batch := rand.New(rand.NewPCG(1, 1)).Perm(len(t.training))
	step := func() {
		if err := t.step(batch); err != nil {
			b.Fatal(err)
		}
	}
	step()
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}

// BenchmarkSpladeStep is the step of a student of 4 layers of 256: 20 turns.
// BenchmarkCandidates tells what of it candidates cost.
func BenchmarkSpladeStep(b *testing.B) {
	for _, candidates := range []int{16, 256} {
		b.Run(fmt.Sprint(candidates), func(b *testing.B) {
			benchSteps(b, benchTrainer(20, candidates, func(vocabulary int) Student {
				net := bert.New(bert.Config{
					Vocabulary: vocabulary, Hidden: 256, Layers: 4, Heads: 4, Inner: 1024, Positions: 256, Types: 2, Epsilon: 1e-12,
					Activation: f32.GELU, HeadActivation: f32.GELU, Dropout: .1, AttentionDropout: .1,
				}, 1)
				return newSpladeStudent(&origin{net: net}, 2, false)
			}))
		})
	}
}

// BenchmarkCandidates is a step without the network: candidates drawn, scored by
// student and teacher, and the gradient by the weights of the student's vectors,
// of 300 terms each, for 20 turns.
func BenchmarkCandidates(b *testing.B) {
	for _, candidates := range []int{16, 256} {
		b.Run(fmt.Sprint(candidates), func(b *testing.B) {
			benchSteps(b, benchTrainer(20, candidates, func(vocabulary int) Student {
				s := &fixedStudent{parameter: f32.NewParameter("p", 1)}
				rng := rand.New(rand.NewPCG(2, 2))
				for range 20 {
					s.vectors = append(s.vectors, randomVector(rng, vocabulary, 300))
				}
				return s
			}))
		})
	}
}

// fixedStudent gives vectors that do not learn.
type fixedStudent struct {
	parameter *f32.Parameter
	vectors   []sparse.Vector
}

func (s *fixedStudent) Parameters() []*f32.Parameter          { return []*f32.Parameter{s.parameter} }
func (s *fixedStudent) Forward(batch []Input) []sparse.Vector { return s.vectors[:len(batch)] }
func (s *fixedStudent) Backward([][]float32)                  {}
func (s *fixedStudent) Close()                                {}
func (s *fixedStudent) Save(string, *Result) error            { return nil }
