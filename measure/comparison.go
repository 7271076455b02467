package measure

import "fmt"

// Test names a paired test of significance.
type Test string

// The paired tests.
const (
	StudentT      Test = "t"
	Randomised    Test = "randomisation"
	randomSamples      = 10_000
)

// ParseTest reads the name of a test.
func ParseTest(name string) (Test, error) {
	switch t := Test(name); t {
	case StudentT, Randomised:
		return t, nil
	}
	return "", fmt.Errorf("unknown test %q: say t or randomisation", name)
}

// CompareOptions says how systems are compared. The zero value means the
// paired t-test with Holm's correction, and no intervals.
type CompareOptions struct {
	Test       Test       // "": StudentT
	Correction Correction // "": Holm
	Seed       uint64     // of Randomised
	Intervals  *Bootstrap // nil: none are drawn
}

// Comparison is what one measure says of a system against the base.
type Comparison struct {
	Topics              int     // how many were paired
	Difference          float64 // mean over topics of system minus base
	Low, High           float64 // confidence interval of Difference; 0 without CompareOptions.Intervals
	T                   float64 // Student's t; 0 for Randomised
	P, Corrected        float64 // p-value, by itself and among all comparisons of the measure
	Wins, Losses, Equal int     // topics in which the system is above, below, level with the base
	Warnings            []Warning
}

// Significant returns 1 or -1 if the system is significantly above or below
// the base by the corrected p-value, or else 0.
func (c Comparison) Significant(alpha float64) int {
	switch {
	case c.Corrected >= alpha || c.Difference == 0:
		return 0
	case c.Difference > 0:
		return 1
	}
	return -1
}

// Compare pairs each system with the base, topic by topic; a topic that is
// missing from a run takes part with its score of 0. The comparisons come by
// system, then measure. For each measure the p-values of all systems are
// corrected together.
func Compare(base *Evaluation, systems []*Evaluation, o CompareOptions) ([][]Comparison, error) {
	comparisons := make([][]Comparison, len(systems))
	for s, system := range systems {
		if err := base.comparable(system); err != nil {
			return nil, err
		}
		for m := range base.Measures {
			comparisons[s] = append(comparisons[s], o.compare(base.Topics, base.Values[m], system.Values[m]))
		}
	}
	o.correct(comparisons, len(base.Measures))
	return comparisons, nil
}

func (o CompareOptions) compare(topics []string, base, system []float64) Comparison {
	c := Comparison{Topics: len(topics), P: 1}
	differences := make([]float64, len(topics))
	for i := range topics {
		differences[i] = system[i] - base[i]
		switch {
		case differences[i] > 0:
			c.Wins++
		case differences[i] < 0:
			c.Losses++
		default:
			c.Equal++
		}
	}
	c.Warnings = doubts(c)
	if len(topics) == 0 {
		return c
	}
	c.Difference = mean(differences)
	if o.Intervals != nil {
		c.Low, c.High = o.Intervals.of(topics, differences)
	}
	if o.Test == Randomised {
		c.P = Randomisation(differences, randomSamples, o.Seed)
	} else {
		c.T, c.P = TTest(differences)
	}
	return c
}

func doubts(c Comparison) []Warning {
	var warnings []Warning
	if c.Topics < EnoughTopics {
		warnings = append(warnings, Warning{Kind: FewTopics, Count: c.Topics})
	}
	if c.Equal == c.Topics && c.Topics > 0 {
		warnings = append(warnings, Warning{Kind: Identical, Count: c.Topics})
	}
	return warnings
}

func (o CompareOptions) correct(comparisons [][]Comparison, measures int) {
	ps := make([]float64, len(comparisons))
	for m := range measures {
		for s := range comparisons {
			ps[s] = comparisons[s][m].P
		}
		for s, p := range o.Correction.Correct(ps) {
			comparisons[s][m].Corrected = p
		}
	}
}
