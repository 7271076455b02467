package objective

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
		p, others := t.first(), float64(len(t.Teacher)-1)
		if p < 0 || p >= len(t.Teacher) || others < 1 {
			continue
		}
		scale := 2 * weight / (others * b.Size())
		for d, teacher := range t.Teacher {
			e := (t.Scores[p] - t.Scores[d]) - (t.Teacher[p] - teacher) // 0 for p itself
			sum += e * e / others
			t.ScoreGradient[p] += scale * e
			t.ScoreGradient[d] -= scale * e
		}
	}
	return sum / b.Size()
}
