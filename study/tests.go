package study

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"parley/dialog"
	"parley/internal/durable"
	"parley/internal/questions"
	"parley/sparse"
	"parley/trec"
)

// bench is a test that trials are put to. It is safe for concurrent use.
type bench struct {
	plan     TestPlan
	on       *searched
	asked    *asked            // what students are asked
	baseline map[string]*asked // what is asked without one, by mode; only those that some turn has a text for

	references func() map[string]*reference // by turn id
}

// asked are the turns of a test in one mode.
type asked struct {
	list  *questions.List
	skips []func(passage int) bool // by question
}

// The files of a test's folder.
const (
	testFile  = "test.json"
	turnsFile = "turns.jsonl.zst"
	qrelsFile = "qrels.txt"
	termsFile = "terms.tsv.zst"
)

// testRecord is what a test's folder says of it.
type testRecord struct {
	Plan        TestPlan          `json:"plan"`
	Fingerprint string            `json:"fingerprint"`
	Passages    int               `json:"passages"`
	Unjudged    int               `json:"unjudged"`
	NoText      int               `json:"no_text"`
	Files       map[string]string `json:"files"` // checksums
}

// openTests makes the tests ready and writes what reports need of them.
func (w *workbench) openTests(ctx context.Context) error {
	for _, plan := range w.plan.Tests {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, record, err := w.newBench(plan)
		if err != nil {
			return fmt.Errorf("test %q: %w", plan.Name, err)
		}
		w.tests[plan.Name] = b
		w.facts.Tests[plan.Name] = record.Fingerprint
		for _, mode := range w.plan.Baselines {
			if b.baseline[mode] != nil {
				w.facts.Modes[plan.Name] = append(w.facts.Modes[plan.Name], mode)
			}
		}
		if err := b.write(within(w.dir, testsDir, plan.Name), record, w.collections[plan.Turns].qrels); err != nil {
			return err
		}
	}
	return nil
}

// newBench returns the test of a plan.
func (w *workbench) newBench(plan TestPlan) (*bench, testRecord, error) {
	talk, on := w.collections[plan.Turns], w.searched[plan.Passages]
	if len(plan.Teacher) == 0 {
		base, err := w.plan.training(w.plan.resolver.base(), 0)
		if err != nil {
			return nil, testRecord{}, err
		}
		plan.Teacher = base.Teacher.Rewriters
	}
	b := &bench{plan: plan, on: on, baseline: map[string]*asked{}}
	record := testRecord{Plan: plan, Passages: on.index.N()}
	var err error
	if b.asked, err = b.ask(plan.Query, talk); err != nil {
		return nil, record, err
	}
	record.NoText = len(b.asked.list.Lacking)
	if len(b.asked.list.Questions) == 0 {
		return nil, record, fmt.Errorf("none of the turns of %s that are judged and of the subset %s has the text that is asked (%s)", plan.Turns, plan.Subset, plan.Query)
	}
	in, _ := subset(plan.Subset) // the plan was checked
	for _, c := range talk.talk {
		for _, turn := range c.Turns {
			if _, judged := talk.qrels[turn.ID]; !judged && in(turn) {
				record.Unjudged++
			}
		}
	}
	for _, mode := range w.plan.Baselines {
		a, err := b.ask(mode, talk)
		if err != nil {
			return nil, record, err
		}
		if len(a.list.Questions) > 0 {
			b.baseline[mode] = a
		}
	}
	b.references = sync.OnceValue(func() map[string]*reference { return b.refer(w.workers) })
	asked := plan
	asked.Title = "" // says nothing of what is found
	record.Fingerprint = sum([]byte(fmt.Sprintln("test", on.fingerprint, fingerprint(talk.talk), fingerprint(talk.qrels), fingerprint(asked))))
	return b, record, nil
}

// ask returns the turns of the test in a mode.
func (b *bench) ask(name string, talk *held) (*asked, error) {
	mode, err := dialog.ParseMode(name)
	if err != nil {
		return nil, err
	}
	in, err := subset(b.plan.Subset)
	if err != nil {
		return nil, err
	}
	a := &asked{list: &questions.List{}}
	for _, c := range talk.talk {
		a.list.Add(c, mode, talk.qrels, func(t dialog.Turn, judged bool) bool { return judged && in(t) })
	}
	if b.plan.Unseen {
		a.list.FindRepeats(b.on.index)
	}
	for i := range a.list.Questions {
		a.skips = append(a.skips, a.list.Skip(&a.list.Questions[i], b.on.index))
	}
	return a, nil
}

// reference is how the teacher ranks for a turn.
type reference struct {
	passages []int
	scores   []float64
}

// referenceDepth is how many of the teacher's best passages its scores and a
// student's are compared on.
const referenceDepth = 100

// refer returns the rankings of the test's teacher, for the turns that have its
// rewrites.
func (b *bench) refer(workers int) map[string]*reference {
	list := b.asked.list.Questions
	found := make([]*reference, len(list))
	parallel(workers, len(list), func(i int) {
		q, ok := b.teach(&list[i])
		if !ok {
			return
		}
		r := &reference{}
		var v sparse.Vector
		for _, hit := range b.on.searcher.Search(q, referenceDepth, b.asked.skips[i]) {
			v = b.on.index.Vector(hit.Passage, v)
			r.passages = append(r.passages, hit.Passage)
			r.scores = append(r.scores, sparse.Dot(q, v))
		}
		found[i] = r
	})
	references := map[string]*reference{}
	for i := range list {
		if found[i] != nil && len(found[i].passages) > 0 {
			references[list[i].Turn().ID] = found[i]
		}
	}
	return references
}

// teach returns the vector of the test's teacher for a turn: of several
// rewriters the mean, where it has the rewrites of all.
func (b *bench) teach(q *questions.Question) (sparse.Vector, bool) {
	var vectors []sparse.Vector
	for _, name := range b.plan.Teacher {
		context, ok := dialog.RewriteMode(name).Context(q.Conversation, q.At)
		if !ok {
			return sparse.Vector{}, false
		}
		vectors = append(vectors, b.on.own.Query(context))
	}
	if len(vectors) == 1 {
		return vectors[0], true
	}
	return sparse.Mean(vectors...), true
}

// turnRecord is a turn as a test's folder keeps it.
type turnRecord struct {
	ID           string            `json:"id"`
	Conversation string            `json:"conversation"`
	Number       int               `json:"turn"`
	Question     string            `json:"question"`
	Rewrite      string            `json:"rewrite,omitempty"`
	Rewrites     map[string]string `json:"rewrites,omitempty"`
	Context      string            `json:"context,omitempty"` // what is asked; "" where the turn has no such text
}

// records returns the turns of the test, by id.
func (b *bench) records(qrels trec.Qrels) (turns []turnRecord, judged trec.Qrels, err error) {
	judged = trec.Qrels{}
	add := func(t dialog.Turn, context string) {
		turns = append(turns, turnRecord{t.ID, t.Conversation, t.Number, t.Question, t.Rewrite, t.Rewrites, context})
		judged[t.ID] = qrels[t.ID]
	}
	for i := range b.asked.list.Questions {
		q := &b.asked.list.Questions[i]
		add(q.Turn(), q.Context.Text())
	}
	for _, t := range b.asked.list.Lacking {
		add(t, "")
	}
	slices.SortFunc(turns, func(a, b turnRecord) int { return compareIDs(a.ID, b.ID) })
	for i := range turns[1:] {
		if turns[i].ID == turns[i+1].ID {
			return nil, nil, fmt.Errorf("two turns have the id %q", turns[i].ID)
		}
	}
	return turns, judged, nil
}

// write writes the folder of the test, unless it is there.
func (b *bench) write(path string, record testRecord, qrels trec.Qrels) error {
	var before testRecord
	if readJSON(filepath.Join(path, testFile), &before) == nil && before.Fingerprint == record.Fingerprint && before.Plan.Title == record.Plan.Title {
		return nil
	}
	turns, judged, err := b.records(qrels)
	if err != nil {
		return err
	}
	dir, err := durable.CreateDir(path, testFile)
	if err != nil {
		return err
	}
	defer dir.Discard()
	write := func(name string, do func(w io.Writer) error) error {
		return writePacked(filepath.Join(dir.Path(), name), do)
	}
	err = errors.Join(
		write(turnsFile, func(w io.Writer) error { return writeLines(w, turns) }),
		write(termsFile, b.writeTerms),
		writeQrels(filepath.Join(dir.Path(), qrelsFile), judged),
	)
	if err != nil {
		return err
	}
	if record.Files, err = sums(dir.Path(), turnsFile, termsFile, qrelsFile); err != nil {
		return err
	}
	if err := stageJSON(filepath.Join(dir.Path(), testFile), record); err != nil {
		return err
	}
	return dir.Commit()
}

func writeQrels(path string, qrels trec.Qrels) error {
	var text bytes.Buffer
	if err := trec.WriteQrels(&text, qrels); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o666)
}

// writeTerms writes the vocabulary, a line for each term: the token as a Go
// string literal, and in how many passages it is.
func (b *bench) writeTerms(w io.Writer) error {
	vocabulary := b.on.own.Vocabulary()
	for id := range vocabulary.Len() {
		if _, err := fmt.Fprintf(w, "%q\t%d\n", vocabulary.Token(uint32(id)), b.on.index.DF(uint32(id))); err != nil {
			return err
		}
	}
	return nil
}

// sums returns the checksums of files in a folder.
func sums(dir string, names ...string) (map[string]string, error) {
	all := map[string]string{}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		all[name] = sum(data)
	}
	return all, nil
}
