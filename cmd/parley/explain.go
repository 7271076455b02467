package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"parley/collection"
	"parley/dialog"
	"parley/encoder"
	"parley/index"
	"parley/internal/table"
	"parley/search"
	"parley/sparse"
)

// explaining says what is explained.
type explaining struct {
	encoder    string
	index      string
	id         string // of a passage of the index
	passage    bool
	title      string
	collection string
	turn       string
	mode       string
	top        int
	json       bool
}

func newExplainCommand(io streams) *cobra.Command {
	var o explaining
	cmd := &cobra.Command{
		Use:   "explain [TEXT] --encoder MODEL",
		Short: "Show the terms and weights of a text, and where they come from",
		Long: `Shows what an encoder makes of a text: its terms and their weights, heaviest
first, and for each the token of the text that it owes its weight to. For a
transformer that is the token at which the term's logit is highest, for the other
encoders an occurrence of the term itself.

The text is a question, a turn of a collection's conversation with its history
(--collection and --turn), or a passage (--passage). With --id, the passage of
an index is explained instead: what each term that it shares with the query adds
to its score, as parley search computes it.

MODEL is the folder of a model, or an index, whose encoder is taken. With
--index alone, the index's own encoder is asked.`,
		Example: `  parley explain "who won the cup?" --encoder splade
  parley explain "The robin is a small bird." --passage --title Robin --encoder splade
  parley explain --collection data/mine --turn 12_3 --encoder student --index mine.index
  parley explain "who won the cup?" --index mine.index --id p17`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			mode, err := o.check(args)
			if err != nil {
				return err
			}
			return o.run(io, args, mode)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.encoder, "encoder", "", "folder of the model, or of an index (default: the encoder of --index)")
	flags.StringVar(&o.index, "index", "", "folder of the index that is searched")
	flags.StringVar(&o.id, "id", "", "id of a passage of the index: explain its score")
	flags.BoolVar(&o.passage, "passage", false, "TEXT is a passage, not a question")
	flags.StringVar(&o.title, "title", "", "title of the passage")
	flags.StringVar(&o.collection, "collection", "", "folder of the collection that has the turn")
	flags.StringVar(&o.turn, "turn", "", "id of a turn, in place of TEXT")
	flags.StringVar(&o.mode, "query", "history", "what is asked of the turn: last, questions, history, rewrite or rewrite:NAME")
	flags.IntVar(&o.top, "top", 25, "show so many terms, the heaviest (0 for all)")
	flags.BoolVar(&o.json, "json", false, "write JSON for programs, with all terms")
	return cmd
}

func (o *explaining) check(args []string) (dialog.Mode, error) {
	mode, err := dialog.ParseMode(o.mode)
	switch {
	case err != nil:
		return mode, usagef("--query: %w", err)
	case o.encoder == "" && o.index == "":
		return mode, usagef("--encoder or --index says what encodes")
	case (len(args) == 0) == (o.turn == ""):
		return mode, usagef("write a text, or name a turn with --collection and --turn")
	case (o.turn == "") != (o.collection == ""):
		return mode, usagef("--collection and --turn go together")
	case o.id != "" && o.index == "":
		return mode, usagef("--id is for a passage of --index")
	case o.passage && (o.id != "" || o.turn != ""):
		return mode, usagef("--passage explains a text by itself, without --id and --turn")
	case o.title != "" && !o.passage:
		return mode, usagef("--title is for --passage")
	case o.top < 0:
		return mode, usagef("--top %d: it cannot be negative", o.top)
	}
	return mode, nil
}

func (o *explaining) run(io streams, args []string, mode dialog.Mode) error {
	if err := resolveModels(&o.encoder); err != nil {
		return err
	}
	var stats encoder.Statistics
	var ix *index.Index
	if path := o.searched(); path != "" {
		var err error
		if ix, err = index.Open(path); err != nil {
			return err
		}
		defer ix.Close()
		stats = ix
	}
	enc, err := o.open(ix, stats)
	if err != nil {
		return err
	}
	if o.passage {
		p, ok := enc.(encoder.PassageEncoder)
		if !ok {
			return fmt.Errorf("%s: an encoder of kind %s encodes queries only: leave --passage out", o.encoder, enc.Kind())
		}
		return o.write(io, enc, p.ExplainPassage(o.title, args[0]))
	}
	context, err := o.context(args, mode)
	if err != nil {
		return err
	}
	if o.id != "" {
		return o.writeScore(io, enc, ix, enc.Query(context))
	}
	return o.write(io, enc, enc.ExplainQuery(context))
}

// searched returns the index that says how rare terms are, "" for none.
func (o *explaining) searched() string {
	if o.index == "" && isIndex(o.encoder) {
		return o.encoder
	}
	return o.index
}

// open opens the encoder, for the index if there is one.
func (o *explaining) open(ix *index.Index, stats encoder.Statistics) (encoder.Encoder, error) {
	if ix == nil {
		return encoder.Open(o.encoder, stats)
	}
	return openEncoder(o.encoder, ix)
}

// context returns the question, or the turn's context.
func (o *explaining) context(args []string, mode dialog.Mode) (dialog.Context, error) {
	if o.turn == "" {
		return dialog.Context{{Role: dialog.Question, Text: args[0]}}, nil
	}
	c, err := collection.Open(o.collection)
	if err != nil {
		return nil, err
	}
	for conversation, err := range c.Conversations() {
		if err != nil {
			return nil, err
		}
		for i, turn := range conversation.Turns {
			if turn.ID != o.turn {
				continue
			}
			context, ok := mode.Context(conversation, i)
			if !ok {
				return nil, fmt.Errorf("%s: the turn %q has no %s: ask for another --query", o.collection, o.turn, mode)
			}
			return context, nil
		}
	}
	return nil, fmt.Errorf("%s has no turn %q: turns.jsonl lists their ids", o.collection, o.turn)
}

// explained is the JSON of an explanation.
type explained struct {
	Kind   string          `json:"kind"`
	Tokens []string        `json:"tokens"`
	L0     int             `json:"l0"`
	L1     float64         `json:"l1"`
	Terms  []explainedTerm `json:"terms"`
}

// explainedTerm is a term, its weight, and the token that it owes it to.
type explainedTerm struct {
	Term   string  `json:"term"`
	ID     uint32  `json:"id"`
	Weight float32 `json:"weight"`
	From   string  `json:"from"`
	Place  int32   `json:"place"` // of that token, from 0
}

// write shows an explanation.
func (o *explaining) write(io streams, enc encoder.Encoder, e encoder.Explanation) error {
	v := enc.Vocabulary()
	out := explained{Kind: enc.Kind(), Tokens: []string{}, L0: e.Vector.Len(), L1: e.Vector.L1(), Terms: []explainedTerm{}}
	for _, id := range e.Tokens {
		out.Tokens = append(out.Tokens, v.Token(id))
	}
	places := map[uint32]int32{}
	for i, term := range e.Vector.Terms {
		places[term] = e.Places[i]
	}
	for _, entry := range e.Vector.Ranked() {
		place := places[entry.Term]
		out.Terms = append(out.Terms, explainedTerm{v.Token(entry.Term), entry.Term, entry.Weight, out.Tokens[place], place})
	}
	if o.json {
		return writeJSON(io, out)
	}
	t := table.New("", "term", "weight", "from", "place")
	for _, term := range out.Terms[:o.shown(len(out.Terms))] {
		t.Row(table.Text(term.Term), table.Float(float64(term.Weight), 4), table.Text(term.From), table.Int(term.Place))
	}
	t.Note(fmt.Sprintf("%s, %s, L1 %.2f, of %s", out.Kind, count(out.L0, "term"), out.L1, count(len(out.Tokens), "token")))
	return t.Write(io.out, tableFormat(io.out))
}

// shown returns how many of n rows are shown.
func (o *explaining) shown(n int) int {
	if o.top == 0 {
		return n
	}
	return min(n, o.top)
}

// explainedScore is the JSON of a passage's score.
type explainedScore struct {
	Passage string           `json:"passage"`
	Score   float64          `json:"score"`
	Terms   []explainedShare `json:"terms"`
}

// explainedShare is what a term adds to a score.
type explainedShare struct {
	Term    string  `json:"term"`
	ID      uint32  `json:"id"`
	Query   float64 `json:"query"`   // its weight in the query, as search rounds it
	Passage float64 `json:"passage"` // and in the passage
	Score   float64 `json:"score"`
}

// writeScore shows what makes up the score of a passage.
func (o *explaining) writeScore(io streams, enc encoder.Encoder, ix *index.Index, q sparse.Vector) error {
	i, ok := ix.Lookup(o.id)
	if !ok {
		return fmt.Errorf("the index %s has no passage %q", ix.Path(), o.id)
	}
	step := q.Quantise().Step
	out := explainedScore{Passage: o.id, Terms: []explainedShare{}}
	for _, c := range search.New(ix, search.Options{Workers: 1}).Explain(q, i) {
		out.Score += c.Score
		out.Terms = append(out.Terms, explainedShare{
			enc.Vocabulary().Token(c.Term), c.Term, float64(c.Weight) * step, float64(float32(c.Impact) * ix.Scale()), c.Score,
		})
	}
	if o.json {
		return writeJSON(io, out)
	}
	t := table.New("", "term", "query", "passage", "adds")
	for _, share := range out.Terms[:o.shown(len(out.Terms))] {
		t.Row(table.Text(share.Term), table.Float(share.Query, 4), table.Float(share.Passage, 4), table.Float(share.Score, 4))
	}
	t.Note(fmt.Sprintf("passage %s: score %.4f of %s", o.id, out.Score, count(len(out.Terms), "shared term")))
	return t.Write(io.out, tableFormat(io.out))
}

func writeJSON(io streams, v any) error {
	e := json.NewEncoder(io.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
