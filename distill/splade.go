package distill

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"parley/dialog"
	"parley/internal/bert"
	"parley/internal/checkpoint"
	"parley/internal/f32"
	"parley/internal/input"
	"parley/internal/model"
	"parley/internal/wordpiece"
	"parley/sparse"
)

// origin is what a splade student starts from.
type origin struct {
	net       *bert.Network
	sequencer *input.Sequencer
	config    bert.Config // of the checkpoint, with its own dropout
	longest   int         // tokens of the longest context that the checkpoint reads
	notes     []string    // what had to be assumed
}

// openOrigin opens the query encoder of the checkpoint that p starts from, whose
// vocabulary must be v.
func openOrigin(p Plan, v *wordpiece.Vocabulary) (*origin, error) {
	if p.Student.From == "" {
		return nil, errors.New("student.from must name the folder of the checkpoint that a splade student starts from")
	}
	folder, err := checkpoint.Open(p.Student.From)
	if err != nil {
		return nil, err
	}
	o, err := newOrigin(p, v, folder.Query)
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	o.notes = folder.Notes
	return o, folder.Close()
}

func newOrigin(p Plan, v *wordpiece.Vocabulary, side *checkpoint.Side) (*origin, error) {
	switch {
	case side.Static != nil:
		return nil, fmt.Errorf("%s encodes queries without a network, so that there is nothing to train: start from another checkpoint", side.Path)
	case side.Vocabulary.Fingerprint() != v.Fingerprint():
		return nil, fmt.Errorf("%s has another vocabulary than the index: index the passages with it (parley index --encoder %s), or start from a checkpoint over the vocabulary of the index", side.Path, side.Path)
	case p.Context.Total > side.MaxQuery:
		return nil, fmt.Errorf("context.tokens is %d, and %s reads %d at most: set it to that or less in the plan", p.Context.Total, side.Path, side.MaxQuery)
	}
	o := &origin{config: side.Config, longest: side.MaxQuery}
	config := side.Config
	config.Dropout, config.AttentionDropout = float32(p.Optimiser.Dropout), float32(p.Optimiser.Dropout)
	var err error
	if o.net, err = bert.Load(config, side.Source()); err != nil {
		return nil, err
	}
	o.sequencer, err = input.NewSequencer(wordpiece.New(v), p.Context, 0)
	return o, err
}

// read reads a context as the student does.
func (o *origin) read(c dialog.Context) input.Context {
	return input.Context{IDs: o.sequencer.AppendContext(nil, c)}
}

// spladeStudent is a transformer whose head weighs all terms of the vocabulary.
type spladeStudent struct {
	from  *origin
	net   *bert.Network
	tape  *bert.Tape
	batch bert.Batch
	seeds []uint64 // [B]
}

func newSpladeStudent(from *origin, workers int, recompute bool) *spladeStudent {
	return &spladeStudent{from: from, net: from.net, tape: from.net.NewTape(workers, bert.TapeOptions{Recompute: recompute})}
}

func (s *spladeStudent) Parameters() []*f32.Parameter { return s.net.Parameters() }

func (s *spladeStudent) Forward(batch []Input) []sparse.Vector {
	s.batch.Reset()
	s.seeds = s.seeds[:0]
	for _, in := range batch {
		s.batch.Add(in.Context.IDs)
		if in.Seed != 0 {
			s.seeds = append(s.seeds, in.Seed)
		}
	}
	if len(s.seeds) < len(batch) {
		return s.tape.Forward(s.batch, nil)
	}
	return s.tape.Forward(s.batch, s.seeds)
}

func (s *spladeStudent) Backward(gradients [][]float32) { s.tape.Backward(gradients) }

func (s *spladeStudent) Close() { s.tape.Close() }

// Save writes a checkpoint that transformers and sentence-transformers load, too.
func (s *spladeStudent) Save(dir string, r *Result) error {
	part := checkpoint.Part{
		Config: s.from.config, Vocabulary: s.from.sequencer.Tokenizer().Vocabulary(), Parameters: s.net.Parameters(),
		MaxQuery: s.from.longest, MaxPassage: s.from.longest,
	}
	if err := checkpoint.WriteFiles(dir, checkpoint.Writing{Passage: part, Card: r.card()}); err != nil {
		return err
	}
	return model.SealSplade(dir, model.Splade{Query: model.SpladeQuery{SpladeSide: model.SpladeSide{Rule: r.keep}, Budget: s.from.sequencer.Budget()}})
}

// card says what the student is, what it was made of, and how good it was.
func (r *Result) card() checkpoint.Card {
	var plan strings.Builder
	_ = r.Plan.Write(&plan) // a builder takes every write
	return checkpoint.Card{
		Title: "A query encoder for conversations",
		Summary: "It reads a conversation, newest question first, and gives the sparse vector that its last question is searched with. " +
			"It was distilled from rewrites: passages, whose vectors were frozen, are to be ranked as the rewrites rank them. " +
			"Passages are encoded by the encoder of the index that it was trained on.",
		Base: filepath.Base(r.Plan.Student.From),
		Data: fmt.Sprintf("%s. %d turns of %d conversations were trained on, %d held out; the rewrites are by %s.",
			r.data, r.Counts.Training, r.Counts.Conversations, r.Counts.Validation, strings.Join(r.Plan.Teacher.Rewriters, ", ")),
		Plan: plan.String(), Seed: r.Plan.Seed, Results: r.measured(), Notes: r.Notes,
	}
}

// measured returns what the kept epoch was measured at.
func (r *Result) measured() []checkpoint.Result {
	kept := r.Kept()
	on := "training turns"
	if kept.Validation != nil {
		kept, on = *kept.Validation, "held-out turns"
	}
	results := []checkpoint.Result{{Collection: on, Measure: "loss", Value: kept.Loss}}
	if m := kept.Measured; m != nil && m.Measure != MeasureLoss {
		results = append(results, checkpoint.Result{Collection: fmt.Sprintf("%d %s", m.Turns, on), Measure: m.Measure, Value: m.Value})
	}
	for _, l := range kept.Terms {
		results = append(results, checkpoint.Result{Collection: on, Measure: l.Term, Value: l.Value})
	}
	return append(results,
		checkpoint.Result{Collection: on, Measure: "L0", Value: kept.L0},
		checkpoint.Result{Collection: on, Measure: "FLOPS", Value: kept.FLOPS})
}
