package wordpiece

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReadVocabulary(t *testing.T) {
	v, err := ReadVocabulary(strings.NewReader("[UNK]\r\nthe\n##s\n[SEP]"), "vocab.txt")
	if err != nil {
		t.Fatal(err)
	}
	if v.Len() != 4 || v.Token(1) != "the" || v.Unknown() != 0 {
		t.Errorf("got %d tokens, token 1 %q, unknown %d", v.Len(), v.Token(1), v.Unknown())
	}
	for token, want := range map[string]uint32{"[UNK]": 0, "the": 1, "##s": 2, "[SEP]": 3} {
		if id, ok := v.ID(token); !ok || id != want {
			t.Errorf("ID(%q) = %d, %t, want %d", token, id, ok, want)
		}
	}
	for _, token := range []string{"", "th", "thes", "s", "[CLS]"} {
		if id, ok := v.ID(token); ok {
			t.Errorf("ID(%q) = %d, want none", token, id)
		}
	}
}

func TestReadVocabularyErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "v: the file is empty: a vocabulary has one token a line"},
		{"[UNK]\n\nthe\n", "v:2: empty token: write the token or remove the line"},
		{"[UNK]\nthe\n\n", "v:3: empty token: write the token or remove the line"},
		{"[UNK]\nthe\na\nthe\n", `v:4: duplicate token "the" (first at v:2): list each token once`},
		{"[UNK]\ncaf\xe9\n", `v:2: token "caf\xe9" is not valid UTF-8: convert the vocabulary to UTF-8`},
		{"[UNK]\n" + strings.Repeat("a", 1001), `v:2: token of 1001 bytes, where 1000 are the most: name a vocabulary, with one token a line`},
		{"[UNK]\na\rb\n", `v:2: token "a\rb" has a line break: a token is a part of a line`},
		{"the\nof\n", "v: no token [UNK]: add it, for words that no other token covers"},
	} {
		if _, err := ReadVocabulary(strings.NewReader(test.text), "v"); err == nil || err.Error() != test.want {
			t.Errorf("%q:\n got %v\nwant %s", test.text, err, test.want)
		}
	}
}

func TestOpenVocabulary(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenVocabulary(dir); err == nil || !strings.Contains(err.Error(), "neither a tokenizer.json nor a vocab.txt") {
		t.Errorf("an empty folder: got %v", err)
	}
	write(t, filepath.Join(dir, "vocab.txt"), "[UNK]\na\n")
	if v := openVocabulary(t, dir); v.Len() != 2 || v.Options().Cased {
		t.Errorf("a folder with a vocab.txt: got %d tokens, %+v", v.Len(), v.Options())
	}
	write(t, filepath.Join(dir, "tokenizer.json"), "{"+strings.Replace(bert, `"lowercase": true`, `"lowercase": false`, 1)+`"vocab": {"[UNK]": 0}}}`)
	if v := openVocabulary(t, dir); v.Len() != 1 || !v.Options().Cased {
		t.Errorf("a folder with a tokenizer.json: got %d tokens, %+v", v.Len(), v.Options())
	}
	if _, err := OpenVocabulary(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("a missing file: got %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFingerprint(t *testing.T) {
	vocabulary := func(o Options, tokens ...string) *Vocabulary {
		v, err := NewVocabulary(append(tokens, "[UNK]"), o)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := vocabulary(Options{}, "a", "b")
	if got := vocabulary(Options{Accents: AccentsStripped}, "a", "b").Fingerprint(); got != v.Fingerprint() || len(got) != 64 {
		t.Errorf("the same vocabulary has the fingerprint %s and %s", got, v.Fingerprint())
	}
	for _, other := range []*Vocabulary{
		vocabulary(Options{}, "b", "a"),
		vocabulary(Options{}, "a", "b", "c"),
		v.With(Options{Cased: true}),
		v.With(Options{Cased: true, Accents: AccentsStripped}),
		v.With(Options{Accents: AccentsKept}),
		v.With(Options{JoinIdeographs: true}),
		v.With(Options{KeepControls: true}),
	} {
		if other.Fingerprint() == v.Fingerprint() {
			t.Errorf("%v %+v has the fingerprint of another vocabulary", other.tokens, other.options)
		}
	}
	added := func(verbatim ...string) string {
		v, err := source{name: "v"}.vocabulary([]string{"[UNK]", "a", "b"}, 3, verbatim, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return v.Fingerprint()
	}
	if added("a") == added("b") {
		t.Error("the tokens that are found in text as it stands do not matter")
	}
}

func TestOnlyPunctuation(t *testing.T) {
	tokens := map[string]bool{
		".": true, "##.": true, "...": true, "$": true, "|": true, "¿": true, "。": true, "\u166D": true, "##—": true,
		"a": false, "##a": false, ".a": false, "[UNK]": false, "€": false, "½": false, "³": false, "²": false, "😀": false, "°": false,
	}
	var list []string
	for token := range tokens {
		list = append(list, token)
	}
	v, err := NewVocabulary(list, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range tokens {
		if id, _ := v.ID(token); v.OnlyPunctuation(id) != want {
			t.Errorf("OnlyPunctuation(%q) = %t", token, !want)
		}
	}
}

// TestLargeVocabulary finds every token where ids do not fit 16 bits.
func TestLargeVocabulary(t *testing.T) {
	tokens := []string{"[UNK]"}
	for _, a := range "abcdefghijklmnopqrstuvwxyzäöü" {
		for _, b := range "abcdefghijklmnopqrstuvwxyzαβγ" {
			for _, c := range "abcdefghijklmnopqrstuvwxyzабв" {
				for _, prefix := range []string{"", "##", "中"} {
					tokens = append(tokens, prefix+string([]rune{a, b, c}))
				}
			}
		}
	}
	v, err := NewVocabulary(tokens, Options{Cased: true})
	if err != nil {
		t.Fatal(err)
	}
	if v.Len() <= 1<<16 {
		t.Fatalf("%d tokens are not enough for the test", v.Len())
	}
	for want, token := range tokens {
		if id, ok := v.ID(token); !ok || id != uint32(want) {
			t.Fatalf("ID(%q) = %d, %t, want %d", token, id, ok, want)
		}
	}
	first, last := uint32(1), uint32(v.Len()-2)
	if got, want := New(v).Append(nil, tokens[first]+strings.TrimPrefix(tokens[last], "##")), []uint32{first, last}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// FuzzReadVocabulary demands that what can be read is written the same, and
// every token found.
func FuzzReadVocabulary(f *testing.F) {
	f.Add([]byte("[PAD]\n[UNK]\n[SEP]\nthe\n##s\r\n中\n"))
	f.Add([]byte("[UNK]\n\xff\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := ReadVocabulary(bytes.NewReader(data), "vocab.txt")
		if err != nil {
			return
		}
		checkVocabulary(t, v)
		var written bytes.Buffer
		if err := v.Write(&written); err != nil {
			t.Fatal(err)
		}
		again, err := ReadVocabulary(&written, "vocab.txt")
		if err != nil {
			t.Fatal(err)
		}
		if again.Fingerprint() != v.Fingerprint() {
			t.Errorf("%q is read back as %q", v.tokens, again.tokens)
		}
	})
}

func checkVocabulary(t *testing.T, v *Vocabulary) {
	t.Helper()
	tokenizer := New(v)
	for want := range uint32(v.Len()) {
		if id, ok := v.ID(v.Token(want)); !ok || id != want {
			t.Errorf("ID(%q) = %d, %t, want %d", v.Token(want), id, ok, want)
		}
		for _, id := range tokenizer.Append(nil, v.Token(want)) {
			v.OnlyPunctuation(id)
		}
	}
}
