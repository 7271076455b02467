package distill

import (
	"math"

	"parley/internal/f32"
)

// adam is the Adam optimiser (Kingma and Ba, arXiv 1412.6980) over parameters.
type adam struct {
	parameters []*f32.Parameter
	first      [][]float32 // running means of the gradients
	second     [][]float32 // and of their squares
	steps      int
}

const (
	beta1   = .9
	beta2   = .999
	epsilon = 1e-8
	// block is how many values one piece of work updates.
	block = 1 << 14
)

func newAdam(parameters []*f32.Parameter) *adam {
	a := &adam{parameters: parameters}
	for _, p := range parameters {
		a.first = append(a.first, make([]float32, len(p.Value)))
		a.second = append(a.second, make([]float32, len(p.Value)))
	}
	return a
}

// step moves the parameters against their gradients, scaled down to the norm
// clip where they exceed it, and clears the gradients. ok is false, and nothing
// moves, where the gradients are no numbers any more.
func (a *adam) step(rate, clip float64, workers int) (ok bool) {
	norm := a.norm()
	if !finite(norm) {
		return false
	}
	a.steps++
	scale := float32(1)
	if norm > clip {
		scale = float32(clip / norm)
	}
	correction := math.Sqrt(1-math.Pow(beta2, float64(a.steps))) / (1 - math.Pow(beta1, float64(a.steps)))
	rate *= correction
	for i, p := range a.parameters {
		blocks := (len(p.Value) + block - 1) / block
		f32.Parallel(blocks, workers, func(b int) {
			from, to := b*block, min((b+1)*block, len(p.Value))
			update(p.Value[from:to], p.Grad[from:to], a.first[i][from:to], a.second[i][from:to], float32(rate), scale)
		})
	}
	return true
}

func update(value, grad, first, second []float32, rate, scale float32) {
	grad, first, second = grad[:len(value)], first[:len(value)], second[:len(value)]
	for j := range value {
		g := grad[j] * scale
		grad[j] = 0
		m := beta1*first[j] + (1-beta1)*g
		v := beta2*second[j] + (1-beta2)*g*g
		first[j], second[j] = m, v
		value[j] -= rate * m / (float32(math.Sqrt(float64(v))) + epsilon)
	}
}

// norm returns the Euclidean norm of all gradients.
func (a *adam) norm() float64 {
	sum := 0.0
	for _, p := range a.parameters {
		for _, g := range p.Grad {
			sum += float64(g) * float64(g)
		}
	}
	return math.Sqrt(sum)
}
