package distill

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestResumes interrupts a training at its ends, within and between epochs,
// takes it up again with other numbers of workers, and wants the weights of the
// undisturbed one.
func TestResumes(t *testing.T) {
	w := newWorld(t)
	p := everyTerm(smallPlan(StudentMLP))
	p.Optimiser.Epochs = 2
	train := func(t testing.TB, o Options) *Result {
		t.Helper()
		r, err := Train(context.Background(), w.judged(), p, o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	whole := train(t, Options{})
	steps := len(whole.History) * ((whole.Counts.Training + p.Optimiser.Batch - 1) / p.Optimiser.Batch)
	perEpoch := steps / 2
	for n, after := range []int{1, perEpoch - 1, perEpoch, perEpoch + 1, steps - 1} {
		path := filepath.Join(t.TempDir(), "checkpoint")
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Train(ctx, w.judged(), p, Options{Checkpoint: path, Progress: func(at Progress) {
			if at.Step == after {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted after step %d: error %v", after, err)
		}
		resumedAt := 0
		r := train(t, Options{Workers: n, Checkpoint: path, Progress: func(at Progress) {
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
	edited := func(from, to string) string {
		text := strings.Replace(string(good), from, to, 1)
		if text == string(good) || len(text) != len(good) {
			t.Fatalf("cannot write %s for %s", to, from)
		}
		return text
	}
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
		"state":        {edited(`\"Steps\":1`, `\"Steps\":2`), p, w.data(), "damaged"},
		"place":        {edited(`\"At\":1`, `\"At\":7`), p, w.data(), "damaged"},
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

// TestKeyCoversTheData changes one small thing after the other and wants another
// key for each.
func TestKeyCoversTheData(t *testing.T) {
	key := func(change func(w *world)) string {
		w := newWorld(t)
		change(w)
		tr, err := newTrainer(context.Background(), w.data(), smallPlan(StudentFeatures), Options{})
		if err != nil {
			t.Fatal(err)
		}
		key, err := tr.key(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	keys := map[string]string{}
	for name, change := range map[string]func(w *world){
		"nothing":     func(*world) {},
		"impact":      func(w *world) { w.passages.vectors[143].Weights[0] *= 2 },
		"rewrite":     func(w *world) { w.talk[7].Turns[2].Rewrite = "what is the thinga?" },
		"word":        func(w *world) { w.talk[7].Turns[1].Answer = "a well known thinga" },
		"last turn":   func(w *world) { w.talk[39].Turns[3].Question = "and what is its its?" },
		"held or not": func(w *world) { w.talk[3].ID = "a third" },
	} {
		k := key(change)
		if other, ok := keys[k]; ok {
			t.Errorf("%s and %s have one key", name, other)
		}
		keys[k] = name
	}
	if keys[key(func(*world) {})] != "nothing" {
		t.Error("the key is not always the same")
	}
}

// TestCostlyCheckpointsAreRare says that by default no more than a twentieth of
// the time goes into checkpoints, and that a stated interval is kept to.
func TestCostlyCheckpointsAreRare(t *testing.T) {
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for _, test := range []struct {
		keeper keeper
		want   bool
	}{
		{keeper{saved: ago(14 * time.Second)}, false},
		{keeper{saved: ago(16 * time.Second)}, true},
		{keeper{saved: ago(16 * time.Second), cost: time.Second}, false},
		{keeper{saved: ago(21 * time.Second), cost: time.Second}, true},
		{keeper{saved: ago(2 * time.Second), cost: time.Second, every: time.Second}, true},
		{keeper{saved: ago(2 * time.Second), every: time.Minute}, false},
	} {
		if got := test.keeper.due(); got != test.want {
			t.Errorf("%v after the last, which took %v, with an interval of %v: due %v", time.Since(test.keeper.saved), test.keeper.cost, test.keeper.every, got)
		}
	}
}
