package encoder

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"

	"parley/dialog"
	"parley/internal/bert"
	"parley/internal/checkpoint"
	"parley/internal/input"
	"parley/internal/model"
	"parley/internal/prune"
	"parley/internal/wordpiece"
	"parley/sparse"
)

// splade is the encoder of a transformer: the logits of its masked-language-model
// head at all tokens, saturated and pooled, are the weights of the whole
// vocabulary's terms (Formal et al., SPLADE, 2021). Queries may do without the
// network.
type splade struct {
	checkpoints *model.Checkpoints
	settings    model.Splade // in effect
	sequencer   *input.Sequencer
	query       weigher
	passages    *network
	stats       Statistics // of the searched index
}

// weigher makes a vector of a sequence of tokens.
type weigher interface {
	// weigh returns the vector of ids and, where origins is true, for each term
	// the place of the token that it owes its weight to.
	weigh(ids []uint32, origins bool) (v sparse.Vector, places []int32)
}

func openSplade(dir string, stats Statistics, o Options) (_ Encoder, err error) {
	queries := o.Queries
	if queries == IDF {
		queries = ""
	}
	c, err := model.OpenSplade(dir, queries)
	if err != nil {
		return nil, err
	}
	s := &splade{checkpoints: c}
	if err := s.open(stats, o); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return s, nil
}

func (s *splade) open(stats Statistics, o Options) error {
	var err error
	if s.settings, err = resolve(s.checkpoints, o); err != nil {
		return err
	}
	s.stats = stats
	tokenizer := wordpiece.New(s.checkpoints.Query.Vocabulary)
	if s.sequencer, err = input.NewSequencer(tokenizer, s.settings.Query.Budget, s.settings.Passage.Tokens); err != nil {
		return err
	}
	if s.passages, err = newNetwork(s.checkpoints.Passage); err != nil {
		return err
	}
	s.query, err = s.openQuery(stats)
	return err
}

// openQuery returns what weighs the tokens of queries.
func (s *splade) openQuery(stats Statistics) (weigher, error) {
	side, special := s.checkpoints.Query, specialTokens(s.checkpoints.Query.Vocabulary)
	switch {
	case s.settings.Query.ValuePerCost > 0 && stats == nil:
		return nil, fmt.Errorf("its queries are pruned by what their terms cost in the index that is searched: name an index")
	case s.settings.Query.Weights == model.IDF && stats == nil:
		return nil, fmt.Errorf("its queries weigh terms by how rare they are in the index that is searched: name an index")
	case s.settings.Query.Weights == model.IDF:
		return bag{special, func(term uint32) float32 { return idfWeight(stats, term) }}, nil
	case side.Static != nil:
		return bag{special, func(term uint32) float32 { return side.Static[term] }}, nil
	case side == s.checkpoints.Passage:
		return s.passages, nil
	}
	return newNetwork(side)
}

// resolve returns the settings in effect: the folder's, its defaults filled in,
// changed as o says.
func resolve(c *model.Checkpoints, o Options) (model.Splade, error) {
	s := c.Settings
	if o.Queries == IDF {
		s.Query.Weights = model.IDF
	}
	query, passage := &s.Query, &s.Passage
	if o.Query.Tokens != 0 {
		query.Budget.Total = o.Query.Tokens
	}
	if query.Budget.Total == 0 {
		query.Budget.Total = min(dialog.DefaultTokens, c.Query.MaxQuery)
	}
	query.Budget = query.Budget.Resolved()
	if o.Passage.Tokens != 0 {
		passage.Tokens = o.Passage.Tokens
	}
	var err error
	if query.Rule, err = o.Query.rule(query.Rule); err != nil {
		return s, err
	}
	if passage.Rule, err = o.Passage.rule(passage.Rule); err != nil {
		return s, err
	}
	if passage.ValuePerCost > 0 {
		return s, fmt.Errorf("passages cannot be pruned by value per cost: what a term costs is known once they are indexed")
	}
	if passage.Tokens == 0 {
		passage.Tokens = min(input.DefaultPassageTokens, c.Passage.MaxPassage)
	}
	if passage.Tokens < 0 {
		passage.Tokens = c.Passage.Config.Positions
	}
	if query.Budget.Total < 0 && runs(s, c.Query) {
		query.Budget.Total = c.Query.Config.Positions
	}
	if most := c.Query.Config.Positions; query.Budget.Total > most && runs(s, c.Query) {
		return s, fmt.Errorf("queries of %d tokens are longer than the %d that the model can read: allow fewer", query.Budget.Total, most)
	}
	if most := c.Passage.Config.Positions; passage.Tokens > most {
		return s, fmt.Errorf("passages of %d tokens are longer than the %d that the model can read: allow fewer", passage.Tokens, most)
	}
	return s, nil
}

// runs tells whether queries need the network.
func runs(s model.Splade, query *checkpoint.Side) bool {
	return s.Query.Weights == "" && query.Static == nil
}

// specialTokens returns which tokens only frame texts.
func specialTokens(v *wordpiece.Vocabulary) map[uint32]bool {
	special := map[uint32]bool{}
	for _, token := range []string{wordpiece.Padding, wordpiece.Start, wordpiece.Separator, wordpiece.Masked} {
		if id, ok := v.ID(token); ok {
			special[id] = true
		}
	}
	return special
}

// idfWeight returns ln(1 + (N − df + ½)/(df + ½)), as BM25 has it; a term that no
// passage has finds nothing and weighs nothing.
func idfWeight(stats Statistics, term uint32) float32 {
	df := float64(stats.DF(term))
	if df <= 0 {
		return 0
	}
	return float32(math.Log1p((float64(stats.N()) - df + .5) / (df + .5)))
}

// bag weighs the distinct tokens of a query by a table.
type bag struct {
	special map[uint32]bool
	weight  func(term uint32) float32
}

func (b bag) weigh(ids []uint32, _ bool) (sparse.Vector, []int32) {
	first := make(map[uint32]int32, len(ids))
	weights := make(map[uint32]float32, len(ids))
	for place, id := range ids {
		if _, seen := first[id]; !seen && !b.special[id] {
			first[id], weights[id] = int32(place), b.weight(id)
		}
	}
	v := sparse.FromMap(weights)
	places := make([]int32, v.Len())
	for i, term := range v.Terms {
		places[i] = first[term]
	}
	return v, places
}

// network is a transformer ready to encode.
type network struct {
	inference *bert.Inference
	sessions  chan *bert.Session // those not in use
	begun     chan struct{}      // one for each session there is
}

func newNetwork(side *checkpoint.Side) (*network, error) {
	if side.Static != nil {
		return nil, fmt.Errorf("its passages would need a network, and it has weights of terms only: name a model that encodes passages")
	}
	inference, err := bert.NewInference(side.Config, side.Source())
	if err != nil {
		return nil, err
	}
	most := runtime.GOMAXPROCS(0)
	return &network{inference, make(chan *bert.Session, most), make(chan struct{}, most)}, nil
}

// take returns a session, which give takes back. There are no more of them than
// processors: more would only take memory.
func (n *network) take() *bert.Session {
	select {
	case s := <-n.sessions:
		return s
	default:
	}
	select {
	case s := <-n.sessions:
		return s
	case n.begun <- struct{}{}:
		return n.inference.Session()
	}
}

func (n *network) give(s *bert.Session) { n.sessions <- s }

func (n *network) weigh(ids []uint32, origins bool) (v sparse.Vector, places []int32) {
	s := n.take()
	defer n.give(s)
	if origins {
		return s.Explain(ids)
	}
	v = s.Encode(bert.Batch{IDs: ids, Ends: []int{len(ids)}})[0]
	return sparse.Vector{Terms: slices.Clone(v.Terms), Weights: slices.Clone(v.Weights)}, nil
}

// Kind returns splade.
func (s *splade) Kind() string { return model.KindSplade }

// Vocabulary returns the vocabulary of the vectors' terms.
func (s *splade) Vocabulary() *wordpiece.Vocabulary { return s.sequencer.Tokenizer().Vocabulary() }

// Identity is a checksum over the queries' checkpoint and settings.
func (s *splade) Identity() string {
	settings := s.settings.Query
	settings.Folder = ""
	return identity(settings, s.checkpoints.QuerySums())
}

// PassageIdentity is a checksum over the passages' checkpoint and settings.
func (s *splade) PassageIdentity() string {
	settings := s.settings.Passage
	settings.Folder = ""
	return identity(settings, s.checkpoints.PassageSums())
}

// identity returns a checksum over settings and the checksums of files.
func identity(settings any, sums []string) string {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(settings); err != nil {
		panic(fmt.Sprintf("encoder: %v", err)) // settings have no values that JSON has not: they were read from it, or checked
	}
	for _, sum := range sums {
		fmt.Fprintln(h, sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Describe names the model and what its passages are cut to.
func (s *splade) Describe() string {
	c, p := s.checkpoints.Passage.Config, s.settings.Passage
	text := fmt.Sprintf("%s %s %d×%d %s %s tokens=%d", s.Kind(), c.Family, c.Layers, c.Hidden, c.Head.Pooling, c.Head.Saturation, p.Tokens)
	if p.Rule != (prune.Rule{}) {
		text += " " + p.Rule.String()
	}
	return text
}

// Notes say what had to be assumed of the checkpoints.
func (s *splade) Notes() []string { return s.checkpoints.Notes }

// Close releases the weights; the encoder may not be used afterwards.
func (s *splade) Close() error { return s.checkpoints.Close() }

// Query returns the vector of a context.
func (s *splade) Query(c dialog.Context) sparse.Vector {
	v, _ := s.query.weigh(s.sequencer.AppendContext(nil, c), false)
	return s.settings.Query.Apply(v, s.stats)
}

// Passage returns the vector of a passage.
func (s *splade) Passage(title, text string) sparse.Vector {
	v, _ := s.passages.weigh(s.sequencer.AppendPassage(nil, title, text), false)
	return s.settings.Passage.Apply(v, nil)
}

// batchTokens is the number of tokens that are encoded at once where several
// passages are: enough for products of matrices to run at full speed, and few
// enough for their rows to stay in the cache.
const batchTokens = 2048

// Passages returns the vectors of passages, in batches of about batchTokens.
func (s *splade) Passages(passages []Passage) []sparse.Vector {
	session := s.passages.take()
	defer s.passages.give(session)
	all := make([]sparse.Vector, 0, len(passages))
	var batch bert.Batch
	flush := func() {
		for _, v := range session.Encode(batch) {
			all = append(all, s.settings.Passage.Apply(v, nil))
		}
		batch.Reset()
	}
	for _, p := range passages {
		before := len(batch.IDs)
		batch.IDs = s.sequencer.AppendPassage(batch.IDs, p.Title, p.Text)
		if before > 0 && len(batch.IDs) > batchTokens {
			last := slices.Clone(batch.IDs[before:])
			batch.IDs = batch.IDs[:before]
			flush()
			batch.IDs = append(batch.IDs, last...)
		}
		batch.Ends = append(batch.Ends, len(batch.IDs))
	}
	if len(batch.Ends) > 0 {
		flush()
	}
	return all
}

// ExplainQuery returns how Query comes about.
func (s *splade) ExplainQuery(c dialog.Context) Explanation {
	return explain(s.query, s.sequencer.AppendContext(nil, c), s.settings.Query.Rule, s.stats)
}

// ExplainPassage returns how Passage comes about.
func (s *splade) ExplainPassage(title, text string) Explanation {
	return explain(s.passages, s.sequencer.AppendPassage(nil, title, text), s.settings.Passage.Rule, nil)
}

func explain(w weigher, ids []uint32, keep prune.Rule, stats Statistics) Explanation {
	v, places := w.weigh(ids, true)
	return pruned(Explanation{Tokens: ids, Vector: v, Places: places}, keep, stats)
}

// Save copies the checkpoints into dir with the settings in effect.
func (s *splade) Save(dir string) error { return s.checkpoints.Copy(dir, s.settings) }
