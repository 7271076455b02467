package main

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// studyPlan is a study of a second: what it learns is of no interest.
const studyPlan = `name: To be killed
encoder: {vocab: vocab.txt}
collections: [{name: made, path: made, split: {names: [a, b]}}]
train: {passages: a, turns: [a]}
tests: [{name: half, passages: made, turns: b, k: 20}]
measures: [R@10]
baselines: [last, history]
base: {optimiser: {epochs: 8, batch: 4}}
seeds: [1, 2]
experiments:
  - {name: temperature, vary: {objective.kld.temperature: [1, 2, 5, 9]}}
  - {name: students, points: [{name: mlp, set: {student.kind: mlp, optimiser.epochs: 3}}]}
`

// studyFolder makes what studyPlan names, and returns the command and the folder.
func studyFolder(t *testing.T) (parley, dir string) {
	t.Helper()
	parley, err := exec.LookPath("parley")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plan.yaml"), []byte(studyPlan), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"collection", "synthesize", "--passages", "120", "--conversations", "20", "-o", "made", "-q"},
		{"vocab", "train", "--collection", "made", "--size", "1500", "-o", "vocab.txt", "-q"},
	} {
		cmd := exec.Command(parley, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("parley %v: %v\n%s", args, err, out)
		}
	}
	return parley, dir
}

// studyCommand returns the command that runs the study in a folder.
func studyCommand(parley, dir, output string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(parley, "study", "run", "plan.yaml", "-o", output, "-q", "--workers", "2")
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	return cmd, &said
}

// studyFiles returns the files of a study but its times.
func studyFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "timing.json" || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestKilledStudy kills the command ten times at random moments, and then, when
// nobody runs it any more, lets two run it at once: the folder, and its report,
// are those of a study which nobody disturbed, byte for byte but for times.
func TestKilledStudy(t *testing.T) {
	parley, dir := studyFolder(t)
	cmd, said := studyCommand(parley, dir, "whole")
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	took := time.Since(begun)
	random := rand.New(rand.NewPCG(3, 4))
	for kills := 0; kills < 10; kills++ {
		cmd, said := studyCommand(parley, dir, "killed")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.Float64() * .4 * float64(took)))
		_ = cmd.Process.Kill() // fails only if it has ended
		if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Fatalf("%v\n%s", err, said)
		} else if err == nil {
			// It ended before it was killed: some of its work is undone, so that the
			// next has something to do.
			undo(t, filepath.Join(dir, "killed"), random)
		}
	}
	one, saidOne := studyCommand(parley, dir, "killed")
	two, saidTwo := studyCommand(parley, dir, "killed")
	if err := errors.Join(one.Start(), two.Start()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(one.Wait(), two.Wait()); err != nil {
		t.Fatalf("%v\n%s%s", err, saidOne, saidTwo)
	}
	for _, name := range []string{"whole", "killed"} {
		report := exec.Command(parley, "report", name, "--no-times", "-q")
		report.Dir = dir
		if out, err := report.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	want, got := studyFiles(t, filepath.Join(dir, "whole")), studyFiles(t, filepath.Join(dir, "killed"))
	if want[filepath.Join("report", "report.json")] == "" {
		t.Error("there is no report to compare")
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s differs from that of an undisturbed study", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is left over", name)
		}
	}
}

// undo removes half of the trials of a study.
func undo(t *testing.T, dir string, random *rand.Rand) {
	t.Helper()
	trials, err := filepath.Glob(filepath.Join(dir, "trials", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, trial := range trials {
		if random.IntN(2) == 0 {
			if err := os.RemoveAll(trial); err != nil {
				t.Fatal(err)
			}
		}
	}
}
