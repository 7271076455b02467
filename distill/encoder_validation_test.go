package distill

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"testing"
)

// TestEncoderIsMeasuredByItsPlan compares what a look measures with what it
// counts beside it, and says that the best of those that compete is kept.
func TestEncoderIsMeasuredByItsPlan(t *testing.T) {
	w := newPairWorld(t)
	for name, beside := range map[string]func(Epoch) float64{
		"RR":        func(e Epoch) float64 { return e.RR },
		"R@10":      func(e Epoch) float64 { return e.Recall },
		"nDCG@1000": nil,
		"loss":      func(e Epoch) float64 { return -e.Loss },
	} {
		p := smallEncoderPlan()
		p.Validation.Measure = name
		r := trainEncoder(t, w, p, Options{Workers: 2})
		best := math.Inf(-1)
		for _, e := range r.History {
			m := e.Validation.Measured
			if m.Measure != name || m.Turns != r.Counts.Validation {
				t.Fatalf("%s: measured %+v of %d", name, m, r.Counts.Validation)
			}
			if beside != nil && math.Abs(-m.cost()-beside(*e.Validation)) > 1e-12 {
				t.Errorf("%s after epoch %d: %v, beside it stands %v", name, e.Epoch, m.Value, beside(*e.Validation))
			}
			if name == "loss" || e.Epoch >= 2 {
				best = max(best, -m.cost())
			}
			if name == "nDCG@1000" && (m.Value < e.Validation.RR || m.Value > 1) {
				t.Errorf("nDCG is %v, RR %v", m.Value, e.Validation.RR)
			}
		}
		if got := -r.Kept().Validation.Measured.cost(); got != best {
			t.Errorf("%s: kept epoch %d with %v, the best is %v", name, r.Best, got, best)
		}
	}
}

// TestEncoderEndsEarly ends by patience, and does so again where it was
// interrupted in the meantime.
func TestEncoderEndsEarly(t *testing.T) {
	w := newPairWorld(t)
	p := smallEncoderPlan()
	p.Optimiser.Epochs, p.Validation.Every, p.Validation.Patience = 30, 2, 1
	r := trainEncoder(t, w, p, Options{})
	if n := len(r.History); !r.EndedEarly() || n != r.Best+2 || r.History[n-2].Validation != nil || r.History[n-1].Validation == nil {
		t.Fatalf("%d epochs, kept %d", n, r.Best)
	}
	steps := 0
	path := filepath.Join(t.TempDir(), "checkpoint")
	ctx, cancel := context.WithCancel(context.Background())
	_, err := TrainEncoder(ctx, w.start, w.data(), p, Options{Checkpoint: path, Progress: func(at Progress) {
		if steps = at.Step; at.Epoch.Epoch == len(r.History) {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped after step %d: error %v", steps, err)
	}
	if again := trainEncoder(t, w, p, Options{Checkpoint: path}); !bytes.Equal(again.bytes(), r.bytes()) {
		t.Errorf("stopped after step %d and taken up, it ends elsewhere", steps)
	}
}
