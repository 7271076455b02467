package distill

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"

	"parley/dialog"
	"parley/internal/input"
	"parley/trec"
)

// PairsData are what an encoder of queries and passages is trained on.
type PairsData struct {
	Conversations []dialog.Conversation
	Qrels         trec.Qrels // what is relevant, from grade 1 on
	// Run is what some system found for the turns: where given negatives come
	// from, and the teacher's scores. It may be nil.
	Run trec.Run
	// Passages are all passages, each id once. They are read once; of their texts
	// those stay in memory that training needs.
	Passages iter.Seq2[PassageText, error]
}

// PassageText is a passage as it is read.
type PassageText struct{ ID, Title, Text string }

// PairsCounts tell what became of the turns and passages.
type PairsCounts struct {
	Turns         int `json:"turns"`         // all
	NoQuery       int `json:"no_query"`      // skipped: asked in none of the plan's ways
	NoPositive    int `json:"no_positive"`   // skipped: no relevant passage is known
	Unscored      int `json:"unscored"`      // the run lacks a relevant passage; skipped where only the teacher's scores teach
	NoNegatives   int `json:"no_negatives"`  // kept, though the run has no other passage
	Training      int `json:"training"`      // trained on
	Validation    int `json:"validation"`    // held out, and looked at after each epoch
	Conversations int `json:"conversations"` // of those two kinds of turns
	Passages      int `json:"passages"`      // all
	Pseudo        int `json:"pseudo"`        // passages of which pseudo-queries are made
}

// pairedQuery is a turn made ready for training.
type pairedQuery struct {
	conversation string
	topic        string
	seed         uint64     // tells its random numbers from those of other queries
	texts        [][]uint32 // the ways in which it is asked, as sequences
	positives    []graded   // relevant passages, by number
	negatives    []graded   // of the run's head, the best first; none of them relevant
	scores       []graded   // what the run has of the passages that any query names, by number
}

// graded is a passage with the teacher's score, if it has one.
type graded struct {
	passage uint32
	scored  bool
	score   float64
}

// isRelevant tells whether a passage is relevant to the query.
func (q *pairedQuery) isRelevant(passage uint32) bool {
	_, found := lookup(q.positives, passage)
	return found
}

// lookup finds a passage in a list by number.
func lookup(list []graded, passage uint32) (g graded, found bool) {
	i, found := slices.BinarySearchFunc(list, passage, func(g graded, p uint32) int { return cmp.Compare(g.passage, p) })
	if found {
		g = list[i]
	}
	return g, found
}

// pairs are queries and passages made ready for training.
type pairs struct {
	training []pairedQuery
	held     []pairedQuery
	passages []readPassage
	pseudo   []uint32 // passages of which pseudo-queries are made
	pool     []uint32 // passages that held-out queries are told apart from, besides their own
	counts   PairsCounts
}

// readPassage is a passage as a sequence, [CLS] title text [SEP].
type readPassage struct {
	ids   []uint32
	title int // tokens of the title
}

// pairing makes pairs of data.
type pairing struct {
	data    PairsData
	plan    EncoderPlan
	reader  *input.Sequencer
	spans   *spanner
	modes   []dialog.Mode
	queries []pairedQuery
	numbers map[string]uint32 // of the passages that queries name
	names   []string          // of the passages that queries name
	topics  []string          // [names] a turn that names it
	all     pairs
}

// poolSize is how many passages, besides their own, held-out queries are told
// apart from.
const poolSize = 1000

// newPairs makes data ready. progress, if not nil, is told of each passage.
func newPairs(ctx context.Context, d PairsData, plan EncoderPlan, reader *input.Sequencer, progress func()) (*pairs, error) {
	modes, err := plan.modes()
	if err != nil {
		return nil, err
	}
	p := &pairing{data: d, plan: plan, reader: reader, modes: modes, numbers: map[string]uint32{}}
	p.spans = newSpanner(plan.Pairs.Pseudo, reader.Budget().Total, reader.Tokenizer().Vocabulary())
	for _, c := range d.Conversations {
		for i := range c.Turns {
			p.add(c, i)
		}
	}
	if err := p.read(ctx, progress); err != nil {
		return nil, err
	}
	if plan.Objective.Teaches() {
		p.score()
	}
	p.hold()
	return &p.all, p.enough()
}

// add makes turn i of c a query, if it can be one.
func (p *pairing) add(c dialog.Conversation, i int) {
	counts := &p.all.counts
	counts.Turns++
	q := pairedQuery{conversation: c.ID, seed: uint64(counts.Turns)}
	for _, mode := range p.modes {
		if ctx, ok := mode.Context(c, i); ok {
			q.texts = append(q.texts, p.reader.AppendContext(nil, ctx))
		}
	}
	if len(q.texts) == 0 {
		counts.NoQuery++
		return
	}
	topic := c.Turns[i].ID
	q.topic = topic
	hits := slices.Clone(p.data.Run[topic])
	trec.SortHits(hits)
	if !p.addPositives(&q, topic, hits) {
		return
	}
	p.addNegatives(&q, topic, hits)
	if p.plan.Pairs.Negatives > 0 && p.data.Run != nil && len(q.negatives) == 0 {
		counts.NoNegatives++
	}
	p.queries = append(p.queries, q)
}

// addPositives gives q its relevant passages, and tells whether it can be
// trained on.
func (p *pairing) addPositives(q *pairedQuery, topic string, hits []trec.Hit) bool {
	relevant := map[string]bool{}
	for passage, grade := range p.data.Qrels[topic] {
		if grade >= 1 && p.plan.Pairs.Positives == PositivesJudged {
			relevant[passage] = true
		}
	}
	if p.plan.Pairs.Positives == PositivesBest && len(hits) > 0 {
		relevant[hits[0].Passage] = true
	}
	if len(relevant) == 0 {
		p.all.counts.NoPositive++
		return false
	}
	scores := map[string]float64{}
	for _, h := range hits {
		scores[h.Passage] = h.Score
	}
	onlyTaught := !p.plan.Objective.Contrasts()
	for _, passage := range slices.Sorted(maps.Keys(relevant)) {
		score, scored := scores[passage]
		if scored || !onlyTaught {
			q.positives = append(q.positives, graded{p.number(passage, topic), scored, score})
		}
	}
	slices.SortFunc(q.positives, func(a, b graded) int { return cmp.Compare(a.passage, b.passage) })
	if p.plan.Objective.Teaches() && !slices.ContainsFunc(q.positives, func(g graded) bool { return g.scored }) {
		p.all.counts.Unscored++
	}
	return len(q.positives) > 0
}

// addNegatives gives q the passages of the run's head that are not known to be
// relevant.
func (p *pairing) addNegatives(q *pairedQuery, topic string, hits []trec.Hit) {
	if p.plan.Pairs.Negatives == 0 {
		return
	}
	for _, h := range hits[:min(len(hits), p.plan.Pairs.Depth)] {
		best := p.plan.Pairs.Positives == PositivesBest && h == hits[0]
		if p.data.Qrels[topic][h.Passage] < 1 && !best {
			q.negatives = append(q.negatives, graded{p.number(h.Passage, topic), true, h.Score})
		}
	}
}

// score gives each query the run's scores of all passages that any query names,
// which are those that it can meet in a batch.
func (p *pairing) score() {
	for i := range p.queries {
		q := &p.queries[i]
		for _, h := range p.data.Run[q.topic] {
			if n, isNamed := p.numbers[h.Passage]; isNamed {
				q.scores = append(q.scores, graded{n, true, h.Score})
			}
		}
		slices.SortFunc(q.scores, func(a, b graded) int { return cmp.Compare(a.passage, b.passage) })
	}
}

// number returns the number of the passage with the given id, which the turn
// names.
func (p *pairing) number(id, turn string) uint32 {
	n, known := p.numbers[id]
	if !known {
		n = uint32(len(p.names))
		p.numbers[id] = n
		p.names, p.topics = append(p.names, id), append(p.topics, turn)
	}
	return n
}

// read reads the passages: those that queries name, and a sample of the others
// to make pseudo-queries of and to tell held-out queries apart from.
func (p *pairing) read(ctx context.Context, progress func()) error {
	named := len(p.names)
	p.all.passages = make([]readPassage, named)
	rng := rand.New(rand.NewPCG(0x73616d706c65, 0)) // "sample"; what is held out does not depend on the seed
	for passage, err := range p.data.Passages {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		n, isNamed := p.numbers[passage.ID]
		if isNamed && p.all.passages[n].ids != nil {
			return fmt.Errorf("the passage id %q comes twice: give each passage its own id, and name each collection once", passage.ID)
		}
		if isNamed {
			p.all.passages[n] = p.sequence(passage)
		}
		p.sample(passage, n, isNamed, rng)
		if progress != nil {
			progress()
		}
	}
	for n, passage := range p.all.passages[:named] {
		if passage.ids == nil {
			return fmt.Errorf("turn %q has the passage %q in its judgements or in the run, but no collection has it: name the collections that were judged and searched", p.topics[n], p.names[n])
		}
	}
	if p.plan.Pairs.Pseudo.Each > 0 {
		p.all.pseudo = thinned(slices.Clone(p.all.pool), p.plan.Pairs.Pseudo.Passages)
		slices.Sort(p.all.pseudo)
	}
	return nil
}

// sample keeps the passage, the next one read, with such chance that in the end
// each passage was kept with the same (Vitter's algorithm R). One that queries
// name has the number n; another takes the place of the one that gives way to it.
func (p *pairing) sample(passage PassageText, n uint32, isNamed bool, rng *rand.Rand) {
	p.all.counts.Passages++
	size, at := p.sampleSize(), len(p.all.pool)
	if at == size {
		if at = rng.IntN(p.all.counts.Passages); at >= size {
			return
		}
	}
	if !isNamed {
		n = uint32(len(p.all.passages))
		if at < len(p.all.pool) && int(p.all.pool[at]) >= len(p.names) {
			n = p.all.pool[at]
		} else {
			p.all.passages = append(p.all.passages, readPassage{})
		}
		p.all.passages[n] = p.sequence(passage)
	}
	if at == len(p.all.pool) {
		p.all.pool = append(p.all.pool, n)
	} else {
		p.all.pool[at] = n
	}
}

func (p *pairing) sampleSize() int {
	if p.plan.Pairs.Pseudo.Each > 0 {
		return max(p.plan.Pairs.Pseudo.Passages, poolSize)
	}
	return poolSize
}

func (p *pairing) sequence(passage PassageText) readPassage {
	ids := p.reader.AppendPassage(nil, passage.Title, passage.Text)
	title := len(p.reader.Tokenizer().Append(nil, passage.Title))
	return readPassage{ids: ids, title: min(title, len(ids)-2)}
}

// hold chooses what is held out and what is trained on.
func (p *pairing) hold() {
	ids := make([]string, len(p.queries))
	for i := range p.queries {
		ids[i] = p.queries[i].conversation
	}
	held, conversations := heldOut(ids, p.plan.Validation.Share)
	var shown []uint32 // relevant to held-out queries
	for _, q := range p.queries {
		if !held[q.conversation] {
			p.all.training = append(p.all.training, q)
			continue
		}
		p.all.held = append(p.all.held, q)
		for _, g := range q.positives {
			shown = append(shown, g.passage)
		}
	}
	slices.Sort(shown)
	p.all.pseudo = slices.DeleteFunc(p.all.pseudo, func(n uint32) bool {
		_, found := slices.BinarySearch(shown, n)
		return found || !p.spans.can(&p.all.passages[n])
	})
	if len(p.queries) == 0 {
		p.holdPseudo()
	}
	p.all.pool, p.all.held = thinned(p.all.pool, poolSize), thinned(p.all.held, mostHeld)
	c := &p.all.counts
	c.Training, c.Validation, c.Conversations, c.Pseudo = len(p.all.training), len(p.all.held), conversations, len(p.all.pseudo)
}

// mostHeld is how many held-out queries are looked at at most: each is compared
// with the passages of all.
const mostHeld = 1000

// thinned returns at most so many of s, from all over it.
func thinned[T any](s []T, most int) []T {
	n := min(len(s), most)
	for i := range n {
		s[i] = s[i*len(s)/n]
	}
	return s[:n]
}

// holdPseudo holds out pseudo-queries where there are no other queries.
func (p *pairing) holdPseudo() {
	n := min(int(p.plan.Validation.Share*float64(len(p.all.pseudo))), mostHeld)
	rng := rand.New(rand.NewPCG(0x7370616e, uint64(len(p.all.pseudo)))) // "span"
	rng.Shuffle(len(p.all.pseudo), func(i, j int) { p.all.pseudo[i], p.all.pseudo[j] = p.all.pseudo[j], p.all.pseudo[i] })
	for i, number := range p.all.pseudo[:n] {
		passage := &p.all.passages[number]
		query, _ := p.spans.span(nil, nil, passage, rng)
		p.all.held = append(p.all.held, pairedQuery{
			seed: uint64(i), texts: [][]uint32{query}, positives: []graded{{passage: number}},
		})
	}
	p.all.pseudo = p.all.pseudo[n:]
}

// enough tells why data cannot be trained on.
func (p *pairing) enough() error {
	c := p.all.counts
	left := fmt.Sprintf("of %d turns %d are asked in none of the ways %q, and of %d no relevant passage is known",
		c.Turns, c.NoQuery, p.plan.Pairs.Queries, c.NoPositive)
	switch {
	case c.Passages == 0:
		return fmt.Errorf("there is no passage to train on: name a collection that has some")
	case c.Training+c.Pseudo == 0 && c.Validation == 0 && c.Unscored > 0:
		return fmt.Errorf("nothing can be trained on: %s, and the run has no score for any relevant passage of the other %d; search deeper, or let objective.infonce teach too", left, c.Unscored)
	case c.Training+c.Pseudo == 0 && c.Validation == 0:
		return fmt.Errorf("nothing can be trained on: %s; make queries of the passages with pairs.pseudo.each, or take pairs.positives from a run", left)
	case c.Training+c.Pseudo < 2:
		return fmt.Errorf("nothing can be told apart: there is only one query to train on, and %s", left)
	case c.Validation == 0 && p.plan.Validation.Share > 0:
		return fmt.Errorf("nothing can be held out for validation: only one conversation can be trained on; add conversations, or set validation.share to 0 in the plan to keep the last epoch")
	case p.plan.Objective.Teaches() && p.data.Run == nil:
		return fmt.Errorf("objective.margin_mse and objective.kld need a teacher's scores: give the run of a system that searched for these turns")
	}
	return nil
}
