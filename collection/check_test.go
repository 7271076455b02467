package collection_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/collection"
)

// check returns the findings as text, the folder written as DIR.
func check(t *testing.T, files map[string]string, places int) (*collection.Report, string) {
	t.Helper()
	dir := folder(t, files)
	r, err := collection.Check(context.Background(), dir, collection.CheckOptions{Places: places})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range r.Findings {
		for _, place := range f.Places {
			fmt.Fprintf(&b, "%s: %v\n", f.Severity, place)
		}
		if more := f.Count - len(f.Places); more > 0 {
			fmt.Fprintf(&b, "%d more %s\n", more, f.Kind)
		}
	}
	return r, strings.ReplaceAll(b.String(), dir+"/", "")
}

// TestCheckFindsEverything puts all mistakes into one collection.
func TestCheckFindsEverything(t *testing.T) {
	r, got := check(t, map[string]string{
		"corpus.jsonl": `{"id": "p1", "text": "one"}
{"id": "p2", "text": "tw
{"id": "p1", "text": "three"}
{"id": "p4", "text": " "}
{"id": "p5", "text": "one"}
{"id": "p6", "text": "lost ` + "\ufffd" + `"}
{"id": "p7", "text": "` + "\xe9" + `"}
{"id": 8, "text": "x"}
{"id": "p1", "text": "nine"}
`,
		"turns.jsonl": `{"id": "a1", "conversation": "a", "turn": 1, "question": "Who?", "rewrite": " ", "rewrites": {"m": " "}}
{"id": "a3", "conversation": "a", "turn": 3, "question": "\t"}
{"id": "a1", "conversation": "b", "turn": 1, "question": "Why?"}
{"id": "a4", "conversation": "a", "turn": 4, "question": "Where?"}
{"id": "a4b", "conversation": "a", "turn": 4, "question": "Where?"}
{"id": "c1", "conversation": "c", "turn": 2, "question": "What?"}
`,
		"qrels.txt": `a1 0 p1 1
a1 0 p5 0
a1 0 p1 1
a3 0 p9 2
a4 0 p4 0
z9 0 p1 1
a4 0 p4
`,
	}, 0)
	want := `error: corpus.jsonl:2: field "text": the JSON is cut short: write each object whole on one line
error: corpus.jsonl:7: byte 23 is not valid UTF-8: convert the file to UTF-8
error: corpus.jsonl:8: field "id": column 8: a string is due, not a number
error: qrels.txt:7: 3 fields instead of 4: write each line as "topic 0 passage grade" (the rest of the file was not read)
error: corpus.jsonl:3: duplicate passage id "p1" (first on line 1): give each passage its own id
error: corpus.jsonl:9: duplicate passage id "p1" (first on line 1): give each passage its own id
error: corpus.jsonl:4: passage "p4" has no text: remove the passage, or write its text
error: turns.jsonl:3: duplicate turn id "a1" (first on line 1): give each turn its own id
error: turns.jsonl:2: turn "a3" has number 3 of conversation "a" where 2 is due: number its turns 1, 2, 3 … in the order of the file
error: turns.jsonl:5: turn "a4b" has number 4 of conversation "a" where 5 is due: number its turns 1, 2, 3 … in the order of the file
error: turns.jsonl:6: turn "c1" has number 2 of conversation "c" where 1 is due: number its turns 1, 2, 3 … in the order of the file
error: turns.jsonl:2: turn "a3" has no question: remove the turn, or write its question
error: qrels.txt:6: turn "z9" is judged but does not exist: remove its judgements, or add the turn
error: qrels.txt:4: passage "p9" is judged but does not exist: remove its judgements, or add the passage
error: qrels.txt:3: passage "p1" is judged twice for turn "a1" (first on line 1): keep one of the lines
warning: corpus.jsonl:5: passage "p5" has the text of passage "p1" (line 1): a search that finds the one finds the other
warning: turns.jsonl:1: turn "a1" has a rewrite of blanks: write null if there is none
warning: turns.jsonl:1: turn "a1" has a rewrite of blanks by "m": leave it out if there is none
warning: corpus.jsonl:6: a text holds U+FFFD, where characters were lost in an earlier conversion: convert it anew from its source
warning: qrels.txt:5: no passage judged for turn "a4" has a grade of 1 or more: every measure of it is 0
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r.Errors != 15 || r.Warnings != 5 {
		t.Errorf("%d errors and %d warnings", r.Errors, r.Warnings)
	}
}

func TestCheckCountsWhatItDoesNotList(t *testing.T) {
	var text strings.Builder
	for i := range 40 {
		fmt.Fprintf(&text, "{\"id\": \"p%d\", \"text\": \"\"}\n", i)
	}
	r, got := check(t, map[string]string{"corpus.jsonl": text.String(), "turns.jsonl": ""}, 2)
	want := `error: corpus.jsonl:1: passage "p0" has no text: remove the passage, or write its text
error: corpus.jsonl:2: passage "p1" has no text: remove the passage, or write its text
38 more empty passage
`
	if got != want || r.Errors != 40 {
		t.Errorf("%d errors:\n%s", r.Errors, got)
	}
}

func TestStatistics(t *testing.T) {
	r, got := check(t, map[string]string{"corpus.jsonl.gz": corpus[:strings.LastIndex(corpus, `{"id":"p3"`)], "turns.jsonl.zst": turns, "qrels.txt": qrels + "b_1 0 p1 0\n"}, 0)
	if !strings.HasPrefix(got, "warning: qrels.txt:3: no passage judged") || r.Errors != 0 {
		t.Error(got)
	}
	want := collection.Statistics{
		Passages: 2, PassageWords: 5.5,
		Conversations: 2, Turns: 3, TurnsPerConversation: collection.Spread{Mean: 1.5, Min: 1, Max: 2},
		QuestionWords: 10. / 3, Answers: 1, AnswerWords: 2,
		Rewrites:   []collection.RewriteStatistics{{Rewriter: "human", Turns: 1, Judged: 1, Words: 5}, {Rewriter: "m", Turns: 1, Judged: 1, Words: 3}},
		Judgements: 3, Grades: []collection.GradeCount{{Grade: 0, Judgements: 1}, {Grade: 1, Judgements: 1}, {Grade: 2, Judgements: 1}},
		JudgedTurns: 3, RelevantPerTurn: 2. / 3,
		ByTurn: []collection.NumberCount{{Number: 1, Turns: 2, Judged: 2}, {Number: 2, Turns: 1, Judged: 1}},
	}
	if diff := cmp.Diff(want, r.Statistics); diff != "" {
		t.Error(diff)
	}
}

// TestStatisticsCountHumanRewritesOnce checks that a turn with two human rewrites
// counts once, with the rewrite that is used.
func TestStatisticsCountHumanRewritesOnce(t *testing.T) {
	r, _ := check(t, map[string]string{"corpus.jsonl": "", "turns.jsonl": `{"id": "a1", "conversation": "a", "turn": 1, "question": "q", "rewrite": "two words", "rewrites": {"human": "x"}}
{"id": "a2", "conversation": "a", "turn": 2, "question": "q", "rewrites": {"human": "now four words here"}}
`}, 0)
	want := []collection.RewriteStatistics{{Rewriter: "human", Turns: 2, Words: 3}}
	if diff := cmp.Diff(want, r.Statistics.Rewrites); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkCheck checks a made-up collection; bytes are those of its corpus.
func BenchmarkCheck(b *testing.B) {
	s, err := collection.Synthesise(collection.SynthesisOptions{Passages: 20000, Conversations: 100})
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(b.TempDir(), "world")
	if err := s.Write(context.Background(), dir, nil); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "corpus.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		if _, err := collection.Check(context.Background(), dir, collection.CheckOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCheckStopsWhenTold(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := folder(t, map[string]string{"corpus.jsonl": corpus, "turns.jsonl": turns})
	if _, err := collection.Check(ctx, dir, collection.CheckOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
