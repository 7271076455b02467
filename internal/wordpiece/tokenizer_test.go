package wordpiece

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// FuzzAppend holds the tokeniser against its slow twin, under all options.
func FuzzAppend(f *testing.F) {
	for _, text := range readGolden(f).texts[:100] {
		f.Add(text.Text, uint8(0))
	}
	f.Add("ΟΔΥΣΣΕΥΣ İstanbul e\u0301te\u0301 각 か\u3099\u302e\u0327 \u2260 [SEP] [SEP", uint8(0xFF))
	f.Add("a\xffb\xe2\x28\xa1[SEP]\xc0\xaf", uint8(0))
	v := openVocabulary(f, "testdata/golden.txt")
	f.Fuzz(func(t *testing.T, text string, choice uint8) {
		v := v.With(Options{
			Cased:          choice&1 != 0,
			Accents:        Accents(choice >> 1 & 3 % 3),
			JoinIdeographs: choice&8 != 0,
			KeepControls:   choice&16 != 0,
		})
		got, want := New(v).Append(nil, text), newTwin(v).encode(text)
		if !slices.Equal(got, want) {
			t.Errorf("%+v %q:\n got %v\nwant %v", v.Options(), text, got, want)
		}
	})
}

// TestTwin holds the tokeniser against its slow twin where the golden texts
// cannot: under all options.
func TestTwin(t *testing.T) {
	v := openVocabulary(t, "testdata/golden.txt")
	texts := readGolden(t).texts
	for choice := range 2 * 3 * 2 * 2 {
		v := v.With(Options{
			Cased:          choice%2 != 0,
			Accents:        Accents(choice / 2 % 3),
			JoinIdeographs: choice/6%2 != 0,
			KeepControls:   choice/12%2 != 0,
		})
		tokenizer, twin := New(v), newTwin(v)
		for _, text := range texts[choice%10*len(texts)/10:][:len(texts)/10] {
			if got, want := tokenizer.Append(nil, text.Text), twin.encode(text.Text); !slices.Equal(got, want) {
				t.Errorf("%+v %q:\n got %v\nwant %v", v.Options(), text.Text, got, want)
			}
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	tokenizer := New(openVocabulary(t, "testdata/golden.txt"))
	ids := tokenizer.Append([]uint32{7, 8}, "the")
	if want := append([]uint32{7, 8}, tokenizer.Append(nil, "the")...); !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
}

// TestAppendWithoutContinuations cuts words with a vocabulary that cannot go on
// with any.
func TestAppendWithoutContinuations(t *testing.T) {
	v, err := NewVocabulary([]string{"[UNK]", "a"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := New(v).Append(nil, "a ab"), []uint32{1, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestLongestSpecial finds, of special tokens that start at the same place, the
// longest.
func TestLongestSpecial(t *testing.T) {
	const tokenizer = `{"added_tokens": [{"id": 1, "content": "<a>"}, {"id": 2, "content": "<a><b>"}, {"id": 3, "content": "ÄX"}],` + bert +
		`"vocab": {"[UNK]": 0, "<a>": 1}}}`
	v, err := ReadTokenizer(strings.NewReader(tokenizer), "tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := New(v).Append(nil, "<a><b>ÄÄX<a>\xc3"), []uint32{2, 0, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestConcurrentUse(t *testing.T) {
	tokenizer := New(openVocabulary(t, "testdata/golden.txt"))
	texts := readGolden(t).texts
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, text := range texts[:500] {
				if got := tokenizer.Append(nil, text.Text); !slices.Equal(got, text.Uncased) {
					t.Errorf("%q: got %v, want %v", text.Text, got, text.Uncased)
				}
			}
		})
	}
	group.Wait()
}

func TestNoAllocations(t *testing.T) {
	tokenizer := New(openVocabulary(t, "testdata/golden.txt"))
	text := "The gardener's tomatoes, naïve as 각 and 中文, are splitting [SEP] " + strings.Repeat("é", 120)
	ids := tokenizer.Append(nil, text)
	if n := testing.AllocsPerRun(100, func() { ids = tokenizer.Append(ids[:0], text) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// BenchmarkAppend cuts words of an English text, each as often as it occurs
// there but in a random order, with a vocabulary that has most of them whole.
func BenchmarkAppend(b *testing.B) {
	tokenizer := New(openVocabulary(b, "testdata/golden.txt"))
	text := shuffledEnglish(b, 1<<20)
	var ids []uint32
	b.SetBytes(int64(len(text)))
	n := 0
	for b.Loop() {
		ids = tokenizer.Append(ids[:0], text)
		n += len(ids)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "tokens/s")
}
