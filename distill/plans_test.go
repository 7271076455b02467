package distill

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShippedPlans reads every plan of the folder plans and trains by it: those of
// students with each kind of student, those of encoders from a tiny transformer.
func TestShippedPlans(t *testing.T) {
	files, err := filepath.Glob("../plans/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no plans: %v", err)
	}
	table, err := os.ReadFile("../plans/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(text, []byte("# ")) {
				t.Error("it does not begin with a comment that says what it is")
			}
			if !bytes.Contains(table, []byte("("+name+")")) {
				t.Error("plans/README.md does not have it")
			}
			if bytes.Contains(text, []byte("\npairs:")) {
				trainEncoderPlan(t, name, text)
				return
			}
			for _, kind := range []string{StudentFeatures, StudentMLP, StudentSplade} {
				trainStudentPlan(t, name, text, kind)
			}
		})
	}
}

func trainStudentPlan(t *testing.T, name string, text []byte, kind string) {
	p, err := ReadPlan(bytes.NewReader(text), name, DefaultPlan(kind))
	if err != nil {
		t.Errorf("%s: %v", kind, err)
		return
	}
	p.Optimiser.Epochs, p.Optimiser.Batch, p.Validation.Share = 4, 16, .2
	var tr *trainer
	if kind == StudentSplade {
		p.Optimiser.LearningRate = 1e-3
		tr = spladeTrainer(t, p, Options{Workers: 2})
	} else {
		p.Optimiser.LearningRate = 3e-3
		if tr, err = newTrainer(context.Background(), newWorld(t).taught(), p, Options{Workers: 2}); err != nil {
			t.Errorf("%s: %v", kind, err)
			return
		}
		defer tr.close()
	}
	for !tr.done() {
		if err := tr.runEpoch(context.Background(), nil, newKeeper(Options{}, tr)); err != nil {
			t.Errorf("%s: %v", kind, err)
			return
		}
	}
	learned(t, kind, tr.history)
}

func trainEncoderPlan(t *testing.T, name string, text []byte) {
	p, err := ReadEncoderPlan(bytes.NewReader(text), name, DefaultEncoderPlan())
	if err != nil {
		t.Fatal(err)
	}
	small := smallEncoderPlan()
	p.Optimiser, p.Encoder.PassageTokens, p.Encoder.StartTerms = small.Optimiser, small.Encoder.PassageTokens, small.Encoder.StartTerms
	p.Optimiser.Epochs, p.Validation.Share = 2, .2
	r := trainEncoder(t, newPairWorld(t), p, Options{Workers: 2})
	learned(t, "encoder", r.History)
	if got := r.Passage.Config().Head.Pooling.String(); got != r.Plan.Encoder.Pooling || p.Encoder.Pooling != "" && got != p.Encoder.Pooling {
		t.Errorf("the encoder pools by %s", got)
	}
}

// learned wants the loss of held-out turns, all weights at their height, to have
// fallen, and every term to be more than nothing.
func learned(t *testing.T, kind string, history []Epoch) {
	t.Helper()
	first, last := history[0].Validation, history[len(history)-1].Validation
	if !(last.Loss < first.Loss) {
		t.Errorf("%s: the held-out loss went from %v to %v", kind, first.Loss, last.Loss)
	}
	for _, l := range last.Terms {
		if l.Value == 0 || l.Weight == 0 || !finite(l.Value) {
			t.Errorf("%s: %+v", kind, l)
		}
	}
}

// taught are the world's data with judgements and rewrites of a second rewriter.
func (w *world) taught() Data {
	d := w.judged()
	for c := range d.Conversations {
		for i := range d.Conversations[c].Turns {
			turn := &d.Conversations[c].Turns[i]
			turn.Rewrites = map[string]string{"llm": "the " + turn.Rewrite}
		}
	}
	return d
}
