package input

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"parley/dialog"
	"parley/internal/wordpiece"
)

func newSequencer(t testing.TB, budget dialog.Budget, passage int) (*Sequencer, *Reader) {
	t.Helper()
	r := newReader(t, dialog.Budget{})
	s, err := NewSequencer(r.tok, budget, passage)
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func TestAppendContext(t *testing.T) {
	for _, test := range []struct {
		budget dialog.Budget
		want   string
	}{
		{dialog.Budget{Answer: -1, Total: -1}, "[CLS] how long did it last ? [SEP] it began in june . [SEP] who won the war ? [SEP]"},
		{dialog.Budget{Answer: 2, Total: -1}, "[CLS] how long did it last ? [SEP] it began [SEP] who won the war ? [SEP]"},
		{dialog.Budget{Answer: 2, Total: 13}, "[CLS] how long did it last ? [SEP] it began [SEP] who [SEP]"},
		{dialog.Budget{Answer: 2, Total: 12}, "[CLS] how long did it last ? [SEP] it began [SEP]"},
		{dialog.Budget{Answer: 2, Total: 9}, "[CLS] how long did it last ? [SEP]"},
		{dialog.Budget{Answer: 2, Total: 3}, "[CLS] how [SEP]"},
		{dialog.Budget{Total: 11, NoAnswers: true}, "[CLS] how long did it last ? [SEP] who won [SEP]"},
	} {
		s, r := newSequencer(t, test.budget, 0)
		if got := r.tokens(s.AppendContext([]uint32{7}, history())[1:]); got != test.want {
			t.Errorf("budget %+v:\n got %s\nwant %s", test.budget, got, test.want)
		}
	}
	s, r := newSequencer(t, dialog.Budget{}, 0)
	for _, c := range []dialog.Context{nil, {{Text: ""}}, {{Text: " "}, {Role: dialog.Answer, Distance: 1}}} {
		if got := r.tokens(s.AppendContext(nil, c)); got != "[CLS] [SEP]" {
			t.Errorf("nothing said reads %s", got)
		}
	}
}

func TestSequencerAppendPassage(t *testing.T) {
	for _, test := range []struct {
		title, text string
		limit       int
		want        string
	}{
		{"War", "It began in June.", -1, "[CLS] war it began in june . [SEP]"},
		{"", "It began in June.", 0, "[CLS] it began in june . [SEP]"},
		{"War", "", 0, "[CLS] war [SEP]"},
		{"War", "It began in June.", 8, "[CLS] war it began in june . [SEP]"},
		{"War", "It began in June.", 7, "[CLS] war it began in june [SEP]"},
		{"The war", "It began in June.", 3, "[CLS] the [SEP]"},
		{"", "", 3, "[CLS] [SEP]"},
	} {
		s, r := newSequencer(t, dialog.Budget{}, test.limit)
		if got := r.tokens(s.AppendPassage([]uint32{7}, test.title, test.text)[1:]); got != test.want {
			t.Errorf("limit %d:\n got %s\nwant %s", test.limit, got, test.want)
		}
	}
}

// TestSequenceIsFramedContext compares sequences of made-up contexts with what
// the lexical students read: the same tokens, [CLS] before and [SEP] behind.
func TestSequenceIsFramedContext(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	r := newReader(t, dialog.Budget{})
	for range 2000 {
		var c dialog.Context
		for d := range rng.IntN(8) {
			var text []string
			for range rng.IntN(12) {
				text = append(text, words[rng.IntN(len(words))])
			}
			c = append(c, dialog.Utterance{Role: dialog.Role(rng.IntN(2)), Distance: d, Text: strings.Join(text, " ")})
		}
		budget := dialog.Budget{Answer: rng.IntN(12) - 1, Total: 3 + rng.IntN(60), NoAnswers: rng.IntN(4) == 0}
		if rng.IntN(5) == 0 {
			budget.Total = -1
		}
		s, err := NewSequencer(r.tok, budget, 0)
		if err != nil {
			t.Fatal(err)
		}
		if budget.Total > 0 {
			budget.Total -= 2
		}
		plain, err := NewReader(r.tok, budget)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Concat([]uint32{s.start}, plain.Context(c).IDs, []uint32{s.separator})
		if got := s.AppendContext(nil, c); !slices.Equal(got, want) {
			t.Fatalf("budget %+v of %q:\n got %s\nwant %s", s.Budget(), c.Text(), r.tokens(got), r.tokens(want))
		}
	}
}

// TestSequenceIsItsText says that a passage is read as the one text "title text".
func TestSequenceIsItsText(t *testing.T) {
	s, r := newSequencer(t, dialog.Budget{}, -1)
	title, text := "Who won the wars", "It lasted, in June?"
	want := slices.Concat([]uint32{s.start}, r.tok.Append(nil, title+" "+text), []uint32{s.separator})
	if got := s.AppendPassage(nil, title, text); !slices.Equal(got, want) {
		t.Errorf("read %s, its text is %s", r.tokens(got), r.tokens(want))
	}
}

func TestSequencesAllocateNothing(t *testing.T) {
	s, _ := newSequencer(t, dialog.Budget{}, 0)
	c, ids := history(), make([]uint32, 0, 512)
	if n := testing.AllocsPerRun(100, func() {
		ids = s.AppendContext(ids[:0], c)
		ids = s.AppendPassage(ids, "The war", "It began in June, and did last longer.")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNewSequencerRefuses(t *testing.T) {
	tok := func(tokens ...string) *wordpiece.Tokenizer {
		v, err := wordpiece.NewVocabulary(append(tokens, wordpiece.Unknown), wordpiece.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return wordpiece.New(v)
	}
	both := tok(wordpiece.Start, wordpiece.Separator)
	for _, test := range []struct {
		tok     *wordpiece.Tokenizer
		total   int
		passage int
		want    string
	}{
		{tok(wordpiece.Start), 0, 0, "the vocabulary lacks the token [SEP]"},
		{tok(wordpiece.Separator), 0, 0, "the vocabulary lacks the token [CLS]"},
		{both, 2, 0, "a limit of 2 tokens leaves none for text"},
		{both, 0, 1, "a limit of 1 tokens leaves none for text"},
	} {
		_, err := NewSequencer(test.tok, dialog.Budget{Total: test.total}, test.passage)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
	if _, err := NewSequencer(both, dialog.Budget{Total: 3}, 3); err != nil {
		t.Error(err)
	}
}

func ExampleSequencer() {
	vocab, _ := wordpiece.NewVocabulary([]string{"[UNK]", "[CLS]", "[SEP]", "and", "then", "?", "it", "began"}, wordpiece.Options{})
	sequencer, _ := NewSequencer(wordpiece.New(vocab), dialog.Budget{}, 4)
	fmt.Println(sequencer.AppendContext(nil, dialog.Context{
		{Role: dialog.Question, Distance: 0, Text: "And then?"},
		{Role: dialog.Answer, Distance: 1, Text: "It began."},
	}))
	fmt.Println(sequencer.AppendPassage(nil, "", "it began and then"))
	// Output:
	// [1 3 4 5 2 6 7 0 2]
	// [1 6 7 2]
}
