package measure

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Bootstrap says how confidence intervals are drawn. The zero value means
// 10,000 resamples of single topics, 95 % and seed 0.
type Bootstrap struct {
	Resamples  int     // 0: 10,000
	Confidence float64 // between 0 and 1; 0: .95
	Seed       uint64
	// Cluster names what a topic belongs to, such as its conversation; topics
	// of one cluster are drawn together. nil: each topic stands by itself.
	Cluster func(topic string) string
}

// Interval returns the confidence interval of the mean of measure m.
func (e *Evaluation) Interval(m int, b Bootstrap) (low, high float64) {
	return b.of(e.Topics, e.Values[m])
}

// of returns the interval of the mean of values, one for each topic.
func (b Bootstrap) of(topics []string, values []float64) (low, high float64) {
	if b.Cluster == nil {
		return b.Interval(values, nil)
	}
	labels := make([]string, len(topics))
	for i, topic := range topics {
		labels[i] = b.Cluster(topic)
	}
	return b.Interval(values, labels)
}

func (b Bootstrap) resamples() int {
	if b.Resamples == 0 {
		return 10_000
	}
	return b.Resamples
}

func (b Bootstrap) confidence() float64 {
	if b.Confidence == 0 {
		return .95
	}
	return b.Confidence
}

// Interval returns the bias-corrected and accelerated bootstrap interval
// (Efron, JASA 1987) of the mean of values. With clusters, one label for each
// value, whole clusters are resampled, as fits turns that depend on each other
// because they are of one conversation; nil lets each value stand by itself.
// Without spread, or with fewer than two clusters, both ends are the mean.
func (b Bootstrap) Interval(values []float64, clusters []string) (low, high float64) {
	if len(values) == 0 {
		return 0, 0
	}
	blocks := gather(values, clusters)
	centre := mean(values)
	if len(blocks) < 2 {
		return centre, centre
	}
	means := b.draw(blocks)
	slices.Sort(means)
	if means[0] == means[len(means)-1] {
		return centre, centre
	}
	bias, acceleration := biasOf(means, centre), accelerationOf(blocks)
	tail := (1 - b.confidence()) / 2
	return quantile(means, shifted(tail, bias, acceleration)), quantile(means, shifted(1-tail, bias, acceleration))
}

// block is a cluster: the sum and the number of its values.
type block struct{ sum, n float64 }

// gather returns the clusters in the order of their first values.
func gather(values []float64, clusters []string) []block {
	var blocks []block
	places := make(map[string]int)
	for i, v := range values {
		at, known := len(blocks), false
		if clusters != nil {
			at, known = places[clusters[i]]
			if !known {
				at = len(blocks)
				places[clusters[i]] = at
			}
		}
		if !known {
			blocks = append(blocks, block{})
		}
		blocks[at].sum += v
		blocks[at].n++
	}
	return blocks
}

// draw returns the means of resamples of the clusters with replacement.
func (b Bootstrap) draw(blocks []block) []float64 {
	random := rand.NewPCG(b.Seed, 1)
	means := make([]float64, b.resamples())
	for i := range means {
		var all block
		for range blocks {
			// The high word of a product is uniform below len(blocks), up
			// to a bias of 2^-50 for a few thousand blocks.
			at, _ := bits.Mul64(random.Uint64(), uint64(len(blocks)))
			all.sum += blocks[at].sum
			all.n += blocks[at].n
		}
		means[i] = all.sum / all.n
	}
	return means
}

// biasOf returns the normal quantile of the share of means below centre,
// those equal to it counted half.
func biasOf(means []float64, centre float64) float64 {
	below, equal := 0.0, 0.0
	for _, m := range means {
		if m < centre {
			below++
		} else if m == centre {
			equal++
		}
	}
	n := float64(len(means))
	share := (below + equal/2) / n
	return distuv.UnitNormal.Quantile(min(max(share, .5/n), 1-.5/n))
}

// accelerationOf estimates the acceleration from the means that leave out one
// cluster each.
func accelerationOf(blocks []block) float64 {
	var all block
	for _, b := range blocks {
		all.sum += b.sum
		all.n += b.n
	}
	without := make([]float64, len(blocks))
	for i, b := range blocks {
		without[i] = (all.sum - b.sum) / (all.n - b.n)
	}
	centre, squares, cubes := mean(without), 0.0, 0.0
	for _, m := range without {
		d := centre - m
		squares += d * d
		cubes += d * d * d
	}
	if squares == 0 {
		return 0
	}
	return cubes / (6 * math.Pow(squares, 1.5))
}

// shifted returns the probability whose quantile stands for that of p.
func shifted(p, bias, acceleration float64) float64 {
	z := bias + distuv.UnitNormal.Quantile(p)
	return distuv.UnitNormal.CDF(bias + z/(1-acceleration*z))
}

// quantile interpolates linearly between sorted values.
func quantile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-2)
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
