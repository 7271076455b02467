package distill

import (
	"bytes"
	"encoding/json"
	"path/filepath"

	"parley/internal/bert"
	"parley/internal/checkpoint"
	"parley/internal/durable"
	"parley/internal/model"
)

// EncoderResult is what an encoder's training ended with.
type EncoderResult struct {
	Plan    EncoderPlan // as resolved
	Counts  PairsCounts // what became of the data
	History []Epoch     // one entry an epoch
	Best    int         // the epoch, from 1, whose encoder was kept; 0 for the last

	Query   *bert.Network // encodes queries; the same network as Passage where they share weights
	Passage *bert.Network // encodes passages

	start  Start
	keeper *keeper
}

// Kept returns the epoch whose encoder was kept.
func (r *EncoderResult) Kept() Epoch {
	if r.Best > 0 {
		return r.History[r.Best-1]
	}
	return r.History[len(r.History)-1]
}

// EndedEarly tells whether the training ended before its last epoch, since the
// plan's patience did.
func (r *EncoderResult) EndedEarly() bool { return len(r.History) < r.Plan.Optimiser.Epochs }

// Provenance is what a model's card says of where the model is from.
type Provenance struct {
	Base  string   // what the training started from
	Data  string   // what it was trained on
	Notes []string // what had to be assumed of the base
}

// Save writes the encoder as a folder that transformers and sentence-transformers
// load, the plan and the history of losses in it, and removes the training's
// checkpoint.
func (r *EncoderResult) Save(path string, p Provenance) error {
	dir, err := durable.CreateDir(path, PlanFile)
	if err != nil {
		return err
	}
	defer dir.Discard()
	writing, err := r.writing(p)
	if err != nil {
		return err
	}
	if err := checkpoint.WriteFiles(dir.Path(), writing); err != nil {
		return err
	}
	if err := r.writeRecord(dir.Path()); err != nil {
		return err
	}
	if err := model.SealSplade(dir.Path(), model.Splade{
		Query:   model.SpladeQuery{Budget: r.Plan.Context},
		Passage: model.SpladePassage{Tokens: r.Plan.Encoder.PassageTokens},
	}); err != nil {
		return err
	}
	if err := dir.Commit(); err != nil {
		return err
	}
	return r.keeper.remove()
}

// writing returns what the folder is written of.
func (r *EncoderResult) writing(p Provenance) (checkpoint.Writing, error) {
	var plan bytes.Buffer
	if err := r.Plan.Write(&plan); err != nil {
		return checkpoint.Writing{}, err
	}
	w := checkpoint.Writing{
		Passage: r.part(r.Passage),
		Card: checkpoint.Card{
			Title: "SPLADE", Summary: "Sparse vectors of queries and passages over the whole vocabulary, one encoder for both.",
			Base: p.Base, Data: p.Data, Plan: plan.String(), Seed: r.Plan.Seed, Notes: p.Notes,
		},
	}
	if r.Query != r.Passage {
		query := r.part(r.Query)
		w.Query, w.Card.Summary = &query, "Sparse vectors of queries and passages over the whole vocabulary, an encoder for each."
	}
	if v := r.Kept().Validation; v != nil {
		for _, result := range []checkpoint.Result{
			{Measure: "RR in the pool", Value: v.RR},
			{Measure: "R@10 in the pool", Value: v.Recall},
			{Measure: "terms of a query", Value: v.L0},
			{Measure: "terms of a passage", Value: v.PassageL0},
		} {
			result.Collection = "held-out queries"
			w.Card.Results = append(w.Card.Results, result)
		}
	}
	return w, nil
}

// part returns a network with the settings of what it started from.
func (r *EncoderResult) part(net *bert.Network) checkpoint.Part {
	return checkpoint.Part{
		Config: r.start.Config, Vocabulary: r.start.Vocabulary, Parameters: net.Parameters(),
		MaxQuery: r.start.MaxQuery, MaxPassage: r.start.MaxPassage,
	}
}

// writeRecord writes the plan and the history of losses into dir.
func (r *EncoderResult) writeRecord(dir string) error {
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
