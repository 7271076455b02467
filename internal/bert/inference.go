package bert

import (
	"slices"
	"sync"

	"parley/internal/f32"
	"parley/sparse"
)

// Inference is a network that no longer changes, its weights packed once. It is
// safe for concurrent use: each goroutine has a Session of its own.
type Inference struct {
	config  Config
	weights weights
	screen  *f32.Screen        // nil where all logits are computed
	decoder func() *f32.Packed // for vectors that are not sparse, where there is a screen
}

// NewInference returns the network of c with the weights of s, which it may go
// on reading: s stays open as long as it is used.
func NewInference(c Config, s Source) (*Inference, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	release := func([]float32) {}
	if r, ok := s.(releaser); ok {
		release = r.Release
	}
	reader := reader{source: s, tensors: c.Tensors(), release: release}
	f := &Inference{config: c, weights: c.assemble(reader.take)}
	if reader.err != nil {
		return nil, reader.err
	}
	f.screen = f.weights.newScreen()
	f.weights.pack(release)
	f.packDecoder(release)
	return f, nil
}

// A releaser is a source that is told when values are not needed for now, so that
// weights which are packed do not stay in memory twice.
type releaser interface{ Release(values []float32) }

// reader hands out the tensors of a source in order.
type reader struct {
	source  Source
	tensors []Tensor
	release func(values []float32)
	err     error
}

// take returns the next size weights, of one tensor or of several.
func (r *reader) take(size int) array {
	var joined []float32
	for r.err == nil {
		t := r.tensors[0]
		r.tensors = r.tensors[1:]
		values, err := r.source.F32(t.Name, t.Shape...)
		if err != nil {
			r.err = err
			break
		}
		if len(values) == size {
			return array{value: values}
		}
		joined = append(joined, values...)
		if r.release(values); len(joined) == size {
			return array{value: joined}
		}
	}
	return array{value: make([]float32, size)}
}

// pack packs the matrices of products but for the decoder.
func (w *weights) pack(release func([]float32)) {
	for i := range w.layers {
		l := &w.layers[i]
		for _, dense := range []*linear{&l.qkv, &l.out, &l.inner, &l.outer} {
			dense.pack(release)
		}
	}
	if w.decoder.bias.value != nil {
		w.transform.pack(release)
	}
}

// packDecoder packs the decoder, only when it is asked for where there is a
// screen: then rows of it are read here and there, as those of the word
// embeddings are.
func (f *Inference) packDecoder(release func([]float32)) {
	decoder := &f.weights.decoder
	switch {
	case decoder.bias.value == nil:
	case f.screen == nil:
		decoder.pack(release)
	default:
		weight := decoder.weight.value
		release(weight.Data)
		f.decoder = sync.OnceValue(func() *f32.Packed { return f32.PackT(weight) })
	}
}

func (l *linear) pack(release func([]float32)) {
	l.packed = f32.PackT(l.weight.value)
	release(l.weight.value.Data)
	l.weight = matrix{}
}

// Config returns what the network is.
func (f *Inference) Config() Config { return f.config }

// Session returns a session, which one goroutine may use at a time.
func (f *Inference) Session() *Session {
	return &Session{engine: newEngine(f.config, &f.weights, 1), inference: f}
}

// Session encodes batches and keeps its memory from one to the next: that grows
// with the tokens of the largest batch and with its sequences times V.
type Session struct {
	engine
	inference                 *Inference
	x, qkv, mixed, sum, inner buffer
	moments                   []moments

	rounded  f32.Rounded
	certain  []bool   // [ΣL]
	marks    []uint64 // [B×V] bits
	left     []int    // [B] how many terms were left by the screen
	dense    int      // how many batches go without it
	round    rounding
	screened screening
	finish   finishing
}

// innerRows is how many tokens go through a feed-forward layer at a time, so
// that its inner states stay small and near.
const innerRows = 384

// Encode returns the vector of each sequence of b, which Config.Check accepts.
// They hold until the next Encode.
func (s *Session) Encode(b Batch) []sparse.Vector {
	s.begin(b, nil)
	rows, h := len(b.IDs), s.config.Hidden
	s.moments = resize(s.moments, rows)
	x, sum := s.x.view(rows, h), s.sum.view(rows, h)
	a := activations{
		input: x, qkv: s.qkv.view(rows, 3*h), mixed: s.mixed.view(rows, h), sum: sum, moments: s.moments,
		middle: x, inner: s.inner.view(min(innerRows, rows), s.config.Inner), outer: sum, outerMoments: s.moments,
	}
	s.forwardEmbedding(x, x, s.moments)
	for i := range s.config.Layers {
		s.forwardLayer(i, &a, a.inner, x)
	}
	if s.config.Head.Kind == Lexical {
		return s.forwardLexical(x)
	}
	s.forwardTransform(x, a.mixed, a.mixed, a.mixed, s.moments)
	return s.decode(a.mixed)
}

// Explain returns the vector of one sequence, as Encode does, and for each of its
// terms the place in the sequence of the token that gave it most, the first of
// equals. Unlike Encode it takes memory.
func (s *Session) Explain(ids []uint32) (sparse.Vector, []int32) {
	v := s.Encode(Batch{IDs: ids, Ends: []int{len(ids)}})[0]
	v = sparse.Vector{Terms: slices.Clone(v.Terms), Weights: slices.Clone(v.Weights)}
	places := make([]int32, v.Len())
	if s.config.Head.Kind == Lexical {
		copy(places, s.winners)
		return v, places
	}
	// Saturations grow with the logit: the largest share is the largest logit's.
	pooling := s.config.Head.Pooling
	s.config.Head.Pooling = Max
	s.forwardDecoder(s.mixed.view(len(ids), s.config.Hidden), s.weights.decoder.packed, true)
	s.config.Head.Pooling = pooling
	for j, term := range v.Terms {
		places[j] = s.winners[term]
	}
	return v, places
}
