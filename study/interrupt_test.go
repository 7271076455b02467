package study

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/sparse"
)

// TestInterrupted interrupts a study at random moments, ten times and more: in
// the end its folder holds what that of an undisturbed one holds, byte for byte.
func TestInterrupted(t *testing.T) {
	want := content(t, testStudy(t))
	dir := filepath.Join(t.TempDir(), "study")
	random := rand.New(rand.NewPCG(1, 2))
	interrupted := 0
	for ended := false; !ended; {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(20+random.IntN(60)+5*interrupted)*time.Millisecond)
		_, err := Run(ctx, mustPlan(t, small), dir, testOptions(t))
		cancel()
		switch {
		case err == nil:
			ended = true
		case errors.Is(err, context.DeadlineExceeded):
			interrupted++
		default:
			t.Fatal(err)
		}
	}
	if interrupted < 10 {
		t.Errorf("interrupted only %d times", interrupted)
	}
	sameContent(t, content(t, dir), want)
}

// TestTakenUp: a training that is interrupted leaves its checkpoint, is taken up
// from it, and its trial comes out as if nothing had been.
func TestTakenUp(t *testing.T) {
	want := content(t, testStudy(t))
	dir := filepath.Join(t.TempDir(), "study")
	for round := range 5 {
		ctx, cancel := context.WithCancel(context.Background())
		o := testOptions(t)
		o.Progress = func(p Progress) {
			if p.Training.Step > 0 {
				cancel()
			}
		}
		if _, err := Run(ctx, mustPlan(t, small), dir, o); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		kept, _ := filepath.Glob(filepath.Join(dir, "trials", "*.checkpoint"))
		if len(kept) == 0 {
			t.Fatal("an interrupted training left no checkpoint")
		}
		if round == 3 { // as if it had been killed while the student was measured
			if err := os.Rename(kept[0], strings.TrimSuffix(kept[0], "checkpoint")+"trained"); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustRun(t, small, dir, testOptions(t))
	sameContent(t, content(t, dir), want)
}

// TestTwoAtOnce: two runs of one folder share its trials, and it holds what that
// of one holds.
func TestTwoAtOnce(t *testing.T) {
	want := content(t, testStudy(t))
	dir := filepath.Join(t.TempDir(), "study")
	var both sync.WaitGroup
	var ran [2]*Summary
	var failed [2]error
	for i := range 2 {
		both.Go(func() { ran[i], failed[i] = Run(context.Background(), mustPlan(t, small), dir, testOptions(t)) })
	}
	both.Wait()
	if err := errors.Join(failed[:]...); err != nil {
		t.Fatal(err)
	}
	if n := ran[0].Ran + ran[1].Ran; n != 19 {
		t.Errorf("they ran %d and %d trials, of 19", ran[0].Ran, ran[1].Ran)
	}
	sameContent(t, content(t, dir), want)
}

// TestForeignFolder: a folder of something else is left alone.
func TestForeignFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), []byte("years"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := Run(context.Background(), mustPlan(t, small), dir, testOptions(t))
	if err == nil || len(content(t, dir)) != 1 {
		t.Errorf("%v; the folder holds %v", err, content(t, dir))
	}
}

// TestChangedPlan: trials whose keys still fit are kept, others are run.
func TestChangedPlan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "study")
	if err := os.CopyFS(dir, os.DirFS(testStudy(t))); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what, old, new string
		ran            int
	}{
		{"title", "title: Objectives", "title: Aims", 0},
		{"order of the seeds", "seeds: [1, 2]\nexperiments", "seeds: [2, 1]\nexperiments", 5 + 1}, // the selection takes the first
		{"a seed more", "seeds: [1, 2]\nexperiments", "seeds: [1, 2, 3]\nexperiments", 5},
		{"a value more", "kld.temperature: [5, 1]", "kld.temperature: [5, 1, 2]", 2 * 2},
		{"depth of a test", "k: 20", "k: 30", 3 + 2*3 + 1},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := mustRun(t, replaced(t, small, c.old, c.new), dir, testOptions(t))
			if s.Ran > c.ran || s.Ran < c.ran-1 || s.Done != s.Total {
				t.Errorf("%+v, want %d trials run", s, c.ran)
			}
		})
	}
	if s := mustRun(t, small, dir, testOptions(t)); s.Ran != 0 {
		t.Errorf("the first plan again: %d trials were run", s.Ran)
	}
	o := testOptions(t)
	o.RetryFailed = true
	if s := mustRun(t, small, dir, o); s.Ran != 2 || len(s.Failed) != 2 {
		t.Errorf("failed trials again: %+v", s)
	}
	o = testOptions(t)
	o.CodeVersion = "another"
	if s := mustRun(t, small, dir, o); s.Ran != 19 {
		t.Errorf("by other code: %+v", s)
	}
}

// TestOnly: of a plan only some experiments are run, and those that they begin
// from; what they find is what the whole plan finds.
func TestOnly(t *testing.T) {
	want := content(t, testStudy(t))
	dir := filepath.Join(t.TempDir(), "study")
	o := testOptions(t)
	o.Only = []string{"chosen"}
	if s := mustRun(t, small, dir, o); s.Ran != 3+5+1 || s.Total != s.Ran {
		t.Errorf("%+v, want 3 baselines, 5 trials of the choice, and the chosen one", s)
	}
	r, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Missing != 10 || r.System("chosen/chosen").Measured[0] == nil || r.System("objective/kld").Measured[0] != nil {
		t.Errorf("%d trials are missing, want 10: those of the other experiments", r.Missing)
	}
	mustRun(t, small, dir, testOptions(t))
	sameContent(t, content(t, dir), want)
	o.Only = []string{"choosen"}
	if _, err := Run(context.Background(), mustPlan(t, small), dir, o); err == nil || err.Error() != `plan.yaml has no experiment "choosen" to run alone` {
		t.Error(err)
	}
}

// TestNothingToChoose: where every point of a choice failed, what begins from it is
// not run, and all else is; the study says so and can be read.
func TestNothingToChoose(t *testing.T) {
	text := replaced(t, small, "objective.kld.temperature: [1, 3, 9, 20]", "objective.l1.weight: [1000000, 900000]")
	text = replaced(t, text, "  - name: choose\n", "  - name: choose\n    set: {optimiser.learning_rate: 1}\n")
	dir := filepath.Join(t.TempDir(), "study")
	s, err := Run(context.Background(), mustPlan(t, text), dir, testOptions(t))
	if err == nil || !strings.Contains(err.Error(), `experiment "choose": nothing can be chosen`) {
		t.Errorf("%+v, %v", s, err)
	}
	r, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Missing != 1 || r.Experiments[2].Selection != nil || r.System("objective/kld").Measured[0] == nil {
		t.Errorf("%d trials are missing, want that of what would have been chosen", r.Missing)
	}
	if _, err := Look(dir); err != nil {
		t.Error(err)
	}
}

// TestTimeLeft: trials of a kind that was measured are estimated by it, those of
// others by what such a kind takes as a rule, more work by more time.
func TestTimeLeft(t *testing.T) {
	p := mustPlan(t, small)
	trial := func(key, kind string, epochs int) *wanted {
		plan, err := p.training([]Setting{{Path: "student.kind", Value: kind}, {Path: "optimiser.epochs", Value: epochs}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return &wanted{Key: key, Kind: KindTraining, plan: plan}
	}
	r := &runner{
		bench: &workbench{}, ledger: newLedger(""), options: Options{Workers: 2}, running: map[string]int{}, took: map[string]pace{},
		order: []*wanted{trial("a", "features", 5), trial("b", "features", 10), trial("c", "mlp", 5)},
	}
	r.bench.data.Passages = emptyPassages{}
	if left := r.timeLeft(); left >= 0 {
		t.Errorf("nothing is known, and %v is said", left)
	}
	r.measure(r.order[0], timing{All: 10})
	r.ledger.put(&trialRecord{Key: "a"})
	features := r.timeLeft()
	if least, most := 5*time.Second, 90*time.Second; features < least || features > most {
		t.Errorf("%v, want from %v to %v", features, least, most)
	}
	r.measure(r.order[2], timing{All: 1000})
	if left := r.timeLeft(); left < 500*time.Second {
		t.Errorf("%v after a perceptron took 1000 s", left)
	}
}

type emptyPassages struct{}

func (emptyPassages) N() int                                  { return 1000 }
func (emptyPassages) DF(uint32) int                           { return 0 }
func (emptyPassages) Vector(int, sparse.Vector) sparse.Vector { return sparse.Vector{} }
