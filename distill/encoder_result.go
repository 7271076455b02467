package distill

import (
	"bytes"
	"encoding/json"
	"path/filepath"

	"parley/internal/bert"
	"parley/internal/durable"
)

// EncoderResult is what an encoder's training ended with.
type EncoderResult struct {
	Plan    EncoderPlan // as resolved
	Counts  PairsCounts // what became of the data
	History []Epoch     // one entry an epoch
	Best    int         // the epoch, from 1, whose encoder was kept; 0 for the last

	Query   *bert.Network // encodes queries; the same network as Passage where they share weights
	Passage *bert.Network // encodes passages

	keeper *keeper
}

// Kept returns the epoch whose encoder was kept.
func (r *EncoderResult) Kept() Epoch {
	if r.Best > 0 {
		return r.History[r.Best-1]
	}
	return r.History[len(r.History)-1]
}

// WriteRecord writes the plan and the history of losses into dir, which exists.
func (r *EncoderResult) WriteRecord(dir string) error {
	var plan bytes.Buffer
	if err := r.Plan.Write(&plan); err != nil {
		return err
	}
	history, err := json.MarshalIndent(struct {
		Counts PairsCounts `json:"data"`
		Best   int         `json:"best_epoch"`
		Epochs []Epoch     `json:"epochs"`
	}{r.Counts, r.Best, r.History}, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(filepath.Join(dir, PlanFile), plan.Bytes()); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, HistoryFile), append(history, '\n'))
}

// Done removes the training's checkpoint, once what it ended with is saved.
func (r *EncoderResult) Done() error { return r.keeper.remove() }
