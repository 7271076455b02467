package dialog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"parley/dialog"
)

// lake is a conversation of three turns.
var lake = dialog.Conversation{ID: "c", Turns: []dialog.Turn{
	{ID: "c1", Conversation: "c", Number: 1, Question: "How deep is Lake Vey?", Answer: "90 metres.", Rewrite: "How deep is Lake Vey?"},
	{ID: "c2", Conversation: "c", Number: 2, Question: "And how long?", Rewrite: "How long is Lake Vey?", Rewrites: map[string]string{"m": "lake length", "human": "spare"}},
	{ID: "c3", Conversation: "c", Number: 3, Question: "Who named it?", Answer: "Ida Vey did.", Rewrites: map[string]string{"human": "Who named Lake Vey?", "m": ""}},
}}

func Example() {
	fmt.Println(lake.History(2).Text())
	mode, err := dialog.ParseMode("rewrite:m")
	if err != nil {
		fmt.Println(err)
		return
	}
	if ctx, ok := mode.Context(lake, 1); ok {
		fmt.Println(ctx.Text())
	}
	_, ok := mode.Context(lake, 2)
	fmt.Println(ok)
	// Output:
	// Who named it? [SEP] And how long? [SEP] 90 metres. [SEP] How deep is Lake Vey?
	// lake length
	// false
}

func TestContextsOfModes(t *testing.T) {
	q := func(distance int, text string) dialog.Utterance {
		return dialog.Utterance{Role: dialog.Question, Distance: distance, Text: text}
	}
	a := func(distance int, text string) dialog.Utterance {
		return dialog.Utterance{Role: dialog.Answer, Distance: distance, Text: text}
	}
	for _, test := range []struct {
		mode string
		turn int
		want dialog.Context
	}{
		{"last", 2, dialog.Context{q(0, "Who named it?")}},
		{"questions", 2, dialog.Context{q(0, "Who named it?"), q(1, "And how long?"), q(2, "How deep is Lake Vey?")}},
		{"history", 2, dialog.Context{q(0, "Who named it?"), q(1, "And how long?"), a(2, "90 metres."), q(2, "How deep is Lake Vey?")}},
		{"history", 0, dialog.Context{q(0, "How deep is Lake Vey?")}},
		{"rewrite", 1, dialog.Context{q(0, "How long is Lake Vey?")}},
		{"rewrite", 2, dialog.Context{q(0, "Who named Lake Vey?")}},
		{"rewrite:human", 1, dialog.Context{q(0, "How long is Lake Vey?")}},
		{"rewrite:m", 1, dialog.Context{q(0, "lake length")}},
		{"rewrite:m", 2, nil},
		{"rewrite:n", 1, nil},
	} {
		mode, err := dialog.ParseMode(test.mode)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := mode.Context(lake, test.turn)
		if ok != (test.want != nil) {
			t.Errorf("%s of turn %d: ok is %v", test.mode, test.turn, ok)
		} else if diff := cmp.Diff(test.want, got); ok && diff != "" {
			t.Errorf("%s of turn %d: %s", test.mode, test.turn, diff)
		}
	}
}

func TestValidate(t *testing.T) {
	if err := lake.Validate(); err != nil {
		t.Error(err)
	}
	for want, c := range map[string]dialog.Conversation{
		`conversation "c": turn "x" has number 2 where 1 is due`:         {ID: "c", Turns: []dialog.Turn{{ID: "x", Conversation: "c", Number: 2}}},
		`conversation "c": turn "y" belongs to conversation "d"`:         {ID: "c", Turns: []dialog.Turn{{ID: "x", Conversation: "c", Number: 1}, {ID: "y", Conversation: "d", Number: 2}}},
		`conversation "c": turn "y" has number 1 where 2 is due`:         {ID: "c", Turns: []dialog.Turn{{ID: "x", Conversation: "c", Number: 1}, {ID: "y", Conversation: "c", Number: 1}}},
		`conversation "c": turn "x" belongs to conversation "elsewhere"`: {ID: "c", Turns: []dialog.Turn{{ID: "x", Conversation: "elsewhere", Number: 1}}},
	} {
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// conversations draws conversations whose texts tell where they come from.
var conversations = rapid.Custom(func(t *rapid.T) dialog.Conversation {
	c := dialog.Conversation{ID: "c"}
	for i := range rapid.IntRange(1, 12).Draw(t, "turns") {
		turn := dialog.Turn{ID: fmt.Sprint(i), Conversation: "c", Number: i + 1, Question: fmt.Sprintf("q%d.", i)}
		if rapid.Bool().Draw(t, "answered") {
			turn.Answer = fmt.Sprintf("a%d.", i)
		}
		c.Turns = append(c.Turns, turn)
	}
	return c
})

// TestNothingFromTheFuture checks the package's guarantee, and the order and
// distances of a context.
func TestNothingFromTheFuture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := conversations.Draw(t, "conversation")
		i := rapid.IntRange(0, len(c.Turns)-1).Draw(t, "turn")
		for mode, ctx := range map[string]dialog.Context{"last": c.Last(i), "questions": c.Questions(i), "history": c.History(i)} {
			if ctx[0] != (dialog.Utterance{Role: dialog.Question, Text: c.Turns[i].Question}) {
				t.Fatalf("%s starts with %+v", mode, ctx[0])
			}
			if strings.Contains(ctx.Text(), fmt.Sprintf("a%d.", i)) {
				t.Fatalf("%s holds the answer to its own question: %s", mode, ctx.Text())
			}
			for j, u := range ctx {
				turn := c.Turns[i-u.Distance] // never behind turn i, or this panics
				if want := map[dialog.Role]string{dialog.Question: turn.Question, dialog.Answer: turn.Answer}[u.Role]; u.Text != want || want == "" {
					t.Fatalf("%s: utterance %d is %+v, turn %d says %q", mode, j, u, turn.Number, want)
				}
				if j > 0 && u.Distance < ctx[j-1].Distance {
					t.Fatalf("%s: utterance %d is newer than the one before", mode, j)
				}
			}
		}
		if h := c.History(i); len(h) != len(slices.Compact(slices.Clone(h))) {
			t.Fatal("the history repeats an utterance")
		}
	})
}

// keepSlowly is what Budget.Keep promises, token by token: utterances are read
// from the newest on, each answer up to its budget; the first token of an
// utterance behind another needs room for the separator too.
func keepSlowly(b dialog.Budget, c dialog.Context, counts []int) []int {
	b = b.Resolved()
	keep, used := make([]int, len(c)), 0
	for i, u := range c {
		for range counts[i] {
			cost := 1
			if used > 0 && keep[i] == 0 {
				cost = 2
			}
			if u.Role == dialog.Answer && b.Answer >= 0 && keep[i] == b.Answer || b.Total >= 0 && used+cost > b.Total {
				break
			}
			keep[i]++
			used += cost
		}
	}
	return keep
}

func TestKeep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := conversations.Draw(t, "conversation")
		ctx := c.History(len(c.Turns) - 1)
		counts := rapid.SliceOfN(rapid.OneOf(rapid.Just(0), rapid.IntRange(0, 40)), len(ctx), len(ctx)).Draw(t, "counts")
		b := dialog.Budget{Answer: rapid.IntRange(-1, 30).Draw(t, "answer"), Total: rapid.IntRange(-1, 120).Draw(t, "total")}
		got, want := b.Keep(ctx, counts), keepSlowly(b, ctx, counts)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%+v of %v: %s", b, counts, diff)
		}
	})
}

func TestBudgetDefaults(t *testing.T) {
	if got := (dialog.Budget{}).Resolved(); got != (dialog.Budget{Answer: 48, Total: 256}) {
		t.Errorf("%+v", got)
	}
	if b := (dialog.Budget{Answer: -1, Total: 7}); b.Resolved() != b {
		t.Errorf("%+v", b.Resolved())
	}
}

func FuzzParseMode(f *testing.F) {
	for _, s := range []string{"last", "questions", "history", "rewrite", "rewrite:", "rewrite:human", "rewrite:a b", "Last", "", "rewrite:rewrite:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := dialog.ParseMode(s)
		if err != nil {
			if m != (dialog.Mode{}) {
				t.Errorf("%q: mode %v with error %v", s, m, err)
			}
			return
		}
		again, err := dialog.ParseMode(m.String())
		if err != nil || again != m {
			t.Errorf("%q reads as %v, and its text %q as %v (%v)", s, m, m.String(), again, err)
		}
		if m.String() != s && s != "rewrite:human" {
			t.Errorf("%q is written as %q", s, m.String())
		}
	})
}

// TestSpent says that a spent budget keeps nothing more, and one that is not
// keeps something of the next question.
func TestSpent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := dialog.Budget{Answer: rapid.IntRange(-1, 9).Draw(t, "answer"), Total: rapid.IntRange(-1, 40).Draw(t, "total")}
		rest := b.Begin()
		for range 8 {
			spent := rest.Spent()
			if kept := rest.Keep(dialog.Utterance{}, rapid.IntRange(1, 9).Draw(t, "tokens")); (kept == 0) != spent {
				t.Fatalf("%d tokens kept of a budget of which it was said that it is spent: %v", kept, spent)
			}
		}
	})
}
