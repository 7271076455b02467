package collection_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"parley/collection"
)

// lines returns the lines of a file.
func lines(t *testing.T, path ...string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(data)))
}

// split splits the collection in dir into two folders.
func split(t *testing.T, dir string, o collection.SplitOptions) (a, b string, r collection.SplitReport) {
	t.Helper()
	c, err := collection.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	a, b = filepath.Join(out, "a"), filepath.Join(out, "b")
	if r, err = collection.Split(context.Background(), c, [2]string{a, b}, o); err != nil {
		t.Fatal(err)
	}
	return a, b, r
}

const tiny = "../testdata/tiny"

// TestSplitSharesOut checks that both halves are valid collections, and that
// each line of the turns and judgements is in exactly one of them.
func TestSplitSharesOut(t *testing.T) {
	a, b, report := split(t, tiny, collection.SplitOptions{Fraction: .4, Seed: 3})
	if report.Halves[0].Conversations != 5 || report.Halves[1].Conversations != 7 || report.Excluded != 0 {
		t.Errorf("%+v", report)
	}
	for _, name := range []string{"turns.jsonl", "qrels.txt"} {
		got := slices.Sorted(slices.Values(append(lines(t, a, name), lines(t, b, name)...)))
		if want := slices.Sorted(slices.Values(lines(t, tiny, name))); !slices.Equal(got, want) {
			t.Errorf("%s: %d lines in both halves, %d before", name, len(got), len(want))
		}
	}
	for i, dir := range []string{a, b} {
		r, err := collection.Check(context.Background(), dir, collection.CheckOptions{})
		if err != nil || r.Errors > 0 {
			t.Fatalf("%v %+v", err, r)
		}
		h, s := report.Halves[i], r.Statistics
		if h.Conversations != s.Conversations || h.Turns != s.Turns || h.Judgements != s.Judgements || h.Passages != s.Passages || s.Passages != 60 {
			t.Errorf("half %d: reported %+v, holds %+v", i, h, s)
		}
	}
}

// TestSplitIgnoresOrder checks that a conversation's half does not depend on
// where in the file it is, and does depend on the seed.
func TestSplitIgnoresOrder(t *testing.T) {
	conversation := func(i int) string {
		return fmt.Sprintf(`{"id": "t%d", "conversation": "c%d", "turn": 1, "question": "q"}`+"\n", i, i)
	}
	var forwards, backwards string
	for i := range 30 {
		forwards += conversation(i)
		backwards += conversation(29 - i)
	}
	half := func(turns string, seed uint64) []string {
		a, _, _ := split(t, folder(t, map[string]string{"corpus.jsonl": "", "turns.jsonl": turns}), collection.SplitOptions{Seed: seed})
		return slices.Sorted(slices.Values(lines(t, a, "turns.jsonl")))
	}
	if one, other := half(forwards, 1), half(backwards, 1); !slices.Equal(one, other) || len(one) != 15 {
		t.Errorf("the halves differ with the order: %d and %d turns", len(one), len(other))
	}
	if slices.Equal(half(forwards, 1), half(forwards, 2)) {
		t.Error("two seeds give the same halves")
	}
}

// TestSplitOwn checks who gets which passage, and that lines stay as they are.
func TestSplitOwn(t *testing.T) {
	dir := folder(t, map[string]string{
		"corpus.jsonl": `{"id": "judged a", "text": "x"}
{"id":"pa",  "text":"judged of a",   "extra":[1]}
{"id": "pb", "text": "judged of b"}
{"id": "pc", "text": "answer of a"}
{"id": "pd", "text": "answer of b"}
{"id": "pe", "text": "of both"}
{"id": "pf", "text": "of none"}
`[len(`{"id": "judged a", "text": "x"}`)+1:],
		"turns.jsonl": `{"id": "a1", "conversation": "a", "turn": 1, "question": "q", "answer": "answer of a", "extra": {"k":  null}}
{"id": "b1", "conversation": "b", "turn": 1, "question": "q", "answer": "answer of b"}
{"id": "x1", "conversation": "x", "turn": 1, "question": "q", "answer": "of none"}
`,
		"qrels.txt": "a1 0 pa 1\na1 0 pe 0\nb1 0 pb 1\nb1 0 pe 1\nx1 0 pf 1\n",
	})
	a, b, report := split(t, dir, collection.SplitOptions{Passages: collection.ShareOwn, Exclude: map[string]bool{"x": true, "elsewhere": true}})
	if report.Excluded != 1 {
		t.Errorf("%d excluded", report.Excluded)
	}
	if strings.Contains(strings.Join(lines(t, a, "turns.jsonl"), ""), `"b1"`) {
		a, b = b, a
	}
	for _, check := range []struct{ dir, file, want string }{
		{a, "turns.jsonl", `{"id": "a1", "conversation": "a", "turn": 1, "question": "q", "answer": "answer of a", "extra": {"k":  null}}` + "\n"},
		{a, "corpus.jsonl", `{"id":"pa",  "text":"judged of a",   "extra":[1]}
{"id": "pc", "text": "answer of a"}
{"id": "pe", "text": "of both"}
{"id": "pf", "text": "of none"}
`},
		{b, "corpus.jsonl", `{"id": "pb", "text": "judged of b"}
{"id": "pd", "text": "answer of b"}
{"id": "pe", "text": "of both"}
{"id": "pf", "text": "of none"}
`},
		{b, "qrels.txt", "b1 0 pb 1\nb1 0 pe 1\n"},
	} {
		if got := strings.Join(lines(t, check.dir, check.file), ""); got != check.want {
			t.Errorf("%s:\n%s", check.file, got)
		}
	}
}

func TestSplitRefuses(t *testing.T) {
	c, err := collection.Open(tiny)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	a := filepath.Join(out, "a")
	for _, test := range []struct {
		dirs [2]string
		o    collection.SplitOptions
		want string
	}{
		{[2]string{a, a + "/"}, collection.SplitOptions{}, "is named twice"},
		{[2]string{a, tiny}, collection.SplitOptions{}, "would overwrite the collection"},
		{[2]string{filepath.Dir(tiny), a}, collection.SplitOptions{}, "would overwrite the collection"},
		{[2]string{a, filepath.Join(a, "b")}, collection.SplitOptions{}, "one lies in the other"},
		{[2]string{filepath.Join(a, "b"), a}, collection.SplitOptions{}, "one lies in the other"},
		{[2]string{a, a + "b"}, collection.SplitOptions{Fraction: 1.5}, "it lies between 0 and 1"},
		{[2]string{a, a + "b"}, collection.SplitOptions{Passages: "some"}, `say "all" or "own"`},
	} {
		if _, err := collection.Split(context.Background(), c, test.dirs, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error %v", test, err)
		}
	}
	bad, err := collection.Open(folder(t, map[string]string{"corpus.jsonl": "", "turns.jsonl": turns, "qrels.txt": "zz 0 p 1\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := collection.Split(context.Background(), bad, [2]string{a, a + "b"}, collection.SplitOptions{}); err == nil || !strings.Contains(err.Error(), `qrels.txt:1: turn "zz" is judged but does not exist`) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestSplitFollowsLinks checks that a collection is not overwritten by a half of
// it under another name.
func TestSplitFollowsLinks(t *testing.T) {
	dir, _, _ := split(t, tiny, collection.SplitOptions{}) // made by us, so that it may be overwritten
	c, err := collection.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skip("no links here:", err)
	}
	before := lines(t, dir, "turns.jsonl")
	for _, dirs := range [][2]string{{link, link + "b"}, {link + "b", link}} {
		if _, err := collection.Split(context.Background(), c, dirs, collection.SplitOptions{}); err == nil || !strings.Contains(err.Error(), "would overwrite the collection") {
			t.Errorf("%v: error %v", dirs, err)
		}
	}
	if after := lines(t, dir, "turns.jsonl"); !slices.Equal(before, after) {
		t.Errorf("%d of %d turns are left", len(after), len(before))
	}
}
