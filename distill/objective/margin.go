package objective

// MarginMSE is the squared difference between the student's margin and the
// teacher's,
//
//	((s_p − s_d) − (t_p − t_d))²
//
// a mean over the pairs of a relevant candidate p and another one d that the
// teacher scored both (Hofstätter et al., arXiv 2010.02666). A turn without such
// a pair adds nothing.
type MarginMSE struct{}

// Name returns margin_mse.
func (MarginMSE) Name() string { return "margin_mse" }

// Add implements Term.
func (MarginMSE) Add(b *Batch, weight float64) float64 {
	return b.pairs(weight, NegativesTurn, true, func(t *Turn, p, d int) (value, slope float64) {
		e := (t.Scores[p] - t.Scores[d]) - (t.Teacher[p] - t.Teacher[d])
		return e * e, 2 * e
	})
}

// Hinge is how far the student's margin stays behind Margin,
//
//	max(0, Margin − (s_p − s_d))
//
// a mean over the pairs of a relevant candidate p and another one d (SNRM; Zamani
// et al., CIKM 2018). A turn without such a pair adds nothing.
type Hinge struct {
	Margin    float64
	Negatives string // turn, batch or both; "" means both
}

// Name returns hinge.
func (Hinge) Name() string { return "hinge" }

// Add implements Term.
func (h Hinge) Add(b *Batch, weight float64) float64 {
	return b.pairs(weight, h.Negatives, false, func(t *Turn, p, d int) (value, slope float64) {
		if short := h.Margin - (t.Scores[p] - t.Scores[d]); short > 0 {
			return short, -1
		}
		return 0, 0
	})
}

// pairs returns the mean of a loss over the pairs of a relevant candidate and
// another one of each turn, and adds its gradient times weight. The loss has a
// value and a slope by the student's margin. taught leaves out candidates that
// the teacher has not scored.
func (b *Batch) pairs(weight float64, negatives string, taught bool, loss func(t *Turn, p, d int) (value, slope float64)) float64 {
	sum := 0.0
	for i := range b.Turns {
		t := &b.Turns[i]
		from, to := t.negatives(negatives)
		known := len(t.Scores)
		if taught {
			known = len(t.Teacher)
		}
		to = min(to, known)
		isPositive := b.marked(t)
		positives, others := 0, max(0, to-from)
		for _, p := range t.Positives {
			if p < known {
				positives++
			}
			if from <= p && p < to {
				others--
			}
		}
		if positives == 0 || others == 0 {
			continue
		}
		n := float64(positives) * float64(others)
		scale := weight / (n * b.Size())
		for _, p := range t.Positives {
			if p >= known {
				continue
			}
			for d := from; d < to; d++ {
				if isPositive[d] {
					continue
				}
				value, slope := loss(t, p, d)
				sum += value / n
				t.ScoreGradient[p] += scale * slope
				t.ScoreGradient[d] -= scale * slope
			}
		}
	}
	return sum / b.Size()
}
