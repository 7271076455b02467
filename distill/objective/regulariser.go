package objective

// L1 is the mean sum of the query's weights.
type L1 struct{}

// Name returns l1.
func (L1) Name() string { return "l1" }

// Add implements Term.
func (L1) Add(b *Batch, weight float64) float64 {
	return addWeighted(b, weight, func(*Turn, int) float32 { return 1 })
}

// DFL1 is L1 with each weight paid at its price in the index,
//
//	Σ_j (df_j/N)·q_j
//
// df_j/N being the share of the passages that the term j makes a search walk
// through, so that what is penalised is what is paid.
type DFL1 struct{}

// Name returns df_l1.
func (DFL1) Name() string { return "df_l1" }

// Add implements Term.
func (DFL1) Add(b *Batch, weight float64) float64 {
	return addWeighted(b, weight, func(t *Turn, j int) float32 { return t.Cost[j] })
}

// addWeighted is the mean over turns of Σ_j price(j)·q_j, and its gradient.
func addWeighted(b *Batch, weight float64, price func(t *Turn, j int) float32) float64 {
	sum := 0.0
	scale := float32(weight / b.Size())
	for i := range b.Turns {
		t := &b.Turns[i]
		for j, w := range t.Query.Weights {
			p := price(t, j)
			sum += float64(p) * float64(w)
			t.WeightGradient[j] += scale * p
		}
	}
	return sum / b.Size()
}

// FLOPS estimates what the vectors of a batch cost to search with, or to be
// found among: with w̄_j the mean weight of the term j over the batch,
//
//	Σ_j w̄_j²
//
// (Paria et al., arXiv 2004.05665). A term that few vectors have costs little,
// so that weight is driven off the terms that all have. It keeps room for the
// means, and is for one goroutine.
type FLOPS struct{ means []float64 }

// Name returns flops.
func (*FLOPS) Name() string { return "flops" }

// Add implements Term.
func (f *FLOPS) Add(b *Batch, weight float64) float64 {
	clear(f.means)
	n := b.Size()
	for i := range b.Turns {
		v := &b.Turns[i].Query
		for j, term := range v.Terms {
			if int(term) >= len(f.means) {
				f.means = append(f.means, make([]float64, int(term)+1-len(f.means))...)
			}
			f.means[term] += float64(v.Weights[j]) / n
		}
	}
	sum := 0.0
	for _, mean := range f.means {
		sum += mean * mean
	}
	for i := range b.Turns {
		t := &b.Turns[i]
		for j, term := range t.Query.Terms {
			t.WeightGradient[j] += float32(2 * weight * f.means[term] / n)
		}
	}
	return sum
}
