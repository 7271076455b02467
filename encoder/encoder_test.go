package encoder_test

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"testing"

	"parley/dialog"
	"parley/encoder"
	"parley/internal/wordpiece"
	"parley/sparse"
)

func tokenizer(t testing.TB, words ...string) *wordpiece.Tokenizer {
	t.Helper()
	vocab, err := wordpiece.NewVocabulary(append([]string{"[UNK]", "[SEP]"}, words...), wordpiece.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return wordpiece.New(vocab)
}

type passage struct{ title, text string }

var corpus = []passage{
	{"War", "The war began in June. It was a long war."},
	{"", "Peace began."},
	{"June", "June was long, was long, was long."},
	{"", "..."},
}

func bm25(t testing.TB, o encoder.BM25Options) *encoder.BM25 {
	t.Helper()
	tok := tokenizer(t, "the", "war", "began", "in", "june", "it", "was", "a", "long", "peace", ".", ",")
	counter, err := encoder.NewBM25Counter(tok)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range corpus {
		counter.Add(p.title, p.text)
	}
	return counter.BM25(o)
}

// TestBM25IsTheFormula recomputes every impact by hand from the counts.
func TestBM25IsTheFormula(t *testing.T) {
	b := bm25(t, encoder.BM25Options{})
	lengths := []int{11, 2, 8, 0} // content tokens, titles included
	average := float64(11+2+8+0) / 4
	impact := func(tf, df float64, length int) float32 {
		idf := math.Log(1 + (4-df+.5)/(df+.5))
		return float32(idf * tf * 1.9 / (tf + .9*(.6+.4*float64(length)/average)))
	}
	for _, test := range []struct {
		passage int
		word    string
		tf, df  float64
	}{{0, "war", 3, 1}, {0, "began", 1, 2}, {0, "long", 1, 2}, {2, "long", 3, 2}, {2, "june", 2, 2}, {1, "peace", 1, 1}} {
		v := b.Passage(corpus[test.passage].title, corpus[test.passage].text)
		if err := v.Validate(b.Vocabulary().Len()); err != nil {
			t.Fatal(err)
		}
		id, ok := b.Vocabulary().ID(test.word)
		if !ok {
			t.Fatal(test.word)
		}
		want := impact(test.tf, test.df, lengths[test.passage])
		if got := v.Weight(id); math.Abs(float64(got-want)) > 1e-6 {
			t.Errorf("impact of %s in passage %d: %v, want %v", test.word, test.passage, got, want)
		}
	}
	if v := b.Passage("", "..."); v.Len() != 0 {
		t.Errorf("a passage of punctuation has terms %v", v)
	}
}

func TestBM25Options(t *testing.T) {
	weight := func(o encoder.BM25Options) float32 {
		b := bm25(t, o)
		id, _ := b.Vocabulary().ID("long")
		return b.Passage(corpus[2].title, corpus[2].text).Weight(id)
	}
	if weight(encoder.BM25Options{}) != weight(encoder.BM25Options{K1: .9, B: .4}) {
		t.Error("the zero options are not k1 .9, b .4")
	}
	if got, want := weight(encoder.BM25Options{K1: -1, B: -1}), float32(math.Ln2); math.Abs(float64(got-want)) > 1e-6 {
		t.Errorf("with k1 0 the impact is %v, want the idf %v", got, want)
	}
}

func TestCountersMerge(t *testing.T) {
	tok := tokenizer(t, "a", "b")
	var parts [3]*encoder.BM25Counter
	for i := range parts {
		var err error
		if parts[i], err = encoder.NewBM25Counter(tok); err != nil {
			t.Fatal(err)
		}
	}
	texts := []string{"a a b", "b", "a b b b"}
	for i, text := range texts {
		parts[2].Add("", text)
		parts[i%2].Add("", text)
	}
	parts[0].Merge(parts[1])
	whole, merged := parts[2].BM25(encoder.BM25Options{}), parts[0].BM25(encoder.BM25Options{})
	for _, text := range texts {
		if !reflect.DeepEqual(whole.Passage("", text), merged.Passage("", text)) {
			t.Errorf("merged counters weigh %q differently", text)
		}
	}
}

func TestQueryIsBag(t *testing.T) {
	b := bm25(t, encoder.BM25Options{})
	c := dialog.Conversation{Turns: []dialog.Turn{
		{Number: 1, Question: "The war?", Answer: "It was long."}, {Number: 2, Question: "Was it in June, the war?"},
	}}
	q := b.Query(c.History(1))
	for _, w := range q.Weights {
		if w != 1 {
			t.Errorf("weight %v, want 1", w)
		}
	}
	if q.Len() != 7 { // was it in june the war long
		t.Errorf("query has %d terms, want 7", q.Len())
	}
}

func TestOpenIsSave(t *testing.T) {
	b := bm25(t, encoder.BM25Options{K1: 1.2})
	dir := t.TempDir()
	if err := b.Save(dir); err != nil {
		t.Fatal(err)
	}
	e, err := encoder.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	back, ok := e.(*encoder.BM25)
	if !ok || e.Kind() != "bm25" {
		t.Fatalf("opened %T of kind %q", e, e.Kind())
	}
	for _, p := range corpus {
		if !reflect.DeepEqual(back.Passage(p.title, p.text), b.Passage(p.title, p.text)) {
			t.Errorf("passage %v is weighed differently", p)
		}
	}
}

func Example() {
	tok := wordpiece.New(exampleVocabulary())
	counter, err := encoder.NewBM25Counter(tok)
	if err != nil {
		fmt.Println(err)
		return
	}
	counter.Add("", "war and peace")
	counter.Add("", "peace")
	bm25 := counter.BM25(encoder.BM25Options{})
	query := bm25.Query(dialog.Context{{Role: dialog.Question, Text: "War?"}})
	fmt.Printf("%.3f %.3f\n", sparse.Dot(query, bm25.Passage("", "war and peace")), sparse.Dot(query, bm25.Passage("", "peace")))

	dir, err := os.MkdirTemp("", "encoder")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := bm25.Save(dir); err != nil {
		fmt.Println(err)
		return
	}
	opened, err := encoder.Open(dir, nil)
	fmt.Println(opened.Kind(), err)
	// Output:
	// 0.633 0.000
	// bm25 <nil>
}

func exampleVocabulary() *wordpiece.Vocabulary {
	vocab, err := wordpiece.NewVocabulary([]string{"[UNK]", "[SEP]", "war", "and", "peace", "?"}, wordpiece.Options{})
	if err != nil {
		panic(err)
	}
	return vocab
}

func BenchmarkBM25Passage(b *testing.B) {
	e := bm25(b, encoder.BM25Options{})
	b.ReportAllocs()
	for b.Loop() {
		e.Passage(corpus[0].title, corpus[0].text)
	}
}
