package study

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"parley/distill"
	"parley/encoder"
	"parley/internal/durable"
	"parley/sparse"
	"parley/trec"
)

// trial is a trial under way.
type trial struct {
	bench   *workbench
	wanted  *wanted
	workers int
	told    func(distill.Progress)
	record  trialRecord
	timing  timing
	dir     *durable.Dir
}

// run runs a trial and commits it to the ledger. What ends it early, but for a
// training that failed by itself, leaves the checkpoint of the training for the
// next time.
func (b *workbench) run(ctx context.Context, w *wanted, workers int, told func(distill.Progress)) (*trialRecord, timing, error) {
	begun := time.Now()
	t := &trial{bench: b, wanted: w, workers: workers, told: told, timing: timing{Kind: w.class(), Tests: map[string]testLatency{}}}
	t.record = trialRecord{Format: format, Key: w.Key, Kind: w.Kind, CodeVersion: b.facts.CodeVersion, Mode: w.Mode, Tests: w.Tests}
	var err error
	if t.dir, err = durable.CreateDir(within(b.dir, trialsDir, w.Key), trialFile); err != nil {
		return nil, t.timing, err
	}
	defer t.dir.Discard()
	if w.Kind == KindBaseline {
		err = t.baseline(ctx)
	} else {
		err = t.student(ctx)
	}
	if err != nil {
		return nil, t.timing, err
	}
	t.timing.All = time.Since(begun).Seconds()
	if err := t.commit(); err != nil {
		return nil, t.timing, err
	}
	return &t.record, t.timing, remove(t.trained())
}

func (t *trial) commit() error {
	root := t.dir.Path()
	var names []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return err
	}
	if t.record.Files, err = sums(root, names...); err != nil {
		return err
	}
	if err := stageJSON(filepath.Join(root, timingFile), t.timing); err != nil {
		return err
	}
	if err := stageJSON(filepath.Join(root, trialFile), t.record); err != nil {
		return err
	}
	return t.dir.Commit()
}

// checkpoint is the file that a training is taken up from.
func (t *trial) checkpoint() string {
	return within(t.bench.dir, trialsDir, t.wanted.Key+".checkpoint")
}

// trained is where the checkpoint lies while the student is measured: the student
// is made from it again if that is interrupted.
func (t *trial) trained() string {
	return within(t.bench.dir, trialsDir, t.wanted.Key+".trained")
}

// move renames a file, if it is there.
func move(from, to string) error {
	if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// remove removes a file, if it is there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// student trains a student and puts it to the tests.
func (t *trial) student(ctx context.Context) error {
	t.record.Seed = t.wanted.Seed()
	if err := os.WriteFile(filepath.Join(t.dir.Path(), planFile), []byte(t.wanted.text), 0o666); err != nil {
		return err
	}
	plan := t.wanted.plan
	if plan.Student.From != "" {
		plan.Student.From = t.bench.at(plan.Student.From)
	}
	if err := move(t.trained(), t.checkpoint()); err != nil {
		return err
	}
	begun := time.Now()
	result, err := distill.Train(ctx, t.bench.data, plan, distill.Options{Workers: t.workers, Checkpoint: t.checkpoint(), Progress: t.told})
	t.timing.Training = time.Since(begun).Seconds()
	if diverged := new(distill.DivergedError); errors.As(err, &diverged) {
		t.record.Failed = diverged.Error()
		return remove(t.checkpoint())
	}
	if err != nil {
		return err
	}
	t.record.Counts, t.record.Best, t.record.History = result.Counts, result.Best, result.History
	t.record.EndedEarly, t.record.Notes = result.EndedEarly(), result.Notes
	result.Plan.Student.From = t.wanted.plan.Student.From // where it lies here says nothing elsewhere
	if err := move(t.checkpoint(), t.trained()); err != nil {
		return err
	}
	model := filepath.Join(t.dir.Path(), modelDir)
	if err := result.Save(model); err != nil {
		return err
	}
	if t.record.ModelBytes, err = folderBytes(model); err != nil {
		return err
	}
	for _, name := range t.wanted.Tests {
		if err := t.test(ctx, t.bench.tests[name], model); err != nil {
			return fmt.Errorf("test %q: %w", name, err)
		}
	}
	if !t.bench.plan.SaveModels {
		return os.RemoveAll(model)
	}
	return nil
}

// folderBytes returns the size of the files in a folder.
func folderBytes(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		n += info.Size()
		return err
	})
	return n, err
}

// test puts the student in the folder model to a test.
func (t *trial) test(ctx context.Context, b *bench, model string) error {
	enc, err := encoder.Open(model, b.on.index)
	if err != nil {
		return err
	}
	return t.search(ctx, b, b.asked, enc)
}

// baseline puts the index's own encoder to the tests.
func (t *trial) baseline(ctx context.Context) error {
	for _, name := range t.wanted.Tests {
		b := t.bench.tests[name]
		if err := t.search(ctx, b, b.baseline[t.wanted.Mode], b.on.own); err != nil {
			return fmt.Errorf("test %q: %w", name, err)
		}
	}
	return nil
}

// search asks the questions of a test and writes what was found.
func (t *trial) search(ctx context.Context, b *bench, a *asked, enc encoder.Encoder) error {
	var (
		references = b.references()
		topics     []string
		found      [][]trec.Hit
		queries    []queryRecord
		micros     []float64
		scores     scoreTally
	)
	for i := range a.list.Questions {
		if err := ctx.Err(); err != nil {
			return err
		}
		question := &a.list.Questions[i]
		begun := time.Now()
		q := enc.Query(question.Context)
		hits := b.on.searcher.Search(q, b.plan.K, a.skips[i])
		micros = append(micros, float64(time.Since(begun).Nanoseconds())/1000)

		id := question.Turn().ID
		listed := make([]trec.Hit, len(hits))
		for j, hit := range hits {
			listed[j] = trec.Hit{Passage: b.on.index.ID(hit.Passage), Score: float64(hit.Sum)}
		}
		topics, found = append(topics, id), append(found, listed)
		weighed := q.Quantise()
		queries = append(queries, queryRecord{id, weighed.Step, weighed.Terms, weighed.Weights})
		if r := references[id]; r != nil {
			scores.add(q, r, func(passage int, buffer sparse.Vector) sparse.Vector { return b.on.index.Vector(passage, buffer) })
		}
	}
	t.timing.Tests[b.plan.Name] = latency(micros)
	path := func(name string) string { return filepath.Join(t.dir.Path(), filepath.FromSlash(name)) }
	if s := scores.scores(); s != nil {
		if err := stageJSON(path(scoresFile(b.plan.Name)), s); err != nil {
			return err
		}
	}
	err := writePacked(path(queriesFile(b.plan.Name)), func(z io.Writer) error { return writeLines(z, queries) })
	return errors.Join(err, writeRun(path(runFile(b.plan.Name)), topics, found))
}

// latency sums up how long turns took, at least one.
func latency(micros []float64) testLatency {
	slices.Sort(micros)
	l := testLatency{P50: micros[len(micros)/2], P95: micros[len(micros)*95/100]}
	for _, m := range micros {
		l.Mean += m / float64(len(micros))
	}
	return l
}
