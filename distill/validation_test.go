package distill

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/dialog"
	"parley/encoder"
	"parley/internal/f32"
	"parley/internal/prune"
	"parley/sparse"
)

// judged are the world's data with judgements: for each turn the passage that
// answers it, for every fifth one that is far from it, for every seventh both;
// every third turn is not judged.
func (w *world) judged() Data {
	d := w.data()
	d.Judged = func(c dialog.Conversation, i int) []uint32 {
		number := 4*slices.IndexFunc(w.talk, func(other dialog.Conversation) bool { return other.ID == c.ID }) + i
		if number%3 == 0 {
			return nil
		}
		rewrite, _ := dialog.RewriteMode(dialog.Human).Context(c, i)
		ranking := w.passages.rank(w.bm25.Query(rewrite), w.passages.N())
		first, last := ranking[0], ranking[len(ranking)-1]
		switch {
		case number%5 == 0:
			return []uint32{last}
		case number%7 == 0:
			return []uint32{min(first, last), max(first, last)}
		}
		return []uint32{first}
	}
	return d
}

// byHand measures a ranking against the passages to be found, by the definition.
func byHand(name string, ranking, wanted []uint32) float64 {
	first := func(k int) []uint32 { return ranking[:min(k, len(ranking))] }
	gain, ideal, found := 0., 0., 0.
	switch name {
	case "RR":
		for r, passage := range ranking {
			if slices.Contains(wanted, passage) {
				return 1 / float64(r+1)
			}
		}
		return 0
	case "nDCG@3":
		for r, passage := range first(3) {
			if slices.Contains(wanted, passage) {
				gain += 1 / math.Log2(float64(r+2))
			}
		}
		for r := range min(3, len(wanted)) {
			ideal += 1 / math.Log2(float64(r+2))
		}
		return gain / ideal
	}
	for _, passage := range first(map[string]int{"R@10": 10, "R@1": 1, "overlap@5": 5}[name]) {
		if slices.Contains(wanted, passage) {
			found++
		}
	}
	return found / float64(len(wanted))
}

// TestMeasureOracle measures the kept student again, by the definitions of the
// measures and with the encoder that is made of the saved model.
func TestMeasureOracle(t *testing.T) {
	w := newWorld(t)
	d := w.judged()
	var ids []string
	for _, c := range w.talk {
		for range c.Turns {
			ids = append(ids, c.ID)
		}
	}
	held, _ := heldOut(ids, .2)
	for i, name := range []string{"RR", "nDCG@3", "R@10", "R@1", "overlap@5", "R@1"} {
		p := smallPlan(StudentMLP)
		if i == 5 {
			p.Prune.TopK = 3
		}
		p.Optimiser.Epochs, p.Optimiser.LearningRate, p.Validation.Measure = 2, 1e-3, name
		r, err := Train(context.Background(), d, p, Options{Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "model")
		if err := r.Save(dir); err != nil {
			t.Fatal(err)
		}
		e, err := encoder.Open(dir, w.passages)
		if err != nil {
			t.Fatal(err)
		}
		sum, n := 0., 0
		var served []sparse.Vector
		for _, c := range w.talk {
			for i := range c.Turns {
				wanted := d.Judged(c, i)
				if held[c.ID] {
					served = append(served, e.Query(c.History(i)))
				}
				if name == "overlap@5" {
					reader := r.student.(*lexicalStudent).reader
					terms := slices.Sorted(slices.Values(reader.AppendContent(nil, reader.Context(c.History(i)))))
					rewrite, _ := dialog.RewriteMode(dialog.Human).Context(c, i)
					wanted = w.passages.rank(reachable(w.bm25.Query(rewrite), terms), 5)
				}
				if !held[c.ID] || len(wanted) == 0 {
					continue
				}
				sum += byHand(name, w.passages.rank(e.Query(c.History(i)), w.passages.N()), wanted)
				n++
			}
		}
		got := *r.Kept().Validation.Measured
		if got.Measure != name || got.Turns != n || math.Abs(got.Value-sum/float64(n)) > 1e-12 {
			t.Errorf("%s: measured %+v, by hand %v of %d turns", name, got, sum/float64(n), n)
		}
		if want, got := (prune.Rule{}).Costs(served, w.passages), *r.Kept().Validation.Served; math.Abs(want.L0-got.L0) > 1e-9 || math.Abs(want.FLOPS-got.FLOPS) > 1e-9 || p.Prune.TopK > 0 && got.L0 > 3 {
			t.Errorf("%s: queries cost %+v, by the model %+v", name, got, want)
		}
		if got.Value == 0 || got.Value == 1 {
			t.Errorf("%s is %v: the test is too weak", name, got.Value)
		}
		for _, look := range r.History {
			if v := *look.Validation.Measured; v.Value > got.Value {
				t.Errorf("%s: epoch %d has %v, the kept one %v", name, look.Epoch, v.Value, got.Value)
			}
		}
	}
}

// TestNothingFoundScoresZero ranks for one of two turns.
func TestNothingFoundScoresZero(t *testing.T) {
	p := ValidationPlan{Share: .5, Measure: "R@2", Every: 1}
	held := []example{{relevant: []uint32{1, 7}}, {relevant: []uint32{3}}, {}}
	w, err := newWatch(p, held, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.found[1] = []uint32{4, 3}
	if m, err := w.measured(0); err != nil || m != (Measured{Measure: "R@2", Value: .5, Turns: 2}) {
		t.Errorf("measured %+v, %v", m, err)
	}
}

// early is a plan that gets worse after a while.
func early(t *testing.T, w *world) (p Plan, whole *Result) {
	t.Helper()
	p = smallPlan(StudentMLP)
	p.Optimiser.LearningRate, p.Optimiser.Epochs = .3, 12
	for p.Seed = range uint64(20) {
		whole = train(t, w, p, Options{})
		if whole.Best+3 < p.Optimiser.Epochs {
			return p, whole
		}
	}
	t.Fatal("no seed gets worse: the test is too weak")
	return p, nil
}

// TestEarlyStopping says that a training ends when patience does, that until then
// it is the one without patience, and that it ends with the best.
func TestEarlyStopping(t *testing.T) {
	w := newWorld(t)
	p, whole := early(t, w)
	p.Validation.Patience = 2
	r := train(t, w, p, Options{})
	best, since := 1, 0
	for n, e := range r.History {
		if e.Validation.Loss < r.History[best-1].Validation.Loss || n == 0 {
			best, since = n+1, 0
		} else {
			since++
		}
		if since >= 2 && n+1 < len(r.History) {
			t.Fatalf("trained on after epoch %d: %d looks were no better than that at epoch %d", n+1, since, best)
		}
	}
	if n := len(r.History); n == p.Optimiser.Epochs || since != 2 || r.Best != best || !r.EndedEarly() || whole.EndedEarly() {
		t.Errorf("%d epochs, %d of them after the best, %d; kept epoch %d", n, since, best, r.Best)
	}
	if !reflect.DeepEqual(r.History, whole.History[:len(r.History)]) {
		t.Error("patience changed the epochs before it ended")
	}
}

// TestBestOfEqualMeasures keeps the lower loss where measures are equal, and what
// is no number never.
func TestBestOfEqualMeasures(t *testing.T) {
	var b best
	p := []*f32.Parameter{f32.NewParameter("x", 1)}
	for i, look := range []struct {
		value, loss float64
		want        int // the epoch that is best then
	}{{math.NaN(), 1, 0}, {.5, 3, 2}, {.5, 3, 2}, {.5, 2, 4}, {.4, 1, 4}, {.5, math.NaN(), 4}, {.6, 9, 7}, {.6, math.Inf(-1), 7}} {
		p[0].Value[0] = float32(i + 1)
		e := Epoch{Loss: look.loss, Measured: &Measured{Measure: "R@100", Value: look.value}}
		if b.look(e.standing(), i+1, p); b.epoch != look.want || look.want > 0 && b.values[0][0] != float32(look.want) {
			t.Errorf("after look %d epoch %d is kept, want %d", i+1, b.epoch, look.want)
		}
	}
}

func TestEvery(t *testing.T) {
	p := smallPlan(StudentFeatures)
	p.Optimiser.Epochs, p.Validation.Every = 5, 2
	w := newWorld(t)
	r := train(t, w, p, Options{})
	p.Validation.Every = 1
	each := train(t, w, p, Options{})
	for n, e := range r.History {
		looked := n == 1 || n == 3 || n == 4
		if (e.Validation != nil) != looked {
			t.Errorf("a look after epoch %d: %v", n+1, e.Validation != nil)
		}
		if looked && !reflect.DeepEqual(e, each.History[n]) {
			t.Errorf("epoch %d is another one where there are fewer looks", n+1)
		}
	}
}

// TestLooksChangeNothing looks at the held-out turns after each step.
func TestLooksChangeNothing(t *testing.T) {
	w := newWorld(t)
	p := everyTerm(smallPlan(StudentMLP))
	p.Optimiser.Epochs, p.Validation.Measure = 2, "overlap@10"
	whole, err := Train(context.Background(), w.judged(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := newTrainer(context.Background(), w.judged(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	looks := 0
	for !tr.done() {
		if err := tr.runEpoch(context.Background(), func(Progress) {
			looks++
			if _, err := tr.look(context.Background(), looks%2 == 0); err != nil {
				t.Fatal(err)
			}
		}, newKeeper(Options{}, tr)); err != nil {
			t.Fatal(err)
		}
	}
	if looks < 10 || !reflect.DeepEqual(tr.history, whole.History) {
		t.Errorf("%d looks led elsewhere", looks)
	}
}

// TestRisingWeightsDoNotCompete says that a measure of rankings chooses among the
// epochs where the regulariser has its full weight.
func TestRisingWeightsDoNotCompete(t *testing.T) {
	w := newWorld(t)
	p := smallPlan(StudentMLP)
	p.Objective.DFL1.Weight, p.Objective.DFL1.To = .6, .75 // worse and worse
	p.Validation.Measure = "overlap@10"
	r := train(t, w, p, Options{})
	values := make([]float64, len(r.History))
	for i, e := range r.History {
		values[i] = e.Validation.Measured.Value
	}
	if highest := slices.Max(values); values[0] < highest && values[1] < highest && values[2] < highest {
		t.Errorf("the highest of %v is none of the first: the test is too weak", values)
	}
	if r.Best < 5 || values[r.Best-1] != max(values[4], values[5]) {
		t.Errorf("kept epoch %d of %v", r.Best, values)
	}
	p.Validation.Patience = 1
	if again := train(t, w, p, Options{}); len(again.History) < 5 {
		t.Errorf("it ended after %d epochs, before any could be kept", len(again.History))
	}
}

// TestResumesWithPatience interrupts a training that ends early at every fifth
// step and in its last look.
func TestResumesWithPatience(t *testing.T) {
	w := newWorld(t)
	p, _ := early(t, w)
	p.Validation = ValidationPlan{Share: .2, Measure: "overlap@10", Every: 2, Patience: 1}
	whole := train(t, w, p, Options{})
	if !whole.EndedEarly() {
		t.Fatalf("it did not end early: %d epochs", len(whole.History))
	}
	want := weights(t, whole)
	last := len(whole.History) * ((whole.Counts.Training + p.Optimiser.Batch - 1) / p.Optimiser.Batch)
	for after := last; after > 0; after -= 5 {
		path := filepath.Join(t.TempDir(), "checkpoint")
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Train(ctx, w.data(), p, Options{Checkpoint: path, Progress: func(at Progress) {
			if at.Step == after {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted after step %d of %d: error %v", after, last, err)
		}
		r := train(t, w, p, Options{Workers: 2, Checkpoint: path})
		if !reflect.DeepEqual(r.History, whole.History) || r.Best != whole.Best || weights(t, r) != want {
			t.Errorf("taken up after step %d, the training ended elsewhere", after)
		}
	}
}

// TestTakenUpAtItsEnd takes up a training whose checkpoint was written after the
// look that ended it.
func TestTakenUpAtItsEnd(t *testing.T) {
	w := newWorld(t)
	p, _ := early(t, w)
	p.Validation.Patience = 1
	path := filepath.Join(t.TempDir(), "checkpoint")
	tr, err := newTrainer(context.Background(), w.data(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	keeper := newKeeper(Options{Checkpoint: path}, tr)
	if err := keeper.restore(context.Background()); err != nil {
		t.Fatal(err)
	}
	for !tr.done() {
		if err := tr.runEpoch(context.Background(), nil, keeper); err != nil {
			t.Fatal(err)
		}
	}
	if err := keeper.save(); err != nil {
		t.Fatal(err)
	}
	r := train(t, w, p, Options{Checkpoint: path, Progress: func(Progress) { t.Error("it was trained on") }})
	if !reflect.DeepEqual(r.History, tr.history) || !r.EndedEarly() {
		t.Errorf("%d epochs became %d", len(tr.history), len(r.History))
	}
}

func TestValidationRefused(t *testing.T) {
	w := newWorld(t)
	for name, test := range map[string]struct {
		change func(p *ValidationPlan)
		want   string
	}{
		"share":     {func(p *ValidationPlan) { p.Share = 1 }, "validation.share must be at least 0 and below 1"},
		"every":     {func(p *ValidationPlan) { p.Every = 0 }, "validation.every must be from 1"},
		"patience":  {func(p *ValidationPlan) { p.Patience = -1 }, "validation.patience must be from 1"},
		"idle":      {func(p *ValidationPlan) { p.Share, p.Patience = 0, 3 }, "there is nothing to look at"},
		"unheld":    {func(p *ValidationPlan) { p.Share, p.Measure = 0, "RR" }, "there is nothing to measure"},
		"unknown":   {func(p *ValidationPlan) { p.Measure = "recall" }, "it must be loss, overlap@10 or a measure of rankings"},
		"no cutoff": {func(p *ValidationPlan) { p.Measure = "R" }, "R needs a cut-off"},
		"count":     {func(p *ValidationPlan) { p.Measure = "NumRelRet" }, "does not tell how high relevant passages stand"},
		"grades":    {func(p *ValidationPlan) { p.Measure = "R(rel=2)@100" }, "leave out rel"},
		"deep":      {func(p *ValidationPlan) { p.Measure = "R@10001" }, "more than 10000"},
		"overlap":   {func(p *ValidationPlan) { p.Measure = "overlap@0" }, "a number from 1 to 10000 behind the @"},
		"unjudged":  {func(p *ValidationPlan) { p.Measure = "R@100" }, "validation.measure R@100 cannot be taken: none of the 32 held-out turns is judged with passages of the index"},
	} {
		p := smallPlan(StudentFeatures)
		test.change(&p.Validation)
		if _, err := Train(context.Background(), w.data(), p, Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, test.want)
		}
	}
	p := smallPlan(StudentFeatures)
	p.Validation.Measure = "R@100"
	d := w.data()
	d.Judged = func(dialog.Conversation, int) []uint32 { return nil }
	if _, err := Train(context.Background(), d, p, Options{}); err == nil || !strings.Contains(err.Error(), "none of the 32 held-out turns") {
		t.Errorf("judgements of no turn: error %v", err)
	}
}

// TestMeasuredOnTeacher says what overlap is where the student is the teacher.
func TestMeasuredOnTeacher(t *testing.T) {
	rank := func(q sparse.Vector, k int) []uint32 { return []uint32{4, 2, 9, 1}[:min(k, 4)] }
	w, err := newWatch(ValidationPlan{Share: .5, Measure: "overlap@3", Every: 1}, make([]example, 2), rank)
	if err != nil {
		t.Fatal(err)
	}
	w.found[0], w.found[1] = []uint32{9, 4, 2}, []uint32{1, 4, 3}
	if m, err := w.measured(0); err != nil || math.Abs(m.Value-(1+1./3)/2) > 1e-12 || m.Turns != 2 {
		t.Errorf("measured %+v, %v", m, err)
	}
}

// TestMeasuredInParts says that it does not matter in how many parts the held-out
// turns go through the student.
func TestMeasuredInParts(t *testing.T) {
	w := newWorld(t)
	var want *Measured
	for _, bound := range []int{0, 20, 70} {
		for _, batch := range []int{5, 16, 100} {
			p := smallPlan(StudentMLP)
			p.Optimiser.MicroBatch, p.Optimiser.Batch, p.Validation.Measure = bound, batch, "RR"
			tr, err := newTrainer(context.Background(), w.judged(), p, Options{Workers: 2})
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(3, 3))
			for _, param := range tr.student.Parameters() {
				for i := range param.Value {
					param.Value[i] += float32(rng.NormFloat64())
				}
			}
			e, err := tr.look(context.Background(), true)
			tr.close()
			switch {
			case err != nil:
				t.Fatal(err)
			case want == nil:
				want = e.Measured
			case *e.Measured != *want:
				t.Errorf("batches of %d in parts of %d tokens: measured %+v, want %+v", batch, bound, e.Measured, want)
			}
		}
	}
	if want.Value < .01 || want.Value > .9 {
		t.Errorf("RR is %v: the test is too weak", want.Value)
	}
}
