package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"parley/collection"
	"parley/dialog"
	"parley/distill"
	"parley/encoder"
	"parley/index"
	"parley/internal/durable"
	"parley/internal/questions"
	"parley/search"
	"parley/sparse"
	"parley/trec"
)

// facts are what the data of a study were, as its folder remembers them: enough
// to know the keys of its trials without the data.
type facts struct {
	Format      string              `json:"format"`
	CodeVersion string              `json:"code_version"`
	Train       string              `json:"train"`       // fingerprint of what is trained on
	Tests       map[string]string   `json:"tests"`       // fingerprints by name
	Modes       map[string][]string `json:"modes"`       // by test: the baselines that it has texts for
	Checkpoints map[string]string   `json:"checkpoints"` // of those that students start from, by path
	Collections []Collection        `json:"collections"`
	Warnings    []Warning           `json:"warnings"`
}

// Collection describes a collection of a study.
type Collection struct {
	Name       string                `json:"name"`
	Of         string                `json:"of,omitempty"`       // a half: of which
	Excluded   int                   `json:"excluded,omitempty"` // conversations left out
	Trained    bool                  `json:"trained,omitempty"`  // its conversations are trained on
	Tested     []string              `json:"tested,omitempty"`   // tests that its conversations ask in
	Statistics collection.Statistics `json:"statistics"`
}

// workbench is what trials work with. It is safe for concurrent use.
type workbench struct {
	plan        *Plan
	dir         string
	at          func(path string) string // where a path of the plan leads
	workers     int
	collections map[string]*held
	searched    map[string]*searched
	data        distill.Data
	tests       map[string]*bench
	facts       facts
}

// held is a collection that is held open, its conversations in memory.
type held struct {
	plan     CollectionPlan
	name     string
	opened   *collection.Collection
	talk     []dialog.Conversation // but the excluded
	excluded int
	qrels    trec.Qrels
}

// searched is an index with what it is searched by.
type searched struct {
	index       *index.Index
	own         encoder.Encoder // of the index
	searcher    *search.Searcher
	fingerprint string
}

// prepare opens or makes everything that the trials of a plan share. Of several
// processes one does it at a time.
func prepare(ctx context.Context, p *Plan, dir string, o Options) (_ *workbench, err error) {
	lock, err := waitFor(ctx, within(dir, prepareLock))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	w := &workbench{
		plan: p, dir: dir, at: o.at, workers: o.Workers, collections: map[string]*held{}, searched: map[string]*searched{}, tests: map[string]*bench{},
		facts: facts{
			Format: format, CodeVersion: o.CodeVersion,
			Tests: map[string]string{}, Modes: map[string][]string{}, Checkpoints: map[string]string{},
		},
	}
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"collections", w.openCollections}, {"indexes", w.openIndexes}, {"training data", w.openTraining}, {"tests", w.openTests}, {"checkpoints", w.openCheckpoints},
	} {
		o.preparing(part.name)
		if err := part.do(ctx); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	if err := w.describe(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	if err := errors.Join(durable.WriteFile(within(dir, PlanFile), p.source.data), writeJSON(within(dir, dataFile), w.facts)); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// waitFor waits for a lock.
func waitFor(ctx context.Context, path string) (*durable.Lock, error) {
	for {
		lock, ok, err := durable.TryLock(path)
		if ok || err != nil {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lookAgain):
		}
	}
}

// lookAgain is how often a process looks whether another has let go of a lock.
const lookAgain = 100 * time.Millisecond

// close closes the indexes.
func (w *workbench) close() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(w.searched)) {
		errs = append(errs, w.searched[name].index.Close())
	}
	return errors.Join(errs...)
}

// used tells whether the plan uses the collection of a name.
func (p *Plan) used(name string) bool {
	return name == p.Train.Passages || slices.Contains(p.Train.Turns, name) ||
		slices.ContainsFunc(p.Tests, func(t TestPlan) bool { return t.Passages == name || t.Turns == name })
}

// openCollections opens the collections, splits made where they are missing.
func (w *workbench) openCollections(ctx context.Context) error {
	for _, c := range w.plan.Collections {
		excluded, err := w.excluded(c)
		if err != nil {
			return err
		}
		opened, err := collection.Open(w.at(c.Path))
		if err != nil {
			return err
		}
		if w.plan.used(c.Name) {
			if err := w.hold(ctx, c, c.Name, opened, excluded); err != nil {
				return err
			}
		}
		if c.Split == nil {
			continue
		}
		dirs, err := w.split(ctx, c, opened, excluded)
		if err != nil {
			return err
		}
		for i, name := range c.Split.Names {
			half, err := collection.Open(dirs[i])
			if err != nil {
				return err
			}
			if err := w.hold(ctx, c, name, half, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *workbench) excluded(c CollectionPlan) (map[string]bool, error) {
	if c.Exclude == "" {
		return nil, nil
	}
	return collection.OpenIDs(w.at(c.Exclude))
}

// hold reads the conversations and the judgements of a collection.
func (w *workbench) hold(ctx context.Context, c CollectionPlan, name string, opened *collection.Collection, excluded map[string]bool) error {
	h := &held{plan: c, name: name, opened: opened}
	for conversation, err := range opened.Conversations() {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case excluded[conversation.ID]:
			h.excluded++
		default:
			h.talk = append(h.talk, conversation)
		}
	}
	if excluded != nil && h.excluded == 0 {
		return fmt.Errorf("%s names no conversation of %s, so that it would leave out none: write their ids, one a line", w.at(c.Exclude), opened.Dir())
	}
	var err error
	if h.qrels, err = opened.Qrels(); err != nil {
		return err
	}
	w.collections[name] = h
	return nil
}

// origin says what a folder within a study's folder was made of, so that it is
// made again when that changes.
type origin struct {
	Of      string `json:"of"` // checksum of the files
	Encoder string `json:"encoder,omitempty"`
	Split   any    `json:"split,omitempty"`
	Exclude string `json:"exclude,omitempty"`
}

// fresh tells whether what was made of o is still there; its sign is a file
// beside the folder.
func (o origin) fresh(path string) bool {
	before, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	now, err := json.MarshalIndent(o, "", " ")
	return err == nil && string(before) == string(now)+"\n"
}

// split makes the halves of a collection, or finds them made.
func (w *workbench) split(ctx context.Context, c CollectionPlan, opened *collection.Collection, excluded map[string]bool) (dirs [2]string, err error) {
	for i, name := range c.Split.Names {
		dirs[i] = within(w.dir, collectionsDir, name)
	}
	sign := within(w.dir, collectionsDir, c.Name+".split.json")
	made := origin{Split: c.Split, Exclude: fingerprint(slices.Sorted(maps.Keys(excluded)))}
	if made.Of, err = filesSum(opened.Dir()); err != nil {
		return dirs, err
	}
	if made.fresh(sign) {
		return dirs, nil
	}
	_, err = collection.Split(ctx, opened, dirs, collection.SplitOptions{
		Fraction: c.Split.Fraction, Seed: c.Split.Seed, Passages: collection.ShareOwn, Exclude: excluded,
	})
	if err != nil {
		return dirs, err
	}
	return dirs, writeJSON(sign, made)
}

// filesSum returns a checksum of the files of a collection.
func filesSum(dir string) (string, error) {
	h := newSum()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, entry := range entries { // sorted by name
		switch name := entry.Name(); name {
		case "corpus.jsonl", "corpus.jsonl.gz", "corpus.jsonl.zst", "turns.jsonl", "turns.jsonl.gz", "turns.jsonl.zst", "qrels.txt", "qrels.txt.gz", "qrels.txt.zst":
			if err := addFile(h, dir, name); err != nil {
				return "", err
			}
		}
	}
	return h.hex(), nil
}

// addFile hashes the name and the content of a file.
func addFile(h io.Writer, dir, name string) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	content := newSum()
	if _, err := io.Copy(content, f); err != nil {
		return err
	}
	fmt.Fprintf(h, "%s %s\n", name, content.hex())
	return nil
}

// fingerprint returns the checksum of v as JSON.
func fingerprint(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic("study: cannot be written as JSON: " + err.Error())
	}
	return sum(data)
}

// openTraining joins what students are trained on.
func (w *workbench) openTraining(context.Context) error {
	on := w.searched[w.plan.Train.Passages]
	var names []string
	judged := questions.NewJudgements(on.index)
	h := newSum()
	fmt.Fprintln(h, "training", on.fingerprint)
	for _, name := range w.plan.Train.Turns {
		c := w.collections[name]
		w.data.Conversations = append(w.data.Conversations, c.talk...)
		judged.Add(c.qrels)
		names = append(names, name)
		fmt.Fprintln(h, fingerprint(c.talk), fingerprint(c.qrels))
	}
	if len(w.data.Conversations) == 0 {
		return fmt.Errorf("there is no conversation to train on in %v", w.plan.Train.Turns)
	}
	w.data.Name = fmt.Sprintf("Conversations of %v, and the passages of %s", names, w.plan.Train.Passages)
	w.data.Vocabulary = on.own.Vocabulary()
	w.data.Passages = on.index
	w.data.Rank = newRankings(memoBound, func(q sparse.Vector, k int) []uint32 { return passages(on.searcher.Search(q, k, nil)) }).Rank
	w.data.Encode = newEncodings(memoBound, on.own.Query).Encode
	w.data.Judged = judged.Of
	if judged.Lacking > 0 {
		w.warn("training", "the index of %s lacks %d of the %d passages judged relevant", w.plan.Train.Passages, judged.Lacking, judged.All)
	}
	w.facts.Train = h.hex()
	return nil
}

func passages(hits []search.Hit) []uint32 {
	out := make([]uint32, len(hits))
	for i, h := range hits {
		out[i] = uint32(h.Passage)
	}
	return out
}

// openCheckpoints finds out what the checkpoints that students start from hold.
func (w *workbench) openCheckpoints(context.Context) error {
	base := w.plan.resolver.base()
	for i, e := range w.plan.Experiments {
		for _, s := range w.plan.systems(i) {
			plan, err := w.plan.training(slices.Concat(base, e.Set, s.Set), 0)
			if err != nil {
				return err
			}
			from := plan.Student.From
			if _, known := w.facts.Checkpoints[from]; from == "" || known {
				continue
			}
			if w.facts.Checkpoints[from], err = folderSum(w.at(from)); err != nil {
				return fmt.Errorf("experiment %q: cannot read the checkpoint that its students start from: %w", e.Name, err)
			}
		}
	}
	return nil
}

// folderSum returns a checksum of all files in a folder.
func folderSum(dir string) (string, error) {
	h := newSum()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return addFile(h, dir, filepath.ToSlash(name))
	})
	return h.hex(), err
}

// describe gathers what the folder remembers of the data beside their checksums.
func (w *workbench) describe(ctx context.Context) error {
	for _, name := range w.plan.names() {
		h := w.collections[name]
		if h == nil {
			continue
		}
		report, err := collection.Check(ctx, h.opened.Dir(), collection.CheckOptions{})
		if err != nil {
			return err
		}
		c := Collection{Name: name, Excluded: h.excluded, Statistics: report.Statistics, Trained: slices.Contains(w.plan.Train.Turns, name)}
		if name != h.plan.Name {
			c.Of = h.plan.Name
		}
		for _, t := range w.plan.Tests {
			if t.Turns == name {
				c.Tested = append(c.Tested, t.Name)
			}
		}
		w.facts.Collections = append(w.facts.Collections, c)
		if report.Errors > 0 {
			w.warn("collection "+name, "%d mistakes were found in it: parley collection check %s lists them", report.Errors, h.plan.Path)
		}
	}
	w.overlaps()
	return nil
}

func (w *workbench) warn(where, format string, args ...any) {
	w.facts.Warnings = append(w.facts.Warnings, Warning{Where: where, Text: fmt.Sprintf(format, args...)})
}

// overlaps warns of tests whose conversations are trained on.
func (w *workbench) overlaps() {
	trained := map[string]bool{}
	for _, c := range w.data.Conversations {
		trained[c.ID] = true
	}
	for _, t := range w.plan.Tests {
		n := 0
		talk := w.collections[t.Turns].talk
		for _, c := range talk {
			if trained[c.ID] {
				n++
			}
		}
		if n > 0 {
			w.warn("test "+t.Name, "%d of its %d conversations have the id of one that is trained on: if they are the same, this is no test", n, len(talk))
		}
	}
}
