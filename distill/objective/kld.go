package objective

import "math"

// KLD is the Kullback–Leibler divergence between the distributions that student
// and teacher have over the candidates that the teacher scored,
//
//	Σ_d p_T(d)·ln(p_T(d)/p_S(d)),   p(d) = softmax of score(d)/T − ln π(d)
//
// (DiSCo, arXiv 2410.14609). Its gradient by the student's score is
// (p_S − p_T)/T.
type KLD struct {
	Temperature float64
	// Reverse is the divergence of the teacher from the student,
	// Σ_d p_S(d)·ln(p_S(d)/p_T(d)), which forgives what the student leaves out and
	// not what it makes up. Its gradient is p_S(d)·(ln(p_S(d)/p_T(d)) − value)/T.
	Reverse bool
	// Alpha, if not nil, weighs the summands of the divergence on turns that have a
	// positive: α and ∂α/∂p_S at a candidate's probabilities by teacher and
	// student. With unequal weights it is no divergence: it can be negative, and
	// its minimum is not p_S = p_T.
	Alpha func(teacher, student float64, positive bool) (alpha, slope float64)
}

// Name returns kld.
func (KLD) Name() string { return "kld" }

// Add implements Term.
func (k KLD) Add(b *Batch, weight float64) float64 {
	sum, scale := 0.0, weight/(k.Temperature*b.Size())
	for i := range b.Turns {
		t := &b.Turns[i]
		n := len(t.Teacher)
		if n == 0 {
			continue
		}
		b.student.set(t.Scores[:n], t.LogInclusion, k.Temperature)
		b.teacher.set(t.Teacher, t.LogInclusion, k.Temperature)
		switch {
		case k.Reverse:
			sum += reverse(t, &b.student, &b.teacher, scale)
		case k.Alpha != nil && len(t.Positives) > 0:
			sum += k.weighed(t, b, scale)
		default:
			sum += forward(t, &b.student, &b.teacher, scale)
		}
	}
	return sum / b.Size()
}

// forward returns the divergence of a turn and adds its gradient times scale.
func forward(t *Turn, student, teacher *softmax, scale float64) float64 {
	sum := 0.0
	for d, p := range teacher.p {
		sum += p * (teacher.log[d] - student.log[d])
		t.ScoreGradient[d] += scale * (student.p[d] - p)
	}
	return sum
}

// reverse is forward with student and teacher exchanged.
func reverse(t *Turn, student, teacher *softmax, scale float64) float64 {
	sum := 0.0
	for d, p := range student.p {
		sum += p * (student.log[d] - teacher.log[d])
	}
	for d, p := range student.p {
		t.ScoreGradient[d] += scale * p * (student.log[d] - teacher.log[d] - sum)
	}
	return sum
}

// weighed returns Σ α·p_T·ln(p_T/p_S) of a turn and adds its gradient times
// scale. With u(d) = −α·p_T + ∂α/∂p_S·p_S·p_T·ln(p_T/p_S), what a summand gains by
// ln p_S(d), the gradient by the logit of d is u(d) − p_S(d)·Σu.
func (k KLD) weighed(t *Turn, b *Batch, scale float64) float64 {
	student, teacher, isPositive := &b.student, &b.teacher, b.marked(t)
	sum, all := 0.0, 0.0
	for d, p := range teacher.p {
		alpha, slope := k.Alpha(p, student.p[d], isPositive[d])
		own := p * (teacher.log[d] - student.log[d])
		sum += alpha * own
		student.log[d] = slope*student.p[d]*own - alpha*p // u(d)
		all += student.log[d]
	}
	for d, u := range student.log {
		t.ScoreGradient[d] += scale * (u - student.p[d]*all)
	}
	return sum
}

// Balanced returns weights for [KLD.Alpha]: with p a candidate's probability by
// the student, or else by the teacher,
//
//	positive·(1−p)^gamma of a positive,   negative·p^gamma of another candidate
//
// so that candidates that are where they should be count less (generalised and
// balanced divergences; Yang et al.). gamma is 0 or at least 1.
func Balanced(positive, negative, gamma float64, byStudent bool) func(teacher, student float64, isPositive bool) (alpha, slope float64) {
	return func(teacher, student float64, isPositive bool) (alpha, slope float64) {
		p, factor, sign := teacher, negative, 1.
		if byStudent {
			p = student
		}
		if isPositive {
			p, factor, sign = 1-p, positive, -1
		}
		alpha = factor * math.Pow(p, gamma)
		if byStudent && gamma > 0 {
			slope = sign * factor * gamma * math.Pow(p, gamma-1)
		}
		return alpha, slope
	}
}
