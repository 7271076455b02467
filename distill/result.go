package distill

import (
	"bytes"
	"encoding/json"
	"path/filepath"

	"parley/internal/durable"
	"parley/internal/prune"
)

// The files that stand beside the model in the folder of a training.
const (
	PlanFile    = "plan.yaml"
	HistoryFile = "history.json"
)

// Result is what a training ended with.
type Result struct {
	Plan    Plan    // as resolved
	Counts  Counts  // what became of the turns
	History []Epoch // one entry an epoch
	Best    int     // the epoch, from 1, whose student was kept; 0 for the last

	Pruned   *Pruned  // what the student keeps of a query, where that is not all
	Warnings []string // what whoever uses the student should know

	Notes []string // what had to be assumed of the checkpoint that the student started from

	data    string // what it was trained on
	keep    prune.Rule
	student Student
	keeper  *keeper
}

// Kept returns the epoch whose student was kept.
func (r *Result) Kept() Epoch {
	if r.Best > 0 {
		return r.History[r.Best-1]
	}
	return r.History[len(r.History)-1]
}

// EndedEarly tells whether the training ended before its last epoch, since the
// plan's patience did.
func (r *Result) EndedEarly() bool { return len(r.History) < r.Plan.Optimiser.Epochs }

// Save writes the student as the model folder path, the plan and the history of
// losses beside it, and removes the training's checkpoint.
func (r *Result) Save(path string) error {
	dir, err := durable.CreateDir(path, PlanFile)
	if err != nil {
		return err
	}
	defer dir.Discard()
	var plan bytes.Buffer
	if err := r.Plan.Write(&plan); err != nil {
		return err
	}
	history, err := json.MarshalIndent(struct {
		Counts Counts `json:"turns"`
		Best   int    `json:"best_epoch"`
		// Temperature is that of the divergence: weights go with it.
		Temperature float64  `json:"temperature,omitempty"`
		Warnings    []string `json:"warnings,omitempty"`
		Pruned      *Pruned  `json:"prune,omitempty"`
		Epochs      []Epoch  `json:"epochs"`
	}{r.Counts, r.Best, r.Plan.Objective.KLD.Temperature, r.Warnings, r.Pruned, r.History}, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(dir.Path(), PlanFile), plan.Bytes()); err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(dir.Path(), HistoryFile), append(history, '\n')); err != nil {
		return err
	}
	if err := r.student.Save(dir.Path(), r); err != nil {
		return err
	}
	if err := dir.Commit(); err != nil {
		return err
	}
	return r.keeper.remove()
}
