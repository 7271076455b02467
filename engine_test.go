package parley_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"parley"
	"parley/dialog"
	"parley/encoder"
	"parley/index"
	"parley/internal/wordpiece"
	"parley/search"
)

var birds = []index.Passage{
	{ID: "owl", Title: "Barn owl", Text: "The barn owl hunts mice at night by sound alone."},
	{ID: "swift", Title: "Common swift", Text: "The common swift sleeps in flight and lands only to breed."},
	{ID: "kestrel", Title: "Kestrel", Text: "The kestrel hunts mice by day, hovering against the wind."},
	{ID: "heron", Title: "Grey heron", Text: "The grey heron stands in shallow water and waits for fish."},
}

// build writes an index of the passages over a vocabulary of their words.
func build(dir string, passages []index.Passage, o wordpiece.Options) error {
	tokens := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	for _, p := range passages {
		for _, word := range regexp.MustCompile(`\w+|[,.]`).FindAllString(strings.ToLower(p.Title+" "+p.Text), -1) {
			if !slices.Contains(tokens, word) {
				tokens = append(tokens, word)
			}
		}
	}
	vocabulary, err := wordpiece.NewVocabulary(tokens, o)
	if err != nil {
		return err
	}
	counter, err := encoder.NewBM25Counter(wordpiece.New(vocabulary))
	if err != nil {
		return err
	}
	for _, p := range passages {
		counter.Add(p.Title, p.Text)
	}
	bm25 := counter.BM25(encoder.BM25Options{})
	b, err := index.Create(dir, index.Options{Vocabulary: vocabulary.Len(), Fingerprint: vocabulary.Fingerprint()})
	if err != nil {
		return err
	}
	defer b.Discard()
	for _, p := range passages {
		if err := b.Add(p.ID, p.Title, p.Text, bm25.Passage(p.Title, p.Text)); err != nil {
			return err
		}
	}
	if err := bm25.Save(filepath.Join(b.Dir(), index.EncoderDir)); err != nil {
		return err
	}
	return b.Commit()
}

func open(t *testing.T) *parley.Engine {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "birds")
	if err := build(dir, birds, wordpiece.Options{}); err != nil {
		t.Fatal(err)
	}
	e, err := parley.Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func asked(questions ...string) dialog.Conversation {
	var c dialog.Conversation
	for _, q := range questions {
		c.Turns = append(c.Turns, dialog.Turn{Question: q})
	}
	return c
}

// TestSearchIsTheJoin compares the Engine with its parts, used by hand.
func TestSearchIsTheJoin(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "birds")
	if err := build(dir, birds, wordpiece.Options{}); err != nil {
		t.Fatal(err)
	}
	e, err := parley.Open(dir, filepath.Join(dir, index.EncoderDir))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ix, err := index.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	enc, err := encoder.Open(ix.EncoderPath(), ix)
	if err != nil {
		t.Fatal(err)
	}
	c := asked("Which bird hunts mice?", "And by day?")
	c.Turns[0].Answer = "The barn owl."
	c.Turns[1].Answer = "It is the heron." // not known when the question is asked
	got, err := e.Search(context.Background(), c, 3)
	if err != nil {
		t.Fatal(err)
	}
	var want []parley.Hit
	for _, h := range search.New(ix, search.Options{}).Search(enc.Query(c.History(1)), 3, nil) {
		p := ix.Passage(h.Passage)
		want = append(want, parley.Hit{ID: p.ID, Title: p.Title, Text: p.Text, Score: h.Score})
	}
	if len(want) < 2 || !reflect.DeepEqual(got, want) {
		t.Errorf("Search gives %v, want %v", got, want)
	}
}

// TestHistoryCounts: the question alone would not find the owl.
func TestHistoryCounts(t *testing.T) {
	e := open(t)
	alone, err := e.Search(context.Background(), asked("at night?"), 1)
	if err != nil || alone[0].ID != "owl" {
		t.Fatalf("found %v, %v", alone, err)
	}
	for questions, want := range map[string]string{"sleeps in flight?/what lands only": "swift", "waits for fish/in water?": "heron"} {
		hits, err := e.Search(context.Background(), asked(strings.Split(questions, "/")...), 1)
		if err != nil || len(hits) != 1 || hits[0].ID != want {
			t.Errorf("%s: found %v, %v; want %s", questions, hits, err, want)
		}
	}
}

func TestQueryAndExplain(t *testing.T) {
	e, ctx := open(t), context.Background()
	c := asked("Which bird hunts mice at night?")
	terms, err := e.Query(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(terms, func(term parley.Term) bool { return term.Token == "mice" && term.Weight == 1 }) {
		t.Errorf("the query %v lacks mice", terms)
	}
	hits, err := e.Search(ctx, c, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, hit := range hits {
		shares, err := e.Explain(ctx, c, hit.ID)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.
		for i, share := range shares {
			sum += share.Score
			if share.Query != 1 || share.Token == "" || i > 0 && share.Score > shares[i-1].Score {
				t.Errorf("%s: share %d of %v is out of order, unnamed, or not of weight 1", hit.ID, i, shares)
			}
		}
		if math.Abs(sum-hit.Score) > 1e-9*hit.Score {
			t.Errorf("%s: the shares add up to %v, the score is %v", hit.ID, sum, hit.Score)
		}
	}
	if _, err := e.Explain(ctx, c, "dodo"); err == nil || !strings.Contains(err.Error(), `no passage "dodo"`) {
		t.Errorf("explaining an unknown passage: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	e, ctx := open(t), context.Background()
	if _, err := e.Search(ctx, dialog.Conversation{}, 1); err == nil {
		t.Error("an empty conversation was answered")
	}
	if _, err := e.Search(ctx, asked("mice?"), 0); err == nil {
		t.Error("0 passages were found")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := e.Search(cancelled, asked("mice?"), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled search: %v", err)
	}
	dir := t.TempDir()
	lower, cased := filepath.Join(dir, "lower"), filepath.Join(dir, "cased")
	if err := errors.Join(build(lower, birds, wordpiece.Options{}), build(cased, birds, wordpiece.Options{Cased: true})); err != nil {
		t.Fatal(err)
	}
	if _, err := parley.Open(lower, filepath.Join(cased, index.EncoderDir)); err == nil || !strings.Contains(err.Error(), "another vocabulary") {
		t.Errorf("a model over another vocabulary: %v", err)
	}
	if _, err := parley.Open(filepath.Join(dir, "nowhere"), ""); err == nil {
		t.Error("an index that is not there was opened")
	}
}

// TestCloseUnderLoad closes the engine while others search: each call ends with
// its answer or with ErrClosed.
func TestCloseUnderLoad(t *testing.T) {
	e, ctx := open(t), context.Background()
	var wg sync.WaitGroup
	started := make(chan struct{}, 8)
	for range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				hits, err := e.Search(ctx, asked("Which bird hunts mice?"), 2)
				if errors.Is(err, parley.ErrClosed) {
					return
				}
				if err != nil || len(hits) != 2 {
					t.Errorf("%v, %v", hits, err)
					return
				}
				if i == 0 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 8 {
		<-started
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := e.Close(); !errors.Is(err, parley.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
}
