package study

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"parley/collection"
	"parley/internal/wordpiece"
)

// world makes two small collections and a vocabulary in a folder, once for all
// tests.
var world = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "parley-study")
	if err != nil {
		return "", err
	}
	for i, o := range []collection.SynthesisOptions{
		{Seed: 1, Passages: 120, Conversations: 20},
		{Seed: 2, Passages: 60, Conversations: 6},
	} {
		made, err := collection.Synthesise(o)
		if err != nil {
			return "", err
		}
		if err := made.Write(context.Background(), filepath.Join(dir, []string{"one", "two"}[i]), func() {}); err != nil {
			return "", err
		}
	}
	return dir, writeVocabulary(dir)
})

func writeVocabulary(dir string) error {
	one, err := collection.Open(filepath.Join(dir, "one"))
	if err != nil {
		return err
	}
	texts := func(yield func(string, error) bool) {
		for p, err := range one.Passages() {
			if !yield(p.Title+" "+p.Text, err) {
				return
			}
		}
	}
	v, err := wordpiece.Train(texts, wordpiece.TrainOptions{Size: 2000})
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "vocab.txt"))
	if err != nil {
		return err
	}
	return errors.Join(v.Write(f), f.Close())
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := world(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

func testWorld(t testing.TB) string {
	t.Helper()
	dir, err := world()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// small is the plan of a study of seconds: two tests, of which one is of another
// collection and asks rewrites, shared trials, a failing one, and a choice.
const small = `name: A small study
encoder: {vocab: vocab.txt}
collections:
  - {name: one, path: one, split: {seed: 1, names: [one-a, one-b]}}
  - {name: two, path: two}
train: {passages: one-a, turns: [one-a]}
tests:
  - {name: half, passages: one, turns: one-b, unseen: true}
  - {name: alone, passages: two, query: rewrite, subset: rewritten, k: 20}
measures: [R@10, RR, nDCG@3]
baselines: [last, history, rewrite, rewrite:nobody]
base:
  optimiser: {epochs: 2, batch: 8}
  validation: {share: .2}
seeds: [1, 2]
experiments:
  - name: objective
    title: Objectives
    points:
      - {name: kld}
      - {name: cold, title: colder, set: {objective.kld.temperature: 1}}
      - {name: wild, set: {optimiser.learning_rate: 1, objective.l1.weight: 1000000}}
  - name: sweep
    vary: {objective.df_l1.weight: [.1, .5], objective.kld.temperature: [5, 1]}
    tests: [half]
    compare: df_l1.weight=0.5 kld.temperature=1
  - name: choose
    select: {method: halving, eta: 2, space: {objective.kld.temperature: [1, 3, 9, 20]}}
  - {name: chosen, from: choose, seeds: [7]}
`

func mustPlan(t testing.TB, text string) *Plan {
	t.Helper()
	p, err := ReadPlan(strings.NewReader(text), "plan.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func testOptions(t testing.TB) Options {
	return Options{Data: testWorld(t), Workers: 2, CodeVersion: "test"}
}

func mustRun(t testing.TB, text, dir string, o Options) *Summary {
	t.Helper()
	s, err := Run(context.Background(), mustPlan(t, text), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// content returns what the files below dir hold, by path, timings apart.
func content(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == timingFile {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sameContent reports the files in which two folders differ.
func sameContent(t testing.TB, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		} else if got[name] != want[name] {
			t.Errorf("%s differs:\n%s\nwant\n%s", name, head(got[name]), head(want[name]))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is there, and should not be", name)
		}
	}
}

func head(s string) string { return s[:min(len(s), 300)] }

// undisturbed is the small study as it comes out when nothing gets in its way.
var undisturbed = sync.OnceValues(func() (string, error) {
	data, err := world()
	if err != nil {
		return "", err
	}
	p, err := ReadPlan(strings.NewReader(small), "plan.yaml")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(data, "undisturbed")
	_, err = Run(context.Background(), p, dir, Options{Data: data, Workers: 1, CodeVersion: "test"})
	return dir, err
})

func testStudy(t testing.TB) string {
	t.Helper()
	dir, err := undisturbed()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRunOfASmallStudy(t *testing.T) {
	dir := testStudy(t)
	s := mustRun(t, small, dir, testOptions(t))
	// 3 baselines; 3 systems and 2 more of the sweep's, of 2 seeds; of the halving 4
	// points with one epoch, which a quarter and a half of two are, and one with
	// both; the chosen one, of another seed.
	const want = 3 + 2*(3+2) + 4 + 1 + 1
	if s.Ran != 0 || s.Done != want || s.Total != want {
		t.Errorf("run again: %+v, want all of %d trials done", s, want)
	}
	if len(s.Failed) != 2 || !strings.Contains(s.Failed[0], "objective/wild, seed 1: the training diverged") {
		t.Errorf("failed: %q, want both seeds of objective/wild", s.Failed)
	}
	status, err := Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	if status.Trials.Done != want || status.Trials.Failed != 2 || status.Trials.Running != 0 {
		t.Errorf("status: %+v", status.Trials)
	}
	var rows bytes.Buffer
	for _, e := range status.Experiments {
		fmt.Fprintf(&rows, "%s %d/%d\n", e.Name, e.Done, e.Total)
	}
	if got, want := rows.String(), "baseline 3/3\nobjective 6/6\nsweep 8/8\nchoose 5/5\nchosen 1/1\n"; got != want {
		t.Errorf("status:\n%swant\n%s", got, want)
	}
	if matches, _ := filepath.Glob(filepath.Join(dir, "trials", "*.*")); len(matches) > 0 {
		t.Errorf("left over: %q", matches)
	}
}

// TestSeveralAtOnce: how many trials run at once, and how many workers a training
// has, changes nothing.
func TestSeveralAtOnce(t *testing.T) {
	want := content(t, testStudy(t))
	for _, workers := range []int{2, 16} {
		o := testOptions(t)
		o.Workers = workers
		dir := filepath.Join(t.TempDir(), "study")
		mustRun(t, small, dir, o)
		sameContent(t, content(t, dir), want)
	}
}

// replaced returns s with old, which it has once, replaced.
func replaced(t testing.TB, s, old, with string) string {
	t.Helper()
	if strings.Count(s, old) != 1 {
		t.Fatalf("%q is there %d times", old, strings.Count(s, old))
	}
	return strings.Replace(s, old, with, 1)
}
