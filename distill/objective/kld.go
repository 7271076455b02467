package objective

import (
	"math"

	"parley/internal/f32"
)

// KLD is the Kullback–Leibler divergence of the student's distribution over
// the candidates from the teacher's,
//
//	Σ_d p_T(d)·ln(p_T(d)/p_S(d)),   p(d) = softmax of score(d)/T
//
// over the candidates that the teacher scored (DiSCo, arXiv 2410.14609). Its
// gradient by the student's score is (p_S − p_T)/T.
type KLD struct{ Temperature float64 }

// Name returns kld.
func (KLD) Name() string { return "kld" }

// Add implements Term.
func (k KLD) Add(b *Batch, weight float64) float64 {
	sum := 0.0
	scale := weight / (k.Temperature * b.Size())
	for i := range b.Turns {
		t := &b.Turns[i]
		if len(t.Teacher) == 0 {
			continue
		}
		b.student = logSoftmax(b.student, t.Scores[:len(t.Teacher)], k.Temperature)
		b.teacher = logSoftmax(b.teacher, t.Teacher, k.Temperature)
		student, teacher := b.student, b.teacher
		for d, lt := range teacher {
			pt := math.Exp(lt)
			sum += pt * (lt - student[d])
			t.ScoreGradient[d] += scale * (math.Exp(student[d]) - pt)
		}
	}
	return sum / b.Size()
}

// logSoftmax returns the logarithm of the softmax of scores/temperature, in logs
// if it has the room.
func logSoftmax(logs, scores []float64, temperature float64) []float64 {
	logs = f32.Zeroed(logs, len(scores))
	high := math.Inf(-1)
	for d, s := range scores {
		logs[d] = s / temperature
		high = max(high, logs[d])
	}
	sum := 0.0
	for _, s := range logs {
		sum += math.Exp(s - high)
	}
	shift := high + math.Log(sum)
	for d := range logs {
		logs[d] -= shift
	}
	return logs
}
