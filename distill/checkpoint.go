package distill

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"

	"parley/sparse"
)

// state is the part of a checkpoint that is no array.
type state struct {
	Epoch, At int
	Steps     int
	History   []Epoch
	Running   sums
	Best      []float64 // its standing
	BestEpoch int
	Steering  *steering
}

func (t *trainer) place() any {
	s := state{Epoch: t.epoch, At: t.at, Steps: t.adam.steps, History: t.history, Running: t.running}
	s.Best, s.BestEpoch = t.best.standing, t.best.epoch
	s.Steering = t.steering
	return s
}

func (t *trainer) goTo(text []byte) (ok bool) {
	var s state
	if err := json.Unmarshal(text, &s); err != nil || !s.within(t) {
		return false
	}
	if t.steering != nil {
		t.steering.take(s.Steering)
	}
	t.epoch, t.at, t.adam.steps, t.history, t.running = s.Epoch, s.At, s.Steps, s.History, s.Running
	if s.BestEpoch > 0 {
		t.best.standing, t.best.epoch = s.Best, s.BestEpoch
		t.best.room(t.adam.parameters)
	}
	return true
}

func (t *trainer) arrays() []array {
	all := arrays(t.adam, &t.best)
	if d := t.ranked.depth; d > 0 {
		all = append(all, array{name: "ranked", shape: []int{len(t.training), 1 + d}, passages: t.ranked.rows})
	}
	return all
}

// within tells whether s is a state that the training can be in.
func (s state) within(t *trainer) bool {
	epochs, steps := t.plan.Optimiser.Epochs, t.stepsPerEpoch()
	if (s.Steering != nil) != (t.steering != nil) || s.Steering != nil && !s.Steering.possible(s.Steps) {
		return false
	}
	return within(s.Epoch, 0, epochs) && within(s.At, 0, steps) && s.Steps == s.Epoch*steps+s.At &&
		len(s.History) == s.Epoch && within(s.BestEpoch, 0, s.Epoch)
}

// key identifies a training: its plan, and what it is trained on.
func (t *trainer) key(ctx context.Context) (string, error) {
	h := hasher{Hash: sha256.New()}
	fmt.Fprintln(h, "parley training 6", t.reader.Tokenizer().Vocabulary().Fingerprint(), t.passages.N())
	_ = t.plan.Write(h) // a hash takes every write
	for _, examples := range [][]example{t.training, t.held} {
		h.numbers(uint32(len(examples)))
		for i := range examples {
			h.example(&examples[i])
		}
	}
	for _, passages := range t.watch.wanted {
		h.numbers(passages...)
	}
	for _, p := range t.student.Parameters() {
		h.floats(p.Value)
	}
	var v sparse.Vector
	for i := range t.passages.N() {
		if i%1024 == 0 && ctx.Err() != nil {
			return "", ctx.Err()
		}
		v = t.passages.Vector(i, v)
		h.vector(v)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hasher hashes numbers.
type hasher struct {
	hash.Hash
	buffer []byte
}

func (h *hasher) example(ex *example) {
	h.numbers(uint32(ex.seed), answered(ex))
	h.numbers(ex.context.IDs...)
	for i, role := range ex.context.Roles {
		h.numbers(uint32(role)<<8 | uint32(ex.context.Distances[i]))
	}
	h.vector(ex.teacher)
	h.numbers(ex.relevant...)
	h.numbers(ex.rankings.Teacher...)
	h.numbers(ex.rankings.History...)
	h.numbers(ex.rankings.Student...)
}

// answered is 1 where there are answers in the turn's conversation.
func answered(ex *example) uint32 {
	if ex.answered {
		return 1
	}
	return 0
}

func (h *hasher) vector(v sparse.Vector) {
	h.numbers(v.Terms...)
	h.floats(v.Weights)
}

// numbers hashes numbers and how many they are.
func (h *hasher) numbers(numbers ...uint32) {
	h.buffer = binary.LittleEndian.AppendUint32(h.buffer[:0], uint32(len(numbers)))
	for _, n := range numbers {
		h.buffer = binary.LittleEndian.AppendUint32(h.buffer, n)
	}
	h.Write(h.buffer)
}
