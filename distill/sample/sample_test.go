package sample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 77)) }

// listed returns rankings over n passages: the teacher's, with scores that fall,
// of the given length, and the others of half that.
func listed(n, length int, seed uint64) *Rankings {
	rng := source(seed)
	ranking := func(length int) []uint32 {
		list := make([]uint32, length)
		for i, p := range rng.Perm(n)[:length] {
			list[i] = uint32(p)
		}
		return list
	}
	r := &Rankings{Teacher: ranking(length), History: ranking(length / 2), Student: ranking(length / 2)}
	score := float32(20)
	for range r.Teacher {
		r.Scores = append(r.Scores, score)
		score -= rng.Float32()
	}
	return r
}

// mixture is the sampler of three sources as the first trainings had it, written
// with nothing but slices: what the default plan draws is pinned to it.
func mixture(r *Rankings, teacher, history, random, passages int, rng *rand.Rand) (candidates []uint32) {
	add := func(passage uint32) bool {
		if slices.Contains(candidates, passage) {
			return false
		}
		candidates = append(candidates, passage)
		return true
	}
	for i, ranking := range [][]uint32{r.Teacher, r.History} {
		order := slices.Clone(ranking)
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for left := []int{teacher, history}[i]; left > 0 && len(order) > 0; order = order[1:] {
			if add(order[0]) {
				left--
			}
		}
	}
	for left := min(random, passages-len(candidates)); left > 0; {
		if add(uint32(rng.IntN(passages))) {
			left--
		}
	}
	return candidates
}

// TestMixture says that the default's candidates are what they have always been,
// and that as many random numbers are used up.
func TestMixture(t *testing.T) {
	var c Candidates
	for seed := range uint64(200) {
		rng, twin := source(seed), source(seed)
		n := 5 + rng.IntN(400)
		twin.IntN(400)
		r := listed(n, n/2, seed)
		New(Mixture(16, 9, 12, 64), Options{Passages: n}).Draw(&c, r, rng)
		want := mixture(&Rankings{Teacher: r.Teacher[:min(64, len(r.Teacher))], History: r.History[:min(64, len(r.History))]}, 16, 9, 12, n, twin)
		if !slices.Equal(c.Passages, want) || rng.Uint64() != twin.Uint64() {
			t.Fatalf("seed %d: drew %v, want %v", seed, c.Passages, want)
		}
		if len(c.LogInclusion) > 0 {
			t.Fatal("a mixture has probabilities, which nobody knows")
		}
	}
}

// sources draws one source of any kind.
func sources(depth int) *rapid.Generator[Source] {
	return rapid.Custom(func(t *rapid.T) Source {
		s := Source{Sampler: rapid.SampledFrom([]string{Top, Window, Stratified, Importance, Random, Full}).Draw(t, "sampler")}
		s.N = rapid.IntRange(1, depth).Draw(t, "n")
		s.Ranking = rapid.SampledFrom([]string{Teacher, History, Student}).Draw(t, "ranking")
		switch s.Sampler {
		case Window:
			s.First = rapid.IntRange(1, depth).Draw(t, "first")
			s.Last = rapid.IntRange(s.First, depth).Draw(t, "last")
			s.N = min(s.N, s.Last-s.First+1)
		case Stratified:
			s.Over = rapid.SampledFrom([]string{Rank, Score}).Draw(t, "over")
			s.Share = rapid.SampledFrom([]string{Equal, Proportional}).Draw(t, "share")
			s.Strata = rapid.IntRange(1, 20).Draw(t, "strata")
		case Importance:
			s.By = rapid.SampledFrom([]string{Score, Rank, Uniform}).Draw(t, "by")
			if s.By == Score {
				s.Temperature = rapid.Float64Range(.01, 20).Draw(t, "temperature")
			}
		case Random:
			s.Ranking, s.Outside = "", rapid.SampledFrom([]string{"", Teacher, History}).Draw(t, "outside")
		case Full:
			s.N, s.Ranking = 0, rapid.SampledFrom([]string{Teacher, History}).Draw(t, "ranking")
		}
		if s.Over == Score || s.By == Score {
			s.Ranking = Teacher
		}
		return s
	})
}

// reach returns the passages that a source can draw.
func reach(s Source, depth, n int, r *Rankings) []uint32 {
	list := slices.Clone(r.by(s.Ranking))
	switch s.Sampler {
	case Window:
		return list[min(s.First-1, len(list)):min(s.Last, len(list))]
	case Full:
		return list[:min(depth, len(list))]
	case Random:
		list = nil
		for p := range uint32(n) {
			if s.Outside == "" || !slices.Contains(r.by(s.Outside), p) {
				list = append(list, p)
			}
		}
	}
	return list
}

// TestDraw says what holds of any plan: candidates are distinct, each from where
// its source may draw, as many as were asked for or all that there are, judged
// ones first; and a draw does not depend on what the room was used for before.
func TestDraw(t *testing.T) {
	var used Candidates
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 120).Draw(t, "passages")
		depth := rapid.IntRange(1, 80).Draw(t, "depth")
		r := listed(n, min(depth, rapid.IntRange(0, n).Draw(t, "length")), rapid.Uint64().Draw(t, "lists"))
		p := Plan{Depth: depth, Gold: rapid.Bool().Draw(t, "gold")}
		for _, passage := range source(7).Perm(n)[:rapid.IntRange(0, min(3, n)).Draw(t, "judged")] {
			r.Gold = append(r.Gold, uint32(passage))
		}
		p.From = rapid.SliceOfN(sources(depth), 1, 3).Draw(t, "from")
		if err := p.Validate(); err != nil {
			t.Skip(err) // two samplers, whose probabilities are not known together
		}
		seed := rapid.Uint64().Draw(t, "seed")
		s := New(p, Options{Passages: n, Temperature: 1})
		s.Draw(&used, r, source(seed))
		var fresh Candidates
		s.Draw(&fresh, r, source(seed))
		if !slices.Equal(used.Passages, fresh.Passages) || !slices.Equal(used.LogInclusion, fresh.LogInclusion) {
			t.Fatalf("drew %v and %v", used, fresh)
		}
		left := used.Passages
		if p.Gold {
			if len(left) < len(r.Gold) || !slices.Equal(left[:len(r.Gold)], r.Gold) {
				t.Fatalf("drew %v without the judged %v", left, r.Gold)
			}
			left = left[len(r.Gold):]
		}
		taken := used.Passages[:len(used.Passages)-len(left)]
		for _, from := range p.From {
			can := slices.DeleteFunc(reach(from, depth, n, r), func(p uint32) bool { return slices.Contains(taken, p) })
			want := len(can)
			if from.Sampler != Full {
				want = min(want, from.N)
			}
			if len(left) < want {
				t.Fatalf("%+v drew %v, want %d more", from, left, want)
			}
			for _, passage := range left[:want] {
				if !slices.Contains(can, passage) || slices.Contains(taken, passage) {
					t.Fatalf("%+v drew %d of %v", from, passage, can)
				}
				taken = used.Passages[:len(taken)+1]
			}
			left = left[want:]
		}
		if len(left) > 0 {
			t.Fatalf("drew %v beyond what was asked for", left)
		}
		if want := len(used.Passages); p.Corrected() && len(used.LogInclusion) != want || !p.Corrected() && len(used.LogInclusion) != 0 {
			t.Fatalf("%d probabilities of %d candidates", len(used.LogInclusion), want)
		}
		for _, log := range used.LogInclusion {
			if !(log <= 0) || math.IsInf(log, 0) {
				t.Fatalf("probabilities %v", used.LogInclusion)
			}
		}
	})
}

// corrected are plans whose probabilities are known.
var corrected = map[string]Plan{
	"window":                   {Correct: true, From: []Source{{Sampler: Window, N: 5, First: 3, Last: 30}}},
	"window of a short list":   {Correct: true, From: []Source{{Sampler: Window, N: 38, Ranking: History}}},
	"random":                   {Correct: true, From: []Source{{Sampler: Random, N: 7}}},
	"strata of ranks":          {Correct: true, From: []Source{{Sampler: Stratified, N: 11, Strata: 5}}},
	"strata of ranks, shared":  {Correct: true, From: []Source{{Sampler: Stratified, N: 11, Strata: 5, Share: Proportional}}},
	"strata of scores":         {Correct: true, From: []Source{{Sampler: Stratified, N: 6, Over: Score}}},
	"strata of scores, shared": {Correct: true, From: []Source{{Sampler: Stratified, N: 20, Over: Score, Share: Proportional}}},
	"by score":                 {From: []Source{{Sampler: Importance, N: 8, Temperature: 5}}},
	"by score, squared":        {From: []Source{{Sampler: Importance, N: 12, Power: 2, Temperature: 2}}},
	"by rank":                  {From: []Source{{Sampler: Importance, N: 12, By: Rank, Ranking: Student}}},
	"uniform":                  {From: []Source{{Sampler: Importance, N: 12, By: Uniform}}},
	"all, with gold":           {Gold: true, From: []Source{{Sampler: Top, N: 4}, {Sampler: Importance, N: 9, Temperature: 3}, {Sampler: Random, N: 6, Outside: Teacher}}},
}

// TestInclusion compares the probabilities of inclusion with how often each
// passage is drawn.
func TestInclusion(t *testing.T) {
	const draws, n = 20_000, 90
	r := listed(n, 40, 3)
	r.Gold = []uint32{r.Teacher[9], r.History[2], r.Teacher[30]}
	for name, p := range corrected {
		t.Run(name, func(t *testing.T) {
			p.Depth = 40
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			s := New(p, Options{Passages: n})
			var c Candidates
			count, log := make([]int, n), make([]float64, n)
			rng := source(11)
			for range draws {
				s.Draw(&c, r, rng)
				for i, passage := range c.Passages {
					if count[passage] > 0 && math.Abs(log[passage]-c.LogInclusion[i]) > 1e-12 {
						t.Fatalf("passage %d has the probabilities %v and %v", passage, math.Exp(log[passage]), math.Exp(c.LogInclusion[i]))
					}
					count[passage]++
					log[passage] = c.LogInclusion[i]
				}
			}
			sum := 0.0
			for passage, times := range count {
				if times == 0 {
					continue
				}
				pi := math.Exp(log[passage])
				sum += pi
				share := float64(times) / draws
				if math.Abs(share-pi) > 4.5*math.Sqrt(pi*(1-pi)/draws)+1e-9 {
					t.Errorf("passage %d is in %.4f of the draws; its probability is said to be %.4f", passage, share, pi)
				}
			}
			if math.Abs(sum-float64(len(c.Passages))) > .02 {
				t.Errorf("the probabilities of who was drawn add up to %v, of samples of %d", sum, len(c.Passages))
			}
			if p.Gold {
				for i := range r.Gold {
					if c.LogInclusion[i] != 0 {
						t.Errorf("a judged passage is said to have a probability below 1: ln π = %v", c.LogInclusion[i])
					}
				}
			}
		})
	}
}

// TestImportanceMakesTeacherUniform says that logits s/T − ln π are level where
// candidates are drawn in proportion to the teacher's probabilities.
func TestImportanceMakesTeacherUniform(t *testing.T) {
	r := listed(500, 300, 9)
	p := Plan{Depth: 300, From: []Source{{Sampler: Importance, N: 10}}}
	const temperature = 40
	s := New(p, Options{Passages: 500, Temperature: temperature})
	var c Candidates
	for seed := range uint64(20) {
		s.Draw(&c, r, source(seed))
		level := math.NaN()
		for i, passage := range c.Passages {
			logit := float64(r.Scores[slices.Index(r.Teacher, passage)])/temperature - c.LogInclusion[i]
			if i == 0 {
				level = logit
			}
			if math.Abs(logit-level) > 1e-9 {
				t.Fatalf("logits %v and %v", level, logit)
			}
		}
	}
}

// TestSharing says that batch-mates give what they drew themselves, and nothing
// that they were given.
func TestSharing(t *testing.T) {
	p := Plan{Depth: 40, Gold: true, From: []Source{{Sampler: Window, N: 4}, {Sampler: Batch, N: 6}}}
	s := New(p, Options{Passages: 1000})
	batch := make([]*Candidates, 5)
	own := map[uint32]int{}
	for i := range batch {
		batch[i] = new(Candidates)
		r := listed(1000, 40, uint64(i))
		r.Gold = []uint32{uint32(900 + i)}
		s.Draw(batch[i], r, source(uint64(i)))
		for _, passage := range batch[i].Passages {
			own[passage] = i
		}
	}
	backwards := make([]*Candidates, len(batch))
	for i, c := range batch {
		twin := Candidates{Passages: slices.Clone(c.Passages), own: slices.Clone(c.own)}
		for _, p := range twin.Passages {
			twin.taken.add(p)
		}
		backwards[i] = &twin
	}
	for i := range batch {
		s.Share(batch, i, source(uint64(i)))
		back := len(batch) - 1 - i
		s.Share(backwards, back, source(uint64(back)))
	}
	for i, c := range batch {
		sorted := slices.Compact(slices.Sorted(slices.Values(c.Passages)))
		if len(c.Passages) != 11 || len(sorted) != 11 {
			t.Errorf("turn %d has the candidates %v, want 11 different ones", i, c.Passages)
		}
		for _, passage := range c.Passages[5:] {
			if _, drawn := own[passage]; !drawn || slices.Contains(c.own, passage) {
				t.Errorf("turn %d was given %d, which no batch-mate had drawn", i, passage)
			}
		}
		if !slices.Equal(c.Passages, backwards[i].Passages) {
			t.Errorf("turn %d was given %v, in another order of turns %v", i, c.Passages, backwards[i].Passages)
		}
	}
	alone := []*Candidates{batch[0]}
	s.Draw(batch[0], listed(1000, 40, 1), source(1))
	if s.Share(alone, 0, source(1)); len(batch[0].Passages) != 4 {
		t.Errorf("a turn alone has the candidates %v", batch[0].Passages)
	}
}

// TestEverything draws all passages, with gold where it stands.
func TestEverything(t *testing.T) {
	s := New(Plan{Depth: 1, Gold: true, From: []Source{{Sampler: Full}}}, Options{Passages: 40})
	var c Candidates
	New(Mixture(3, 3, 3, 9), Options{Passages: 50}).Draw(&c, listed(50, 9, 1), source(1))
	for range 2 {
		s.Draw(&c, &Rankings{Gold: []uint32{7}}, source(1))
		if len(c.Passages) != 40 || !slices.IsSorted(c.Passages) || c.Passages[39] != 39 {
			t.Errorf("all of 40 passages are %v", c.Passages)
		}
	}
	New(Mixture(3, 3, 3, 9), Options{Passages: 50}).Draw(&c, listed(50, 9, 1), source(1))
	s.Draw(&c, &Rankings{}, source(1))
	if !slices.IsSorted(c.Passages) || len(c.Passages) != 40 {
		t.Errorf("after other draws, all of 40 passages are %v", c.Passages)
	}
}

// TestDrawsDoNotAllocate holds draws to the room that they have.
func TestDrawsDoNotAllocate(t *testing.T) {
	plans := map[string]Plan{"mixture": Mixture(16, 16, 16, 64), "full": {From: []Source{{Sampler: Full}}}}
	for name, p := range corrected {
		plans[name] = p
	}
	r := listed(2000, 1000, 1)
	for name, p := range plans {
		p.Depth = 1000
		s := New(p, Options{Passages: 2000})
		var c Candidates
		rng := source(1)
		for range 50 {
			s.Draw(&c, r, rng)
		}
		if n := testing.AllocsPerRun(20, func() { s.Draw(&c, r, rng) }); n > 0 {
			t.Errorf("%s: %v allocations a draw", name, n)
		}
	}
}

func TestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s set
		for range rapid.IntRange(1, 3).Draw(t, "rounds") {
			s.reset()
			twin := map[uint32]bool{}
			for _, p := range rapid.SliceOf(rapid.Uint32Range(0, 300)).Draw(t, "passages") {
				if s.has(p) != twin[p] || s.add(p) == twin[p] || !s.has(p) {
					t.Fatalf("the set is wrong about %d", p)
				}
				twin[p] = true
			}
		}
	})
	s := set{round: math.MaxUint32}
	s.add(5)
	s.reset()
	if s.has(5) || !s.add(5) {
		t.Error("what was in a set lives on after 2^32 rounds")
	}
}

func BenchmarkDraw(b *testing.B) {
	r := listed(5000, 1000, 1)
	for _, n := range []int{16, 100, 1000} {
		for _, p := range []Plan{
			{From: []Source{{Sampler: Top, N: n}}},
			{From: []Source{{Sampler: Window, N: n}}},
			{From: []Source{{Sampler: Stratified, N: n}}},
			{From: []Source{{Sampler: Importance, N: n, Temperature: 5}}},
			{From: []Source{{Sampler: Random, N: n}}},
		} {
			p.Depth = 1000
			b.Run(fmt.Sprintf("%s/%d", p.From[0].Sampler, n), func(b *testing.B) {
				s := New(p, Options{Passages: 5000})
				var c Candidates
				rng := source(1)
				for b.Loop() {
					s.Draw(&c, r, rng)
				}
			})
		}
	}
}
