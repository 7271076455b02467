package checkpoint

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"parley/internal/bert"
	"parley/internal/f32"
	"parley/internal/wordpiece"
)

func vocabulary(t testing.TB) *wordpiece.Vocabulary {
	t.Helper()
	v, err := wordpiece.ReadVocabulary(strings.NewReader(tokens), "vocab")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// part returns a part with a network of c.
func part(t testing.TB, c bert.Config) Part {
	t.Helper()
	var parameters []*f32.Parameter
	for _, tensor := range network(t, c) {
		parameters = append(parameters, &f32.Parameter{Name: tensor.Name, Shape: tensor.Shape, Value: tensor.F32})
	}
	return Part{Config: c, Vocabulary: vocabulary(t), Parameters: parameters}
}

// checkPart demands that the side is what was written.
func checkPart(t *testing.T, s *Side, p Part) {
	t.Helper()
	query, passage, _ := p.lengths()
	if !reflect.DeepEqual(s.Config, p.Config) || s.MaxQuery != query || s.MaxPassage != passage || !s.HasHead {
		t.Errorf("%+v\nis read back as\n%+v\nof %d and %d tokens", p.Config, s.Config, s.MaxQuery, s.MaxPassage)
	}
	if s.Vocabulary.Fingerprint() != p.Vocabulary.Fingerprint() {
		t.Errorf("another vocabulary: %+v, want %+v", s.Vocabulary.Options(), p.Vocabulary.Options())
	}
	checkSource(t, s, network(t, p.Config))
}

func TestWrite(t *testing.T) {
	for _, family := range families {
		for _, change := range []func(p *Part){
			func(*Part) {},
			func(p *Part) { p.Config.Untied = true },
			func(p *Part) { p.Config.Head = bert.Head{Pooling: bert.Sum, Saturation: bert.DoubleLog} },
			func(p *Part) { p.Config.Head.Saturation = bert.Linear },
			func(p *Part) { p.Config.Head = bert.Head{Kind: bert.Lexical, Pooling: bert.Sum, Skip: []uint32{0, 4}} },
			func(p *Part) { p.Config.Activation, p.Config.HeadActivation = f32.GELUTanh, f32.GELUTanh },
			func(p *Part) { p.Config.Dropout, p.Config.AttentionDropout = 0, .3 },
			func(p *Part) { p.MaxQuery, p.MaxPassage = 5, 12 },
			func(p *Part) { p.Vocabulary = p.Vocabulary.With(wordpiece.Options{Cased: true}) },
			func(p *Part) {
				p.Vocabulary = p.Vocabulary.With(wordpiece.Options{Accents: wordpiece.AccentsKept, JoinIdeographs: true})
			},
			func(p *Part) { p.Vocabulary = p.Vocabulary.With(wordpiece.Options{KeepControls: true}) },
		} {
			p := part(t, small(family))
			change(&p)
			p.Parameters = part(t, p.Config).Parameters
			path := filepath.Join(t.TempDir(), "model")
			if err := Write(path, Writing{Passage: p}); err != nil {
				t.Fatal(err)
			}
			f := open(t, path)
			if len(f.Notes) != 0 || f.Query != f.Passage || !Is(path) {
				t.Errorf("notes %q", f.Notes)
			}
			checkPart(t, f.Passage, p)
		}
	}
}

// TestWriteRouter writes two encoders, of two families, and fixed weights.
func TestWriteRouter(t *testing.T) {
	query, passage := part(t, small(bert.BERT)), part(t, small(bert.DistilBERT))
	query.Config.Head.Pooling = bert.Sum
	path := filepath.Join(t.TempDir(), "model")
	if err := Write(path, Writing{Passage: passage, Query: &query, MostTerms: 9}); err != nil {
		t.Fatal(err)
	}
	f := open(t, path)
	checkPart(t, f.Passage, passage)
	checkPart(t, f.Query, query)
	if f.MostTerms != 9 {
		t.Errorf("%d terms are kept", f.MostTerms)
	}
	static := Part{Vocabulary: passage.Vocabulary, Static: []float32{0, 0, 0, 0, 0, 1, 2.5, 1, 3, .5, 0}, MaxQuery: 7}
	if err := Write(path, Writing{Passage: passage, Query: &static}); err != nil { // in place of the other
		t.Fatal(err)
	}
	f = open(t, path)
	checkPart(t, f.Passage, passage)
	if !slices.Equal(f.Query.Static, static.Static) || f.Query.MaxQuery != 7 || f.MostTerms != 0 {
		t.Errorf("weights %v, %d tokens", f.Query.Static, f.Query.MaxQuery)
	}
}

// TestWriteSame demands the same bytes for the same content.
func TestWriteSame(t *testing.T) {
	p := part(t, small(bert.BERT))
	w := Writing{Passage: p, Query: &p, Card: Card{Title: "A", Results: []Result{{"tiny", "nDCG@10", .5}}}}
	var texts [2]map[string]string
	for i := range texts {
		dir := t.TempDir()
		if err := WriteFiles(dir, w); err != nil {
			t.Fatal(err)
		}
		texts[i] = map[string]string{}
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			texts[i][strings.TrimPrefix(path, dir)] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(texts[0], texts[1]) || len(texts[0]) < 15 {
		t.Errorf("two folders differ, or have few files: %d", len(texts[0]))
	}
}

func TestWriteRefuses(t *testing.T) {
	good := part(t, small(bert.BERT))
	with := func(change func(p *Part)) Part {
		p := good
		p.Parameters = slices.Clone(good.Parameters)
		change(&p)
		return p
	}
	other, err := wordpiece.NewVocabulary([]string{"[UNK]", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}, wordpiece.Options{})
	if err != nil {
		t.Fatal(err)
	}
	foreign := with(func(p *Part) { p.Vocabulary = other })
	lexical := part(t, func() bert.Config { c := small(bert.BERT); c.Head.Kind = bert.Lexical; return c }())
	for _, test := range []struct {
		w    Writing
		want string
	}{
		{Writing{Passage: with(func(p *Part) { p.Config.Heads = 3 })}, "no multiple of the 3 attention heads"},
		{Writing{Passage: with(func(p *Part) { p.Config.HeadActivation = f32.ReLU })}, "transformers has one for both"},
		{Writing{Passage: with(func(p *Part) { p.Config.Vocabulary = 12 })}, "a network of 12 terms for a vocabulary of 11 tokens"},
		{Writing{Passage: with(func(p *Part) { p.MaxQuery = 17 })}, "inputs of up to 17 tokens for a network of 16 positions"},
		{Writing{Passage: with(func(p *Part) { p.Parameters = p.Parameters[1:] })}, "parameters for a network of"},
		{Writing{Passage: with(func(p *Part) { slices.Reverse(p.Parameters) })}, "stands where bert.embeddings.word_embeddings.weight [11 8] is due"},
		{Writing{Passage: with(func(p *Part) {
			p.Parameters[0] = &f32.Parameter{Name: p.Parameters[0].Name, Shape: p.Parameters[0].Shape, Value: []float32{0, float32(math.Inf(1))}}
		})}, "weight 1 of tensor bert.embeddings.word_embeddings.weight is +Inf"},
		{Writing{Passage: Part{Vocabulary: good.Vocabulary, Static: make([]float32, 11)}}, "passages have fixed weights"},
		{Writing{Passage: good, Query: &Part{Vocabulary: good.Vocabulary, Static: make([]float32, 3)}}, "3 fixed weights for a vocabulary of 11 tokens"},
		{Writing{Passage: good, Query: &foreign}, "have two vocabularies"},
		{Writing{Passage: good, Query: &lexical}, "write two folders"},
	} {
		path := filepath.Join(t.TempDir(), "model")
		if err := Write(path, test.w); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v\nwant %s", err, test.want)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something was written", test.want)
		}
	}
	dir := folder(t, map[string]string{"notes.txt": "mine"})
	if err := Write(dir, Writing{Passage: good}); err == nil || !strings.Contains(err.Error(), "has no config.json") {
		t.Errorf("a folder of somebody's: %v", err)
	}
}

func TestCard(t *testing.T) {
	p := part(t, small(bert.BERT))
	w := Writing{Passage: p, Card: Card{
		Title: "A student\nof the world", Base: "owner/name", Data: "tiny | train", Plan: "seed: 3\n```", Seed: 3,
		Results: []Result{{"tiny", "nDCG@10", .51234}}, Notes: []string{"No more."},
	}}
	text := string(w.readme())
	for _, want := range []string{
		"\nbase_model: \"owner/name\"\n---\n", "# A student of the world\n", "| data | tiny \\| train |", "| seed | 3 |",
		"| tiny | nDCG@10 | 0.5123 |", "- No more.\n", "```yaml\nseed: 3\n` ` `\n```", "SparseEncoder(", "bert of 2 layers × 8, masked-lm head, max pooling, log1p",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the card lacks %q:\n%s", want, text)
		}
	}
	w.Card.Base = "./folder/x"
	if strings.Contains(string(w.readme()), "base_model") {
		t.Error("a path is given as a name on the hub")
	}
}
