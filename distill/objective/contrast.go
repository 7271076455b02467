package objective

import (
	"math"

	"parley/internal/f32"
)

// Which candidates a relevant one is told apart from.
const (
	NegativesTurn  = "turn"  // the turn's own
	NegativesBatch = "batch" // those of the other turns of the batch
	NegativesBoth  = "both"  // all
)

// negatives returns the range of the candidates of t that the plan's word for
// negatives stands for. Those in it that are relevant are none.
func (t *Turn) negatives(which string) (from, to int) {
	own := len(t.Scores) - t.Others
	switch which {
	case NegativesTurn:
		return 0, own
	case NegativesBatch:
		return own, len(t.Scores)
	}
	return 0, len(t.Scores)
}

// InfoNCE is the contrastive loss: the negative logarithm of the probability
// that the student gives to a relevant candidate against all that are not
// relevant, a mean over the relevant ones p,
//
//	−ln( exp(l_p) / (exp(l_p) + Σ_d exp(l_d)) ),   l_d = s_d/T − ln π(d)
//
// (van den Oord et al., arXiv 1807.03748). No relevant candidate is a negative
// of another one. With r_p the share that the negatives have in the sum, the
// gradient by s_p is −r_p/T, and that by s_d is the share that d has in the
// negatives' sum times the mean of r_p/T. A turn without a relevant candidate
// adds nothing.
type InfoNCE struct {
	Temperature float64
	Negatives   string // turn, batch or both; "" means both
	// LogTemperature, if not nil, is what is learned: ln of what Temperature is to
	// be multiplied with, at most a hundredfold up or down.
	LogTemperature *f32.Parameter // [1]
}

// CrossEntropy is the cross-entropy of the label "relevant": InfoNCE but for
// turns with several relevant candidates, which need not be ahead one by one but
// together,
//
//	−ln( Σ_p exp(l_p) / (Σ_p exp(l_p) + Σ_d exp(l_d)) )
type CrossEntropy InfoNCE

// Name returns infonce.
func (InfoNCE) Name() string { return "infonce" }

// Name returns cross_entropy.
func (CrossEntropy) Name() string { return "cross_entropy" }

func (n InfoNCE) parameter() *f32.Parameter      { return n.LogTemperature }
func (n CrossEntropy) parameter() *f32.Parameter { return n.LogTemperature }

// Current returns the temperature as far as it is learned.
func (n InfoNCE) Current() float64 { return n.Temperature * math.Exp(n.learned()) }

// Current returns the temperature as far as it is learned.
func (n CrossEntropy) Current() float64 { return InfoNCE(n).Current() }

// furthest is how far ln T may go from where it starts.
var furthest = math.Log(100)

func (n InfoNCE) learned() float64 {
	if n.LogTemperature == nil {
		return 0
	}
	return min(max(float64(n.LogTemperature.Value[0]), -furthest), furthest)
}

// Add implements Term.
func (n InfoNCE) Add(b *Batch, weight float64) float64 { return n.add(b, weight, apart) }

// Add implements Term.
func (n CrossEntropy) Add(b *Batch, weight float64) float64 {
	return InfoNCE(n).add(b, weight, together)
}

func (n InfoNCE) add(b *Batch, weight float64, positives func(logits []float64, negative float64, places []int) (loss, share float64)) float64 {
	temperature := n.Current()
	sum, scale := 0.0, weight/(temperature*b.Size())
	byLog := 0.0 // gradient by ln T: each logit s/T falls by itself, but for ln π
	for i := range b.Turns {
		t := &b.Turns[i]
		if len(t.Positives) == 0 {
			continue
		}
		l := logits(b.student.log, t.Scores, t.LogInclusion, temperature)
		b.student.log = l
		negative := b.shares(t, n.Negatives)
		loss, share := positives(l, negative, t.Positives) // leaves −gradients in l[p]
		sum += loss
		for _, p := range t.Positives {
			t.ScoreGradient[p] -= scale * l[p]
			byLog += scale * l[p] * t.Scores[p]
		}
		from, to := t.negatives(n.Negatives)
		for d := from; d < to; d++ {
			g := scale * share * b.student.p[d]
			t.ScoreGradient[d] += g
			byLog -= g * t.Scores[d]
		}
	}
	n.learn(byLog)
	return sum / b.Size()
}

// shares makes b.student.p the softmax of the logits in b.student.log over the
// negatives of a turn, 0 elsewhere, and returns ln Σ_d exp(l_d).
func (b *Batch) shares(t *Turn, negatives string) float64 {
	l := b.student.log
	p, isPositive, high := f32.Zeroed(b.student.p, len(l)), b.marked(t), math.Inf(-1)
	b.student.p = p
	from, to := t.negatives(negatives)
	for d := from; d < to; d++ {
		if !isPositive[d] {
			high = max(high, l[d])
		}
	}
	if math.IsInf(high, -1) { // there is no negative
		return high
	}
	sum := 0.0
	for d := from; d < to; d++ {
		if !isPositive[d] {
			p[d] = math.Exp(l[d] - high)
			sum += p[d]
		}
	}
	for d := from; d < to; d++ {
		p[d] /= sum
	}
	return high + math.Log(sum)
}

// apart returns the mean loss of relevant candidates each of which stands alone
// against the negatives, ln Σ exp of which is negative, and the negatives' share.
// The logits at places become the gradients by them, with the sign changed.
func apart(logits []float64, negative float64, places []int) (loss, share float64) {
	n := float64(len(places))
	for _, p := range places {
		lost, r := against(logits[p], negative)
		logits[p] = r / n
		loss, share = loss+lost/n, share+r/n
	}
	return loss, share
}

// together is apart for relevant candidates that stand together.
func together(logits []float64, negative float64, places []int) (loss, share float64) {
	high := math.Inf(-1)
	for _, p := range places {
		high = max(high, logits[p])
	}
	sum := 0.0
	for _, p := range places {
		sum += math.Exp(logits[p] - high)
	}
	loss, share = against(high+math.Log(sum), negative)
	for _, p := range places {
		logits[p] = share * math.Exp(logits[p]-high) / sum
	}
	return loss, share
}

// against returns ln(1 + exp(negative − positive)), the loss of ln Σ exp of the
// positives against that of the negatives, and the share exp(negative) has in
// both.
func against(positive, negative float64) (loss, share float64) {
	if x := negative - positive; x > 0 {
		return x + math.Log1p(math.Exp(-x)), 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(negative - positive)
	return math.Log1p(e), e / (1 + e)
}

// learn adds to the gradient of the parameter, unless that would take it further
// than it may go.
func (n InfoNCE) learn(gradient float64) {
	if n.LogTemperature == nil {
		return
	}
	at := float64(n.LogTemperature.Value[0])
	if at >= furthest && gradient < 0 || at <= -furthest && gradient > 0 {
		return
	}
	n.LogTemperature.Grad[0] += float32(gradient)
}

// marked returns which candidates of t are judged relevant, until it is called
// again.
func (b *Batch) marked(t *Turn) []bool {
	if cap(b.positive) < len(t.Scores) {
		b.positive = make([]bool, len(t.Scores))
	}
	b.positive = b.positive[:len(t.Scores)]
	clear(b.positive)
	for _, p := range t.Positives {
		b.positive[p] = true
	}
	return b.positive
}
