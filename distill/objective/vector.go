package objective

import "parley/sparse"

// VectorMSE is the squared distance of the student's vector from the teacher's,
//
//	Σ_j (q_j − t_j)²
//
// which is V times the mean over the vocabulary. Like every gradient by weights,
// its own moves the terms that q has; a weight of 0 stays where it is.
type VectorMSE struct{}

// Name returns vector_mse.
func (VectorMSE) Name() string { return "vector_mse" }

// Add implements Term.
func (VectorMSE) Add(b *Batch, weight float64) float64 {
	return b.vectors(weight, func(_ *Turn, q, t float64) (value, slope float64) { return (q - t) * (q - t), 2 * (q - t) })
}

// VectorL1 is the sum of the differences between the weights of the student's
// vector and the teacher's, Σ_j |q_j − t_j| (LeCoRE; Mao et al.,
// WWW 2023).
type VectorL1 struct{}

// Name returns vector_l1.
func (VectorL1) Name() string { return "vector_l1" }

// Add implements Term.
func (VectorL1) Add(b *Batch, weight float64) float64 {
	return b.vectors(weight, func(_ *Turn, q, t float64) (value, slope float64) {
		switch {
		case q > t:
			return q - t, 1
		case q < t:
			return t - q, -1
		}
		return 0, 0
	})
}

// Asymmetric is what the student's vector lacks of the teacher's, and not what it
// has beyond it,
//
//	1/n · Σ_j max(0, t_j − q_j)²   over the n terms of the teacher's vector
//
// (CoSPLADE; Le et al., ECIR 2023).
type Asymmetric struct{}

// Name returns asymmetric.
func (Asymmetric) Name() string { return "asymmetric" }

// Add implements Term.
func (Asymmetric) Add(b *Batch, weight float64) float64 {
	return b.vectors(weight, func(turn *Turn, q, t float64) (value, slope float64) {
		if n := float64(turn.TeacherQuery.Len()); q < t {
			return (t - q) * (t - q) / n, -2 * (t - q) / n
		}
		return 0, 0
	})
}

// vectors returns the mean over turns of a loss summed over the terms that the
// student's or the teacher's vector has, and adds its gradient times weight. The
// loss has a value and a slope by the student's weight.
func (b *Batch) vectors(weight float64, loss func(turn *Turn, q, t float64) (value, slope float64)) float64 {
	sum, scale := 0.0, weight/b.Size()
	for i := range b.Turns {
		turn := &b.Turns[i]
		eachTerm(turn.Query, turn.TeacherQuery, func(place int, q, t float64) {
			value, slope := loss(turn, q, t)
			sum += value
			if place >= 0 {
				turn.WeightGradient[place] += float32(scale * slope)
			}
		})
	}
	return sum / b.Size()
}

// eachTerm calls visit with the weights that q and t have for each term that one
// of them has, and its place in q, below 0 if q lacks it.
func eachTerm(q, t sparse.Vector, visit func(place int, q, t float64)) {
	i, j := 0, 0
	for i < q.Len() || j < t.Len() {
		switch {
		case j == t.Len() || i < q.Len() && q.Terms[i] < t.Terms[j]:
			visit(i, float64(q.Weights[i]), 0)
			i++
		case i == q.Len() || t.Terms[j] < q.Terms[i]:
			visit(-1, 0, float64(t.Weights[j]))
			j++
		default:
			visit(i, float64(q.Weights[i]), float64(t.Weights[j]))
			i, j = i+1, j+1
		}
	}
}

// PositiveMSE is the squared distance of the student's vector from those of the
// relevant passages, a mean over them,
//
//	Σ_j (q_j − v_j)² = ‖q‖² + ‖v‖² − 2·s,   s = ⟨q, v⟩
//
// (QRACDR; Mo et al., CIKM 2024). A turn without a relevant candidate adds nothing.
type PositiveMSE struct{}

// Name returns positive_mse.
func (PositiveMSE) Name() string { return "positive_mse" }

// Add implements Term.
func (PositiveMSE) Add(b *Batch, weight float64) float64 { return b.distances(weight, 1, true) }

// NegativeMSE is PositiveMSE for the turn's other candidates and with the sign
// changed: the farther, the better. It is looked at on turns that have a relevant
// candidate, since elsewhere it is not known which are the others.
type NegativeMSE struct{}

// Name returns negative_mse.
func (NegativeMSE) Name() string { return "negative_mse" }

// Add implements Term.
func (NegativeMSE) Add(b *Batch, weight float64) float64 { return b.distances(weight, -1, false) }

// distances returns the mean over turns of sign times the mean squared distance
// of the student's vector from the turn's own candidates that are, or are not,
// relevant, and adds its gradient times weight.
func (b *Batch) distances(weight, sign float64, relevant bool) float64 {
	sum := 0.0
	for i := range b.Turns {
		t := &b.Turns[i]
		if len(t.Positives) == 0 {
			continue
		}
		n := len(t.Positives)
		if !relevant {
			n = len(t.Scores) - t.Others - n
		}
		if n == 0 {
			continue
		}
		isPositive, norm := b.marked(t), squared(t.Query)
		scale := 2 * weight * sign / b.Size()
		for d := range len(t.Scores) - t.Others {
			if isPositive[d] == relevant {
				sum += sign * (norm + t.Norms[d] - 2*t.Scores[d]) / float64(n)
				t.ScoreGradient[d] -= scale / float64(n)
			}
		}
		for j, w := range t.Query.Weights {
			t.WeightGradient[j] += float32(scale * float64(w))
		}
	}
	return sum / b.Size()
}

// squared returns the squared length of a vector.
func squared(v sparse.Vector) float64 {
	sum := 0.0
	for _, w := range v.Weights {
		sum += float64(w) * float64(w)
	}
	return sum
}
