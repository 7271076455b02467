package wordpiece

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write testdata/golden.txt anew; run golden.py after it")

// golden is what golden.py writes: a head, then a line for each text.
type golden struct {
	Tokenizers     string
	Uncased, Cased string // digests over all code points
	Other          struct{ Vocabulary, Uncased, Cased string }
	texts          []goldenText
}

type goldenText struct {
	Text           string
	Uncased, Cased []uint32
}

func readGolden(tb testing.TB) golden {
	tb.Helper()
	f, err := os.Open("testdata/golden.jsonl.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	lines := json.NewDecoder(z)
	var g golden
	if err := lines.Decode(&g); err != nil {
		tb.Fatal(err)
	}
	for lines.More() {
		var t goldenText
		if err := lines.Decode(&t); err != nil {
			tb.Fatal(err)
		}
		g.texts = append(g.texts, t)
	}
	return g
}

func openVocabulary(tb testing.TB, path string) *Vocabulary {
	tb.Helper()
	v, err := OpenVocabulary(path)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// lines yields the lines of files.
func lines(tb testing.TB, paths ...string) iter.Seq2[string, error] {
	tb.Helper()
	return func(yield func(string, error) bool) {
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				tb.Fatal(err)
			}
			for line := range strings.Lines(string(data)) {
				if !yield(line, nil) {
					return
				}
			}
		}
	}
}

// TestGoldenVocabulary trains the vocabulary that the golden ids are of, so
// that it is also a golden file of training.
func TestGoldenVocabulary(t *testing.T) {
	v, err := Train(lines(t, "testdata/english.txt", "testdata/scripts.txt"), TrainOptions{Size: 8000, Options: Options{Cased: true}})
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := v.Write(&got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/golden.txt", got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("testdata/golden.txt is not what its texts train: if that is meant, run the test with -update, then golden.py")
	}
}

// TestGolden compares ids with those of the reference implementation.
func TestGolden(t *testing.T) {
	g := readGolden(t)
	if len(g.texts) < 2000 {
		t.Fatalf("%d golden texts, want at least 2,000", len(g.texts))
	}
	v := openVocabulary(t, "testdata/golden.txt")
	uncased, cased := New(v), New(v.With(Options{Cased: true}))
	for _, text := range g.texts {
		if got := uncased.Append(nil, text.Text); !slices.Equal(got, text.Uncased) {
			t.Errorf("uncased %q:\n got %v\nwant %v", text.Text, got, text.Uncased)
		}
		if got := cased.Append(nil, text.Text); !slices.Equal(got, text.Cased) {
			t.Errorf("cased %q:\n got %v\nwant %v", text.Text, got, text.Cased)
		}
	}
}

// TestEveryCodePoint compares the words around every code point with those of
// the reference implementation.
func TestEveryCodePoint(t *testing.T) {
	g := readGolden(t)
	for _, test := range []struct {
		name string
		o    Options
		want string
	}{{"uncased", Options{}, g.Uncased}, {"cased", Options{Cased: true}, g.Cased}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := digestCodePoints(test.o); got != test.want {
				t.Errorf("got the digest %s, want %s", got, test.want)
			}
		})
	}
}

func digestCodePoints(o Options) string {
	const block = 0x100
	h := sha256.New()
	out := bufio.NewWriter(h)
	f := newFolding(o)
	for first := rune(0); first <= unicode.MaxRune; first += block {
		if !utf8.ValidRune(first) {
			continue
		}
		var text strings.Builder
		for c := first; c < first+block; c++ {
			fmt.Fprintf(&text, "a%cb a\u302e%c\U0001d165b ", c, c)
		}
		w := words{folding: f, text: text.String()}
		for word := w.next(); word != nil; word = w.next() {
			out.Write(word)
			out.WriteByte('\n')
		}
	}
	out.Flush()
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestOtherVocabulary compares ids under a vocabulary that is not in the
// repository, by their digest.
func TestOtherVocabulary(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "data", "bert-base-uncased-vocab.txt")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("the vocabulary of bert-base-uncased is not there: %v", err)
	}
	g := readGolden(t)
	if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != g.Other.Vocabulary {
		t.Skipf("%s is another vocabulary than the golden digests are of", path)
	}
	v := openVocabulary(t, path)
	if got := digestIDs(New(v), g.texts); got != g.Other.Uncased {
		t.Errorf("uncased: got the digest %s, want %s", got, g.Other.Uncased)
	}
	if got := digestIDs(New(v.With(Options{Cased: true})), g.texts); got != g.Other.Cased {
		t.Errorf("cased: got the digest %s, want %s", got, g.Other.Cased)
	}
}

func digestIDs(t *Tokenizer, texts []goldenText) string {
	h := sha256.New()
	var ids []uint32
	for _, text := range texts {
		ids = t.Append(ids[:0], text.Text)
		fmt.Fprintln(h, strings.Trim(fmt.Sprint(ids), "[]"))
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
