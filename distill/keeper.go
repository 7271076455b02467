package distill

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"parley/internal/durable"
	"parley/internal/f32"
	"parley/internal/safetensors"
)

// kept is a training whose state a keeper keeps on disk.
type kept interface {
	// key identifies the training: its plan, and what it is trained on.
	key(ctx context.Context) (string, error)
	// place is where the training stands, beside its arrays, as JSON writes it.
	place() any
	// goTo puts the training to the place that text is, and makes its arrays
	// those of that place. ok is false where it can be at no such place.
	goTo(text []byte) (ok bool)
	// arrays are the numbers of the training's state, in a fixed order. What is
	// read from a checkpoint is written into them.
	arrays() []array
}

// array is an array of a training's state: of numbers, or of passages.
type array struct {
	name     string
	shape    []int
	values   []float32
	passages []uint32
}

// arrays returns the arrays of the state that an optimiser and the best student
// so far, if there is one, have for each parameter.
func arrays(a *adam, b *best) []array {
	var out []array
	add := func(prefix string, values func(i int) []float32) {
		for i, p := range a.parameters {
			out = append(out, array{name: prefix + "/" + p.Name, shape: p.Shape, values: values(i)})
		}
	}
	add("value", func(i int) []float32 { return a.parameters[i].Value })
	add("first", func(i int) []float32 { return a.first[i] })
	add("second", func(i int) []float32 { return a.second[i] })
	if b.epoch > 0 {
		add("best", func(i int) []float32 { return b.values[i] })
	}
	return out
}

// keeper keeps a training's state on disk while it runs. The clock decides when
// state is kept, never what it is.
type keeper struct {
	path  string
	every time.Duration // 0: DefaultCheckpointEvery, but see due
	t     kept
	key   string
	saved time.Time
	cost  time.Duration // of the last save
}

// DefaultCheckpointEvery is how much work a crash may cost, unless checkpoints
// are so large that writing them takes more than a twentieth of the time.
const DefaultCheckpointEvery = 15 * time.Second

func newKeeper(o Options, t kept) *keeper {
	return &keeper{path: o.Checkpoint, every: o.CheckpointEvery, t: t, saved: time.Now()}
}

// due tells whether it is time for the next checkpoint.
func (k *keeper) due() bool {
	every := k.every
	if every == 0 {
		every = max(DefaultCheckpointEvery, 20*k.cost)
	}
	return time.Since(k.saved) >= every
}

func (k *keeper) saveIfDue() error {
	if k.path == "" || !k.due() {
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
	start := time.Now()
	place, err := json.Marshal(k.t.place())
	if err != nil {
		return fmt.Errorf("cannot write the checkpoint %s: %w", k.path, err)
	}
	tensors := tensors(k.t.arrays())
	metadata := map[string]string{"key": k.key, "place": string(place)}
	if metadata["sha256"], err = checksum(tensors, metadata); err != nil {
		return err
	}
	f, err := durable.Create(k.path)
	if err != nil {
		return fmt.Errorf("cannot write the checkpoint %s: %w", k.path, err)
	}
	defer f.Discard()
	if err := safetensors.Write(f, tensors, metadata); err != nil {
		return err
	}
	if err := f.Commit(); err != nil {
		return err
	}
	k.saved = time.Now()
	k.cost = k.saved.Sub(start)
	return nil
}

func tensors(arrays []array) []safetensors.Tensor {
	out := make([]safetensors.Tensor, len(arrays))
	for i, a := range arrays {
		out[i] = safetensors.Tensor{Name: a.name, Shape: a.shape, F32: a.values}
		if a.passages != nil {
			out[i].I32 = make([]int32, len(a.passages))
			for j, p := range a.passages {
				out[i].I32[j] = int32(p)
			}
		}
	}
	return out
}

// read makes the array what the file has for it.
func (a array) read(file *safetensors.File) error {
	if a.passages == nil {
		tensor, err := file.F32(a.name, a.shape...)
		copy(a.values, tensor.F32)
		return err
	}
	tensor, err := file.I32(a.name, a.shape...)
	for j, p := range tensor.I32 {
		a.passages[j] = uint32(p)
	}
	return err
}

// checksum covers all of a checkpoint but itself.
func checksum(tensors []safetensors.Tensor, metadata map[string]string) (string, error) {
	sum := sha256.New()
	if err := safetensors.Write(sum, tensors, metadata); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
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
		err = errors.Join(k.load(file), file.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot take up the training from the checkpoint %s: %w; remove the file to train from the start", k.path, err)
	}
	return nil
}

func (k *keeper) load(file *safetensors.File) error {
	key, place, sum := file.Metadata["key"], file.Metadata["place"], file.Metadata["sha256"]
	switch {
	case place == "":
		return errors.New("it holds no training's state")
	case key != k.key:
		return errors.New("it belongs to another plan or other data")
	case !k.t.goTo([]byte(place)):
		return errors.New("it is damaged: the training can be at no such place")
	}
	arrays := k.t.arrays()
	for _, a := range arrays {
		if err := a.read(file); err != nil {
			return err
		}
	}
	read, err := checksum(tensors(arrays), map[string]string{"key": key, "place": place})
	if err != nil {
		return err
	}
	if read != sum {
		return errors.New("it is damaged: its checksum does not fit")
	}
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

// best is the best student so far, by what was found on the held-out turns.
type best struct {
	// standing are numbers of which the first that differs tells who is better:
	// lower is better.
	standing []float64
	epoch    int         // from 1; 0 for none
	values   [][]float32 // of each parameter
}

// look keeps the values of parameters if standing, that of an epoch, is better
// than any so far.
func (b *best) look(standing []float64, epoch int, parameters []*f32.Parameter) {
	if b.epoch > 0 && slices.Compare(standing, b.standing) >= 0 || slices.ContainsFunc(standing, func(x float64) bool { return !finite(x) }) {
		return
	}
	b.standing, b.epoch = standing, epoch
	b.room(parameters)
	for i, p := range parameters {
		copy(b.values[i], p.Value)
	}
}

// room makes room for the values of parameters.
func (b *best) room(parameters []*f32.Parameter) {
	if b.values != nil {
		return
	}
	for _, p := range parameters {
		b.values = append(b.values, make([]float32, len(p.Value)))
	}
}

// bring gives parameters the values of the best student, if there is one.
func (b *best) bring(parameters []*f32.Parameter) {
	if b.epoch == 0 {
		return
	}
	for i, p := range parameters {
		copy(p.Value, b.values[i])
	}
}
