//go:build unix

package main

import (
	"math"
	"runtime"
	"time"

	"parley/distill/objective"
	"parley/internal/bert"
	"parley/internal/checkpoint"
	"parley/internal/f32"
	"parley/internal/safetensors"
	"parley/sparse"
)

// trainer takes training steps with frozen passages: queries forward and back
// through the network, and one step of the optimiser.
type trainer struct {
	network  *bert.Network
	tape     *bert.Tape
	team     *f32.Team
	pieces   []piece
	under    f32.Adam // the step under way
	steps    int
	queries  [][]uint32
	passages []sparse.Vector
	teacher  []float32 // [queries × passages a query] what the teacher scored
	seed     uint64

	batch     bert.Batch
	seeds     []uint64
	objective objective.Batch
	gradients [][]float32
	places    []int32 // [V] of terms in a query's vector, from 1
}

// train makes a model ready for steps.
func (s *state) train(r request) error {
	runtime.GOMAXPROCS(r.Threads)
	folder, err := checkpoint.Open(r.Model)
	if err != nil {
		return err
	}
	defer folder.Close()
	network, err := bert.Load(folder.Passage.Config, folder.Passage.Source())
	if err != nil {
		return err
	}
	t := &trainer{network: network, tape: network.NewTape(r.Threads, bert.TapeOptions{}), team: f32.NewTeam(r.Threads)}
	for _, p := range network.Parameters() {
		t.pieces = append(t.pieces, cut(p)...)
	}
	t.places = make([]int32, network.Config().Vocabulary)
	queries, err := readTexts(r.Texts)
	if err != nil {
		return err
	}
	t.queries = queries.IDs
	s.trainer = t
	return t.readPassages(r.Data)
}

// readPassages reads the passages' vectors and the teacher's scores.
func (t *trainer) readPassages(path string) error {
	file, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	ends, err := file.I32("ends", -1)
	if err != nil {
		return err
	}
	terms, err := file.I32("terms", -1)
	if err != nil {
		return err
	}
	weights, err := file.F32("weights", -1)
	if err != nil {
		return err
	}
	teacher, err := file.F32("teacher", -1)
	if err != nil {
		return err
	}
	t.teacher = append(t.teacher, teacher.F32...)
	from := int32(0)
	for _, end := range ends.I32 {
		var v sparse.Vector
		for i := from; i < end; i++ {
			v.Terms = append(v.Terms, uint32(terms.I32[i]))
			v.Weights = append(v.Weights, weights.F32[i])
		}
		t.passages = append(t.passages, v)
		from = end
	}
	return nil
}

// step takes the first queries through the network and back, each with so many
// candidates, and then one step of the optimiser.
func (t *trainer) step(r request) (answer, error) {
	begin := time.Now()
	t.batch.Reset()
	t.seeds = t.seeds[:0]
	for _, ids := range t.queries[:r.Queries] {
		t.batch.Add(ids)
		t.seed++
		t.seeds = append(t.seeds, t.seed)
	}
	seeds := t.seeds
	if !r.Dropout {
		seeds = nil
	}
	vectors := t.tape.Forward(t.batch, seeds)
	loss := t.score(vectors, r.Candidate)
	t.tape.Backward(t.gradients)
	a := answer{Queries: seconds(begin), Loss: loss}
	begin = time.Now()
	t.optimise()
	a.Optimiser = seconds(begin)
	return a, nil
}

// score evaluates KLD on the queries and takes its gradient to the weights of
// their vectors. Query i has the candidates from i·K on, around the end.
func (t *trainer) score(vectors []sparse.Vector, k int) float64 {
	b := &t.objective
	b.Turns, t.gradients = resize(b.Turns, len(vectors)), resize(t.gradients, len(vectors))
	for i, q := range vectors {
		turn := &b.Turns[i]
		turn.Query = q
		turn.Scores, turn.Teacher, turn.ScoreGradient = resize(turn.Scores, k), resize(turn.Teacher, k), resize(turn.ScoreGradient, k)
		clear(turn.ScoreGradient)
		t.enter(q)
		for c := range k {
			at := (i*k + c) % len(t.passages)
			turn.Scores[c], turn.Teacher[c] = t.product(q, t.passages[at]), float64(t.teacher[at])
		}
		t.leave(q)
	}
	loss := objective.KLD{Temperature: 1}.Add(b, 1)
	for i, q := range vectors {
		t.gradients[i] = resize(t.gradients[i], q.Len())
		clear(t.gradients[i])
		t.enter(q)
		for c, g := range b.Turns[i].ScoreGradient {
			v := t.passages[(i*k+c)%len(t.passages)]
			for j, term := range v.Terms {
				if place := t.places[term]; place > 0 {
					t.gradients[i][place-1] += float32(g) * v.Weights[j]
				}
			}
		}
		t.leave(q)
	}
	return loss
}

func (t *trainer) enter(q sparse.Vector) {
	for j, term := range q.Terms {
		t.places[term] = int32(j + 1)
	}
}

func (t *trainer) leave(q sparse.Vector) {
	for _, term := range q.Terms {
		t.places[term] = 0
	}
}

// product returns the inner product of the query that was entered and a passage.
func (t *trainer) product(q, v sparse.Vector) (sum float64) {
	for j, term := range v.Terms {
		if place := t.places[term]; place > 0 {
			sum += float64(q.Weights[place-1]) * float64(v.Weights[j])
		}
	}
	return sum
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// optimise takes a step of Adam over pieces of the parameters.
func (t *trainer) optimise() {
	t.steps++
	correction := math.Sqrt(1-math.Pow(beta2, float64(t.steps))) / (1 - math.Pow(beta1, float64(t.steps)))
	t.under = f32.Adam{Rate: float32(rate * correction), Beta1: beta1, Beta2: beta2, Epsilon: 1e-8, Scale: 1}
	t.team.Do(len(t.pieces), (*updating)(t))
}

// The settings of the recipe.
const rate, beta1, beta2 = 2e-5, .9, .999

// piece is a part of a parameter.
type piece struct{ value, grad, first, second []float32 }

// cut cuts a parameter into pieces that a team shares out.
func cut(p *f32.Parameter) (pieces []piece) {
	const most = 1 << 14
	n := len(p.Value)
	first, second := make([]float32, n), make([]float32, n)
	for from := 0; from < n; from += most {
		to := min(from+most, n)
		pieces = append(pieces, piece{p.Value[from:to], p.Grad[from:to], first[from:to], second[from:to]})
	}
	return pieces
}

type updating trainer

func (u *updating) Do(i, _ int) {
	p := u.pieces[i]
	u.under.Step(p.value, p.grad, p.first, p.second)
}
