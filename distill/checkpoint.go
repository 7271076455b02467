package distill

import (
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
	"parley/internal/f32"
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
	if k.path != "" {
		k.key = t.key()
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

// tensors returns the arrays of a checkpoint under the given prefix.
func tensors(prefix string, parameters []*f32.Parameter, values [][]float32) []safetensors.Tensor {
	var out []safetensors.Tensor
	for i, p := range parameters {
		out = append(out, safetensors.Tensor{Name: prefix + "/" + p.Name, Shape: p.Shape, F32: values[i]})
	}
	return out
}

// arrays names the arrays of a training's state.
func (t *trainer) arrays() map[string][][]float32 {
	var values [][]float32
	for _, p := range t.student.Parameters() {
		values = append(values, p.Value)
	}
	arrays := map[string][][]float32{"value": values, "first": t.adam.first, "second": t.adam.second}
	if t.best.values != nil {
		arrays["best"] = t.best.values
	}
	return arrays
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
	var all []safetensors.Tensor
	arrays := t.arrays()
	for _, prefix := range []string{"value", "first", "second", "best"} {
		if values := arrays[prefix]; values != nil {
			all = append(all, tensors(prefix, t.student.Parameters(), values)...)
		}
	}
	f, err := durable.Create(k.path)
	if err != nil {
		return fmt.Errorf("cannot write the checkpoint %s: %w", k.path, err)
	}
	defer f.Discard()
	sum := sha256.New()
	if err := safetensors.Write(sum, all, nil); err != nil {
		return err
	}
	meta := map[string]string{"state": string(text), "sha256": hex.EncodeToString(sum.Sum(nil))}
	if err := safetensors.Write(f, all, meta); err != nil {
		return err
	}
	k.saved = time.Now()
	return f.Commit()
}

// restore takes the training up where the checkpoint left it, if there is one.
func (k *keeper) restore() error {
	if k.path == "" {
		return nil
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
	if err := json.Unmarshal([]byte(file.Metadata["state"]), &s); err != nil {
		return fmt.Errorf("it holds no training's state")
	}
	if s.Key != k.key {
		return fmt.Errorf("it belongs to another plan or other data")
	}
	if s.BestEpoch > 0 {
		t.best = best{loss: s.BestLoss, epoch: s.BestEpoch, values: t.values()}
	}
	var all []safetensors.Tensor
	arrays := t.arrays()
	for _, prefix := range []string{"value", "first", "second", "best"} {
		for i, values := range arrays[prefix] {
			p := t.student.Parameters()[i]
			tensor, err := file.F32(prefix+"/"+p.Name, p.Shape...)
			if err != nil {
				return err
			}
			copy(values, tensor.F32)
			all = append(all, tensor)
		}
	}
	sum := sha256.New()
	if err := safetensors.Write(sum, all, nil); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != file.Metadata["sha256"] {
		return fmt.Errorf("it is damaged: its checksum does not fit")
	}
	t.epoch, t.at, t.adam.steps, t.history, t.running = s.Epoch, s.At, s.Steps, s.History, s.Running
	return nil
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
func (t *trainer) key() string {
	h := sha256.New()
	fmt.Fprintln(h, "parley training 1", t.reader.Tokenizer().Vocabulary().Fingerprint(), t.passages.N())
	_ = t.plan.Write(h) // a hash takes every write
	for _, examples := range [][]example{t.training, t.held} {
		hashNumbers(h, uint32(len(examples)))
		for _, ex := range examples {
			ex.hash(h)
		}
	}
	var v sparse.Vector
	for i := range t.passages.N() {
		v = t.passages.Vector(i, v)
		hashVector(h, v)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (ex *example) hash(h hash.Hash) {
	hashNumbers(h, uint32(ex.number), uint32(ex.seed))
	hashNumbers(h, ex.context.IDs...)
	for i, role := range ex.context.Roles {
		hashNumbers(h, uint32(role)<<8|uint32(ex.context.Distances[i]))
	}
	hashVector(h, ex.teacher)
	hashNumbers(h, ex.rankings.Teacher...)
	hashNumbers(h, ex.rankings.History...)
}

func hashVector(h hash.Hash, v sparse.Vector) {
	hashNumbers(h, v.Terms...)
	for _, w := range v.Weights {
		hashNumbers(h, math.Float32bits(w))
	}
}

// hashNumbers hashes numbers and how many they are.
func hashNumbers(h hash.Hash, numbers ...uint32) {
	data := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+4*len(numbers)), uint32(len(numbers)))
	for _, n := range numbers {
		data = binary.LittleEndian.AppendUint32(data, n)
	}
	h.Write(data)
}
