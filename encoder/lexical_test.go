package encoder_test

import (
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"parley/dialog"
	"parley/encoder"
	"parley/internal/lexical"
	"parley/internal/model"
	"parley/internal/safetensors"
	"parley/sparse"
)

var networks = map[string]lexical.Config{"features": {}, "mlp": {Dim: 4, Hidden: 35}}

// student writes the model folder of an untrained network, all of whose weights
// are moved at random, and returns it.
func student(t testing.TB, network lexical.Config) string {
	t.Helper()
	vocab := tokenizer(t, "the", "war", "began", "in", "june", "it", "was", "a", "long", "peace", ".", "?").Vocabulary()
	net := lexical.New(network, vocab.Len(), []uint32{2, 3, 5, 10}, 1)
	rng := rand.New(rand.NewPCG(2, 3))
	for _, p := range net.Parameters() {
		for i := range p.Value {
			p.Value[i] += float32(rng.NormFloat64() * .1)
		}
	}
	counts := model.Counts{Passages: 100, Having: make([]int32, vocab.Len())}
	for id := range counts.Having {
		counts.Having[id] = int32(7 * id)
	}
	dir := t.TempDir()
	config := model.Config{Kind: model.KindLexical, Lexical: &network, Budget: dialog.Budget{Answer: 6, Total: 40}}
	if err := model.Write(dir, config, vocab, counts, net.Tensors()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t testing.TB, dir string, stats encoder.Statistics) encoder.Encoder {
	t.Helper()
	e, err := encoder.Open(dir, stats)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// contexts returns made-up contexts of up to five utterances.
func contexts(n int) []dialog.Context {
	words := strings.Fields("the war began in june it was a long peace . ? unknown")
	rng := rand.New(rand.NewPCG(4, 5))
	all := make([]dialog.Context, n)
	for i := range all {
		for distance := range 1 + rng.IntN(5) {
			var text []string
			for range rng.IntN(12) {
				text = append(text, words[rng.IntN(len(words))])
			}
			all[i] = append(all[i], dialog.Utterance{Role: dialog.Role(rng.IntN(2)), Distance: distance, Text: strings.Join(text, " ")})
		}
	}
	return all
}

// rare are statistics under which every term is in df of a million passages.
type rare struct{ df int }

func (r rare) N() int        { return 1_000_000 }
func (r rare) DF(uint32) int { return r.df }

// TestStatistics says that a student asks the statistics that it is given, and
// its own counts only where none are.
func TestStatistics(t *testing.T) {
	war := dialog.Context{{Role: dialog.Question, Text: "was it a long war?"}}
	for name, network := range networks {
		dir := student(t, network)
		folder, err := model.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		own, given := open(t, dir, nil).Query(war), open(t, dir, folder.Counts).Query(war)
		if own.Len() == 0 || !reflect.DeepEqual(own, given) {
			t.Errorf("%s: the model's own counts, given, make %v of %v", name, given, own)
		}
		often, seldom := open(t, dir, rare{900_000}).Query(war), open(t, dir, rare{3}).Query(war)
		if reflect.DeepEqual(often, seldom) || reflect.DeepEqual(often, own) || reflect.DeepEqual(seldom, own) {
			t.Errorf("%s: the statistics given make no difference: %v, %v and, its own, %v", name, often, seldom, own)
		}
	}
}

// TestConcurrentQueries says that what runs beside a query changes no bit of it.
// Run with -race it also looks for what they share.
func TestConcurrentQueries(t *testing.T) {
	all := contexts(60)
	encoders := map[string]encoder.Encoder{"bm25": bm25(t, encoder.BM25Options{})}
	for name, network := range networks {
		encoders[name] = open(t, student(t, network), nil)
	}
	for name, e := range encoders {
		want := make([]sparse.Vector, len(all))
		for i, c := range all {
			want[i] = e.Query(c)
			if err := want[i].Validate(e.Vocabulary().Len()); err != nil {
				t.Fatal(err)
			}
		}
		var wait sync.WaitGroup
		for worker := range 4 {
			wait.Go(func() {
				for i := range all {
					i = (i + 15*worker) % len(all)
					if got := e.Query(all[i]); !reflect.DeepEqual(got, want[i]) {
						t.Errorf("%s: context %d: %v beside others, %v alone", name, i, got, want[i])
					}
				}
			})
		}
		wait.Wait()
	}
}

func TestOpenRefuses(t *testing.T) {
	vocab := tokenizer(t, "a").Vocabulary()
	counts := model.Counts{Passages: 1, Having: make([]int32, vocab.Len())}
	mlp := lexical.Config{Dim: 2, Hidden: 2}
	tensors := lexical.New(mlp, vocab.Len(), []uint32{2}, 1).Tensors()
	for name, test := range map[string]struct {
		config  model.Config
		tensors []safetensors.Tensor
		file    string
		want    string
	}{
		"unknown kind":     {model.Config{Kind: "splade"}, nil, model.ConfigFile, `kind "splade", which this program does not know`},
		"bm25 unset":       {model.Config{Kind: model.KindBM25}, nil, model.ConfigFile, `has not the settings of kind "bm25"`},
		"lexical unset":    {model.Config{Kind: model.KindLexical}, nil, model.ConfigFile, `has not the settings of kind "lexical"`},
		"settings of both": {model.Config{Kind: model.KindBM25, BM25: &model.BM25{}, Lexical: &mlp}, nil, model.ConfigFile, `has not the settings`},
		"no weights":       {model.Config{Kind: model.KindLexical, Lexical: &mlp}, nil, model.WeightsFile, `lacks the tensor "terms"`},
		"less network":     {model.Config{Kind: model.KindLexical, Lexical: &lexical.Config{}}, tensors, model.WeightsFile, `has the tensor "embed"`},
		"larger network":   {model.Config{Kind: model.KindLexical, Lexical: &lexical.Config{Dim: 65536, Hidden: 65536}}, tensors, model.WeightsFile, `tensor "embed" has shape [3 2] where [3 65536] is due`},
		"no width":         {model.Config{Kind: model.KindLexical, Lexical: &lexical.Config{Hidden: 2}}, tensors, model.WeightsFile, "width 0 and 2 hidden units"},
	} {
		dir := t.TempDir()
		if err := model.Write(dir, test.config, vocab, counts, test.tensors); err != nil {
			t.Fatal(err)
		}
		_, err := encoder.Open(dir, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), filepath.Join(dir, test.file)) {
			t.Errorf("%s: error %v, want one of %s with %q", name, err, test.file, test.want)
		}
	}
}
