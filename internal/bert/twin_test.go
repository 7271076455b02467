package bert

import (
	"fmt"
	"math"
	"slices"

	"parley/internal/f32"
	"parley/sparse"
)

// twin is the network written down plainly: in double precision, sequence by
// sequence, with every logit.
type twin struct {
	c       Config
	tensors map[string][]float64
	seeds   []uint64
}

func newTwin(n *Network) *twin {
	t := &twin{c: n.config, tensors: map[string][]float64{}}
	for _, p := range n.parameters {
		values := make([]float64, len(p.Value))
		for i, v := range p.Value {
			values[i] = float64(v)
		}
		t.tensors[p.Name] = values
	}
	return t
}

type rows [][]float64

func (t *twin) dense(x rows, name string) rows {
	w, b := t.tensors[name+".weight"], t.tensors[name+".bias"]
	y := make(rows, len(x))
	for i, row := range x {
		y[i] = slices.Clone(b)
		for o := range y[i] {
			for k, v := range row {
				y[i][o] += v * w[o*len(row)+k]
			}
		}
	}
	return y
}

func (t *twin) normed(x rows, name string) rows {
	gain, shift := t.tensors[name+".weight"], t.tensors[name+".bias"]
	y := make(rows, len(x))
	for i, row := range x {
		mean, variance := 0.0, 0.0
		for _, v := range row {
			mean += v / float64(len(row))
		}
		for _, v := range row {
			variance += (v - mean) * (v - mean) / float64(len(row))
		}
		for k, v := range row {
			y[i] = append(y[i], gain[k]*(v-mean)/math.Sqrt(variance+float64(t.c.Epsilon))+shift[k])
		}
	}
	return y
}

func activated(x rows, act f32.Activation) rows {
	for _, row := range x {
		for k, v := range row {
			switch act {
			case f32.ReLU:
				row[k] = max(v, 0)
			case f32.GELU:
				row[k] = .5 * v * (1 + math.Erf(v/math.Sqrt2))
			case f32.GELUTanh:
				row[k] = .5 * v * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+.044715*v*v*v)))
			case f32.SiLU:
				row[k] = v / (1 + math.Exp(-v))
			case f32.Tanh:
				row[k] = math.Tanh(v)
			}
		}
	}
	return x
}

func plus(x, y rows) rows {
	for i, row := range y {
		for k, v := range row {
			x[i][k] += v
		}
	}
	return x
}

// dropped applies the masks of the network, which are tested by themselves.
func (t *twin) dropped(x rows, probability float32, sequence, layer, kind, head int) rows {
	if t.seeds == nil {
		return x
	}
	d, key := newDropout(probability), site(t.seeds[sequence], layer, kind, head)
	for i, row := range x {
		mask := make([]float32, len(row))
		fill(mask, 1)
		d.apply(mask, rowKey(key, i))
		for k := range row {
			row[k] *= float64(mask[k])
		}
	}
	return x
}

// states returns the hidden states of a sequence, after the embeddings and
// after each layer.
func (t *twin) states(sequence int, ids []uint32, kinds []uint8) []rows {
	n, h := namesOf[t.c.Family], t.c.Hidden
	x := make(rows, len(ids))
	for i, id := range ids {
		x[i] = slices.Clone(t.tensors[n.base+"word_embeddings.weight"][int(id)*h:][:h])
		for k := range x[i] {
			x[i][k] += t.tensors[n.base+"position_embeddings.weight"][i*h+k]
			if t.c.Types > 0 {
				kind := 0
				if kinds != nil {
					kind = int(kinds[i])
				}
				x[i][k] += t.tensors[n.base+"token_type_embeddings.weight"][kind*h+k]
			}
		}
	}
	x = t.dropped(t.normed(x, n.base+"LayerNorm"), t.c.Dropout, sequence, -1, siteHidden, 0)
	all := []rows{x}
	for l := range t.c.Layers {
		name := fmt.Sprintf(n.layer, l)
		mixed := t.dense(t.attention(sequence, l, x), name+n.out)
		if t.c.Family == BERT {
			mixed = t.dropped(mixed, t.c.Dropout, sequence, l, siteHidden, 0)
		}
		x = t.normed(plus(mixed, x), name+n.outNorm)
		inner := activated(t.dense(x, name+n.inner), t.c.Activation)
		outer := t.dropped(t.dense(inner, name+n.outer), t.c.Dropout, sequence, l, siteOuter, 0)
		x = t.normed(plus(outer, x), name+n.outerNorm)
		all = append(all, x)
	}
	return all
}

func (t *twin) attention(sequence, layer int, x rows) rows {
	n, d := namesOf[t.c.Family], t.c.headSize()
	name := fmt.Sprintf(n.layer, layer)
	q, k, v := t.dense(x, name+n.query), t.dense(x, name+n.key), t.dense(x, name+n.value)
	out := make(rows, len(x))
	for i := range x {
		out[i] = make([]float64, t.c.Hidden)
	}
	for h := range t.c.Heads {
		p := make(rows, len(x))
		for i := range x {
			sum := 0.0
			for j := range x {
				dot := 0.0
				for at := h * d; at < (h+1)*d; at++ {
					dot += q[i][at] * k[j][at]
				}
				p[i] = append(p[i], math.Exp(dot/math.Sqrt(float64(d))))
				sum += p[i][j]
			}
			for j := range x {
				p[i][j] /= sum
			}
		}
		p = t.dropped(p, t.c.AttentionDropout, sequence, layer, siteAttention, h)
		for i := range x {
			for j := range x {
				for at := h * d; at < (h+1)*d; at++ {
					out[i][at] += p[i][j] * v[j][at]
				}
			}
		}
	}
	return out
}

func (t *twin) saturated(x float64) float64 {
	switch x = max(x, 0); t.c.Head.Saturation {
	case Linear:
		return x
	case DoubleLog:
		return math.Log1p(math.Log1p(x))
	default:
		return math.Log1p(x)
	}
}

// logits returns those of a masked-LM head for the last hidden states.
func (t *twin) logits(x rows) rows {
	n, h := namesOf[t.c.Family], t.c.Hidden
	x = t.normed(activated(t.dense(x, n.transform), t.c.HeadActivation), n.headNorm)
	decoder := t.tensors[n.base+"word_embeddings.weight"]
	if t.c.Untied {
		decoder = t.tensors[n.decoder]
	}
	logits := make(rows, len(x))
	for i, row := range x {
		logits[i] = slices.Clone(t.tensors[n.bias])
		for v := range logits[i] {
			for k, s := range row {
				logits[i][v] += s * decoder[v*h+k]
			}
		}
	}
	return logits
}

// weigh returns the weight of every term for the last hidden states of a
// sequence.
func (t *twin) weigh(ids []uint32, x rows) []float64 {
	weights := make([]float64, t.c.Vocabulary)
	pool := func(term int, logit float64) {
		if w := t.saturated(logit); t.c.Head.Pooling == Sum {
			weights[term] += w
		} else {
			weights[term] = max(weights[term], w)
		}
	}
	if t.c.Head.Kind == Lexical {
		for i, row := range t.dense(x, "tok_proj") {
			if !slices.Contains(t.c.Head.Skip, ids[i]) {
				pool(int(ids[i]), row[0])
			}
		}
		return weights
	}
	for _, row := range t.logits(x) {
		for term, logit := range row {
			pool(term, logit)
		}
	}
	return weights
}

// forward returns the weight of every term for each sequence of a batch.
func (t *twin) forward(b Batch) [][]float64 {
	var all [][]float64
	for i, end := range b.Ends {
		ids := b.IDs[b.start(i):end]
		var kinds []uint8
		if b.Types != nil {
			kinds = b.Types[b.start(i):end]
		}
		states := t.states(i, ids, kinds)
		all = append(all, t.weigh(ids, states[len(states)-1]))
	}
	return all
}

// near reports whether a vector holds the given weights, each to within
// tolerance·max(1, weight), and nothing that is clearly 0.
func near(v sparse.Vector, weights []float64, tolerance float64) error {
	if err := v.Validate(len(weights)); err != nil {
		return err
	}
	for term, want := range weights {
		if got := float64(v.Weight(uint32(term))); !(math.Abs(got-want) <= tolerance*max(1, want)) {
			return fmt.Errorf("term %d weighs %v, want %v", term, got, want)
		}
	}
	return nil
}
