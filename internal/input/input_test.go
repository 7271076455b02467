package input

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/dialog"
	"parley/internal/wordpiece"
)

var words = []string{"how", "long", "did", "it", "last", "the", "war", "began", "in", "june", "who", "won", "?", ".", "##s", "long", "##er"}

func newReader(t testing.TB, budget dialog.Budget) *Reader {
	t.Helper()
	tokens := []string{wordpiece.Padding, wordpiece.Unknown, wordpiece.Start, wordpiece.Separator, wordpiece.Masked}
	for _, w := range words {
		if !slices.Contains(tokens, w) {
			tokens = append(tokens, w)
		}
	}
	vocab, err := wordpiece.NewVocabulary(tokens, wordpiece.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(wordpiece.New(vocab), budget)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *Reader) tokens(ids []uint32) string {
	var names []string
	for _, id := range ids {
		names = append(names, r.tok.Vocabulary().Token(id))
	}
	return strings.Join(names, " ")
}

func history() dialog.Context {
	c := dialog.Conversation{ID: "c", Turns: []dialog.Turn{
		{Number: 1, Question: "Who won the war?", Answer: "It began in June."},
		{Number: 2, Question: "How long did it last?", Answer: "unknown to the reader"},
	}}
	return c.History(1)
}

func TestContext(t *testing.T) {
	for _, test := range []struct {
		budget dialog.Budget
		want   string
	}{
		{dialog.Budget{Answer: -1, Total: -1}, "how long did it last ? [SEP] it began in june . [SEP] who won the war ?"},
		{dialog.Budget{Answer: 2, Total: -1}, "how long did it last ? [SEP] it began [SEP] who won the war ?"},
		{dialog.Budget{Answer: 2, Total: 11}, "how long did it last ? [SEP] it began [SEP] who"},
		{dialog.Budget{Answer: 2, Total: 10}, "how long did it last ? [SEP] it began"},
		{dialog.Budget{Answer: 2, Total: 3}, "how long did"},
		{dialog.Budget{Total: 9, NoAnswers: true}, "how long did it last ? [SEP] who won"},
	} {
		r := newReader(t, test.budget)
		if got := r.tokens(r.Context(history()).IDs); got != test.want {
			t.Errorf("budget %+v:\n got %s\nwant %s", test.budget, got, test.want)
		}
	}
}

// TestContextIsItsText says that the ids are those of the context's text: what
// is written for people and other programs is what an encoder reads.
func TestContextIsItsText(t *testing.T) {
	r := newReader(t, dialog.Budget{Answer: -1, Total: -1})
	in := r.Context(history())
	if want := r.tok.Append(nil, history().Text()); !slices.Equal(in.IDs, want) {
		t.Errorf("read %v, its text has %v", in.IDs, want)
	}
}

func TestTerms(t *testing.T) {
	r := newReader(t, dialog.Budget{})
	terms := r.Terms(r.Context(history()), flat{10, 1})
	if got, want := r.tokens(terms.IDs), "how long did it last the war began in june who won"; got != want {
		t.Errorf("terms %q, want %q", got, want)
	}
	it := slices.Index(strings.Fields(r.tokens(terms.IDs)), "it")
	if got := terms.Positions[terms.Start[it]:terms.Start[it+1]]; !reflect.DeepEqual(got, []int32{3, 7}) {
		t.Errorf("occurrences of it: %v", got)
	}
}

// TestFeatures checks that each occurrence has one feature of each family, and
// that the ingredients land in the buckets that the comments promise.
func TestFeatures(t *testing.T) {
	r := newReader(t, dialog.Budget{Answer: -1, Total: -1})
	rng := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		var c dialog.Context
		for d := range 1 + rng.IntN(20) {
			var text []string
			for range rng.IntN(30) {
				text = append(text, words[rng.IntN(len(words))])
			}
			c = append(c, dialog.Utterance{Role: dialog.Role(rng.IntN(2)), Distance: d, Text: strings.Join(text, " ")})
		}
		n := 1 + rng.IntN(1_000_000)
		terms := r.Terms(r.Context(c), flat{n, rng.IntN(n + 1)})
		for o := range terms.Positions {
			base := 0
			for k, f := range terms.Features[o*Families:][:Families] {
				if int(f) < base || int(f) >= base+sizes[k] {
					t.Fatalf("feature %d of family %d is not in [%d, %d)", f, k, base, base+sizes[k])
				}
				base += sizes[k]
			}
		}
	}
	for n, want := range map[int]int{0: 0, 1: 1, 3: 3, 4: 4, 5: 4, 6: 5, 8: 5, 9: 6, 13: 6, 14: 7, 1000: 7} {
		if got := coarse(n); got != want {
			t.Errorf("coarse(%d) = %d, want %d", n, got, want)
		}
	}
	for n, want := range map[int]int{1: 0, 4: 3, 5: 4, 6: 4, 7: 5, 99: 5} {
		if got := countBucket(n); got != want {
			t.Errorf("countBucket(%d) = %d, want %d", n, got, want)
		}
	}
}

// flat statistics give every term the same df.
type flat struct{ n, df int }

func (f flat) N() int        { return f.n }
func (f flat) DF(uint32) int { return f.df }

func TestIDFBuckets(t *testing.T) {
	for _, test := range []struct{ n, df, want int }{
		{0, 0, 0}, {10, 0, 0}, {10, 10, 1}, {100, 61, 1}, {100, 60, 2}, {1 << 30, 1, idfBuckets - 1}, {5, 9, 1},
	} {
		f := featurizer{stats: flat{test.n, test.df}}
		if got := f.idf(1); got != test.want {
			t.Errorf("N %d, df %d: bucket %d, want %d", test.n, test.df, got, test.want)
		}
	}
}

func TestAppendPassageDropsPunctuation(t *testing.T) {
	r := newReader(t, dialog.Budget{})
	ids := r.AppendPassage([]uint32{7}, "The war.", "It began?? [SEP] zebra")
	if got, want := r.tokens(ids[1:]), "the war it began"; got != want || ids[0] != 7 {
		t.Errorf("passage reads %q after %d, want %q after 7", got, ids[0], want)
	}
}

func TestNoSeparator(t *testing.T) {
	vocab, err := wordpiece.NewVocabulary([]string{wordpiece.Unknown, "a"}, wordpiece.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewReader(wordpiece.New(vocab), dialog.Budget{}); err == nil {
		t.Error("a vocabulary without [SEP] was accepted")
	}
}

func BenchmarkTerms(b *testing.B) {
	r := newReader(b, dialog.Budget{})
	var c dialog.Context
	for range 12 {
		c = append(c, history()...)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Terms(r.Context(c), flat{1000, 10})
	}
}

func ExampleReader_Context() {
	vocab, _ := wordpiece.NewVocabulary([]string{"[UNK]", "[SEP]", "and", "then", "?", "it", "began"}, wordpiece.Options{})
	reader, _ := NewReader(wordpiece.New(vocab), dialog.Budget{})
	in := reader.Context(dialog.Context{
		{Role: dialog.Question, Distance: 0, Text: "And then?"},
		{Role: dialog.Answer, Distance: 1, Text: "It began."},
	})
	fmt.Println(in.IDs)
	fmt.Println(in.Distances)
	// Output:
	// [2 3 4 1 5 6 0]
	// [0 0 0 0 1 1 1]
}
