package objective

import "math"

// InfoNCE is the contrastive loss: the negative logarithm of the probability
// that the student gives to the relevant candidate,
//
//	−ln( exp(s⁺/T) / Σ_d exp(s_d/T) )
//
// over all of a turn's candidates (van den Oord et al., arXiv 1807.03748). Its
// gradient by a score is (p(d) − [d is the relevant one])/T. A turn without a
// relevant candidate adds nothing.
type InfoNCE struct{ Temperature float64 }

// Name returns infonce.
func (InfoNCE) Name() string { return "infonce" }

// Add implements Term.
func (n InfoNCE) Add(b *Batch, weight float64) float64 {
	sum, scale := 0.0, weight/(n.Temperature*b.Size())
	for i := range b.Turns {
		t := &b.Turns[i]
		p := t.first()
		if p < 0 {
			continue
		}
		all := logSumExp(t.Scores, n.Temperature)
		sum += all - t.Scores[p]/n.Temperature
		for d, s := range t.Scores {
			t.ScoreGradient[d] += scale * math.Exp(s/n.Temperature-all)
		}
		t.ScoreGradient[p] -= scale
	}
	return sum / b.Size()
}

// logSumExp returns ln Σ_d exp(s_d/temperature).
func logSumExp(scores []float64, temperature float64) float64 {
	high := math.Inf(-1)
	for _, s := range scores {
		high = max(high, s/temperature)
	}
	sum := 0.0
	for _, s := range scores {
		sum += math.Exp(s/temperature - high)
	}
	return high + math.Log(sum)
}
