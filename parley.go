// Package parley answers the last turn of a conversation from an index: it
// joins an encoder, which weighs the terms of the conversation, and the search
// over the index.
//
// Its guarantee: an Engine finds exactly what the command parley search finds
// for the same conversation, index and model, and may be used by any number of
// goroutines at once.
//
// It indexes nothing, trains nothing and keeps no conversations: the caller
// hands over the whole conversation each time.
package parley

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"parley/dialog"
	"parley/encoder"
	"parley/index"
	"parley/search"
	"parley/sparse"
)

// ErrClosed is returned by an Engine after Close.
var ErrClosed = errors.New("the engine is closed")

// Engine answers conversations from an index. Make it with Open.
type Engine struct {
	mu       sync.RWMutex // held for reading while the index is in use
	closed   bool
	index    *index.Index
	encoder  encoder.Encoder
	searcher *search.Searcher
}

// Hit is a passage found for a conversation.
type Hit struct {
	ID, Title, Text string
	Score           float64 // about the inner product of query and passage; comparable within one answer
}

// Term is a term of a query with its weight.
type Term struct {
	Token  string // a WordPiece: within a word it starts with ##
	Weight float64
}

// Contribution is what one term adds to the score of a passage.
type Contribution struct {
	Token string
	Query float64 // its weight in the query, as search uses it
	Score float64 // what it adds: Query times its weight in the passage
}

// Open opens the index in the folder indexDir, and the model in the folder
// modelDir to encode conversations with. An empty modelDir stands for what
// encoded the passages of the index. The two must share a vocabulary.
func Open(indexDir, modelDir string) (*Engine, error) {
	ix, err := index.Open(indexDir)
	if err != nil {
		return nil, err
	}
	e, err := join(ix, modelDir)
	if err != nil {
		return nil, errors.Join(err, ix.Close())
	}
	return e, nil
}

func join(ix *index.Index, modelDir string) (*Engine, error) {
	if modelDir == "" {
		modelDir = ix.EncoderPath()
	}
	enc, err := encoder.Open(modelDir, ix)
	if err != nil {
		return nil, err
	}
	if enc.Vocabulary().Fingerprint() != ix.Fingerprint() {
		return nil, fmt.Errorf("the model %s has another vocabulary than the index %s: use a model trained over this index", modelDir, ix.Path())
	}
	return &Engine{index: ix, encoder: enc, searcher: search.New(ix, search.Options{})}, nil
}

// Close releases the index, once the calls under way have ended. Later calls
// return ErrClosed.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	e.closed = true
	if c, ok := e.encoder.(io.Closer); ok {
		return errors.Join(c.Close(), e.index.Close())
	}
	return e.index.Close()
}

// Search returns the k best passages for the last turn of c, best first and
// ties in the order of the index: fewer only where fewer share a term with the
// query. The last turn's own answer is not looked at, nor are ids and rewrites.
func (e *Engine) Search(ctx context.Context, c dialog.Conversation, k int) ([]Hit, error) {
	if k < 1 {
		return nil, fmt.Errorf("cannot search for %d passages: ask for at least 1", k)
	}
	var hits []Hit
	err := e.query(ctx, c, func(q sparse.Vector) {
		for _, h := range e.searcher.Search(q, k, nil) {
			p := e.index.Passage(h.Passage)
			hits = append(hits, Hit{p.ID, p.Title, p.Text, h.Score})
		}
	})
	return hits, err
}

// Query returns what is searched for the last turn of c: the terms of the
// query, heaviest first and ties to the lower term id.
func (e *Engine) Query(ctx context.Context, c dialog.Conversation) ([]Term, error) {
	var terms []Term
	err := e.query(ctx, c, func(q sparse.Vector) {
		for _, entry := range q.Ranked() {
			terms = append(terms, Term{e.encoder.Vocabulary().Token(entry.Term), float64(entry.Weight)})
		}
	})
	return terms, err
}

// Explain returns what makes up the score of the passage with the given id for
// the last turn of c: the terms that they share, largest share first. The
// scores add up to the Score of the passage's Hit, but for rounding.
func (e *Engine) Explain(ctx context.Context, c dialog.Conversation, passage string) ([]Contribution, error) {
	var shares []Contribution
	var missing error
	err := e.query(ctx, c, func(q sparse.Vector) {
		i, ok := e.index.Lookup(passage)
		if !ok {
			missing = fmt.Errorf("the index %s has no passage %q", e.index.Path(), passage)
			return
		}
		step := q.Quantise().Step
		for _, share := range e.searcher.Explain(q, i) {
			token := e.encoder.Vocabulary().Token(share.Term)
			shares = append(shares, Contribution{token, float64(share.Weight) * step, share.Score})
		}
	})
	return shares, cmp.Or(err, missing)
}

// query encodes the last turn of c and, unless the caller has given up or the
// engine is closed, hands the vector to use while the index stays open.
func (e *Engine) query(ctx context.Context, c dialog.Conversation, use func(q sparse.Vector)) error {
	if len(c.Turns) == 0 {
		return errors.New("the conversation has no turns: there is nothing to answer")
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	q := e.encoder.Query(c.History(len(c.Turns) - 1))
	if err := ctx.Err(); err != nil {
		return err
	}
	use(q)
	return nil
}
