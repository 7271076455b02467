package collection

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// endless yields a head and then one byte again and again.
type endless struct {
	head string
	left int64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if e.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.left -= int64(n)
	return n, nil
}

func TestLineOverTheLimit(t *testing.T) {
	good := `{"id": "p", "text": ""}` + "\n"
	in := io.MultiReader(strings.NewReader(good), &endless{head: `{"id": "q", "text": "`, left: 200 << 20}, strings.NewReader("\n"+good))
	var got []string
	for l, err := range readLinesFrom(in, "corpus.jsonl", decodePassage) {
		got = append(got, fmt.Sprintln(l.record.ID, l.number, err))
	}
	want := []string{
		"p 1 <nil>\n",
		" 2 corpus.jsonl:2: the line is longer than 64 MiB: write one JSON object a line, and split longer texts into passages\n",
		"p 3 <nil>\n",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLineAtTheLimit(t *testing.T) {
	frame := `{"id":"q","text":""}`
	in := io.MultiReader(&endless{head: frame[:len(frame)-2], left: int64(MaxLine - len(frame) - 1)}, strings.NewReader(`"}`+"\n"))
	for l, err := range readLinesFrom(in, "corpus.jsonl", decodePassage) {
		if err != nil || len(l.raw) != MaxLine-1 || len(l.record.Text) != MaxLine-len(frame)-1 {
			t.Errorf("%d bytes: %v", len(l.raw), err)
		}
	}
}

// TestFullDisk writes the corpus to a device that is always full.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	dir := filepath.Join(t.TempDir(), "c")
	for _, n := range []int{1, 10_000} { // failing in Commit, and before
		w, err := Create(dir)
		if err != nil {
			t.Fatal(err)
		}
		w.files[corpusOut].Reset(full)
		for range n {
			if err == nil {
				err = w.AddPassage(Passage{ID: "p", Text: "a text of some length, so that a buffer is full some day"})
			}
		}
		if err == nil {
			err = w.Commit("test")
		}
		w.Discard()
		if want := "cannot write " + filepath.Join(dir, "corpus.jsonl") + ": no space left on device"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("the folder is there: %v", err)
		}
	}
}

// reference decodes an object by encoding/json, which is the oracle here: it
// accepts more than we do, and reads the same from what both accept.
func reference(line string) (map[string]json.RawMessage, error) {
	var raw map[string]json.RawMessage
	err := json.Unmarshal([]byte(line), &raw)
	return raw, err
}

func checkText(t *testing.T, raw map[string]json.RawMessage, name, got string) {
	t.Helper()
	var want *string
	if field, ok := raw[name]; ok {
		if err := json.Unmarshal(field, &want); err != nil {
			t.Fatalf("%s: accepted what encoding/json refuses: %v", name, err)
		}
	}
	if want == nil {
		want = new(string)
	}
	if got != *want {
		t.Fatalf("%s: %q, encoding/json reads %q", name, got, *want)
	}
}

func FuzzDecodePassage(f *testing.F) {
	for _, line := range []string{
		`{"id":"p","title":"t","text":"x"}`, ` { "id" : "\u00e9\ud83d\ude00\n" , "text":"", "x":[1,-0.5e+3,{"a":null}],"title":null } `,
		`{"id":"p","text":"\ud83d"}`, `{"id":"p","text":"a`, `{"id":"p","id":"q","text":""}`, `{"ID":"p","text":""}`, `[]`, `{}`, ``, `{"id":"p","text":"",}`,
		`{"id":"p","text":"` + "\t" + `"}`, `{"id":"p","text":"\x"}`, `{"id":"p","text":""} {}`, `{"id":"p","text":"","n":01}`, `{"id":"p","text":"","n":-}`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if !utf8.ValidString(line) {
			t.Skip("the line reader refuses it")
		}
		p, err := decodePassage(line)
		raw, refErr := reference(line)
		if err != nil {
			if err.Error() == "" || !utf8.ValidString(err.Error()) {
				t.Fatalf("bad message %q", err)
			}
			return
		}
		if refErr != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", refErr)
		}
		checkText(t, raw, "id", p.ID)
		checkText(t, raw, "title", p.Title)
		checkText(t, raw, "text", p.Text)
	})
}

func FuzzDecodeTurn(f *testing.F) {
	for _, line := range []string{
		`{"id":"t","conversation":"c","turn":1,"question":"q","answer":null,"rewrite":"r","rewrites":{"m":"s","n":null}}`,
		`{"id":"t","conversation":"c","turn":1e2,"question":"q"}`, `{"id":"t","conversation":"c","turn":-0,"question":"q"}`,
		`{"id":"t","conversation":"c","turn":99999999999999999999,"question":"q","rewrites":null}`, `{"id":"t","conversation":"c","turn":"1"}`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if !utf8.ValidString(line) {
			t.Skip("the line reader refuses it")
		}
		turn, err := decodeTurn(line)
		if err != nil {
			return
		}
		raw, err := reference(line)
		if err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		checkText(t, raw, "id", turn.ID)
		checkText(t, raw, "conversation", turn.Conversation)
		checkText(t, raw, "question", turn.Question)
		checkText(t, raw, "answer", turn.Answer)
		checkText(t, raw, "rewrite", turn.Rewrite)
		var n int
		if err := json.Unmarshal(raw["turn"], &n); err != nil || n != turn.Number {
			t.Fatalf("turn %d, encoding/json reads %d (%v)", turn.Number, n, err)
		}
		checkRewrites(t, raw["rewrites"], turn.Rewrites)
	})
}

func checkRewrites(t *testing.T, raw json.RawMessage, got map[string]string) {
	t.Helper()
	want := make(map[string]json.RawMessage)
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatalf("rewrites: accepted what encoding/json refuses: %v", err)
		}
	}
	for name := range want {
		checkText(t, want, name, got[name])
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Fatalf("rewriter %q is unknown to encoding/json", name)
		}
	}
}

// BenchmarkPassages reads a corpus from memory; B/s are bytes of the file.
func BenchmarkPassages(b *testing.B) {
	text := strings.Repeat("The lake lies in the north, and has been known since the days of the old kings. ", 6)
	corpus := strings.Repeat(`{"id": "p1234567", "title": "Lake Vey", "text": "`+text+`"}`+"\n", 2000)
	b.SetBytes(int64(len(corpus)))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range readLinesFrom(strings.NewReader(corpus), "corpus.jsonl", decodePassage) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// FuzzLines holds the reading of lines, whatever the pieces in which the file
// comes, against cutting the whole text.
func FuzzLines(f *testing.F) {
	for _, text := range []string{"", "\n", "a", "a\nb\n", "\n\n a \r\n\x00\n", "\xef\xbb\xbfa\nb", "a\n\xff\nc", "é\n", strings.Repeat("x", 5000) + "\ny"} {
		f.Add(text, 3)
	}
	f.Fuzz(func(t *testing.T, text string, piece int) {
		lines := newLineReader(&pieces{text, max(1, piece%5000)}, "file")
		lines.in = bufio.NewReaderSize(lines.in, 16) // so that lines are long
		for i, want := range strings.Split(text, "\n") {
			if strings.TrimSpace(want) == "" && utf8.ValidString(want) {
				continue
			}
			got, err := lines.next()
			bad := !utf8.ValidString(want) || i == 0 && strings.HasPrefix(want, "\xef\xbb\xbf")
			if err != nil != bad || err == io.EOF {
				t.Fatalf("line %d: error %v", i+1, err)
			}
			if lines.number != i+1 || !bad && string(got) != want {
				t.Fatalf("line %d %q is read as line %d %q", i+1, want, lines.number, got)
			}
		}
		if got, err := lines.next(); err != io.EOF {
			t.Fatalf("behind the end: %q %v", got, err)
		}
	})
}

// pieces reads a text in pieces.
type pieces struct {
	text string
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.text == "" {
		return 0, io.EOF
	}
	n := copy(b, p.text[:min(p.size, len(p.text))])
	p.text = p.text[n:]
	return n, nil
}

// FuzzTurns reads any file of turns: what comes out is whole and in order, or
// there is an error.
func FuzzTurns(f *testing.F) {
	f.Add([]byte(`{"id":"a1","conversation":"a","turn":1,"question":"q"}` + "\n" + `{"id":"b1","conversation":"b","turn":1,"question":"q"}` + "\n" + `{"id":"a2","conversation":"a","turn":2,"question":"q"}`))
	f.Add([]byte(`{"id":"a1","conversation":"a","turn":2,"question":"q"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g := newGrouping("turns.jsonl")
		lines := 0
		for l, err := range readLinesFrom(bytes.NewReader(data), "turns.jsonl", decodeTurn) {
			if err == nil {
				err = g.add(l.record, l.number)
			}
			if err != nil {
				return
			}
			lines++
		}
		turns := make(map[string]bool)
		for _, c := range g.conversations {
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			for _, turn := range c.Turns {
				turns[turn.ID] = true
			}
		}
		if len(turns) != lines {
			t.Fatalf("%d turns on %d lines", len(turns), lines)
		}
	})
}
