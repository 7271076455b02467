package study

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// number returns the value of a setting of a point.
func number(t testing.TB, p Point, path string) float64 {
	t.Helper()
	for _, s := range p.Settings {
		if s.Path == path {
			switch v := s.Value.(type) {
			case float64:
				return v
			case int64:
				return float64(v)
			case int:
				return float64(v)
			}
		}
	}
	t.Fatalf("no number %s in %v", path, p)
	return 0
}

// bowl is lowest where a rate is 10^-3 and a weight is .3; of fewer epochs it is
// flatter, and shifted by something that no point has an advantage from.
func bowl(t testing.TB) Evaluate {
	return func(_ context.Context, points []Point, budget float64) ([]Worth, error) {
		values := make([]Worth, len(points))
		for i, p := range points {
			x, y := math.Log10(number(t, p, "optimiser.learning_rate"))+3, number(t, p, "objective.weight")-.3
			values[i].Value = budget*(x*x+4*y*y) + 1/budget
		}
		return values, nil
	}
}

func TestGridFindsTheBest(t *testing.T) {
	plan := SelectPlan{Method: SelectGrid, Space: Space{
		"optimiser.learning_rate": {Values: []any{1e-4, 1e-3, 1e-2}}, "objective.weight": {Values: []any{0., .3, .6, .9}},
	}}
	for _, eta := range []int{0, 2} {
		if eta > 0 {
			plan.Method, plan.Eta = SelectHalving, eta
		}
		s, err := Search(context.Background(), plan, true, bowl(t))
		if err != nil {
			t.Fatal(err)
		}
		if s.Chosen.String() != "objective.weight=0.3 optimiser.learning_rate=0.001" || s.Value != 1 || s.Chosen.Index != 4 {
			t.Errorf("%s chose %+v at %v", plan.Method, s.Chosen, s.Value)
		}
	}
	worst, err := Search(context.Background(), SelectPlan{Method: SelectGrid, Space: plan.Space}, false, bowl(t))
	if err != nil || number(t, worst.Chosen, "objective.weight") != .9 {
		t.Errorf("where higher is better %+v was chosen, %v", worst, err)
	}
}

func TestRandomComesNear(t *testing.T) {
	plan := SelectPlan{Trials: 81, Space: Space{
		"optimiser.learning_rate": {Range: &Range{Low: 1e-5, High: 1, Scale: ScaleLog}}, "objective.weight": {Range: &Range{High: 1}},
	}}
	for _, plan.Method = range []string{SelectRandom, SelectHalving} {
		for plan.Seed = range uint64(5) {
			s, err := Search(context.Background(), plan, true, bowl(t))
			if err != nil {
				t.Fatal(err)
			}
			if s.Value > 1.15 {
				t.Errorf("%s, seed %d: chose %v with %v", plan.Method, plan.Seed, s.Chosen, s.Value)
			}
		}
	}
}

// TestCheapestNearTheBest gives up a little of a measure for a lower cost.
func TestCheapestNearTheBest(t *testing.T) {
	worths := []Worth{{.9, 4, 10}, {.9, 3, 40}, {.892, 2, 30}, {.893, 2, 20}, {.5, 1, 1}, {math.NaN(), 0, 0}}
	for _, test := range []struct {
		within float64
		cost   string
		lower  bool
		want   int
	}{{0, "", false, 0}, {.01, "", false, 2}, {.001, CostFLOPS, false, 1}, {.001, CostL0, false, 0}, {.01, CostL0, false, 0}, {.5, "", false, 4}, {.8, "", true, 4}, {.79, CostL0, true, 4}} {
		plan := SelectPlan{Method: SelectGrid, Within: test.within, Cost: test.cost, Space: Space{"a": {Values: []any{0, 1, 2, 3, 4, 5}}}}
		s, err := Search(context.Background(), plan, test.lower, func(context.Context, []Point, float64) ([]Worth, error) { return worths, nil })
		if err != nil || s.Chosen.Index != test.want || s.Worth != worths[test.want] || s.Within != test.within || (s.Cost == "") != (test.within == 0) {
			t.Errorf("within %v by %q: %+v, %v, want point %d", test.within, test.cost, s, err, test.want)
		}
	}
}

// TestRungs writes out what halving tries.
func TestRungs(t *testing.T) {
	for _, test := range []struct {
		plan SelectPlan
		n    int
		want string
	}{
		{SelectPlan{Method: SelectHalving}, 9, "[{9 0.1111111111111111} {3 0.3333333333333333} {1 1}]"},
		{SelectPlan{Method: SelectHalving}, 30, "[{30 0.1111111111111111} {10 0.3333333333333333} {3 1}]"},
		{SelectPlan{Method: SelectHalving, Eta: 2, Least: .125}, 20, "[{20 0.125} {10 0.25} {5 0.5} {2 1}]"},
		{SelectPlan{Method: SelectHalving, Eta: 2, Least: .5}, 20, "[{20 0.5} {10 1}]"},
		{SelectPlan{Method: SelectHalving, Least: 1}, 20, "[{20 1}]"},
		{SelectPlan{Method: SelectHalving, Eta: 4, Least: .001}, 5, "[{5 0.25} {1 1}]"},
		{SelectPlan{Method: SelectHalving}, 2, "[{2 1}]"},
		{SelectPlan{Method: SelectRandom}, 20, "[{20 1}]"},
	} {
		if got := fmt.Sprint(test.plan.Rungs(test.n)); got != test.want {
			t.Errorf("%+v from %d points: %s, want %s", test.plan, test.n, got, test.want)
		}
	}
}

// arbitrary returns a plan and values that many points share, some of them NaN.
func arbitrary(rng *rand.Rand) (SelectPlan, func(p Point, budget float64) float64) {
	plan := SelectPlan{Method: []string{SelectGrid, SelectRandom, SelectHalving}[rng.IntN(3)], Space: Space{}, Seed: rng.Uint64()}
	for d := range 1 + rng.IntN(3) {
		var values []any
		for v := range 1 + rng.IntN(5) {
			values = append(values, int64(v))
		}
		plan.Space[fmt.Sprintf("path.%c", 'a'+d)] = Dimension{Values: values}
	}
	size, _ := plan.Space.size()
	if plan.Method == SelectRandom || plan.Method == SelectHalving && rng.IntN(2) > 0 {
		plan.Trials = 1 + rng.IntN(size)
	}
	if plan.Method == SelectHalving {
		plan.Eta, plan.Least = 2+rng.IntN(4), .01+.99*rng.Float64()
	}
	salt := rng.Uint64()
	return plan, func(p Point, budget float64) float64 {
		values := rand.New(rand.NewPCG(salt, uint64(p.Index)*1000+uint64(budget*997)))
		if values.IntN(10) == 0 {
			return math.NaN()
		}
		return float64(values.IntN(4))
	}
}

// TestSearchProperties says of many searches that what was tried is what the
// rungs promise, that no point went on before a better one, ties going to the
// lower index, and that the chosen one is the best of the last rung.
func TestSearchProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	failed := 0
	for range 2000 {
		plan, value := arbitrary(rng)
		lower := rng.IntN(2) == 0
		s, err := Search(context.Background(), plan, lower, func(_ context.Context, points []Point, budget float64) (values []Worth, _ error) {
			for _, p := range points {
				values = append(values, Worth{Value: value(p, budget)})
			}
			return values, nil
		})
		if err != nil {
			if !strings.Contains(err.Error(), "nothing can be chosen") {
				t.Fatal(err)
			}
			failed++
			continue
		}
		points, err := plan.Points()
		if err != nil {
			t.Fatal(err)
		}
		better := func(a, b Tried) bool {
			if a.Value == b.Value {
				return a.Point.Index < b.Point.Index
			}
			return (a.Value < b.Value) == lower
		}
		rungs, spent, alive := plan.Rungs(len(points)), 0., points
		for number, rung := range rungs {
			tried := slices.DeleteFunc(slices.Clone(s.Tried), func(t Tried) bool { return t.Rung != number })
			if len(tried) != min(rung.Points, len(alive)) {
				t.Fatalf("%+v: rung %d tried %d of %d points, %+v", plan, number, len(tried), len(alive), rung)
			}
			spent += float64(len(tried)) * rung.Budget
			good := slices.DeleteFunc(slices.Clone(tried), func(t Tried) bool { return t.Failed })
			var next []Tried
			for _, got := range good {
				rank := 0
				for _, other := range good {
					if better(other, got) {
						rank++
					}
				}
				switch {
				case number+1 < len(rungs) && rank < rungs[number+1].Points:
					next = append(next, got)
				case number+1 == len(rungs) && rank == 0 && (s.Chosen.Index != got.Point.Index || s.Value != got.Value):
					t.Fatalf("%+v: chose %v with %v, the best is %+v", plan, s.Chosen, s.Value, got)
				}
			}
			if number+1 == len(rungs) {
				break
			}
			alive = nil
			for _, n := range next {
				alive = append(alive, n.Point)
			}
			got := slices.DeleteFunc(slices.Clone(s.Tried), func(t Tried) bool { return t.Rung != number+1 })
			for i := range got {
				if !reflect.DeepEqual(got[i].Point, alive[i]) || got[i].Budget != rungs[number+1].Budget {
					t.Fatalf("%+v: in rung %d stands %v, want %v", plan, number+1, got[i], alive[i])
				}
			}
		}
		if math.Abs(spent-s.Spent) > 1e-9 {
			t.Errorf("spent %v, counted %v", s.Spent, spent)
		}
		if _, err := json.Marshal(s); err != nil {
			t.Error(err)
		}
	}
	if failed == 0 || failed > 1000 {
		t.Errorf("%d of 2000 searches found nothing: the test is too weak", failed)
	}
}

// TestSearchIsTakenUp ends an evaluation at each of its points, as a ledger does
// that lacks a training, and wants the same questions and the same choice.
func TestSearchIsTakenUp(t *testing.T) {
	plan := SelectPlan{Method: SelectHalving, Trials: 20, Eta: 2, Seed: 9, Space: Space{
		"optimiser.learning_rate": {Range: &Range{Low: 1e-5, High: 1, Scale: ScaleLog}}, "objective.weight": {Range: &Range{High: 1}},
	}}
	whole, err := Search(context.Background(), plan, true, bowl(t))
	if err != nil {
		t.Fatal(err)
	}
	pending := errors.New("a training is missing")
	ledger := map[string]Worth{}
	trained := 0
	for {
		s, err := Search(context.Background(), plan, true, func(ctx context.Context, points []Point, budget float64) (values []Worth, _ error) {
			for _, p := range points {
				key := fmt.Sprint(p, budget)
				if _, done := ledger[key]; !done {
					v, err := bowl(t)(ctx, []Point{p}, budget)
					if err != nil {
						return nil, err
					}
					ledger[key] = v[0]
					trained++
					return nil, pending
				}
				values = append(values, ledger[key])
			}
			return values, nil
		})
		if errors.Is(err, pending) {
			continue
		}
		if err != nil || !reflect.DeepEqual(s, whole) {
			t.Errorf("taken up again and again: %+v, %v; at once: %+v", s, err, whole)
		}
		break
	}
	if trained != len(whole.Tried) {
		t.Errorf("%d trainings, %d were tried", trained, len(whole.Tried))
	}
}

func TestDraw(t *testing.T) {
	space := Space{
		"list": {Values: []any{"a", "b", nil}},
		"log":  {Range: &Range{Low: 1e-4, High: 1, Scale: ScaleLog}},
		"int":  {Range: &Range{Low: 1, High: 4, Integer: true}},
		"line": {Range: &Range{Low: -1, High: 1, Scale: ScaleLinear}},
	}
	points, err := space.draw(4000, 3)
	if err != nil {
		t.Fatal(err)
	}
	fewer, err := space.draw(100, 3)
	if err != nil || !reflect.DeepEqual(fewer, points[:100]) {
		t.Errorf("100 points are not the first of 4000: %v", err)
	}
	if other, err := space.draw(100, 4); err != nil || reflect.DeepEqual(other, fewer) {
		t.Errorf("two seeds draw the same: %v", err)
	}
	counts := map[string]int{}
	for i, p := range points {
		if p.Index != i || !slices.IsSortedFunc(p.Settings, func(a, b Setting) int { return strings.Compare(a.Path, b.Path) }) {
			t.Fatalf("point %d: %+v", i, p)
		}
		counts[fmt.Sprint("int", number(t, p, "int"))]++
		counts[fmt.Sprint("list", p.Settings[2].Value)]++
		log, line := number(t, p, "log"), number(t, p, "line")
		if log < 1e-4 || log > 1 || line < -1 || line > 1 {
			t.Fatalf("drawn outside its range: %v", p)
		}
		counts[fmt.Sprint("log", math.Floor(math.Log10(log)))]++
		counts[fmt.Sprint("line", line < 0)]++
	}
	for name, want := range map[string]int{
		"int1": 1000, "int2": 1000, "int3": 1000, "int4": 1000, "lista": 1333, "listb": 1333, "list<nil>": 1333,
		"log-4": 1000, "log-3": 1000, "log-2": 1000, "log-1": 1000, "linetrue": 2000, "linefalse": 2000,
	} {
		if got := counts[name]; math.Abs(float64(got-want)) > 150 {
			t.Errorf("%s was drawn %d times, about %d is right", name, got, want)
		}
	}
	if _, err := (Space{"x": {Range: &Range{Low: 1, High: 1.00001}}}).draw(50, 1); err == nil || !strings.Contains(err.Error(), "lower select.trials") {
		t.Errorf("50 points where there are hardly any: %v", err)
	}
	all, err := (Space{"x": {Range: &Range{Low: 1, High: 40, Scale: ScaleLog, Integer: true}}}).draw(40, 1)
	if err != nil || len(all) != 40 {
		t.Errorf("all of a range: %v, %v", all, err)
	}
}

func TestSelectPlanRefused(t *testing.T) {
	for text, want := range map[string]string{
		"{method: best, space: {a: [1]}}":                                            "select.method must be grid",
		"{method: grid}":                                                             "select.space names no setting",
		"{method: grid, space: {a: []}}":                                             `select.space "a": it has no values`,
		"{method: grid, space: {a: [1, 1]}}":                                         "the value 1 is given twice",
		"{method: grid, space: {a: 1}}":                                              "are a list, or",
		"{method: grid, space: {a: {low: 1, high: 2}}}":                              "has a range, of which not all points can be tried",
		"{method: halving, space: {a: {low: 1, high: 2}}}":                           "has a range, of which not all points can be tried",
		"{method: grid, trials: 3, space: {a: [1]}}":                                 "select.trials must be left out",
		"{method: random, space: {a: [1]}}":                                          "select.trials must be from 1",
		"{method: random, trials: 3, space: {a: [1, 2]}}":                            "select.trials is 3, and select.space has 2 points",
		"{method: random, trials: 1, eta: 2, space: {a: [1]}}":                       "are for method halving",
		"{method: halving, eta: 1, space: {a: [1]}}":                                 "select.eta must be from 2",
		"{method: halving, least: .nan, space: {a: [1]}}":                            "select.least must be from",
		"{method: random, trials: 1, space: {a: {low: 2, high: 1}}}":                 "low must be below high",
		"{method: random, trials: 1, space: {a: {low: 0, high: .inf}}}":              "low must be below high",
		"{method: random, trials: 1, space: {a: {low: 0, high: 1, scale: log}}}":     "low must be above 0",
		"{method: random, trials: 1, space: {a: {low: 0, high: 1, scale: cube}}}":    "scale must be linear or log",
		"{method: random, trials: 1, space: {a: {low: 0, high: 1, step: 2}}}":        `unknown field "step"`,
		"{method: random, trials: 1, space: {a: {low: .5, high: 2, integer: true}}}": "whole numbers",
		"{method: halving, within: .1, space: {a: [1]}}":                             "cheap ones would be lost",
		"{method: grid, within: 1, space: {a: [1]}}":                                 "select.within must be at least 0",
		"{method: grid, cost: l0, space: {a: [1]}}":                                  "name that in select.within",
		"{method: grid, within: .1, cost: time, space: {a: [1]}}":                    "select.cost must be flops or l0",
		"{method: halving, space: {optimiser.epochs: [1, 2]}}":                       "which method halving spends itself",
		"{method: grid, seeds: [1, 2, 1], space: {a: [1]}}":                          "select.seeds has 1 twice",
		"{method: grid, space: {seed: [1, 2]}}":                                      `"seed" cannot be chosen`,
		"{method: grid, space: {validation.share: [.1, .2]}}":                        `"validation.share" cannot be chosen`,
		"{method: grid, space: {a.b: [1], a: [{b: 2}]}}":                             `"a.b" is part of "a"`,
	} {
		var plan SelectPlan
		err := yaml.UnmarshalWithOptions([]byte(text), &plan, yaml.Strict())
		if err == nil {
			_, err = Search(context.Background(), plan, true, func(context.Context, []Point, float64) ([]Worth, error) {
				t.Errorf("%s was searched", text)
				return nil, errors.New("searched")
			})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", text, err, want)
		}
	}
}

func TestSelectPlanReadBack(t *testing.T) {
	text := "{method: halving, trials: 9, eta: 2, least: .25, measure: R@100, seeds: [1, 2], seed: 7, space: " +
		"{a.b: [1, x, null, .5, {c: d}], r: {low: 1e-4, high: 1e-1, scale: log}, n: {low: 1, high: 9, integer: true}}}"
	var plan, back SelectPlan
	if err := yaml.UnmarshalWithOptions([]byte(text), &plan, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if err := plan.Validate(); err != nil {
		t.Error(err)
	}
	if r := plan.Space["r"].Range; r == nil || *r != (Range{Low: 1e-4, High: .1, Scale: ScaleLog}) || len(plan.Space["a.b"].Values) != 5 {
		t.Errorf("read %+v", plan)
	}
	written, err := yaml.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(written, &back, yaml.Strict()); err != nil || !reflect.DeepEqual(back, plan) {
		t.Errorf("%+v was read back as %+v, %v:\n%s", plan, back, err, written)
	}
	if j, err := json.Marshal(plan.Space); err != nil || !strings.Contains(string(j), `"r":{"low":0.0001`) {
		t.Errorf("as JSON %s, %v", j, err)
	}
}

// FuzzSelectPlan says that what is read as a valid plan is searched, or refused for
// having too few points, and read back as it was.
func FuzzSelectPlan(f *testing.F) {
	f.Add("{method: grid, space: {a: [1, 2], b.c: [x]}}")
	f.Add("{method: halving, trials: 9, eta: 2, space: {a: {low: 1e-4, high: 1, scale: log}}}")
	f.Add("{method: random, trials: 2, within: .1, cost: l0, space: {a: {low: 0, high: 3, integer: true}}}")
	f.Fuzz(func(t *testing.T, text string) {
		var plan, back SelectPlan
		if yaml.UnmarshalWithOptions([]byte(text), &plan, yaml.Strict()) != nil || plan.Validate() != nil || plan.Trials > 100 {
			return
		}
		s, err := Search(context.Background(), plan, true, func(_ context.Context, points []Point, budget float64) (worths []Worth, _ error) {
			for _, p := range points {
				worths = append(worths, Worth{Value: float64(p.Index)})
			}
			return worths, nil
		})
		if err != nil && !strings.Contains(err.Error(), "hardly more than") {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil && plan.Within == 0 && s.Chosen.Index != 0 {
			t.Errorf("%q: chose %v", text, s.Chosen)
		}
		written, err := yaml.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalWithOptions(written, &back, yaml.Strict()); err != nil {
			t.Errorf("%q is written as %q: %v", text, written, err)
		}
	})
}

func ExampleSearch() {
	plan := SelectPlan{Method: SelectHalving, Eta: 2, Least: .5, Space: Space{"objective.df_l1.weight": {Values: []any{0., .1, .2, .4}}}}
	loss := map[string]float64{"0": 3, "0.1": 2, "0.2": 2.5, "0.4": 4}
	s, err := Search(context.Background(), plan, true, func(_ context.Context, points []Point, budget float64) (values []Worth, _ error) {
		for _, p := range points { // a study trains here, or looks up what it trained before
			values = append(values, Worth{Value: loss[fmt.Sprint(p.Settings[0].Value)] / budget})
		}
		return values, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, tried := range s.Tried {
		fmt.Println(tried.Budget, tried.Point, tried.Value)
	}
	fmt.Println("chosen:", s.Chosen)
	// Output:
	// 0.5 objective.df_l1.weight=0 6
	// 0.5 objective.df_l1.weight=0.1 4
	// 0.5 objective.df_l1.weight=0.2 5
	// 0.5 objective.df_l1.weight=0.4 8
	// 1 objective.df_l1.weight=0.1 2
	// 1 objective.df_l1.weight=0.2 2.5
	// chosen: objective.df_l1.weight=0.1
}
