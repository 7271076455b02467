package distill

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
)

// key identifies the training: its plan, what it starts from, and what it is
// trained on.
func (t *encoderTrainer) key(ctx context.Context) (string, error) {
	h := hasher{Hash: sha256.New()}
	fmt.Fprintln(h, "parley encoder training 1", t.start.Vocabulary.Fingerprint(), fmt.Sprintf("%+v", t.start.Config))
	_ = t.plan.Write(h) // a hash takes every write
	for _, p := range t.adam.parameters {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		fmt.Fprintln(h, p.Name, p.Shape)
		h.floats(p.Value)
	}
	for _, queries := range [][]pairedQuery{t.pairs.training, t.pairs.held} {
		h.numbers(uint32(len(queries)))
		for i := range queries {
			h.query(&queries[i])
		}
	}
	for i := range t.pairs.passages {
		h.numbers(t.pairs.passages[i].ids...)
		h.numbers(uint32(t.pairs.passages[i].title))
	}
	h.numbers(t.pairs.pseudo...)
	h.numbers(t.pairs.pool...)
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (h *hasher) query(q *pairedQuery) {
	for _, text := range q.texts {
		h.numbers(text...)
	}
	for _, passages := range [][]graded{q.positives, q.negatives, q.scores} {
		h.numbers(uint32(len(passages)))
		for _, g := range passages {
			fmt.Fprintln(h, g.passage, g.scored, g.score)
		}
	}
}

// floats hashes numbers.
func (h *hasher) floats(numbers []float32) {
	for len(numbers) > 0 {
		n := min(len(numbers), block)
		h.buffer = h.buffer[:0]
		for _, x := range numbers[:n] {
			h.buffer = binary.LittleEndian.AppendUint32(h.buffer, math.Float32bits(x))
		}
		h.Write(h.buffer)
		numbers = numbers[n:]
	}
}
