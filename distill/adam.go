package distill

import (
	"math"

	"parley/internal/f32"
)

// adam is the Adam optimiser (Kingma and Ba, arXiv 1412.6980) over parameters,
// with decoupled weight decay (AdamW; Loshchilov and Hutter, arXiv 1711.05101).
type adam struct {
	parameters []*f32.Parameter
	first      [][]float32 // running means of the gradients
	second     [][]float32 // and of their squares
	faster     []float32   // how many times the rate of the others each parameter has
	decay      float64     // weight decay of matrices; biases and norms have none
	steps      int
	pieces     []piece
	sums       []float64 // [pieces] of the squares of the gradients

	under f32.Adam // the step under way
}

// piece is a part of a parameter that one goroutine works on.
type piece struct{ parameter, from, to int }

const (
	beta1   = .9
	beta2   = .999
	epsilon = 1e-8
	// block is the most values of a piece.
	block = 1 << 14
	// chain is how many values, over all parameters, are summed one after the
	// other: the norm is a sum of such sums, whoever computed them.
	chain = 1 << 21
)

func newAdam(parameters []*f32.Parameter, decay float64) *adam {
	a := &adam{parameters: parameters, decay: decay}
	total := 0
	for i, p := range parameters {
		n := len(p.Value)
		a.first = append(a.first, make([]float32, n))
		a.second = append(a.second, make([]float32, n))
		a.faster = append(a.faster, 1)
		for from := 0; from < n; from += block {
			a.pieces = append(a.pieces, piece{i, from, min(from+block, n)})
		}
		total += n
	}
	a.sums = make([]float64, (total+chain-1)/chain)
	return a
}

// learnedRate is the rate of what terms of an objective learn, where that of the
// network is lower: a network that is fine-tuned hardly moves, and a temperature
// would not get anywhere.
const learnedRate = 2e-3

// hasten gives the last n parameters at least learnedRate where the highest rate
// of the others is the given one.
func (a *adam) hasten(n int, rate float64) {
	for i := len(a.faster) - n; i < len(a.faster); i++ {
		a.faster[i] = float32(max(1, learnedRate/rate))
	}
}

// step moves the parameters against their gradients, scaled down to the norm
// clip where they exceed it, and clears the gradients. ok is false, and nothing
// moves, where the gradients are no numbers any more.
func (a *adam) step(rate, clip float64, team *f32.Team) (ok bool) {
	team.Do(len(a.sums), (*summing)(a))
	norm := 0.0
	for _, sum := range a.sums {
		norm += sum
	}
	norm = math.Sqrt(norm)
	if !finite(norm) {
		return false
	}
	a.steps++
	scale := 1.
	if norm > clip {
		scale = clip / norm
	}
	correction := math.Sqrt(1-math.Pow(beta2, float64(a.steps))) / (1 - math.Pow(beta1, float64(a.steps)))
	a.under = f32.Adam{
		Rate: float32(rate * correction), Beta1: beta1, Beta2: beta2, Epsilon: epsilon,
		Decay: float32(rate * a.decay), Scale: float32(scale),
	}
	team.Do(len(a.pieces), (*updating)(a))
	return true
}

// The pieces of a step that a team shares out.
type (
	summing  adam // sums up the squares of a chain of gradients
	updating adam // updates a piece
)

func (u *updating) Do(i, _ int) {
	a := (*adam)(u)
	at := a.pieces[i]
	p := a.parameters[at.parameter]
	step := a.under
	if len(p.Shape) < 2 {
		step.Decay = 0
	}
	step.Rate *= a.faster[at.parameter]
	step.Step(p.Value[at.from:at.to], p.Grad[at.from:at.to], a.first[at.parameter][at.from:at.to], a.second[at.parameter][at.from:at.to])
}

func (s *summing) Do(i, _ int) {
	a, sum := (*adam)(s), 0.0
	from, to := i*chain, (i+1)*chain // of the gradients of all parameters, one after the other
	for _, p := range a.parameters {
		n := len(p.Grad)
		if from < n && to > 0 {
			for _, g := range p.Grad[max(from, 0):min(to, n)] {
				sum += float64(g) * float64(g)
			}
		}
		from, to = from-n, to-n
	}
	a.sums[i] = sum
}

// schedule is a learning rate that rises from 0 and then falls to it, both
// linearly.
type schedule struct {
	rate  float64 // the highest
	warm  float64 // share of the steps over which it rises
	steps int
}

// at returns the learning rate of a step, from 0.
func (s schedule) at(step int) float64 {
	warm := max(1, int(s.warm*float64(s.steps)))
	if step < warm {
		return s.rate * float64(step+1) / float64(warm)
	}
	return s.rate * float64(s.steps-step) / float64(max(1, s.steps-warm))
}
