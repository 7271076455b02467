package distill

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"math"
	"os"
	"time"

	"parley/internal/durable"
	"parley/internal/safetensors"
	"parley/sparse"
)

// keeper keeps a training's state on disk while it runs.
type keeper struct {
	path  string
	every time.Duration // the clock decides when state is kept, never what it is
	t     *trainer
	key   string
	saved time.Time
}

// DefaultCheckpointEvery is how much work a crash may cost.
const DefaultCheckpointEvery = 15 * time.Second

func newKeeper(o Options, t *trainer) *keeper {
	k := &keeper{path: o.Checkpoint, every: o.CheckpointEvery, t: t, saved: time.Now()}
	if k.every == 0 {
		k.every = DefaultCheckpointEvery
	}
	return k
}

// state is the part of a checkpoint that is no tensor.
type state struct {
	Key       string
	Epoch, At int
	Steps     int
	History   []Epoch
	Running   sums
	BestLoss  float64
	BestEpoch int
}

// prefixed are arrays of a training's state, one for each parameter.
type prefixed struct {
	prefix string
	values [][]float32
}

// arrays returns the arrays of a training's state.
func (t *trainer) arrays() []prefixed {
	var values [][]float32
	for _, p := range t.student.Parameters() {
		values = append(values, p.Value)
	}
	arrays := []prefixed{{"value", values}, {"first", t.adam.first}, {"second", t.adam.second}}
	if t.best.values != nil {
		arrays = append(arrays, prefixed{"best", t.best.values})
	}
	return arrays
}

// tensors returns the arrays of a training's state as tensors.
func (t *trainer) tensors() []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, a := range t.arrays() {
		for i, p := range t.student.Parameters() {
			out = append(out, safetensors.Tensor{Name: a.prefix + "/" + p.Name, Shape: p.Shape, F32: a.values[i]})
		}
	}
	return out
}

// checksum covers all of a checkpoint: the state's text and the arrays.
func checksum(state string, tensors []safetensors.Tensor) (string, error) {
	sum := sha256.New()
	if err := safetensors.Write(sum, tensors, map[string]string{"state": state}); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (k *keeper) saveIfDue() error {
	if k.path == "" || time.Since(k.saved) < k.every {
		return nil
	}
	return k.save()
}

// interrupted keeps the state and returns why the training ends.
func (k *keeper) interrupted(cause error) error {
	if k.path == "" {
		return cause
	}
	return errors.Join(cause, k.save())
}

// save writes the checkpoint, whole or not at all.
func (k *keeper) save() error {
	t := k.t
	s := state{Key: k.key, Epoch: t.epoch, At: t.at, Steps: t.adam.steps, History: t.history, Running: t.running}
	if t.best.values != nil {
		s.BestLoss, s.BestEpoch = t.best.loss, t.best.epoch
	}
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("cannot write the checkpoint %s: %w", k.path, err)
	}
	tensors := t.tensors()
	sum, err := checksum(string(text), tensors)
	if err != nil {
		return err
	}
	f, err := durable.Create(k.path)
	if err != nil {
		return fmt.Errorf("cannot write the checkpoint %s: %w", k.path, err)
	}
	defer f.Discard()
	if err := safetensors.Write(f, tensors, map[string]string{"state": string(text), "sha256": sum}); err != nil {
		return err
	}
	k.saved = time.Now()
	return f.Commit()
}

// restore takes the training up where the checkpoint left it, if there is one.
func (k *keeper) restore(ctx context.Context) (err error) {
	if k.path == "" {
		return nil
	}
	if k.key, err = k.t.key(ctx); err != nil {
		return err
	}
	file, err := safetensors.Open(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = k.load(file)
	}
	if err != nil {
		return fmt.Errorf("cannot take up the training from the checkpoint %s: %w; remove the file to train from the start", k.path, err)
	}
	return nil
}

func (k *keeper) load(file *safetensors.File) error {
	t := k.t
	var s state
	text := file.Metadata["state"]
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("it holds no training's state")
	}
	if s.Key != k.key {
		return fmt.Errorf("it belongs to another plan or other data")
	}
	if s.BestEpoch > 0 {
		t.best = best{loss: s.BestLoss, epoch: s.BestEpoch, values: t.values()}
	}
	for _, a := range t.arrays() {
		for i, p := range t.student.Parameters() {
			tensor, err := file.F32(a.prefix+"/"+p.Name, p.Shape...)
			if err != nil {
				return err
			}
			copy(a.values[i], tensor.F32)
		}
	}
	sum, err := checksum(text, t.tensors())
	if err != nil {
		return err
	}
	if sum != file.Metadata["sha256"] || !s.within(t) {
		return fmt.Errorf("it is damaged: its checksum does not fit")
	}
	t.epoch, t.at, t.adam.steps, t.history, t.running = s.Epoch, s.At, s.Steps, s.History, s.Running
	return nil
}

// within tells whether s is a state that the training can be in.
func (s state) within(t *trainer) bool {
	epochs, steps := t.plan.Optimiser.Epochs, t.stepsPerEpoch()
	return within(s.Epoch, 0, epochs) && within(s.At, 0, steps) && s.Steps == s.Epoch*steps+s.At &&
		len(s.History) == s.Epoch && within(s.BestEpoch, 0, s.Epoch)
}

// remove removes the checkpoint of a training that has ended.
func (k *keeper) remove() error {
	if k.path == "" {
		return nil
	}
	if err := os.Remove(k.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// key identifies a training: its plan, and what it is trained on.
func (t *trainer) key(ctx context.Context) (string, error) {
	h := hasher{Hash: sha256.New()}
	fmt.Fprintln(h, "parley training 1", t.reader.Tokenizer().Vocabulary().Fingerprint(), t.passages.N())
	_ = t.plan.Write(h) // a hash takes every write
	for _, examples := range [][]example{t.training, t.held} {
		h.numbers(uint32(len(examples)))
		for i := range examples {
			h.example(&examples[i])
		}
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
	h.numbers(uint32(ex.seed))
	h.numbers(ex.context.IDs...)
	for i, role := range ex.context.Roles {
		h.numbers(uint32(role)<<8 | uint32(ex.context.Distances[i]))
	}
	h.vector(ex.teacher)
	h.numbers(ex.rankings.Teacher...)
	h.numbers(ex.rankings.History...)
}

func (h *hasher) vector(v sparse.Vector) {
	h.numbers(v.Terms...)
	h.buffer = h.buffer[:0]
	for _, w := range v.Weights {
		h.buffer = binary.LittleEndian.AppendUint32(h.buffer, math.Float32bits(w))
	}
	h.Write(h.buffer)
}

// numbers hashes numbers and how many they are.
func (h *hasher) numbers(numbers ...uint32) {
	h.buffer = binary.LittleEndian.AppendUint32(h.buffer[:0], uint32(len(numbers)))
	for _, n := range numbers {
		h.buffer = binary.LittleEndian.AppendUint32(h.buffer, n)
	}
	h.Write(h.buffer)
}
