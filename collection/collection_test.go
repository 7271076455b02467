package collection_test

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"parley/collection"
	"parley/dialog"
	"parley/trec"
)

const (
	corpus = `{"id": "p1", "title": "Lake Vey", "text": "Lake Vey is 12 km long."}
{"text": "It freezes in \u00e9arly \"May\".", "id": "p2", "title": null, "source": {"page": [1, 2]}}

{"id":"p3","text":""}
`
	turns = `{"id": "a_1", "conversation": "a", "turn": 1, "question": "How long is Lake Vey?", "answer": "12 km", "rewrite": "How long is Lake Vey?", "rewrites": {"m": "Lake Vey length?"}}
{"id": "b_1", "conversation": "b", "turn": 1, "question": "Hello?"}
{"id": "a_2", "conversation": "a", "turn": 2, "question": "When does it freeze?", "answer": null, "rewrite": null, "rewrites": {"m": null}, "track": "x"}
`
	qrels = "a_1 0 p1 2\na_2 0 p2 1\n"
)

// folder writes files, by name, into a new folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), compressed(t, name, text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func compressed(t testing.TB, name, text string) []byte {
	t.Helper()
	var out strings.Builder
	var err error
	switch filepath.Ext(name) {
	case ".gz":
		z := gzip.NewWriter(&out)
		_, err = z.Write([]byte(text))
		z.Close()
	case ".zst":
		z, _ := zstd.NewWriter(&out)
		_, err = z.Write([]byte(text))
		z.Close()
	default:
		out.WriteString(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return []byte(out.String())
}

// read returns all that the collection in dir yields, up to the first error.
func read(dir string) (passages []collection.Passage, conversations []dialog.Conversation, qrels trec.Qrels, err error) {
	c, err := collection.Open(dir)
	if err != nil {
		return
	}
	for p, e := range c.Passages() {
		if e != nil {
			return passages, nil, nil, e
		}
		passages = append(passages, p)
	}
	for conversation, e := range c.Conversations() {
		if e != nil {
			return passages, conversations, nil, e
		}
		conversations = append(conversations, conversation)
	}
	qrels, err = c.Qrels()
	return
}

func TestReadsPlainAndCompressed(t *testing.T) {
	for _, suffix := range []string{"", ".gz", ".zst"} {
		dir := folder(t, map[string]string{"corpus.jsonl" + suffix: corpus, "turns.jsonl" + suffix: turns, "qrels.txt" + suffix: qrels})
		passages, conversations, judged, err := read(dir)
		if err != nil {
			t.Fatal(err)
		}
		wantPassages := []collection.Passage{
			{ID: "p1", Title: "Lake Vey", Text: "Lake Vey is 12 km long."},
			{ID: "p2", Text: `It freezes in éarly "May".`},
			{ID: "p3"},
		}
		wantConversations := []dialog.Conversation{
			{ID: "a", Turns: []dialog.Turn{
				{
					ID: "a_1", Conversation: "a", Number: 1, Question: "How long is Lake Vey?", Answer: "12 km",
					Rewrite: "How long is Lake Vey?", Rewrites: map[string]string{"m": "Lake Vey length?"},
				},
				{ID: "a_2", Conversation: "a", Number: 2, Question: "When does it freeze?", Rewrites: map[string]string{}},
			}},
			{ID: "b", Turns: []dialog.Turn{{ID: "b_1", Conversation: "b", Number: 1, Question: "Hello?"}}},
		}
		wantQrels := trec.Qrels{"a_1": {"p1": 2}, "a_2": {"p2": 1}}
		for _, diff := range []string{cmp.Diff(wantPassages, passages), cmp.Diff(wantConversations, conversations), cmp.Diff(wantQrels, judged)} {
			if diff != "" {
				t.Errorf("suffix %q: %s", suffix, diff)
			}
		}
	}
}

func TestEmptyCollectionIsNoError(t *testing.T) {
	for _, suffix := range []string{"", ".gz", ".zst"} {
		dir := t.TempDir()
		for _, name := range []string{"corpus.jsonl", "turns.jsonl"} {
			if err := os.WriteFile(filepath.Join(dir, name+suffix), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		passages, conversations, judged, err := read(dir)
		if err != nil || len(passages)+len(conversations)+len(judged) != 0 || judged == nil {
			t.Errorf("suffix %q: %v %v %v %v", suffix, passages, conversations, judged, err)
		}
	}
}

func TestErrorsNameFileLineAndCure(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string // in place of the good ones; "-" stands for none
		want  string
	}{
		"no corpus":   {map[string]string{"corpus.jsonl": "-"}, `cannot open the collection DIR: it has no corpus.jsonl (nor corpus.jsonl.gz or corpus.jsonl.zst); make an empty one if there is nothing to put in it`},
		"two corpora": {map[string]string{"corpus.jsonl.gz": corpus}, `cannot open the collection: DIR/corpus.jsonl and corpus.jsonl.gz: keep only one of them`},
		"truncated":   {map[string]string{"corpus.jsonl": corpus + `{"id": "p4", "text": "Lak`}, `DIR/corpus.jsonl:5: field "text": the JSON is cut short: write each object whole on one line`},
		"wrong type":  {map[string]string{"corpus.jsonl": `{"id": 7, "text": ""}`}, `DIR/corpus.jsonl:1: field "id": column 8: a string is due, not a number`},
		"no field":    {map[string]string{"corpus.jsonl": `{"id": "7"}`}, `DIR/corpus.jsonl:1: field "text" is missing`},
		"Latin-1":     {map[string]string{"corpus.jsonl": corpus + "{\"id\": \"p4\", \"text\": \"caf\xe9\"}"}, `DIR/corpus.jsonl:5: byte 26 is not valid UTF-8: convert the file to UTF-8`},
		"order mark":  {map[string]string{"corpus.jsonl": "\ufeff" + corpus}, `DIR/corpus.jsonl:1: starts with a byte order mark: save the file as UTF-8 without one`},
		"empty id":    {map[string]string{"corpus.jsonl": `{"id": "", "text": ""}`}, `DIR/corpus.jsonl:1: field "id": the id is empty`},
		"turn id":     {map[string]string{"turns.jsonl": turns + turns}, `DIR/turns.jsonl:4: duplicate turn id "a_1" (first on line 1): give each turn its own id`},
		"gap":         {map[string]string{"turns.jsonl": strings.Replace(turns, `"turn": 2`, `"turn": 3`, 1)}, `DIR/turns.jsonl:3: turn "a_2" has number 3 of conversation "a" where 2 is due: number its turns 1, 2, 3 … in the order of the file`},
		"turn 0":      {map[string]string{"turns.jsonl": strings.Replace(turns, `"turn": 2`, `"turn": 0`, 1)}, `DIR/turns.jsonl:3: field "turn": 0: number turns from 1`},
		"turn 1.5":    {map[string]string{"turns.jsonl": strings.Replace(turns, `"turn": 2`, `"turn": 1.5`, 1)}, `DIR/turns.jsonl:3: field "turn": 1.5 is not a whole number in reach: number turns 1, 2, 3 …`},
		"comment id":  {map[string]string{"turns.jsonl": strings.Replace(turns, `"a_1"`, `"#1"`, 1)}, `DIR/turns.jsonl:1: field "id": id "#1" starts with "#", which some readers of qrels and runs take for a comment: choose another`},
		"mark id":     {map[string]string{"turns.jsonl": strings.Replace(turns, `"a_1"`, `"\ufeffa_1"`, 1)}, `DIR/turns.jsonl:1: field "id": id "\ufeffa_1" starts with a byte order mark, which qrels and runs may not: choose another`},
		"qrels":       {map[string]string{"qrels.txt": "a_1 0 p1\n"}, `DIR/qrels.txt:1: 3 fields instead of 4: write each line as "topic 0 passage grade"`},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"corpus.jsonl": corpus, "turns.jsonl": turns, "qrels.txt": qrels}
			for file, text := range test.files {
				if files[file] = text; text == "-" {
					delete(files, file)
				}
			}
			dir := folder(t, files)
			_, _, _, err := read(dir)
			if got := strings.ReplaceAll(fmt.Sprint(err), dir, "DIR"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestCutCompressedFileIsAnError(t *testing.T) {
	for _, suffix := range []string{".gz", ".zst"} {
		dir := folder(t, map[string]string{"corpus.jsonl" + suffix: strings.Repeat(corpus, 1000), "turns.jsonl": ""})
		path := filepath.Join(dir, "corpus.jsonl"+suffix)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data[:len(data)-10], 0o666); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := read(dir); err == nil || !strings.Contains(err.Error(), "the compressed file is cut short: copy it again") {
			t.Errorf("%s: %v", suffix, err)
		}
	}
}
