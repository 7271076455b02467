package distill

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
	sum, scale := 0.0, weight/(n.Temperature*b.turns())
	for i := range b.Turns {
		t := &b.Turns[i]
		if t.Positive < 0 {
			continue
		}
		all := logSumExp(t.Scores, n.Temperature)
		sum += all - t.Scores[t.Positive]/n.Temperature
		for d, s := range t.Scores {
			t.ScoreGradient[d] += scale * math.Exp(s/n.Temperature-all)
		}
		t.ScoreGradient[t.Positive] -= scale
	}
	return sum / b.turns()
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

// MarginMSE is the squared difference between the student's margin and the
// teacher's,
//
//	((s⁺ − s_d) − (t⁺ − t_d))²
//
// a mean over the other candidates d that the teacher scored (Hofstätter et al.,
// arXiv 2010.02666). A turn whose relevant candidate has no teacher's score, or
// which has no other candidate with one, adds nothing.
type MarginMSE struct{}

// Name returns margin_mse.
func (MarginMSE) Name() string { return "margin_mse" }

// Add implements Term.
func (MarginMSE) Add(b *Batch, weight float64) float64 {
	sum := 0.0
	for i := range b.Turns {
		t := &b.Turns[i]
		p, others := t.Positive, float64(len(t.Teacher)-1)
		if p < 0 || p >= len(t.Teacher) || others < 1 {
			continue
		}
		scale := 2 * weight / (others * b.turns())
		for d, teacher := range t.Teacher {
			e := (t.Scores[p] - t.Scores[d]) - (t.Teacher[p] - teacher) // 0 for p itself
			sum += e * e / others
			t.ScoreGradient[p] += scale * e
			t.ScoreGradient[d] -= scale * e
		}
	}
	return sum / b.turns()
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
	n := b.turns()
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
