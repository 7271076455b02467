package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"parley/collection"
	"parley/internal/wordpiece"
)

// TestEncodersPageRuns runs the commands of docs/encoders.md on the tiny
// collection of the tests, with a small model of random weights.
func TestEncodersPageRuns(t *testing.T) {
	page, err := os.ReadFile("../../docs/encoders.md")
	if err != nil {
		t.Fatal(err)
	}
	tiny, err := filepath.Abs("../../testdata/tiny")
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.Collect(commandLines(fenced(string(page))))
	if len(lines) < 13 {
		t.Fatalf("found %d commands", len(lines))
	}
	t.Chdir(t.TempDir())
	mine := filepath.Join("data", "mine")
	if err := os.CopyFS(mine, os.DirFS(tiny)); err != nil {
		t.Fatal(err)
	}
	writeSplade(t, mine)
	for _, line := range lines {
		var stdout, stderr bytes.Buffer
		if code := run(context.Background(), shellWords(line)[1:], strings.NewReader(""), &stdout, &stderr); code != exitOK {
			t.Fatalf("%s: exit code %d\n%s", line, code, stderr.String())
		}
	}
	whole, err := os.ReadFile("splade.index/index.json")
	if err != nil {
		t.Fatal(err)
	}
	if sharded, err := os.ReadFile("sharded.index/index.json"); err != nil || !bytes.Equal(whole, sharded) {
		t.Errorf("shards make another index: %v", err)
	}
}

// writeSplade writes the folder splade of a small model of random weights, over a
// vocabulary of the passages of a collection.
func writeSplade(t *testing.T, dir string) {
	t.Helper()
	c, err := collection.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	vocabulary, err := wordpiece.Train(func(yield func(string, error) bool) {
		for p, err := range c.Passages() {
			if !yield(p.Title+" "+p.Text, err) {
				return
			}
		}
	}, wordpiece.TrainOptions{Size: 400})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := vocabulary.Write(&text); err != nil {
		t.Fatal(err)
	}
	if err := writeCheckpoint("splade", text.String(), 1, 1); err != nil {
		t.Fatal(err)
	}
}
