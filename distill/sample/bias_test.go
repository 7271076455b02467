package sample

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"parley/distill/objective"
	"parley/sparse"
)

var update = flag.Bool("update", false, "write the figures of docs/samplers.md")

// list is a ranking of all passages there are, with the scores by teacher and
// student.
type list struct{ teacher, student []float64 }

// studied are the lists of the study: six turns of QReCC, the human rewrite's
// scores of its first 1,000 passages and those of a feature student after one
// epoch, and a made-up one.
func studied(t testing.TB) []list {
	t.Helper()
	packed, err := os.ReadFile("testdata/scores.gz")
	if err != nil {
		t.Fatal(err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(reader)
	if err != nil || len(data) != 6*1000*4 {
		t.Fatalf("%d bytes of scores, %v", len(data), err)
	}
	var lists []list
	for ; len(data) > 0; data = data[4000:] {
		var l list
		for i := 0; i < 4000; i += 4 { // thousandths, teacher's and student's
			l.teacher = append(l.teacher, float64(binary.LittleEndian.Uint16(data[i:]))/1000)
			l.student = append(l.student, float64(binary.LittleEndian.Uint16(data[i+2:]))/1000)
		}
		lists = append(lists, l)
	}
	rng := source(5)
	var l list
	for i := range 1000 {
		score := 30 * math.Pow(float64(i+1), -.25)
		l.teacher, l.student = append(l.teacher, score), append(l.student, score*.7+2*rng.NormFloat64())
	}
	return append(lists, l)
}

// temperature is the default plan's.
const temperature = 5

func (l list) rankings() *Rankings {
	r := &Rankings{}
	for i, score := range l.teacher {
		r.Teacher = append(r.Teacher, uint32(i))
		r.Student = append(r.Student, uint32(i))
		r.Scores = append(r.Scores, float32(score))
	}
	slices.SortStableFunc(r.Student, func(a, b uint32) int { return cmp.Compare(l.student[b], l.student[a]) })
	return r
}

// softmax returns the distribution over some of the scores, whose logits are
// shifted by −log, which may be empty.
func softmax(scores []float64, of []uint32, log []float64) []float64 {
	p := make([]float64, len(of))
	high := math.Inf(-1)
	for i, d := range of {
		p[i] = scores[d] / temperature
		if len(log) > 0 {
			p[i] -= log[i]
		}
		high = max(high, p[i])
	}
	sum := 0.0
	for i := range p {
		p[i] = math.Exp(p[i] - high)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// divergence returns the divergence over some passages and adds its gradient by
// the student's scores times weight.
func (l list) divergence(of []uint32, log, gradient []float64, weight float64) float64 {
	pt, ps := softmax(l.teacher, of, log), softmax(l.student, of, log)
	sum := 0.0
	for i, d := range of {
		sum += pt[i] * math.Log(pt[i]/ps[i])
		gradient[d] += weight * (ps[i] - pt[i]) / temperature
	}
	return sum
}

// TestObjectiveAgrees says that the objective sees of a sample what is measured
// here.
func TestObjectiveAgrees(t *testing.T) {
	l := studied(t)[0]
	var c Candidates
	for name, p := range corrected {
		p.Depth = 40
		p.Gold = false
		New(p, Options{Passages: 200}).Draw(&c, listed(200, 40, 1), source(2))
		want := make([]float64, len(l.teacher))
		value := l.divergence(c.Passages, c.LogInclusion, want, 1)
		b := objective.Batch{Turns: make([]objective.Turn, 1)}
		turn := &b.Turns[0]
		turn.Reset(sparse.Vector{}, len(c.Passages))
		turn.LogInclusion = append(turn.LogInclusion, c.LogInclusion...)
		for i, d := range c.Passages {
			turn.Scores[i], turn.Teacher[i] = l.student[d], l.teacher[d]
		}
		if got := (objective.KLD{Temperature: temperature}).Add(&b, 1); math.Abs(got-value) > 1e-12 {
			t.Errorf("%s: the objective says %v, want %v", name, got, value)
		}
		for i, d := range c.Passages {
			if math.Abs(turn.ScoreGradient[i]-want[d]) > 1e-12 {
				t.Errorf("%s: the objective's gradient at %d is %v, want %v", name, d, turn.ScoreGradient[i], want[d])
			}
		}
	}
}

// quality is how well samples tell the divergence over the whole list and its
// gradient, as shares of those: the gradient's by the norm.
type quality struct {
	bias, deviation                 float64
	gradientBias, gradientDeviation float64
}

func (l list) measure(p Plan, draws int) (q quality) {
	n := len(l.teacher)
	r, all := l.rankings(), make([]uint32, n)
	for i := range all {
		all[i] = uint32(i)
	}
	target := make([]float64, n)
	full := l.divergence(all, nil, target, 1)
	s := New(p, Options{Passages: n, Temperature: temperature})
	var c Candidates
	rng := rand.New(rand.NewPCG(1, 2))
	mean, values, squares := make([]float64, n), make([]float64, draws), 0.0
	for k := range values {
		s.Draw(&c, r, rng)
		one := make([]float64, n)
		values[k] = l.divergence(c.Passages, c.LogInclusion, one, 1)
		for d, g := range one {
			mean[d] += g / float64(draws)
			squares += g * g / float64(draws)
		}
	}
	average := 0.0
	for _, v := range values {
		average += v / float64(draws)
	}
	for _, v := range values {
		q.deviation += (v - average) * (v - average) / float64(draws-1)
	}
	norm, off, spread := 0.0, 0.0, squares
	for d, g := range target {
		norm += g * g
		off += (mean[d] - g) * (mean[d] - g)
		spread -= mean[d] * mean[d]
	}
	spread = max(spread, 0) * float64(draws) / float64(draws-1)
	off = max(0, off-spread/float64(draws)) // what the mean of so many draws is off by chance
	return quality{(average - full) / full, math.Sqrt(q.deviation) / full, math.Sqrt(off / norm), math.Sqrt(spread / norm)}
}

// strategies are the samplers of the study, n candidates each.
var strategies = []struct {
	name       string
	consistent bool // for the divergence over the list, with n
	plan       func(n int) Plan
}{
	{"top", false, func(n int) Plan { return only(Source{Sampler: Top, N: n}) }},
	{"top, student's ranking", false, func(n int) Plan { return only(Source{Sampler: Top, Ranking: Student, N: n}) }},
	{"window, all ranks (as random)", true, func(n int) Plan { return only(Source{Sampler: Window, N: n}) }},
	{"window, ranks 11 to 960", false, func(n int) Plan { return only(Source{Sampler: Window, First: 11, Last: 960, N: min(n, 950)}) }},
	{"half from the first 64, half random", false, func(n int) Plan {
		return only(Source{Sampler: Window, Last: 64, N: min(n/2, 64)}, Source{Sampler: Random, N: n - min(n/2, 64)})
	}},
	{"stratified by rank", false, func(n int) Plan { return only(Source{Sampler: Stratified, N: n}) }},
	{"stratified by rank, corrected", true, func(n int) Plan { return right(Source{Sampler: Stratified, N: n}) }},
	{"stratified by score, corrected", true, func(n int) Plan { return right(Source{Sampler: Stratified, Over: Score, N: n}) }},
	{"importance, p_T", true, func(n int) Plan { return only(Source{Sampler: Importance, N: n}) }},
	{"importance, √p_T", true, func(n int) Plan { return only(Source{Sampler: Importance, Power: .5, N: n}) }},
	{"importance, 1/rank", true, func(n int) Plan { return only(Source{Sampler: Importance, By: Rank, N: n}) }},
	{"full", false, func(int) Plan { return only(Source{Sampler: Full}) }},
}

func only(from ...Source) Plan {
	return Plan{Depth: 1000, From: slices.DeleteFunc(from, func(s Source) bool { return s.N == 0 && s.Sampler != Full })}
}

func right(from ...Source) Plan {
	p := only(from...)
	p.Correct = true
	return p
}

// TestBiasAndVariance measures each sampler against the full list at n from 1 to
// 1,000, wants bias and deviation of the consistent ones to fall with n down to
// 0, of divergence and gradient alike, and holds the figures of
// docs/samplers.md to what comes out.
func TestBiasAndVariance(t *testing.T) {
	const draws = 100
	sizes := []int{1, 4, 16, 64, 256, 1000}
	lists := studied(t)
	tables := [2]strings.Builder{}
	for i, title := range []string{"divergence", "gradient"} {
		fmt.Fprintf(&tables[i], "| %s: bias ± deviation, %% |", title)
		for _, n := range sizes {
			fmt.Fprintf(&tables[i], " n = %d |", n)
		}
		fmt.Fprintf(&tables[i], "\n| --- |%s\n", strings.Repeat(" ---: |", len(sizes)))
	}
	for _, strategy := range strategies {
		var got []quality
		for _, n := range sizes {
			var mean quality
			for _, l := range lists {
				q := l.measure(strategy.plan(n), draws)
				mean.bias += math.Abs(q.bias) / float64(len(lists))
				mean.deviation += q.deviation / float64(len(lists))
				mean.gradientBias += q.gradientBias / float64(len(lists))
				mean.gradientDeviation += q.gradientDeviation / float64(len(lists))
			}
			got = append(got, mean)
		}
		fmt.Fprintf(&tables[0], "| %s |", strategy.name)
		fmt.Fprintf(&tables[1], "| %s |", strategy.name)
		for _, q := range got {
			fmt.Fprintf(&tables[0], " %.1f ± %.1f |", 100*q.bias, 100*q.deviation)
			fmt.Fprintf(&tables[1], " %.1f ± %.1f |", 100*q.gradientBias, 100*q.gradientDeviation)
		}
		tables[0].WriteString("\n")
		tables[1].WriteString("\n")
		if strategy.consistent {
			falls(t, strategy.name, sizes, got, math.Sqrt(draws))
		}
	}
	compare(t, "../../docs/samplers.md", tables[0].String()+"\n"+tables[1].String())
}

// falls wants bias and deviation to fall with n down to 0. One candidate has the
// divergence 0 whoever it is, so that the deviation rises at first; a bias that
// is less than what chance makes of so many draws, whose root is given, need
// not fall any more.
func falls(t *testing.T, name string, sizes []int, got []quality, root float64) {
	t.Helper()
	last := got[len(got)-1]
	if max(last.bias, last.deviation, last.gradientBias, last.gradientDeviation) > 1e-6 {
		t.Errorf("%s: off by %+v where all are drawn", name, last)
	}
	for i := 2; i < len(got); i++ {
		a, b := got[i-1], got[i]
		if b.bias > max(.95*a.bias, 3*b.deviation/root) || b.gradientBias > max(.95*a.gradientBias, 3*b.gradientDeviation/root) {
			t.Errorf("%s: from %d to %d candidates the bias of %+v becomes that of %+v", name, sizes[i-1], sizes[i], a, b)
		}
		if sizes[i] > 64 && (b.deviation > .9*a.deviation+1e-6 || b.gradientDeviation > .9*a.gradientDeviation+1e-6) {
			t.Errorf("%s: from %d to %d candidates the deviation of %+v becomes that of %+v", name, sizes[i-1], sizes[i], a, b)
		}
	}
}

// compare holds the tables of a page to those made here.
func compare(t *testing.T, page, tables string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- figures -->\n", "<!-- end of figures -->"
	before, rest, ok := strings.Cut(string(text), begin)
	was, after, ok2 := strings.Cut(rest, end)
	tables = "\n" + tables + "\n"
	switch {
	case !ok || !ok2:
		t.Fatalf("%s has no place for figures", page)
	case was != tables && *update:
		if err := os.WriteFile(page, []byte(before+begin+tables+end+after), 0o666); err != nil {
			t.Fatal(err)
		}
	case was != tables:
		t.Errorf("%s has other figures than are measured; write them with -update:\n%s", page, tables)
	}
}

// TestUnbiased says what may be called unbiased: sums over the candidates of
// terms divided by π, where each term is known without the sample. With the
// distributions over the whole list, that is the divergence and its gradient.
func TestUnbiased(t *testing.T) {
	const draws = 3000
	for name, p := range corrected {
		if p.Gold || p.From[0].Ranking == History || p.From[0].Sampler == Window {
			continue // of other lists than this one
		}
		for _, l := range studied(t)[:2] {
			l.teacher, l.student = l.teacher[:200], l.student[:200]
			r := l.rankings()
			pt, ps := softmax(l.teacher, r.Teacher, nil), softmax(l.student, r.Teacher, nil)
			full := 0.0
			for d := range pt {
				full += pt[d] * math.Log(pt[d]/ps[d])
			}
			p.Depth = 200
			s := New(p, Options{Passages: 200, Temperature: temperature})
			var c Candidates
			rng := source(3)
			sum, squares := 0.0, 0.0
			for range draws {
				s.Draw(&c, r, rng)
				estimate := 0.0
				for i, d := range c.Passages {
					estimate += pt[d] * math.Log(pt[d]/ps[d]) / math.Exp(c.LogInclusion[i])
				}
				sum += estimate
				squares += estimate * estimate
			}
			mean := sum / draws
			deviation := math.Sqrt((squares/draws - mean*mean) / draws)
			if math.Abs(mean-full) > 4.5*deviation {
				t.Errorf("%s: the mean is %v ± %v, the divergence %v", name, mean, deviation, full)
			}
		}
	}
}
