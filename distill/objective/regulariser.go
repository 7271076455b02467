package objective

import "math"

// Regularisers act on the student's vectors alone. All but [FLOPS] are means over
// turns of a price of the vector, so that it does not matter in which parts a
// batch comes.

// TurnWeights weigh turns by their number n in the conversation, as
//
//	n^Power / (mean of n^Power over the turns that are trained on)
//
// since the queries of late turns are those that grow. Their mean is 1, so that
// the power does not change how strong a regulariser is. nil, or a power of 0,
// weighs all turns alike.
type TurnWeights struct {
	Power float64
	mean  float64 // as Fit says; 0 stands for 1
}

// of returns the weight of a turn. One without a number counts as a first one.
func (w *TurnWeights) of(t *Turn) float64 {
	if w == nil || w.Power == 0 {
		return 1
	}
	x := math.Pow(float64(max(t.Number, 1)), w.Power)
	if w.mean > 0 {
		x /= w.mean
	}
	return x
}

// fitted are terms that weigh turns by their number.
type fitted interface{ turnWeights() *TurnWeights }

// Fit tells the terms that weigh turns by their number what the numbers are of the
// turns that are trained on.
func Fit(terms []Weighted, numbers []int) {
	for _, term := range terms {
		f, ok := term.Term.(fitted)
		if !ok || f.turnWeights() == nil || len(numbers) == 0 {
			continue
		}
		w, sum := f.turnWeights(), 0.0
		for _, n := range numbers {
			sum += math.Pow(float64(max(n, 1)), w.Power)
		}
		w.mean = sum / float64(len(numbers))
	}
}

// priced is a price of a turn's vector.
type priced interface {
	// price returns it, and adds scale times its gradient.
	price(t *Turn, scale float64) float64
}

// eachTurn is the mean price of the turns' vectors.
func eachTurn[P priced](p P, b *Batch, weight float64, turns *TurnWeights) float64 {
	sum := 0.0
	for i := range b.Turns {
		t := &b.Turns[i]
		share := turns.of(t) / b.Size()
		sum += share * p.price(t, weight*share)
	}
	return sum
}

// L1 is the mean sum of the query's weights.
type L1 struct{ Turns *TurnWeights }

// Name returns l1.
func (L1) Name() string { return "l1" }

func (r L1) turnWeights() *TurnWeights { return r.Turns }

// Add implements Term.
func (r L1) Add(b *Batch, weight float64) float64 {
	return eachTurn(r, b, weight, r.Turns)
}

func (r L1) price(t *Turn, scale float64) float64 {
	sum := 0.0
	for j, w := range t.Query.Weights {
		sum += float64(w)
		t.WeightGradient[j] += float32(scale)
	}
	return sum
}

// DFL1 is L1 with each weight paid at its price in the index,
//
//	Σ_j (df_j/N)·q_j
//
// df_j/N being the share of the passages that the term j makes a search walk
// through, so that what is penalised is what is paid.
type DFL1 struct{ Turns *TurnWeights }

// Name returns df_l1.
func (DFL1) Name() string { return "df_l1" }

func (r DFL1) turnWeights() *TurnWeights { return r.Turns }

// Add implements Term.
func (r DFL1) Add(b *Batch, weight float64) float64 {
	return eachTurn(r, b, weight, r.Turns)
}

func (r DFL1) price(t *Turn, scale float64) float64 {
	sum := 0.0
	for j, w := range t.Query.Weights {
		price := float64(t.Cost[j])
		sum += price * float64(w)
		t.WeightGradient[j] += float32(scale * price)
	}
	return sum
}

// DFSaturating prices a term by how much of it there is at all,
//
//	Σ_j (df_j/N)·g(q_j),   g(q) = q/(q+s), or 1 − exp(−q/s)
//
// which tends to Σ_j [q_j>0]·df_j/N, what a search pays, as the scale s falls: a
// heavy term is hardly pressed, and a light one all the more. s is a weight: that
// of which g(s) is 1/2, or 1 − 1/e.
type DFSaturating struct {
	Scale       float64
	Exponential bool
	Turns       *TurnWeights
}

// Name returns df_saturating.
func (DFSaturating) Name() string { return "df_saturating" }

func (r DFSaturating) turnWeights() *TurnWeights { return r.Turns }

// Add implements Term.
func (r DFSaturating) Add(b *Batch, weight float64) float64 {
	return eachTurn(r, b, weight, r.Turns)
}

func (r DFSaturating) price(t *Turn, scale float64) float64 {
	sum := 0.0
	for j, w := range t.Query.Weights {
		g, slope := r.saturation(float64(w))
		price := float64(t.Cost[j])
		sum += price * g
		t.WeightGradient[j] += float32(scale * price * slope)
	}
	return sum
}

// saturation returns g and its derivative at q.
func (r DFSaturating) saturation(q float64) (g, slope float64) {
	if r.Exponential {
		return -math.Expm1(-q / r.Scale), math.Exp(-q/r.Scale) / r.Scale
	}
	return q / (q + r.Scale), r.Scale / ((q + r.Scale) * (q + r.Scale))
}

// Entropy is the mean entropy of a query's weights as a distribution,
//
//	H = −Σ_j p_j·ln p_j,   p = q/Σq
//
// It does not see the scale of the weights, so that it presses them together
// without making all of them small. Its gradient is (−ln p_j − H)/Σq.
type Entropy struct{ Turns *TurnWeights }

// Name returns entropy.
func (Entropy) Name() string { return "entropy" }

func (r Entropy) turnWeights() *TurnWeights { return r.Turns }

// Add implements Term.
func (r Entropy) Add(b *Batch, weight float64) float64 {
	return eachTurn(r, b, weight, r.Turns)
}

func (Entropy) price(t *Turn, scale float64) float64 {
	return entropy(t, scale)
}

// L0 is the mean effective number of terms, exp(H) of the entropy H that [Entropy]
// is: a surrogate of L0 that has a gradient, equal to it where all weights are
// equal, and below it elsewhere (Hill's number of order 1; Hill, Ecology 54, 1973).
type L0 struct{ Turns *TurnWeights }

// Name returns l0.
func (L0) Name() string { return "l0" }

func (r L0) turnWeights() *TurnWeights { return r.Turns }

// Add implements Term.
func (r L0) Add(b *Batch, weight float64) float64 {
	return eachTurn(r, b, weight, r.Turns)
}

func (r L0) price(t *Turn, scale float64) float64 {
	if t.Query.Len() == 0 {
		return 0
	}
	terms := math.Exp(entropy(t, 0))
	entropy(t, scale*terms) // the derivative of exp(H) is exp(H) times that of H
	return terms
}

// entropy returns the entropy of t's weights and adds scale times its gradient.
func entropy(t *Turn, scale float64) float64 {
	sum := t.Query.L1()
	h := 0.0
	for _, w := range t.Query.Weights {
		p := float64(w) / sum
		h -= p * math.Log(p)
	}
	if scale != 0 {
		for j, w := range t.Query.Weights {
			t.WeightGradient[j] += float32(scale * (-math.Log(float64(w)/sum) - h) / sum)
		}
	}
	return h
}
