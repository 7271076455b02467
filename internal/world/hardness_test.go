package world

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"

	"parley/dialog"
)

// bm25 is a plain ranking by BM25 over words: the yardstick by which the
// world's hardness was set, independent of everything else in the project.
type bm25 struct {
	postings map[string][]posting
	lengths  []float64
	mean     float64
}

type posting struct {
	passage int
	count   float64
}

func split(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func newBM25(w *World) *bm25 {
	x := &bm25{postings: make(map[string][]posting)}
	for i := range w.passages {
		p := w.Passage(i)
		counts := make(map[string]float64)
		terms := split(p.Title + " " + p.Text)
		for _, term := range terms {
			counts[term]++
		}
		for term, n := range counts {
			x.postings[term] = append(x.postings[term], posting{i, n})
		}
		x.lengths = append(x.lengths, float64(len(terms)))
		x.mean += float64(len(terms)) / float64(w.passages)
	}
	return x
}

// rank returns the ten best passages; a term counts as often as the query has
// it.
func (x *bm25) rank(query string) []int {
	const k1, b = .9, .4
	n := float64(len(x.lengths))
	scores := make([]float64, len(x.lengths))
	for _, term := range split(query) {
		list := x.postings[term]
		idf := math.Log(1 + (n-float64(len(list))+.5)/(float64(len(list))+.5))
		for _, p := range list {
			scores[p.passage] += idf * p.count * (k1 + 1) / (p.count + k1*(1-b+b*x.lengths[p.passage]/x.mean))
		}
	}
	var best []int
	for i, s := range scores {
		if s == 0 || len(best) == 10 && s <= scores[best[9]] {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, s, func(j int, s float64) int {
			if scores[j] >= s {
				return -1
			}
			return 1
		})
		best = slices.Insert(best, at, i)[:min(len(best)+1, 10)]
	}
	return best
}

// reciprocalRanks returns the mean of 1/rank of the first answering passage
// among ten, over the judged turns from turn number from on.
func reciprocalRanks(w *World, x *bm25, conversations, from int, mode dialog.Mode) float64 {
	sum, n := 0.0, 0
	for i := range conversations {
		c, judgements := w.Conversation(i)
		relevant := make(map[string][]string)
		for _, j := range judgements {
			relevant[j.Turn] = append(relevant[j.Turn], j.Passage)
		}
		for k, turn := range c.Turns {
			if relevant[turn.ID] == nil || turn.Number < from {
				continue
			}
			n++
			ctx, ok := mode.Context(c, k)
			if !ok {
				continue
			}
			for rank, passage := range x.rank(ctx.Text()) {
				if slices.Contains(relevant[turn.ID], PassageID(passage)) {
					sum += 1 / float64(rank+1)
					break
				}
			}
		}
	}
	return sum / float64(n)
}

// TestHardness holds the world to what it was made to be, at the figures that
// real conversations over web passages show (last question .33, full history
// .24, rewrite .60 by BM25): a question alone is not enough, its rewrite is,
// and the full history is as little of a rewrite as the question. The bounds
// were set before any student was trained; they are not for tuning.
func TestHardness(t *testing.T) {
	const conversations = 70
	for _, seed := range []uint64{1, 2} {
		w := New(seed, 4000)
		x := newBM25(w)
		rr := func(mode string) float64 {
			m, err := dialog.ParseMode(mode)
			if err != nil {
				t.Fatal(err)
			}
			return reciprocalRanks(w, x, conversations, 1, m)
		}
		last, questions, history := rr("last"), rr("questions"), rr("history")
		rewrite, machine := rr("rewrite"), rr("rewrite:"+Machine)
		t.Logf("seed %d: reciprocal rank of last %.3f, questions %.3f, history %.3f, rewrite %.3f, machine %.3f",
			seed, last, questions, history, rewrite, machine)
		for _, must := range []struct {
			what  string
			holds bool
		}{
			{"the last question alone is poor", last < .35},
			{"the rewrite is much better", rewrite > .57 && rewrite > last+.25},
			{"the earlier questions are no substitute", questions < rewrite-.2},
			{"the full history is no better than the questions", history < questions+.03},
			{"the machine's rewrite lies between", machine > last+.08 && machine < rewrite-.08},
		} {
			if !must.holds {
				t.Errorf("seed %d: not true that %s", seed, must.what)
			}
		}
	}
}

// TestHistoryIsNeeded checks that rewrites add names to their questions, and
// that whoever read the conversation knows those names.
func TestHistoryIsNeeded(t *testing.T) {
	w := New(1, 4000)
	added, turns := 0, 0
	for i := range 150 {
		c, _ := w.Conversation(i)
		for k, turn := range c.Turns {
			turns++
			question, history := turn.Question, c.History(k).Text()
			names := 0
			for _, word := range strings.Fields(turn.Rewrite)[1:] {
				name := strings.Trim(strings.TrimSuffix(strings.Trim(word, "?.,"), "'s"), "?.,")
				if !unicode.IsUpper(rune(name[0])) || strings.Contains(question, name) {
					continue
				}
				names = 1
				if !strings.Contains(history, name) {
					t.Errorf("%s: nobody has spoken of %s: %s", turn.ID, name, turn.Rewrite)
				}
			}
			added += names
		}
	}
	if share := float64(added) / float64(turns); share < .4 {
		t.Errorf("only %.2f of the rewrites add a name", share)
	}
}
