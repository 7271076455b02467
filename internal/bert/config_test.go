package bert

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		change func(*Config)
		want   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.Layers = 0 }, ""},
		{func(c *Config) { c.Family, c.Types = DistilBERT, 0 }, ""},
		{func(c *Config) { c.Head = Head{Kind: Lexical, Skip: []uint32{36}} }, ""},
		{func(c *Config) { c.Vocabulary = 0 }, "the vocabulary is 0: it must be from 1 to 16777216"},
		{func(c *Config) { c.Hidden = -3 }, "the hidden size is -3: it must be from 1 to 16777216"},
		{func(c *Config) { c.Layers = 1 << 30 }, "the number of layers is 1073741824: it must be from 0 to 1024"},
		{func(c *Config) { c.Heads = 5 }, "the hidden size 12 is no multiple of the 5 attention heads"},
		{func(c *Config) { c.Heads = 0 }, "the number of attention heads is 0: it must be from 1 to 16777216"},
		{func(c *Config) { c.Types = 0 }, "a BERT without token types: it has one at least"},
		{func(c *Config) { c.Types = 257 }, "the number of token types is 257: it must be from 0 to 256"},
		{func(c *Config) { c.Family = DistilBERT }, "a DistilBERT with 2 token types: it has none"},
		{func(c *Config) { c.Family = 7 }, "unknown family 7 of networks"},
		{func(c *Config) { c.Epsilon = 0 }, "the epsilon of the layer norms is 0: it must be positive and finite"},
		{func(c *Config) { c.Epsilon = float32(math.NaN()) }, "the epsilon of the layer norms is NaN: it must be positive and finite"},
		{func(c *Config) { c.Activation = 99 }, "unknown activation 99 of the feed-forward layers"},
		{func(c *Config) { c.HeadActivation = 99 }, "unknown activation 99 of the head"},
		{func(c *Config) { c.Dropout = 1 }, "dropout of hidden states is 1: it must be at least 0 and below 1"},
		{func(c *Config) { c.AttentionDropout = -.5 }, "dropout of attention is -0.5: it must be at least 0 and below 1"},
		{func(c *Config) { c.Head.Kind = 2 }, "unknown kind 2 of head"},
		{func(c *Config) { c.Head.Pooling = 2 }, "unknown pooling 2"},
		{func(c *Config) { c.Head.Saturation = 3 }, "unknown saturation 3"},
		{func(c *Config) { c.Head.Skip = []uint32{1} }, "a masked-LM head with terms to skip: only a lexical head skips terms"},
		{func(c *Config) { c.Head = Head{Kind: Lexical, Skip: []uint32{37}} }, "term 37 to skip is outside the vocabulary of 37"},
		{func(c *Config) { c.Head.Kind, c.Untied = Lexical, true }, "a lexical head with an untied decoder: it has no decoder"},
	} {
		c, got := configs()["bert"], ""
		test.change(&c)
		if err := c.Validate(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	c := configs()["bert"]
	distil := configs()["distilbert"]
	for _, test := range []struct {
		c     Config
		batch Batch
		want  string
	}{
		{c, Batch{}, ""},
		{c, Batch{IDs: []uint32{36, 0}, Ends: []int{1, 2}, Types: []uint8{1, 0}}, ""},
		{distil, Batch{IDs: []uint32{36, 0}, Ends: []int{2}, Types: []uint8{0, 0}}, ""},
		{c, Batch{IDs: []uint32{36, 0}, Ends: []int{2}, Types: []uint8{1}}, "a batch of 2 tokens with 1 token types"},
		{c, Batch{IDs: []uint32{36, 0}, Ends: []int{3}}, "sequence 0 of the batch ends at token 3 of 2"},
		{c, Batch{IDs: []uint32{36, 0}, Ends: []int{2, 2}}, "sequence 1 of the batch is empty"},
		{c, Batch{IDs: []uint32{36, 0}, Ends: []int{2, 1}}, "sequence 1 of the batch is empty"},
		{c, Batch{IDs: make([]uint32, 10), Ends: []int{10}}, "sequence 0 of the batch has 10 tokens, more than the network's 9 positions"},
		{c, Batch{IDs: []uint32{36, 37}, Ends: []int{1, 2}}, "sequence 1 of the batch has term 37, outside the vocabulary of 37"},
		{c, Batch{IDs: []uint32{1, 2}, Ends: []int{1, 2}, Types: []uint8{0, 2}}, "sequence 1 of the batch has a token of type 2, the network knows 2"},
		{distil, Batch{IDs: []uint32{1}, Ends: []int{1}, Types: []uint8{1}}, "sequence 0 of the batch has a token of type 1, the network knows 0"},
		{c, Batch{IDs: []uint32{1, 2}, Ends: []int{1}}, "1 tokens follow the last sequence of the batch"},
	} {
		got := ""
		if err := test.c.Check(test.batch); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// TestTensorsAreThoseOfTheWeights holds the list of names to the order in which
// weights are taken.
func TestTensorsAreThoseOfTheWeights(t *testing.T) {
	each(t, func(t *testing.T, c Config) {
		listed, taken := 0, 0
		names := map[string]bool{}
		for _, tensor := range c.Tensors() {
			listed += tensor.elements()
			names[tensor.Name] = true
		}
		c.assemble(func(size int) array {
			taken += size
			return array{value: make([]float32, size)}
		})
		if listed != taken || len(names) != len(c.Tensors()) {
			t.Errorf("%d weights listed, %d taken, %d names of %d tensors", listed, taken, len(names), len(c.Tensors()))
		}
	})
}

func TestNewIsASmallStart(t *testing.T) {
	n := New(configs()["bert"], 3)
	for _, p := range n.Parameters() {
		least, largest := slices.Min(p.Value), slices.Max(p.Value)
		switch {
		case strings.HasSuffix(p.Name, "LayerNorm.weight") && (least != 1 || largest != 1),
			strings.HasSuffix(p.Name, "bias") && (least != 0 || largest != 0),
			len(p.Shape) == 2 && (least < -.2 || least >= 0 || largest > .2 || largest <= 0):
			t.Errorf("%s goes from %v to %v", p.Name, least, largest)
		}
	}
	if n.Config().Hidden != 12 || !slices.Equal(New(n.Config(), 3).Parameters()[0].Value, n.Parameters()[0].Value) {
		t.Error("the same seed gives another network")
	}
}

// lacking is a source without one tensor.
type lacking struct {
	Source
	name string
}

func (l lacking) F32(name string, shape ...int) ([]float32, error) {
	if name == l.name {
		return nil, errors.New("no " + name)
	}
	return l.Source.F32(name, shape...)
}

func TestLoadNeedsEveryTensor(t *testing.T) {
	each(t, func(t *testing.T, c Config) {
		n := lively(c, 1)
		again, err := Load(c, n.Source())
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range n.Parameters() {
			if !slices.Equal(p.Value, again.Parameters()[i].Value) {
				t.Errorf("%s is another", p.Name)
			}
			if _, err := Load(c, lacking{n.Source(), p.Name}); err == nil || err.Error() != "no "+p.Name {
				t.Errorf("%v where %s lacks", err, p.Name)
			}
			if _, err := NewInference(c, lacking{n.Source(), p.Name}); err == nil || err.Error() != "no "+p.Name {
				t.Errorf("%v where %s lacks", err, p.Name)
			}
		}
		c.Heads = 17
		if _, err := Load(c, n.Source()); err == nil {
			t.Error("an invalid config was loaded")
		}
		if _, err := NewInference(c, n.Source()); err == nil {
			t.Error("an invalid config was prepared")
		}
		if _, err := n.Source().F32("nothing", 3); err == nil {
			t.Error("a tensor of no name was found")
		}
	})
}

func TestNamesOfWhatIsUnknown(t *testing.T) {
	for _, got := range []string{Family(9).String(), Kind(9).String(), Pooling(9).String(), Saturation(9).String()} {
		if got != "unknown 9" {
			t.Error(got)
		}
	}
	if DistilBERT.String() != "distilbert" || Lexical.String() != "lexical" || Sum.String() != "sum" || DoubleLog.String() != "double-log" {
		t.Error("wrong names")
	}
}

// TestNaNIsSeen: a network that has diverged must not pass as one that finds no
// terms.
func TestNaNIsSeen(t *testing.T) {
	each(t, func(t *testing.T, c Config) {
		n := lively(c, 1)
		fill(n.weights.word.value.Data, float32(math.NaN()))
		tape := n.NewTape(1, TapeOptions{})
		defer tape.Close()
		b := Batch{IDs: []uint32{1, 2, 6}, Ends: []int{3}}
		for _, v := range tape.Forward(b, nil) {
			if v.Validate(c.Vocabulary) == nil {
				t.Errorf("a vector of %d terms from weights that are no numbers", v.Len())
			}
		}
	})
}
