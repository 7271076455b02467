package study

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"parley/distill"
	"parley/sparse"
	"parley/trec"
)

// The files and folders of a trial's folder.
const (
	trialFile  = "trial.json"
	timingFile = "timing.json" // the only one that differs from run to run
	planFile   = "plan.yaml"
	modelDir   = "model"
	runsDir    = "runs"
	queriesDir = "queries"
	scoresDir  = "scores"
)

func runFile(test string) string     { return runsDir + "/" + test + ".run.zst" }
func queriesFile(test string) string { return queriesDir + "/" + test + ".jsonl.zst" }
func scoresFile(test string) string  { return scoresDir + "/" + test + ".json" }

// trialRecord is what a trial's folder says of it.
type trialRecord struct {
	Format      string            `json:"format"`
	Key         string            `json:"key"`
	Kind        string            `json:"kind"`
	CodeVersion string            `json:"code_version"`
	Mode        string            `json:"mode,omitempty"` // of a baseline
	Seed        uint64            `json:"seed,omitempty"`
	Failed      string            `json:"failed,omitempty"` // why it ended without a student
	Counts      distill.Counts    `json:"turns,omitzero"`
	Best        int               `json:"best_epoch,omitempty"`
	EndedEarly  bool              `json:"ended_early,omitempty"`
	History     []distill.Epoch   `json:"epochs,omitempty"`
	ModelBytes  int64             `json:"model_bytes,omitempty"`
	Notes       []string          `json:"notes,omitempty"`
	Tests       []string          `json:"tests,omitempty"`
	Files       map[string]string `json:"files,omitempty"` // checksums
}

// kept returns the epoch whose student was kept.
func (r *trialRecord) kept() distill.Epoch {
	switch {
	case r.Best > 0 && r.Best <= len(r.History):
		return r.History[r.Best-1]
	case len(r.History) > 0:
		return r.History[len(r.History)-1]
	}
	return distill.Epoch{}
}

// timing is how long a trial took. It is no part of what a study finds.
type timing struct {
	Kind     string                 `json:"kind"` // features, mlp, splade or baseline
	Training float64                `json:"training_seconds"`
	All      float64                `json:"seconds"`
	Tests    map[string]testLatency `json:"tests,omitempty"`
}

// testLatency is how long the turns of a test took, encoding and searching in
// one thread, while other trials may have run.
type testLatency struct {
	Mean float64 `json:"mean_us"`
	P50  float64 `json:"p50_us"`
	P95  float64 `json:"p95_us"`
}

// queryRecord is a query as it was searched with.
type queryRecord struct {
	ID      string   `json:"turn"`
	Step    float64  `json:"step"`
	Terms   []uint32 `json:"terms"`
	Weights []uint16 `json:"weights"` // in steps
}

func (q queryRecord) vector() sparse.Quantised {
	return sparse.Quantised{Terms: q.Terms, Weights: q.Weights, Step: q.Step}
}

// readRecord reads what the ledger has of a trial; nil if nothing.
func readRecord(dir, key string) (*trialRecord, error) {
	path := within(dir, trialsDir, key, trialFile)
	var r trialRecord
	err := readJSON(path, &r)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case r.Format != format || r.Key != key:
		return nil, fmt.Errorf("%s is damaged, or of another trial: remove its folder to have the trial run again", path)
	}
	return &r, nil
}

// readTiming reads how long a trial took; nothing where that is not known.
func readTiming(dir, key string) (t timing, ok bool) {
	data, err := os.ReadFile(within(dir, trialsDir, key, timingFile))
	return t, err == nil && json.Unmarshal(data, &t) == nil
}

// verify makes sure that the files of a trial are what they were.
func (r *trialRecord) verify(dir string) error {
	for name, want := range r.Files {
		path := within(dir, trialsDir, r.Key, filepath.FromSlash(name))
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if sum(data) != want {
			return fmt.Errorf("%s is damaged: remove its trial's folder to have the trial run again", path)
		}
	}
	return nil
}

// writeRun writes a run: of each hit the score as search sums it up, a whole
// number of steps, which orders and ties as the score does and is shorter.
func writeRun(path string, topics []string, hits [][]trec.Hit) error {
	return writePacked(path, func(z io.Writer) error {
		w, err := trec.NewRunWriter(z, "parley")
		if err != nil {
			return err
		}
		for i, topic := range topics {
			if err := w.WriteTopic(topic, hits[i]); err != nil {
				return err
			}
		}
		return w.Flush()
	})
}
