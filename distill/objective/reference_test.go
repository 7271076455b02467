package objective

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"parley/internal/f32"
	"parley/sparse"
)

// reference is what testdata/reference.py wrote by torch.
type reference struct {
	Batches []struct {
		Of    int `json:"of"`
		Turns []struct {
			Number       int             `json:"number"`
			Query        referenceVector `json:"query"`
			TeacherQuery referenceVector `json:"teacher_query"`
			Cost         []float32       `json:"cost"`
			Scores       []float64       `json:"scores"`
			Others       int             `json:"others"`
			Teacher      []float64       `json:"teacher"`
			LogInclusion []float64       `json:"log_inclusion"`
			Norms        []float64       `json:"norms"`
			Positives    []int           `json:"positives"`
		} `json:"turns"`
	} `json:"batches"`
	Terms map[string][]referenceValue `json:"terms"` // by batch
}

type referenceVector struct {
	Terms   []uint32  `json:"terms"`
	Weights []float32 `json:"weights"`
}

type referenceValue struct {
	Value            float64     `json:"value"`
	ByScores         [][]float64 `json:"by_scores"`
	ByWeights        [][]float64 `json:"by_weights"`
	ByLogTemperature float64     `json:"by_log_temperature"`
}

func readReference(t *testing.T) reference {
	t.Helper()
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var r reference
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// batch returns batch n with gradients that are 0.
func (r *reference) batch(n int) *Batch {
	b := &Batch{Of: r.Batches[n].Of}
	for _, t := range r.Batches[n].Turns {
		b.Turns = append(b.Turns, Turn{
			Number: t.Number, Query: sparse.Vector(t.Query), TeacherQuery: sparse.Vector(t.TeacherQuery), Cost: t.Cost,
			Scores: t.Scores, Others: t.Others, Teacher: t.Teacher, LogInclusion: t.LogInclusion, Norms: t.Norms, Positives: t.Positives,
		})
	}
	return copied(b)
}

// learnedBy returns the parameter of a term, nil for none.
func learnedBy(term Term) *f32.Parameter {
	if trained, ok := term.(trained); ok {
		return trained.parameter()
	}
	return nil
}

// TestTermsAreTorchs compares values and gradients of every term with those that
// torch differentiated from the formulas.
func TestTermsAreTorchs(t *testing.T) {
	r := readReference(t)
	const weight = 2
	for name, term := range allTerms() {
		if len(r.Terms[name]) != len(r.Batches) {
			t.Errorf("testdata/reference.json knows nothing of %s: write it into reference.py", name)
			continue
		}
		for n, want := range r.Terms[name] {
			check := func(what string, got, want float64) {
				t.Helper()
				if math.Abs(got-want) > 1e-4*math.Abs(want)+1e-7 {
					t.Errorf("%s, batch %d: %s %v, torch has %v", name, n, what, got, want)
				}
			}
			b, learned := r.batch(n), learnedBy(term)
			if _, couples := term.(gatherer); couples {
				b.Of = 0 // a whole batch
			}
			if learned != nil {
				learned.Grad[0] = 0
			}
			check("value", term.Add(b, weight), want.Value)
			if learned != nil {
				check("gradient by ln T", float64(learned.Grad[0]), weight*want.ByLogTemperature)
			}
			for i := range b.Turns {
				for d, g := range b.Turns[i].ScoreGradient {
					check("gradient by score", g, weight*want.ByScores[i][d])
				}
				for j, g := range b.Turns[i].WeightGradient {
					check("gradient by weight", float64(g), weight*want.ByWeights[i][j])
				}
			}
		}
	}
}
