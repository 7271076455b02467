package collection_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/collection"
	"parley/dialog"
)

// TestSyntheticReadsAsWritten checks that a made-up collection is the same from
// memory and from its folder.
func TestSyntheticReadsAsWritten(t *testing.T) {
	s, err := collection.Synthesise(collection.SynthesisOptions{Seed: 3, Passages: 150, Conversations: 12})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "world")
	if err := s.Write(context.Background(), dir, nil); err != nil {
		t.Fatal(err)
	}
	passages, conversations, qrels, err := read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var wantPassages []collection.Passage
	for p := range s.Passages() {
		wantPassages = append(wantPassages, p)
	}
	var wantConversations []dialog.Conversation
	for c := range s.Conversations() {
		for i := range c.Turns {
			if c.Turns[i].Rewrites == nil { // a file cannot tell none from none given
				c.Turns[i].Rewrites = map[string]string{}
			}
		}
		wantConversations = append(wantConversations, c)
	}
	wantQrels, _ := s.Qrels()
	for _, diff := range []string{cmp.Diff(wantPassages, passages), cmp.Diff(wantConversations, conversations), cmp.Diff(wantQrels, qrels)} {
		if diff != "" {
			t.Error(diff)
		}
	}
	if len(passages) != 150 || len(conversations) != 12 || len(qrels) < 40 {
		t.Errorf("%d passages, %d conversations, %d judged turns", len(passages), len(conversations), len(qrels))
	}
}

func TestInterruptedWriteLeavesNothing(t *testing.T) {
	s, err := collection.Synthesise(collection.SynthesisOptions{Passages: 100, Conversations: 5})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	parent := t.TempDir()
	if err := s.Write(ctx, filepath.Join(parent, "world"), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestTiny checks that testdata/tiny, which other packages test with, is what
// the generator makes.
func TestTiny(t *testing.T) {
	s, err := collection.Synthesise(collection.SynthesisOptions{Seed: 11, Passages: 60, Conversations: 12})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := s.Write(context.Background(), dir, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"corpus.jsonl", "turns.jsonl", "qrels.txt", "origin.json"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("../testdata/tiny", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s differs: run parley collection synthesize --passages 60 --conversations 12 --seed 11 -o testdata/tiny", name)
		}
	}
}
