package study

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestInterrupted interrupts a study at random moments, ten times and more: in
// the end its folder holds what that of an undisturbed one holds, byte for byte.
func TestInterrupted(t *testing.T) {
	want := content(t, testStudy(t))
	dir := filepath.Join(t.TempDir(), "study")
	random := rand.New(rand.NewPCG(1, 2))
	interrupted := 0
	for ended := false; !ended; {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(30+random.IntN(100)+10*interrupted)*time.Millisecond)
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
