package objective

// FLOPS estimates what the vectors of a batch cost to search with, or to be
// found among: with w̄_j the mean weight of the term j over the batch,
//
//	Σ_j w̄_j²
//
// (Paria et al., arXiv 2004.05665). A term that few vectors have costs little,
// so that weight is driven off the terms that all have. Of a batch that comes in
// parts, Gather must have seen all before the first is added. It keeps room for
// the means, and is for one goroutine.
type FLOPS struct {
	Turns *TurnWeights

	means    []float64 // [V]
	gathered int       // turns in means that are still to be added
}

// Name returns flops.
func (*FLOPS) Name() string { return "flops" }

func (f *FLOPS) turnWeights() *TurnWeights { return f.Turns }

// Add implements Term. Of a part of a batch the value is the part's share,
//
//	Σ_i Σ_j (q_ij/n)·w̄_j
//
// over its turns i, so that those of all parts add up.
func (f *FLOPS) Add(b *Batch, weight float64) float64 {
	if f.gathered == 0 {
		if b.Of > len(b.Turns) {
			panic("objective: a part of a batch is added that was not gathered")
		}
		f.gather(b)
	}
	f.gathered -= len(b.Turns)
	sum, n := 0.0, b.Size()
	for i := range b.Turns {
		t := &b.Turns[i]
		share := f.Turns.of(t) / n
		for j, term := range t.Query.Terms {
			mean := f.means[term]
			sum += share * float64(t.Query.Weights[j]) * mean
			t.WeightGradient[j] += float32(2 * weight * share * mean)
		}
	}
	return sum
}

func (f *FLOPS) gather(b *Batch) {
	if f.gathered == 0 {
		clear(f.means)
	}
	f.gathered += len(b.Turns)
	n := b.Size()
	for i := range b.Turns {
		t := &b.Turns[i]
		share := f.Turns.of(t) / n
		for j, term := range t.Query.Terms {
			if int(term) >= len(f.means) {
				f.means = append(f.means, make([]float64, int(term)+1-len(f.means))...)
			}
			f.means[term] += share * float64(t.Query.Weights[j])
		}
	}
}

func (f *FLOPS) forget() { f.gathered = 0 }

// gatherer is a term whose value couples the turns of a batch.
type gatherer interface {
	gather(b *Batch)
	forget()
}

// Coupled tells whether a term couples the turns of a batch, so that one that
// comes in parts must be gathered before any part is added.
func Coupled(terms []Weighted) bool {
	for _, term := range terms {
		if _, ok := term.Term.(gatherer); ok {
			return true
		}
	}
	return false
}

// Gather shows the terms that couple turns a part of the batch that is to come,
// of which only the numbers and vectors of its turns are looked at; the first of
// its parts if so said. Parts must be added in full afterwards.
func Gather(terms []Weighted, b *Batch, first bool) {
	for _, term := range terms {
		g, ok := term.Term.(gatherer)
		if !ok {
			continue
		}
		if first {
			g.forget()
		}
		g.gather(b)
	}
}
