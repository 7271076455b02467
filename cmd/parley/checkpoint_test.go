package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"parley/internal/bert"
	"parley/internal/f32"
	"parley/internal/safetensors"
)

// testCheckpoint DIR VOCAB SEED [LAYERS] is the command checkpoint of the scripts:
// it writes a folder as transformers keeps a small BERT with a masked-LM head, of
// random weights, or all as large as can be where SEED is huge, over the tokens of VOCAB.
func testCheckpoint(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: checkpoint DIR VOCAB SEED [LAYERS]")
	}
	var seed uint64
	var err error
	if args[2] != "huge" {
		seed, err = strconv.ParseUint(args[2], 10, 64)
		ts.Check(err)
	}
	layers := 1
	if len(args) == 4 {
		layers, err = strconv.Atoi(args[3])
		ts.Check(err)
	}
	ts.Check(writeCheckpoint(ts.MkAbs(args[0]), ts.ReadFile(args[1]), seed, layers))
}

// writeCheckpoint writes the folder of a small BERT of random weights, too large where
// the seed is 0, over a vocabulary, the content of a vocab.txt.
func writeCheckpoint(dir, vocabulary string, seed uint64, layers int) error {
	c := bert.Config{
		Family: bert.BERT, Vocabulary: strings.Count(vocabulary, "\n"), Hidden: 16, Layers: layers, Heads: 2, Inner: 24, Positions: 64, Types: 2,
		Epsilon: 1e-12, Activation: f32.GELU, HeadActivation: f32.GELU,
	}
	if err := c.Validate(); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	var tensors []safetensors.Tensor
	for _, p := range bert.New(c, seed).Parameters() {
		for i := range p.Value {
			p.Value[i] += float32(rng.NormFloat64() * .3)
			if seed == 0 {
				p.Value[i] = math.MaxFloat32
			}
		}
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, Shape: p.Shape, F32: p.Value})
	}
	var weights strings.Builder
	if err := safetensors.Write(&weights, tensors, map[string]string{"format": "pt"}); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"model.safetensors": weights.String(), "vocab.txt": vocabulary,
		"config.json": fmt.Sprintf(`{"model_type": "bert", "vocab_size": %d, "hidden_size": %d, "num_hidden_layers": %d, "num_attention_heads": %d,
			"intermediate_size": %d, "max_position_embeddings": %d, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}`,
			c.Vocabulary, c.Hidden, c.Layers, c.Heads, c.Inner, c.Positions),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			return err
		}
	}
	return nil
}
