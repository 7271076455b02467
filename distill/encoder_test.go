package distill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"parley/dialog"
	"parley/distill/objective"
	"parley/internal/bert"
	"parley/internal/f32"
	"parley/trec"
)

// pairWorld is the small made-up collection as an encoder is trained on it: each
// turn has one relevant passage, and a run that finds it among others of the
// same thing or attribute.
type pairWorld struct {
	start    Start
	talk     []dialog.Conversation
	qrels    trec.Qrels
	run      trec.Run
	passages []PassageText
}

func newPairWorld(t testing.TB) *pairWorld {
	t.Helper()
	w, err := makePairWorld()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func makePairWorld() (*pairWorld, error) {
	plain, err := makeWorld()
	if err != nil {
		return nil, err
	}
	vocabulary := plain.bm25.Vocabulary()
	config := bert.Config{
		Vocabulary: vocabulary.Len(), Hidden: 16, Layers: 1, Heads: 2, Inner: 32, Positions: 32, Types: 2,
		Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU,
	}
	w := &pairWorld{
		start: Start{Config: config, Weights: freshHead(bert.New(config, 7)).Source(), Vocabulary: vocabulary, Fresh: true, MaxQuery: 32, MaxPassage: 32},
		talk:  plain.talk, qrels: trec.Qrels{}, run: trec.Run{},
	}
	for i := range 12 {
		for j := range 12 {
			thing, attribute := fmt.Sprintf("thing%c", 'a'+i), fmt.Sprintf("trait%c", 'a'+j)
			w.passages = append(w.passages, PassageText{
				ID: attribute + " of " + thing, Title: thing, Text: fmt.Sprintf("the %s is a well known %s", attribute, attribute),
			})
		}
	}
	for _, c := range w.talk {
		for _, turn := range c.Turns {
			words := strings.Fields(strings.TrimSuffix(turn.Rewrite, "?"))
			thing, attribute := words[5], words[3]
			relevant := attribute + " of " + thing
			w.qrels[turn.ID] = map[string]int{relevant: 1}
			w.run[turn.ID] = []trec.Hit{{Passage: relevant, Score: 9}}
			for i := range 4 {
				for _, id := range []string{fmt.Sprintf("trait%c of %s", 'a'+i, thing), fmt.Sprintf("%s of thing%c", attribute, 'a'+i)} {
					if !slices.ContainsFunc(w.run[turn.ID], func(h trec.Hit) bool { return h.Passage == id }) {
						w.run[turn.ID] = append(w.run[turn.ID], trec.Hit{Passage: id, Score: 5 - float64(i)/4})
					}
				}
			}
		}
	}
	return w, nil
}

// freshHead gives a network that was not pretrained what pretraining gives:
// embeddings that differ, and logits that know a token by its hidden state.
func freshHead(net *bert.Network) *bert.Network {
	h := net.Config().Hidden
	for _, p := range net.Parameters() {
		switch p.Name {
		case "bert.embeddings.word_embeddings.weight":
			for i := range p.Value {
				p.Value[i] *= 20
			}
		case "cls.predictions.transform.dense.weight":
			clear(p.Value)
			for i := range h {
				p.Value[i*h+i] = 1
			}
		case "cls.predictions.transform.dense.bias":
			for i := range p.Value {
				p.Value[i] = 20
			}
		}
	}
	return net
}

func (w *pairWorld) data() PairsData {
	return PairsData{
		Conversations: w.talk, Qrels: w.qrels, Run: w.run,
		Passages: func(yield func(PassageText, error) bool) {
			for _, p := range w.passages {
				if !yield(p, nil) {
					return
				}
			}
		},
	}
}

func smallEncoderPlan() EncoderPlan {
	p := DefaultEncoderPlan()
	p.Encoder.StartTerms = 8
	p.Optimiser.Epochs, p.Optimiser.Batch, p.Optimiser.LearningRate = 6, 16, 5e-3
	p.Objective.QueryFLOPS.Weight, p.Objective.PassageFLOPS.Weight = 1e-2, 1e-2
	p.Validation.Share = .2
	return p
}

// divergence is the section of the divergence with a weight, at temperature 1.
func divergence(weight float64) objective.KLDPlan {
	return objective.KLDPlan{Schedule: objective.Schedule{Weight: weight}, Temperature: 1}
}

func trainEncoder(t testing.TB, w *pairWorld, p EncoderPlan, o Options) *EncoderResult {
	t.Helper()
	r, err := TrainEncoder(context.Background(), w.start, w.data(), p, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// bytes returns what a training ended with as bytes.
func (r *EncoderResult) bytes() []byte {
	var b bytes.Buffer
	for _, net := range []*bert.Network{r.Query, r.Passage} {
		for _, p := range net.Parameters() {
			fmt.Fprintln(&b, p.Name)
			for _, x := range p.Value {
				fmt.Fprintf(&b, "%08x", math.Float32bits(x))
			}
		}
	}
	history, err := json.Marshal(r.History)
	if err != nil {
		panic(err)
	}
	return fmt.Append(b.Bytes(), r.Best, history)
}

// TestEncoderLearns is the point of it all: relevant passages come to the top,
// with few terms, whatever teaches, and whether or not weights are shared.
func TestEncoderLearns(t *testing.T) {
	w := newPairWorld(t)
	for _, test := range []struct {
		name string
		set  func(*EncoderPlan)
		rr   float64
	}{
		{"infonce", func(*EncoderPlan) {}, .85},
		{"separate", func(p *EncoderPlan) { p.Encoder.Separate = true }, .85},
		{"margin_mse", func(p *EncoderPlan) {
			p.Objective.InfoNCE.Weight, p.Objective.MarginMSE.Weight, p.Pairs.Negatives = 0, .1, 6
		}, .85},
		{"kld", func(p *EncoderPlan) {
			p.Objective.InfoNCE.Weight, p.Objective.KLD, p.Pairs.Negatives = 0, divergence(1), 6
		}, .85},
		{"best of the run", func(p *EncoderPlan) { p.Pairs.Positives = PositivesBest }, .85},
		{"pseudo-queries", func(p *EncoderPlan) {
			p.Pairs.Queries, p.Pairs.Pseudo.Each, p.Pairs.Pseudo.MinWords, p.Pairs.Pseudo.MaxWords = nil, 2, 1, 2
			p.Pairs.Pseudo.Removed, p.Pairs.Pseudo.Title = .5, 1
		}, .35},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := smallEncoderPlan()
			test.set(&p)
			r := trainEncoder(t, w, p, Options{Workers: 2})
			first, last, kept := r.History[0].Validation, r.History[len(r.History)-1].Validation, r.Kept().Validation
			t.Logf("loss %.3f to %.3f, RR %.3f to %.3f, L0 %.1f and %.1f", first.Loss, last.Loss, first.RR, kept.RR, last.L0, last.PassageL0)
			if last.Loss > .75*first.Loss || kept.RR < test.rr {
				t.Errorf("held-out loss %.3f after the first epoch, %.3f in the end; RR %.3f, want %.2f or more", first.Loss, last.Loss, kept.RR, test.rr)
			}
			for _, e := range r.History {
				if e.Epoch >= 2 && e.Validation.RR > kept.RR { // by then the regularisers have their full weight
					t.Errorf("epoch %d is kept, with RR %.3f; that of epoch %d is %.3f", r.Best, kept.RR, e.Epoch, e.Validation.RR)
				}
			}
			if (r.Query == r.Passage) == p.Encoder.Separate {
				t.Errorf("separate is %v, the networks are the same: %v", p.Encoder.Separate, r.Query == r.Passage)
			}
		})
	}
}

// TestEncoderTrainingIsReproducible changes what must not matter: workers,
// interruptions, checkpoints.
func TestEncoderTrainingIsReproducible(t *testing.T) {
	w := newPairWorld(t)
	for _, separate := range []bool{false, true} {
		p := smallEncoderPlan()
		p.Optimiser.Epochs, p.Encoder.Separate, p.Pairs.Pseudo.Each = 3, separate, 1
		p.Optimiser.MicroBatch = 150
		want := trainEncoder(t, w, p, Options{Workers: 1}).bytes()
		if got := trainEncoder(t, w, p, Options{Workers: 3}).bytes(); !bytes.Equal(got, want) {
			t.Errorf("separate %v: three workers end with other weights than one", separate)
		}
		stops := []int{1, 19, 30}
		if separate {
			stops = stops[:1]
		}
		for _, stop := range stops {
			path := filepath.Join(t.TempDir(), "checkpoint")
			ctx, cancel := context.WithCancel(context.Background())
			_, err := TrainEncoder(ctx, w.start, w.data(), p, Options{Workers: 2, Checkpoint: path, Progress: func(at Progress) {
				if at.Step == stop {
					cancel()
				}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("stopped after step %d: error %v", stop, err)
			}
			r := trainEncoder(t, w, p, Options{Workers: 1, Checkpoint: path})
			if !bytes.Equal(r.bytes(), want) {
				t.Errorf("separate %v: stopped after step %d and taken up, it ends with other weights", separate, stop)
			}
			if err := r.keeper.remove(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the checkpoint is still there: %v", err)
			}
		}
	}
}

// TestEncoderCheckpointOfAnotherTraining is refused, whatever differs.
func TestEncoderCheckpointOfAnotherTraining(t *testing.T) {
	w := newPairWorld(t)
	path := filepath.Join(t.TempDir(), "checkpoint")
	p := smallEncoderPlan()
	ctx, cancel := context.WithCancel(context.Background())
	_, err := TrainEncoder(ctx, w.start, w.data(), p, Options{Checkpoint: path, Progress: func(Progress) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	other, moved, less := newPairWorld(t), w.start, smallEncoderPlan()
	other.passages[5].Text += " and known"
	moved.Weights = bert.New(w.start.Config, 8).Source()
	less.Objective.PassageFLOPS.Weight /= 2
	for name, try := range map[string]struct {
		start Start
		data  PairsData
		plan  EncoderPlan
	}{
		"passage": {w.start, other.data(), p}, "weights": {moved, w.data(), p}, "plan": {w.start, w.data(), less},
	} {
		_, err := TrainEncoder(context.Background(), try.start, try.data, try.plan, Options{Checkpoint: path})
		if err == nil || !strings.Contains(err.Error(), "belongs to another plan or other data") {
			t.Errorf("another %s: error %v", name, err)
		}
	}
}

// TestPartsDoNotMatter holds the gradient of a batch that goes through the
// network in parts to that of the whole: what sees all vectors, InfoNCE and
// FLOPS, sees them all.
func TestPartsDoNotMatter(t *testing.T) {
	w := newPairWorld(t)
	var want [][]float32
	for _, bound := range []int{0, 1, 100} {
		p := smallEncoderPlan()
		p.Optimiser.MicroBatch = bound
		tr, err := newEncoderTrainer(context.Background(), w.start, w.data(), p, Options{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.close()
		tr.stage.draw([]int{5, 3, 100, 17, 42, 60})
		if err := tr.stage.forward(context.Background(), true); err != nil {
			t.Fatal(err)
		}
		tr.evaluate(1000)
		tr.backward()
		for i, parameter := range tr.adam.parameters {
			if bound == 0 {
				want = append(want, parameter.Grad)
				continue
			}
			largest, apart := float32(0), float32(0)
			for j, g := range parameter.Grad {
				largest, apart = max(largest, abs(want[i][j])), max(apart, abs(g-want[i][j]))
			}
			if apart > 1e-5*largest+1e-9 { // that of the key's bias is nothing but rounding
				t.Errorf("parts of %d tokens: the gradient of %s is %v off, its largest entry is %v", bound, parameter.Name, apart, largest)
			}
		}
	}
}

func abs(x float32) float32 { return float32(math.Abs(float64(x))) }

// TestEncoderGradient compares the gradient of the whole objective, through
// scores, vectors and the network, with central differences.
func TestEncoderGradient(t *testing.T) {
	w := newPairWorld(t)
	for _, separate := range []bool{false, true} {
		p := smallEncoderPlan()
		p.Encoder.Separate = separate
		p.Objective.MarginMSE.Weight, p.Objective.KLD, p.Objective.QueryL1.Weight, p.Objective.PassageL1.Weight = .3, divergence(.5), .1, .1
		p.Objective.CrossEntropy = objective.ContrastPlan{Schedule: objective.Schedule{Weight: .2}, Temperature: 3, Learned: true}
		p.Pairs.Negatives = 2
		tr, err := newEncoderTrainer(context.Background(), w.start, w.data(), p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.close()
		loss := func() float64 {
			tr.learned[0].Grad[0] = 0
			tr.stage.draw([]int{5, 3, 100, 17})
			if err := tr.stage.forward(context.Background(), true); err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for _, l := range tr.stage.losses(tr.terms, tr.priced, fullWeight) {
				sum += l.Weight * l.Value
			}
			return sum
		}
		loss()
		tr.backward()
		for _, parameter := range tr.adam.parameters {
			// Along its own gradient the loss grows by the gradient's norm.
			value, norm := slices.Clone(parameter.Value), 0.0
			gradient := slices.Clone(parameter.Grad)
			for _, g := range gradient {
				norm += float64(g) * float64(g)
			}
			norm = math.Sqrt(norm)
			move := func(h float64) float64 {
				for j, g := range gradient {
					parameter.Value[j] = value[j] + float32(h*float64(g)/norm)
				}
				return loss()
			}
			const h = 2e-3
			got, want := norm, (move(h)-move(-h))/(2*h)
			copy(parameter.Value, value)
			if math.Abs(got-want) > .02*math.Abs(want)+4e-3 {
				t.Errorf("separate %v: gradient of %s has the norm %v, the central difference along it is %v", separate, parameter.Name, got, want)
			}
		}
	}
}

func ExampleTrainEncoder() {
	w, err := makePairWorld()
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := TrainEncoder(context.Background(), w.start, w.data(), smallEncoderPlan(), Options{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	first, last := result.History[0].Validation, result.History[5].Validation
	fmt.Println(result.Counts.Training, result.Counts.Validation, last.Loss < first.Loss, result.Kept().Validation.RR > .9)
	// Output: 128 32 true true
}
