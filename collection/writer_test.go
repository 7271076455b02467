package collection_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"parley/collection"
	"parley/dialog"
	"parley/trec"
)

// ids draws what may stand in a TREC file.
var ids = rapid.StringMatching(`[a-z0-9é_"\\\\]{1,8}`)

// TestReadsWhatWasWritten writes any texts, and reads them back.
func TestReadsWhatWasWritten(t *testing.T) {
	parent := t.TempDir()
	text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("\x00\x1f\"\\/\n\t\u2028é𝄞 a\x7f{}"))))
	rapid.Check(t, func(t *rapid.T) {
		dir := filepath.Join(parent, "c")
		w, err := collection.Create(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Discard()
		passages := rapid.SliceOf(rapid.Custom(func(t *rapid.T) collection.Passage {
			return collection.Passage{ID: ids.Draw(t, "id"), Title: text.Draw(t, "title"), Text: text.Draw(t, "text")}
		})).Draw(t, "passages")
		for _, p := range passages {
			if err := w.AddPassage(p); err != nil {
				t.Fatal(err)
			}
		}
		conversation := dialog.Conversation{ID: ids.Draw(t, "conversation")}
		for i, id := range rapid.SliceOfNDistinct(ids, 1, 4, rapid.ID).Draw(t, "turns") {
			conversation.Turns = append(conversation.Turns, dialog.Turn{
				ID: id, Conversation: conversation.ID, Number: i + 1, Question: text.Draw(t, "question"),
				Answer: text.Draw(t, "answer"), Rewrite: text.Draw(t, "rewrite"),
				Rewrites: rapid.MapOf(text, text.Filter(func(s string) bool { return s != "" })).Draw(t, "rewrites"),
			})
		}
		topic := conversation.Turns[0].ID
		if err := w.AddConversation(conversation); err != nil {
			t.Fatal(err)
		}
		if err := w.AddQrel(trec.Qrel{Topic: topic, Passage: "p", Grade: -3}); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit("test"); err != nil {
			t.Fatal(err)
		}
		gotPassages, conversations, qrels, err := read(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, diff := range []string{
			cmp.Diff(passages, gotPassages, cmpopts.EquateEmpty()),
			cmp.Diff([]dialog.Conversation{conversation}, conversations, cmpopts.EquateEmpty()),
			cmp.Diff(trec.Qrels{topic: {"p": -3}}, qrels),
		} {
			if diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func TestWriterRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	w, err := collection.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.AddConversation(dialog.Conversation{ID: "c", Turns: []dialog.Turn{{ID: "t", Conversation: "c", Number: 2}}}); err == nil {
		t.Error("a conversation without its first turn is written")
	}
	w.Discard()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a discarded collection is there: %v", err)
	}
	mine := folder(t, map[string]string{"corpus.jsonl": corpus, "turns.jsonl": turns})
	if _, err := collection.Create(mine); err == nil || !strings.Contains(err.Error(), "cannot replace the folder") {
		t.Errorf("error %v", err)
	}
}
