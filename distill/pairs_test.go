package distill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"parley/dialog"
	"parley/internal/input"
	"parley/internal/wordpiece"
	"parley/trec"
)

func (w *pairWorld) trainer(t testing.TB, p EncoderPlan) *encoderTrainer {
	t.Helper()
	tr, err := newEncoderTrainer(context.Background(), w.start, w.data(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.close)
	return tr
}

// TestNoRelevantPassageIsANegative draws many batches of queries with several
// relevant passages and looks for one among the candidates that are not to be
// first; and checks that scores, teacher and candidates are of one order.
func TestNoRelevantPassageIsANegative(t *testing.T) {
	w := newPairWorld(t)
	for topic, relevant := range w.qrels {
		for id := range relevant {
			thing := strings.Fields(id)[2]
			relevant["traita of "+thing], relevant["traitb of "+thing] = 2, 0
		}
		if len(w.run[topic])%2 == 0 {
			relevant["traitc of thinga"] = 1 // relevant, and not in the run
		}
	}
	p := smallEncoderPlan()
	p.Pairs.Negatives, p.Pairs.Pseudo.Each, p.Objective.KLD, p.Objective.TeacherScale = 3, 1, divergence(1), 2
	tr := w.trainer(t, p)
	ids := make([]string, len(tr.pairs.passages)) // by number
	for _, passage := range w.passages {
		for n, read := range tr.pairs.passages {
			if slices.Equal(read.ids, tr.reader.AppendPassage(nil, passage.Title, passage.Text)) {
				ids[n] = passage.ID
			}
		}
	}
	turns := map[*pairedQuery]string{}
	for i := range tr.pairs.training {
		turns[&tr.pairs.training[i]] = w.turn(tr.pairs.training[i].seed)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		tr.stage.draw(rng.Perm(tr.items())[:16])
		if err := tr.stage.forward(context.Background(), true); err != nil {
			t.Fatal(err)
		}
		for i := range tr.stage.slots {
			slot, turn := &tr.stage.slots[i], &tr.stage.queries.Turns[i]
			candidates := tr.stage.matching.candidates[i]
			if sorted := slices.Sorted(slices.Values(candidates)); len(slices.Compact(sorted)) != len(candidates) {
				t.Fatal("a passage is a candidate twice")
			}
			if !slices.Equal(turn.Positives, []int{0}) || len(turn.Scores) != len(candidates) {
				t.Fatalf("the relevant candidate is numbers %v, of %d scores of %d candidates", turn.Positives, len(turn.Scores), len(candidates))
			}
			for c, place := range candidates {
				id := ids[tr.stage.from[place]]
				relevant := id == ids[slot.source]
				if slot.judged != nil {
					relevant = w.qrels[turns[slot.judged]][id] >= 1
				}
				if relevant != (c == 0) {
					t.Fatalf("candidate %d of turn %q is %q: relevant is %v", c, turns[slot.judged], id, relevant)
				}
				at := -1
				if slot.judged != nil && slot.positive.scored {
					at = slices.IndexFunc(w.run[turns[slot.judged]], func(h trec.Hit) bool { return h.Passage == id })
				}
				if (at >= 0) != (c < len(turn.Teacher)) {
					t.Fatalf("candidate %d of %d has the place %d in the run, and the teacher scored the first %d", c, len(candidates), at, len(turn.Teacher))
				}
				if at >= 0 && turn.Teacher[c] != 2*w.run[turns[slot.judged]][at].Score {
					t.Fatalf("the teacher's score of candidate %q is %v, want %v", id, turn.Teacher[c], 2*w.run[turns[slot.judged]][at].Score)
				}
			}
		}
	}
}

// turn returns the id of the n-th turn, from 1.
func (w *pairWorld) turn(n uint64) string {
	for _, c := range w.talk {
		if n <= uint64(len(c.Turns)) {
			return c.Turns[n-1].ID
		}
		n -= uint64(len(c.Turns))
	}
	return ""
}

// TestPairsCounts tells what becomes of each kind of turn.
func TestPairsCounts(t *testing.T) {
	w := newPairWorld(t)
	talk := []dialog.Conversation{}
	for i, rewrite := range []string{"what is known?", "", "what is the traita?", "what is the traitb?", "what is its traitc?"} {
		id := fmt.Sprint(i)
		talk = append(talk, dialog.Conversation{ID: id, Turns: []dialog.Turn{{ID: id, Conversation: id, Number: 1, Question: "what?", Rewrite: rewrite}}})
	}
	d := w.data()
	d.Conversations = talk
	// Turn 0 is judged and in the run, 1 has no rewrite, 2 no judgement, 3 a
	// relevant passage that the run lacks, 4 no negatives.
	d.Qrels = trec.Qrels{
		"0": {"traita of thinga": 1, "traitb of thinga": 0}, "1": {"traita of thinga": 1}, "2": {"traita of thinga": 0},
		"3": {"traitb of thingb": 1}, "4": {"traitc of thingc": 1},
	}
	d.Run = trec.Run{
		"0": {{Passage: "traitb of thinga", Score: 3}, {Passage: "traita of thinga", Score: 2}, {Passage: "traitc of thinga", Score: 1}},
		"2": {{Passage: "traitc of thinga", Score: 1}},
		"3": {{Passage: "traita of thingb", Score: 2}},
		"4": {{Passage: "traitc of thingc", Score: 2}},
	}
	counts := func(change func(*EncoderPlan)) PairsCounts {
		t.Helper()
		p := smallEncoderPlan()
		p.Validation.Share = 0
		change(&p)
		tr, err := newEncoderTrainer(context.Background(), w.start, d, p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.close()
		return tr.pairs.counts
	}
	base := PairsCounts{Turns: 5, NoQuery: 1, NoPositive: 1, NoNegatives: 1, Training: 3, Conversations: 3, Passages: 144}
	if got := counts(func(*EncoderPlan) {}); got != base {
		t.Errorf("infonce: %+v", got)
	}
	base.Unscored = 1
	if got := counts(func(p *EncoderPlan) { p.Objective.MarginMSE.Weight = 1 }); got != base {
		t.Errorf("infonce and margin_mse: %+v", got)
	}
	base.Training, base.Conversations = 2, 2
	if got := counts(func(p *EncoderPlan) { p.Objective.MarginMSE.Weight, p.Objective.InfoNCE.Weight = 1, 0 }); got != base {
		t.Errorf("margin_mse: %+v", got)
	}
	best := PairsCounts{Turns: 5, NoQuery: 1, NoNegatives: 3, Training: 4, Conversations: 4, Passages: 144}
	if got := counts(func(p *EncoderPlan) { p.Pairs.Positives = PositivesBest }); got != best {
		t.Errorf("the best of the run: %+v", got)
	}
	pseudo := PairsCounts{Turns: 5, NoQuery: 1, NoPositive: 1, NoNegatives: 1, Training: 3, Conversations: 3, Passages: 144, Pseudo: 144}
	if got := counts(func(p *EncoderPlan) { p.Pairs.Pseudo.Each = 1 }); got != pseudo {
		t.Errorf("pseudo-queries: %+v", got)
	}
}

// TestDataThatCannotTrain asks for an error that says what to do.
func TestDataThatCannotTrain(t *testing.T) {
	broken := errors.New("corpus.jsonl:3: broken")
	for want, change := range map[string]func(*PairsData, *EncoderPlan){
		`are asked in none of the ways ["rewrite:gpt"]`: func(_ *PairsData, p *EncoderPlan) { p.Pairs.Queries = []string{"rewrite:gpt"} },
		"of 160 no relevant passage is known":           func(d *PairsData, _ *EncoderPlan) { d.Qrels = nil },
		"there is no passage to train on":               func(d *PairsData, _ *EncoderPlan) { d.Passages, d.Qrels = newPairsNone, nil },
		"no collection has it":                          func(d *PairsData, _ *EncoderPlan) { d.Passages = newPairsNone },
		"objective.margin_mse and objective.kld need a teacher's scores": func(d *PairsData, p *EncoderPlan) {
			d.Run, p.Objective.KLD = nil, divergence(1)
		},
		"the run has no score for any relevant passage of the other 160": func(d *PairsData, p *EncoderPlan) {
			p.Objective.KLD, p.Objective.InfoNCE.Weight = divergence(1), 0
			d.Run = trec.Run{"x": nil}
		},
		"nothing can be held out": func(d *PairsData, _ *EncoderPlan) { d.Conversations = d.Conversations[:1] },
		"comes twice": func(d *PairsData, _ *EncoderPlan) {
			all := d.Passages
			d.Passages = func(yield func(PassageText, error) bool) { all(yield); all(yield) }
		},
		"corpus.jsonl:3: broken": func(d *PairsData, _ *EncoderPlan) {
			d.Passages = func(yield func(PassageText, error) bool) { yield(PassageText{}, broken) }
		},
		"there is only one query to train on": func(d *PairsData, p *EncoderPlan) {
			d.Conversations = []dialog.Conversation{{ID: "0", Turns: d.Conversations[0].Turns[:1]}}
			p.Validation.Share = 0
		},
	} {
		w, p := newPairWorld(t), smallEncoderPlan()
		d := w.data()
		change(&d, &p)
		_, err := TrainEncoder(context.Background(), w.start, d, p, Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func newPairsNone(func(PassageText, error) bool) {}

// TestSample checks that each passage of the corpus is as likely to be in the
// pool as any other, and that those that gave way leave nothing behind.
func TestSample(t *testing.T) {
	w := newPairWorld(t)
	reader, err := input.NewSequencer(wordpiece.New(w.start.Vocabulary), dialog.Budget{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	const read, rounds = 5000, 200
	counts := make([]int, read)
	for round := range rounds {
		p := &pairing{reader: reader, plan: smallEncoderPlan(), names: []string{"named"}}
		p.all.passages = make([]readPassage, 1)
		rng := rand.New(rand.NewPCG(uint64(round), 1))
		place := map[string]int{}
		for i := range read {
			text := fmt.Sprintf("trait%c thing%c trait%c thing%c", 'a'+i%12, 'a'+i/12%12, 'a'+i/144%12, 'a'+i/1728)
			place[fmt.Sprint(reader.AppendPassage(nil, "", text))] = i
			p.sample(PassageText{Text: text}, 0, i == 7, rng)
		}
		if len(p.all.pool) != poolSize || len(p.all.passages) > poolSize+2 {
			t.Fatalf("a pool of %d passages, %d are kept", len(p.all.pool), len(p.all.passages))
		}
		for _, n := range p.all.pool {
			if n > 0 {
				counts[place[fmt.Sprint(p.all.passages[n].ids)]]++
			}
		}
	}
	first, last := 0, 0
	for i, n := range counts {
		if i < read/2 {
			first += n
		} else {
			last += n
		}
	}
	if total := rounds * poolSize; first < total*48/100 || last < total*48/100 {
		t.Errorf("of %d passages in pools %d are of the first half of the corpus, %d of the last", total, first, last)
	}
}

// TestSpans looks at many pseudo-queries of random passages.
func TestSpans(t *testing.T) {
	tokens := []string{"[CLS]", "[SEP]", "[UNK]", "a", "b", "##c", "##d", "e"}
	vocabulary, err := wordpiece.NewVocabulary(tokens, wordpiece.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 2))
	seen := map[string]bool{}
	for range 5000 {
		plan := PseudoPlan{MinWords: 1 + rng.IntN(3), Title: .5, Removed: .5}
		plan.MaxWords = plan.MinWords + rng.IntN(3)
		limit := 3 + rng.IntN(12)
		s := newSpanner(plan, limit, vocabulary)
		p := &readPassage{ids: []uint32{0}, title: rng.IntN(3)}
		for range p.title + rng.IntN(8) {
			p.ids = append(p.ids, uint32(3+rng.IntN(5)))
		}
		p.ids = append(p.ids, 1)
		s.words(p.body())
		words := len(s.starts)
		if can := words > 1 || words == 1 && p.title > 0; s.can(p) != can {
			t.Fatalf("of %v with a title of %d pseudo-queries can be made: %v", p.ids, p.title, !can)
		} else if !can {
			continue
		}
		query, shown := s.span([]uint32{9}, []uint32{9}, p, rng)
		query, shown = query[1:], shown[1:]
		if query[0] != 0 || query[len(query)-1] != 1 || len(query) > limit || len(query) < 3 {
			t.Fatalf("the query %v of at most %d tokens", query, limit)
		}
		whole := slices.Equal(shown, p.ids)
		removed := len(p.ids) - len(shown)
		from := 1 + p.title
		for !whole && shown[from] == p.ids[from] && from < len(shown)-1 {
			from++
		}
		if !whole && !slices.Equal(shown[from:], p.ids[from+removed:]) {
			t.Fatalf("%v is shown of %v: not all but a span", shown, p.ids)
		}
		titled := p.title > 0 && slices.Equal(query[1:1+min(p.title, len(query)-2)], p.ids[1:1+min(p.title, len(query)-2)])
		seen[fmt.Sprintf("whole %v titled %v", whole, titled)] = true
		if !whole && len(shown) < 3 {
			t.Fatalf("nothing is left of %v but %v", p.ids, shown)
		}
	}
	if len(seen) != 4 {
		t.Errorf("only these were seen: %v", seen)
	}
}

// TestSpanIsOfWholeWords shows what a pseudo-query looks like.
func TestSpanIsOfWholeWords(t *testing.T) {
	vocabulary, err := wordpiece.NewVocabulary([]string{"[CLS]", "[SEP]", "[UNK]", "lake", "vey", "is", "deep", "##est", "of", "all"}, wordpiece.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &readPassage{ids: []uint32{0, 3, 4, 5, 6, 7, 8, 9, 1}, title: 2} // [CLS] lake vey | is deep ##est of all [SEP]
	s := newSpanner(PseudoPlan{MinWords: 2, MaxWords: 2, Title: 1, Removed: 1}, -1, vocabulary)
	rng := rand.New(rand.NewPCG(4, 2))
	seen := map[string]bool{}
	for range 100 {
		query, shown := s.span(nil, nil, p, rng)
		seen[fmt.Sprint(query, shown)] = true
	}
	for _, want := range []string{
		"[0 3 4 5 6 7 1] [0 3 4 8 9 1]", "[0 3 4 6 7 8 1] [0 3 4 5 9 1]", "[0 3 4 8 9 1] [0 3 4 5 6 7 1]",
	} {
		if !seen[want] {
			t.Errorf("never seen: %s", want)
		}
	}
	if len(seen) != 3 {
		t.Errorf("seen %v", seen)
	}
}
