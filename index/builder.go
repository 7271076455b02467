package index

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"parley/internal/durable"
	"parley/internal/mapping"
	"parley/sparse"
)

// Options say what an index is built over.
type Options struct {
	// Vocabulary is V, the number of terms: vectors have terms below it.
	Vocabulary int
	// Fingerprint identifies the vocabulary; an encoder with another one is
	// refused by who opens the index.
	Fingerprint string
	// Encoder describes, for people, what encodes the passages.
	Encoder string
}

// Builder writes an index. Vectors and texts go to disk as they come; memory
// holds about 120 bytes a passage beside the ids, and a bounded buffer while
// posting lists are made.
type Builder struct {
	path    string
	options Options
	dir     *durable.Dir
	open    []*writer

	passages, forward *writer
	weights           *writer // float32 bits of forward's weights, until the scale is known

	ids         map[string]uint32
	textEnds    []uint64
	forwardEnds []uint64
	df          []uint32
	largest     float32
	buffer      int // most postings held while posting lists are made
	err         error
}

// weightsFile holds the weights while an index is built.
const weightsFile = "weights.partial"

// postingsBuffer postings, of 5 bytes each, are held in memory while posting
// lists are made. More postings take more passes over the forward vectors.
const postingsBuffer = 1 << 26

// Create starts to build an index in the folder path. The folder appears, or
// its index is replaced, on Commit. A folder that holds anything but an index
// is refused.
func Create(path string, o Options) (*Builder, error) {
	if o.Vocabulary <= 0 || int64(o.Vocabulary) > math.MaxUint32 {
		return nil, fmt.Errorf("cannot build the index %s: a vocabulary of %d terms is not possible", path, o.Vocabulary)
	}
	dir, err := durable.CreateDir(path, manifestFile)
	if err != nil {
		return nil, err
	}
	b := &Builder{
		path: path, options: o, dir: dir, buffer: postingsBuffer,
		ids: map[string]uint32{}, textEnds: []uint64{0}, forwardEnds: []uint64{0}, df: make([]uint32, o.Vocabulary),
	}
	b.passages, b.forward, b.weights = b.create(passagesFile), b.create(forwardFile), b.create(weightsFile)
	if b.err == nil {
		_ = b.Fail(os.Mkdir(filepath.Join(b.Dir(), EncoderDir), 0o777))
	}
	if b.err != nil {
		b.Discard()
		return nil, b.err
	}
	b.passages.header(passagesFile)
	b.forward.header(forwardFile)
	return b, nil
}

// CanCreate tells, before the work of building it, why an index could not be
// created in the folder path.
func CanCreate(path string) error {
	dir, err := durable.CreateDir(path, manifestFile)
	if err != nil {
		return err
	}
	dir.Discard()
	return nil
}

// create opens a file of the index for writing.
func (b *Builder) create(name string) *writer {
	w, err := createFile(filepath.Join(b.Dir(), name))
	if err != nil {
		_ = b.Fail(err)
		return nil
	}
	b.open = append(b.open, w)
	return w
}

// Fail makes every later call fail with err, the first time that it is not nil,
// and returns it as an error about the index, without the temporary names of
// files in Dir. It is for those who write there.
func (b *Builder) Fail(err error) error {
	if b.err == nil && err != nil {
		if p := new(fs.PathError); errors.As(err, &p) {
			err = p.Err
		}
		b.err = fmt.Errorf("cannot write the index %s: %w", b.path, err)
	}
	return b.err
}

// Dir returns the folder in which the index is being built. The encoder's
// files belong into its subfolder EncoderDir, before Commit.
func (b *Builder) Dir() string { return b.dir.Path() }

// N returns the number of passages added so far.
func (b *Builder) N() int { return len(b.ids) }

// ErrDuplicate is in the error of Add for an id that a passage already has.
var ErrDuplicate = errors.New("duplicate passage id")

// Add adds a passage with its vector, which may be empty. The vector is copied.
func (b *Builder) Add(id, title, text string, v sparse.Vector) error {
	if b.err != nil {
		return b.err
	}
	if id == "" {
		return fmt.Errorf("passage %d has no id", b.N()+1)
	}
	if first, ok := b.ids[id]; ok {
		return fmt.Errorf("%w %q (passages %d and %d): give each passage its own id", ErrDuplicate, id, first+1, b.N()+1)
	}
	if int64(b.N()) == math.MaxUint32 {
		return fmt.Errorf("passage %q is one too many: an index holds at most %d", id, uint32(math.MaxUint32))
	}
	if err := v.Validate(b.options.Vocabulary); err != nil {
		return fmt.Errorf("passage %q: %w", id, err)
	}
	b.ids[strings.Clone(id)] = uint32(b.N()) // id may be a part of a line that nothing else needs
	for _, part := range []string{id, title, text} {
		b.passages.string(part)
		b.textEnds = append(b.textEnds, uint64(b.passages.n-headerSize))
	}
	b.addVector(v)
	return b.Fail(cmp.Or(b.passages.err, b.forward.err, b.weights.err))
}

func (b *Builder) addVector(v sparse.Vector) {
	b.forward.uint32s(v.Terms)
	b.weights.float32s(v.Weights)
	for i, term := range v.Terms {
		b.df[term]++
		b.largest = max(b.largest, v.Weights[i])
	}
	b.forwardEnds = append(b.forwardEnds, b.forwardEnds[b.N()-1]+uint64(v.Len()))
}

// Commit completes the index and gives the folder its name. After an error the
// folder holds what it held before.
func (b *Builder) Commit() error {
	defer b.Discard()
	if b.err != nil {
		return b.err
	}
	if b.N() == 0 {
		return fmt.Errorf("cannot write the index %s: it has no passages", b.path)
	}
	scale := scaleOf(b.largest)
	for _, step := range []func() error{
		b.finishPassages,
		func() error { return b.finishForward(scale) },
		b.writePostings,
		func() error { return os.Remove(filepath.Join(b.Dir(), weightsFile)) },
		func() error { return b.manifest(scale).seal(b.Dir()) },
	} {
		if err := step(); err != nil {
			return b.Fail(err)
		}
	}
	if err := b.dir.Commit(); err != nil {
		b.err = err
		return err
	}
	b.err = errors.New("the index is already committed")
	return nil
}

// Discard drops what was built, unless it was committed. It may be deferred.
func (b *Builder) Discard() {
	for _, w := range b.open {
		_ = w.close()
	}
	b.open = nil
	b.dir.Discard()
	if b.err == nil {
		b.err = errors.New("the index was discarded")
	}
}

func (b *Builder) finishPassages() error {
	byID := make([]uint32, 0, b.N())
	ids := make([]string, b.N())
	for id, i := range b.ids {
		byID, ids[i] = append(byID, i), id
	}
	slices.SortFunc(byID, func(i, j uint32) int { return cmp.Compare(ids[i], ids[j]) })
	b.passages.align()
	b.passages.uint64s(b.textEnds)
	b.passages.uint32s(byID)
	return b.passages.close()
}

// finishForward turns the spooled weights into impacts and appends them to the
// terms.
func (b *Builder) finishForward(scale float32) error {
	b.forward.align()
	b.forward.uint64s(b.forwardEnds)
	if err := b.weights.close(); err != nil {
		return err
	}
	weights, err := mapping.Open(filepath.Join(b.Dir(), weightsFile))
	if err != nil {
		return err
	}
	impacts := make([]byte, 0, 1<<16)
	for _, bits := range view[uint32](weights.Data) {
		if len(impacts) == cap(impacts) {
			b.forward.bytes(impacts)
			impacts = impacts[:0]
		}
		impacts = append(impacts, impact(math.Float32frombits(bits), scale))
	}
	b.forward.bytes(impacts)
	return cmp.Or(b.forward.close(), weights.Close())
}

// scaleOf returns the weight of impact 1 where largest is the largest weight:
// largest/255 in single precision, and the least positive number where that
// would be 0. An index without postings has scale 1.
func scaleOf(largest float32) float32 {
	if largest == 0 {
		return 1
	}
	return max(float32(float64(largest)/255), math.SmallestNonzeroFloat32)
}

// impact returns the impact of a weight: the nearest multiple of scale, halves
// away from zero, at least 1 so that no posting is lost.
func impact(weight, scale float32) uint8 {
	return uint8(min(max(math.Round(float64(weight)/float64(scale)), 1), 255))
}
