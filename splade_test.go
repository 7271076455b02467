package parley_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"parley"
	"parley/dialog"
	"parley/encoder"
	"parley/index"
	"parley/internal/bert"
	"parley/internal/checkpoint"
	"parley/internal/f32"
	"parley/internal/wordpiece"
	"parley/search"
)

// TestEngineWithTransformer searches an index whose encoder is a network, from
// many goroutines, and compares with its parts used by hand.
func TestEngineWithTransformer(t *testing.T) {
	vocabulary, err := wordpiece.NewVocabulary([]string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "owl", "swift", "barn", "mice", "by", "night", "day", ".", "fish"}, wordpiece.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := bert.Config{
		Family: bert.BERT, Vocabulary: vocabulary.Len(), Hidden: 8, Layers: 1, Heads: 2, Inner: 8, Positions: 32, Types: 2,
		Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU,
	}
	net := bert.New(c, 1)
	for _, p := range net.Parameters() {
		for i := range p.Value {
			p.Value[i] += float32((i*7)%11-5) * .05
		}
	}
	folder, dir := filepath.Join(t.TempDir(), "model"), filepath.Join(t.TempDir(), "birds")
	if err := checkpoint.Write(folder, checkpoint.Writing{Passage: checkpoint.Part{Config: c, Vocabulary: vocabulary, Parameters: net.Parameters()}}); err != nil {
		t.Fatal(err)
	}
	enc, err := encoder.OpenPassages(folder, encoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := index.Create(dir, index.Options{Vocabulary: vocabulary.Len(), Fingerprint: enc.Vocabulary().Fingerprint(), Encoder: enc.Describe()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Discard()
	for _, p := range birds {
		if err := b.Add(p.ID, p.Title, p.Text, enc.Passage(p.Title, p.Text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Save(filepath.Join(b.Dir(), index.EncoderDir)); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	ix, err := index.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	e, err := parley.Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	conversation := asked("owl by night", "mice by day?")
	var want []parley.Hit
	for _, h := range search.New(ix, search.Options{}).Search(enc.Query(conversation.History(1)), 3, nil) {
		p := ix.Passage(h.Passage)
		want = append(want, parley.Hit{ID: p.ID, Title: p.Title, Text: p.Text, Score: h.Score})
	}
	if len(want) != 3 {
		t.Fatalf("%d hits by hand", len(want))
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				got, err := e.Search(context.Background(), conversation, 3)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("found %v (%v), want %v", got, err, want)
				}
			}
		})
	}
	wg.Wait()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, err := e.Search(context.Background(), dialog.Conversation{Turns: conversation.Turns}, 1); err != parley.ErrClosed {
		t.Errorf("a closed engine answers %v", err)
	}
}
