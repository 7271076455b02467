package wordpiece

import (
	"errors"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// texts yields each of list.
func texts(list ...string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, text := range list {
			if !yield(text, nil) {
				return
			}
		}
	}
}

// trainSlowly trains by the definition: before each join it counts all pairs
// anew.
func trainSlowly(counts map[string]int, size, least int) []string {
	spelled := map[string][]string{}
	characters := map[string]bool{}
	for word := range counts {
		for i, c := range word {
			s := string(c)
			characters[s] = true
			if i > 0 {
				s = "##" + s
				characters[s] = true
			}
			spelled[word] = append(spelled[word], s)
		}
	}
	tokens := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	for _, inside := range []bool{false, true} {
		for _, s := range slices.Sorted(maps.Keys(characters)) {
			if strings.HasPrefix(s, "##") == inside {
				tokens = append(tokens, s)
			}
		}
	}
	for len(tokens) < size {
		pairs := map[[2]string]int{}
		for word, n := range counts {
			s := spelled[word]
			for i := range s[1:] {
				pairs[[2]string{s[i], s[i+1]}] += n
			}
		}
		var best [2]string
		for p, n := range pairs {
			if n > pairs[best] || n == pairs[best] && (p[0] < best[0] || p[0] == best[0] && p[1] < best[1]) {
				best = p
			}
		}
		if pairs[best] < least {
			break
		}
		joined := best[0] + strings.TrimPrefix(best[1], "##")
		if !slices.Contains(tokens, joined) {
			tokens = append(tokens, joined)
		}
		for word, s := range spelled {
			var kept []string
			for i := 0; i < len(s); i++ {
				if i+1 < len(s) && s[i] == best[0] && s[i+1] == best[1] {
					kept = append(kept, joined)
					i++
				} else {
					kept = append(kept, s[i])
				}
			}
			spelled[word] = kept
		}
	}
	return tokens
}

func TestTrainEqualsItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		counts := map[string]int{}
		var list []string
		for range 1 + r.IntN(40) {
			var word []byte
			for range 1 + r.IntN(8) {
				word = append(word, "abcd"[r.IntN(1+r.IntN(4))])
			}
			n := 1 + r.IntN(5)
			counts[string(word)] += n
			for range n {
				list = append(list, string(word))
			}
		}
		size, least := 16+r.IntN(60), 1+r.IntN(3)
		v, err := Train(texts(list...), TrainOptions{Size: size, MinCount: least})
		if err != nil {
			t.Fatal(err)
		}
		if want := trainSlowly(counts, size, least); !slices.Equal(v.tokens, want) {
			t.Fatalf("%v to %d tokens at %d:\n got %q\nwant %q", counts, size, least, v.tokens, want)
		}
	}
}

// TestTrainInAnyOrder demands that the vocabulary depends on the counts of
// words alone.
func TestTrainInAnyOrder(t *testing.T) {
	var list []string
	for text := range lines(t, "testdata/english.txt", "testdata/scripts.txt") {
		list = append(list, text)
	}
	var want string
	for i := range 5 {
		v, err := Train(texts(list...), TrainOptions{Size: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Fingerprint(); i > 0 && got != want {
			t.Fatalf("training %d gives another vocabulary", i)
		} else {
			want = got
		}
		rand.New(rand.NewPCG(uint64(i), 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
}

func TestTrainKeepsTheMostFrequentCharacters(t *testing.T) {
	v, err := Train(texts("ee ab ba ab", "ac dd"), TrainOptions{Size: 16, MinCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(v.tokens[5:], " "), "a b d e ##a ##b ##d ##e ab ba dd"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTrainTakesCharactersInTheirOrder takes the first of equally frequent
// characters where not all find room.
func TestTrainTakesCharactersInTheirOrder(t *testing.T) {
	v, err := Train(texts("h g f e d c b a"), TrainOptions{Size: 16, MinCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(v.tokens[5:], " "), "a b c d"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTrainLeavesOutUnknownWords trains on a word that no vocabulary covers, for
// its length.
func TestTrainLeavesOutUnknownWords(t *testing.T) {
	v, err := Train(texts("ab ab "+strings.Repeat("xy", longest)), TrainOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(v.tokens[5:], " "), "a b ##b ab"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTrainErrors(t *testing.T) {
	broken := errors.New("corpus.jsonl:3: broken")
	failing := func(yield func(string, error) bool) {
		_ = yield("a text", nil) && yield("", broken)
	}
	if _, err := Train(failing, TrainOptions{}); !errors.Is(err, broken) {
		t.Errorf("failing texts: got %v", err)
	}
	for _, test := range []struct {
		texts iter.Seq2[string, error]
		o     TrainOptions
		want  string
	}{
		{texts(), TrainOptions{}, "no words to train a vocabulary from: the texts are empty"},
		{texts(" \n"), TrainOptions{}, "no words to train a vocabulary from: the texts are empty"},
		{texts("a"), TrainOptions{Size: 15}, "a vocabulary of 15 tokens: it takes at least 16"},
		{texts("a"), TrainOptions{MinCount: -1}, "a least count of -1: it takes at least 1"},
	} {
		if _, err := Train(test.texts, test.o); err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// shuffledEnglish returns n bytes, about, of the words of an English text in a
// random order.
func shuffledEnglish(tb testing.TB, n int) string {
	var list []string
	for line := range lines(tb, "testdata/english.txt") {
		list = append(list, strings.Fields(line)...)
	}
	r := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(list[r.IntN(len(list))])
		b.WriteByte(' ')
	}
	return b.String()
}

func BenchmarkTrain(b *testing.B) {
	text := shuffledEnglish(b, 1<<20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Train(texts(text), TrainOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
