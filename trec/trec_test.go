package trec

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

func TestLoadQrels(t *testing.T) {
	const text = "\nq1 0 p1 2\n \t\n  q1\tQ0  p2 -1\r\nq2 0 p1 0"
	got, err := LoadQrels(strings.NewReader(text), "qrels.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := Qrels{"q1": {"p1": 2, "p2": -1}, "q2": {"p1": 0}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"q1", "q2"}, got.Topics()); d != "" {
		t.Error(d)
	}
}

func TestReadQrelsKnowsItsLines(t *testing.T) {
	var got []Qrel
	for q, err := range ReadQrels(strings.NewReader("\nq1 0 p1 2\n\nq1 0 p1 3\n"), "x") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, q)
	}
	want := []Qrel{{"q1", "p1", 2, 2}, {"q1", "p1", 3, 4}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestReadRun(t *testing.T) {
	var got []Entry
	const text = "q1 Q0 p1 1 2.5 tag\nq1 Q0 p2 2 -1e-3 other\nq2 Q0 p1 0 7 other"
	for e, err := range ReadRun(strings.NewReader(text), "x.run") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	want := []Entry{
		{"q1", "p1", 1, 2.5, "tag", 1},
		{"q1", "p2", 2, -.001, "other", 2},
		{"q2", "p1", 0, 7, "other", 3},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestReadersStopWhenAsked(t *testing.T) {
	for range ReadRun(strings.NewReader("q Q0 p 1 1 t\nbroken"), "x") {
		break
	}
	for range ReadQrels(strings.NewReader("q 0 p 1\nbroken"), "x") {
		break
	}
}

// bad lists files that must be refused, with the whole sentence that says why.
var bad = []struct{ kind, text, want string }{
	{"qrels", "q1 0 p1 1\nq1 0 p1", `f:2: 3 fields instead of 4: write each line as "topic 0 passage grade"`},
	{"qrels", "# judged in June", `f:1: grade "June" is not an integer: write each line as "topic 0 passage grade"`},
	{"qrels", "q1 0 p1 1 x", `f:1: 5 fields instead of 4: write each line as "topic 0 passage grade"`},
	{"qrels", "q1 0 p1 1.0", `f:1: grade "1.0" is not an integer: write each line as "topic 0 passage grade"`},
	{"qrels", "q1 0 p1 99999999999999999999", `f:1: grade "99999999999999999999" is not an integer: write each line as "topic 0 passage grade"`},
	{"qrels", "q1 0 p1 1\nq2 0 p1 1\nq1 0 p1 1", `f:3: passage "p1" is judged twice for topic "q1": keep one of the lines`},
	{"qrels", "q1 0 caf\xe9 1", `f:1: not valid UTF-8: convert the file to UTF-8`},
	{"qrels", "\ufeffq1 0 p1 1", `f:1: the file starts with a byte order mark: save it as UTF-8 without one`},
	{"qrels", "q1 0 p\x001 1", `f:1: the line holds a zero byte: is this a text file?`},
	{"qrels", "\n" + strings.Repeat("x", MaxLine), `f:2: the line is longer than 1048576 bytes: is this a qrels or run file?`},
	{"run", "q1 Q0 p1 1 2.5", `f:1: 5 fields instead of 6: write each line as "topic Q0 passage rank score tag"`},
	{"run", "q1 Q0 p1 1 2.5 t u", `f:1: 7 fields instead of 6: write each line as "topic Q0 passage rank score tag"`},
	{"run", "q1 Q0 p1 one 2.5 t", `f:1: rank "one" is not an integer: write each line as "topic Q0 passage rank score tag"`},
	{"run", "q1 Q0 p1 1 NaN t", `f:1: score "NaN" is not a finite number: write each line as "topic Q0 passage rank score tag"`},
	{"run", "q1 Q0 p1 1 -inf t", `f:1: score "-inf" is not a finite number: write each line as "topic Q0 passage rank score tag"`},
	{"run", "q1 Q0 p1 1 1e999 t", `f:1: score "1e999" is not a finite number: write each line as "topic Q0 passage rank score tag"`},
	{"run", "q1 Q0 p1 1 2,5 t", `f:1: score "2,5" is not a finite number: write each line as "topic Q0 passage rank score tag"`},
	{
		"run", "q1 Q0 p1 1 2 t\nq2 Q0 p1 1 2 t\nq1 Q0 p1 2 1 t",
		`f:3: passage "p1" is given twice for topic "q1" (first on line 1): keep one of the lines`,
	},
}

func TestRefusals(t *testing.T) {
	for _, c := range bad {
		var err error
		if c.kind == "run" {
			_, err = LoadRun(strings.NewReader(c.text), "f")
		} else {
			_, err = LoadQrels(strings.NewReader(c.text), "f")
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%s %.40q:\n got %v\nwant %s", c.kind, c.text, err, c.want)
		}
	}
}

func TestOpenCompressed(t *testing.T) {
	const qrels, run = "q1 0 p1 1\n", "q1 Q0 p1 1 2.5 t\n"
	for _, suffix := range []string{"", ".gz", ".zst"} {
		dir := t.TempDir()
		q, r := filepath.Join(dir, "qrels"+suffix), filepath.Join(dir, "run"+suffix)
		writeFile(t, q, compressed(t, suffix, qrels))
		writeFile(t, r, compressed(t, suffix, run))
		gotQ, err := OpenQrels(q)
		if d := cmp.Diff(Qrels{"q1": {"p1": 1}}, gotQ); d != "" || err != nil {
			t.Error(err, d)
		}
		gotR, err := OpenRun(r)
		if d := cmp.Diff(Run{"q1": {{"p1", 2.5}}}, gotR); d != "" || err != nil {
			t.Error(err, d)
		}
	}
}

func TestOpenTruncated(t *testing.T) {
	var lines strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&lines, "q%d Q0 p%d 1 %d t\n", i, i*7919%5003, i)
	}
	for _, suffix := range []string{".gz", ".zst"} {
		path := filepath.Join(t.TempDir(), "run"+suffix)
		whole := compressed(t, suffix, lines.String())
		writeFile(t, path, whole[:len(whole)/2])
		_, err := OpenRun(path)
		if err == nil || !strings.HasSuffix(err.Error(), ": the compressed file ends too early: copy it again") {
			t.Errorf("%s: %v", suffix, err)
		}
	}
}

func TestOpenMissing(t *testing.T) {
	if _, err := OpenRun("no-such-file"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := OpenQrels("no-such-file"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestSortHits(t *testing.T) {
	hits := []Hit{{"a", 1}, {"b", 1}, {"B", 1}, {"c", 1 + 0x1p-52}, {"d", math.Copysign(0, -1)}, {"e", 0}}
	SortHits(hits)
	want := []Hit{{"c", 1 + 0x1p-52}, {"b", 1}, {"a", 1}, {"B", 1}, {"e", 0}, {"d", 0}}
	if d := cmp.Diff(want, hits); d != "" {
		t.Error(d)
	}
}

func TestRunWriterRefuses(t *testing.T) {
	cases := []struct {
		topic string
		hits  []Hit
		want  string
	}{
		{"", nil, "the id is empty"},
		{"\ufeffq", nil, `topic "\ufeffq" starts with a byte order mark`},
		{"q 1", nil, `id "q 1" holds a blank`},
		{"q", []Hit{{"a\u0000", 1}}, `topic "q", rank 1: id "a\x00" holds a zero byte`},
		{"q", []Hit{{"a", 1}, {"caf\xe9", 1}}, `topic "q", rank 2: id "caf\xe9" is not valid UTF-8`},
		{"q", []Hit{{"a", 1}, {"a", 1}}, `topic "q", rank 2: passage "a" is given twice`},
		{"q", []Hit{{"a", math.NaN()}}, `topic "q", rank 1: passage "a" has the score NaN`},
		{"q", []Hit{{"a", 1}, {"b", 2}}, `topic "q", rank 2: score 2 is above`},
		{"done", nil, `topic "done" is written twice`},
	}
	var out bytes.Buffer
	w, err := NewRunWriter(&out, "t")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteTopic("done", []Hit{{"a", 1}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if err := w.WriteTopic(c.topic, c.hits); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q %v: got %v, want %s…", c.topic, c.hits, err, c.want)
		}
	}
	if err := w.Flush(); err != nil || out.String() != "done Q0 a 1 1 t\n" {
		t.Errorf("%v, %q", err, &out)
	}
	if _, err := NewRunWriter(io.Discard, "two words"); err == nil {
		t.Error("a tag with a blank was accepted")
	}
}

// TestRoundTrip writes arbitrary runs and qrels and reads them back unchanged.
func TestRoundTrip(t *testing.T) {
	id := rapid.StringMatching(`[^\s\x00\x{feff}][^\s\x00]{0,5}`).Filter(func(s string) bool { return CheckID(s) == nil })
	rapid.Check(t, func(t *rapid.T) {
		run, qrels := make(Run), make(Qrels)
		for _, topic := range rapid.SliceOfNDistinct(id, 0, 5, rapid.ID).Draw(t, "topics") {
			passages := rapid.SliceOfNDistinct(id, 1, 8, rapid.ID).Draw(t, "passages")
			qrels[topic] = make(map[string]int)
			for _, p := range passages {
				qrels[topic][p] = rapid.Int().Draw(t, "grade")
				run[topic] = append(run[topic], Hit{p, rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "score")})
			}
			SortHits(run[topic])
		}
		var out bytes.Buffer
		if err := WriteRun(&out, run, "tag"); err != nil {
			t.Fatal(err)
		}
		gotRun, err := LoadRun(&out, "run")
		if d := cmp.Diff(run, gotRun); d != "" || err != nil {
			t.Fatal(err, d)
		}
		if err := WriteQrels(&out, qrels); err != nil {
			t.Fatal(err)
		}
		gotQrels, err := LoadQrels(&out, "qrels")
		if d := cmp.Diff(qrels, gotQrels); d != "" || err != nil {
			t.Fatal(err, d)
		}
	})
}

func compressed(t *testing.T, suffix, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch suffix {
	case ".gz":
		w = gzip.NewWriter(&out)
	case ".zst":
		w, _ = zstd.NewWriter(&out)
	default:
		return []byte(text)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}
