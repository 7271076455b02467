package measure

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"parley/trec"
)

// Options says how runs are scored.
type Options struct {
	Level int // the lowest grade that counts as relevant, from 1; 0: 1
}

func (o Options) level() int { return max(o.Level, 1) }

// Evaluation holds the scores of one run, or the mean scores of several runs
// of one system, for every judged topic.
type Evaluation struct {
	Measures []Measure
	Topics   []string    // the judged topics, ascending
	Values   [][]float64 // [measure][topic], the mean over runs
	Level    int         // the lowest grade that counted as relevant
	Warnings []Warning

	runs      [][][]float64 // [run][measure][topic]
	positives []float64     // judgements above 0 of each topic, for WriteTrecEval
}

// Evaluate scores a run by each of the measures. The passages of each topic
// of the run must differ. A run that has hits but none for any judged topic is
// scored, 0 throughout, and warned of; empty qrels are an error.
func Evaluate(qrels trec.Qrels, run trec.Run, measures []Measure, o Options) (*Evaluation, error) {
	if len(qrels) == 0 {
		return nil, errors.New("the qrels are empty: there is nothing to measure against")
	}
	if len(measures) == 0 {
		return nil, errors.New("no measure is given")
	}
	e := &Evaluation{Measures: measures, Topics: qrels.Topics(), Level: o.level()}
	e.positives = make([]float64, len(e.Topics))
	values, rankings := table(len(measures), len(e.Topics)), make([]ranking, len(e.Topics))
	for t, topic := range e.Topics {
		r, err := rank(run[topic], qrels[topic])
		if err != nil {
			return nil, fmt.Errorf("topic %q: %w", topic, err)
		}
		for m, measure := range measures {
			values[m][t] = r.score(measure, e.Level)
		}
		rankings[t] = r
		e.positives[t] = float64(found(r.pool, 1))
	}
	e.Values, e.runs = values, [][][]float64{values}
	e.Warnings = examine(e.Topics, rankings, qrels, run, measures, e.Level)
	return e, nil
}

// Average joins the evaluations of several runs of one system, such as those
// of students trained from different seeds: each topic gets the mean of its
// scores. The evaluations must be of the same qrels and measures.
func Average(evaluations ...*Evaluation) (*Evaluation, error) {
	if len(evaluations) == 0 {
		return nil, errors.New("there are no evaluations to average")
	}
	first := evaluations[0]
	e := &Evaluation{
		Measures: first.Measures, Topics: first.Topics, Level: first.Level,
		Values:    table(len(first.Measures), len(first.Topics)),
		positives: first.positives,
	}
	for _, other := range evaluations {
		if err := first.comparable(other); err != nil {
			return nil, err
		}
		e.runs = append(e.runs, other.runs...)
		e.Warnings = append(e.Warnings, other.Warnings...)
	}
	e.average()
	return e, nil
}

func (e *Evaluation) average() {
	for m := range e.Values {
		for t := range e.Values[m] {
			sum := 0.0
			for _, values := range e.runs {
				sum += values[m][t]
			}
			e.Values[m][t] = sum / float64(len(e.runs))
		}
	}
}

// comparable returns an error unless both evaluations are of the same
// measures and topics.
func (e *Evaluation) comparable(other *Evaluation) error {
	if !slices.Equal(e.Measures, other.Measures) || e.Level != other.Level {
		return errors.New("the evaluations are of different measures")
	}
	if !slices.Equal(e.Topics, other.Topics) {
		return errors.New("the evaluations are of different topics")
	}
	return nil
}

// Select returns the evaluation of those topics alone that keep wants, such
// as the turns with one turn number. It keeps no warnings.
func (e *Evaluation) Select(keep func(topic string) bool) *Evaluation {
	var kept []int
	part := &Evaluation{Measures: e.Measures, Level: e.Level}
	for t, topic := range e.Topics {
		if keep(topic) {
			kept = append(kept, t)
			part.Topics = append(part.Topics, topic)
			part.positives = append(part.positives, e.positives[t])
		}
	}
	for _, values := range e.runs {
		part.runs = append(part.runs, pick(values, kept))
	}
	part.Values = pick(e.Values, kept)
	return part
}

// pick returns the given columns of values.
func pick(values [][]float64, columns []int) [][]float64 {
	picked := table(len(values), len(columns))
	for i, row := range values {
		for j, column := range columns {
			picked[i][j] = row[column]
		}
	}
	return picked
}

// Index returns the place of a measure in Measures and Values, or -1.
func (e *Evaluation) Index(m Measure) int { return slices.Index(e.Measures, m) }

// Aggregate returns the value of measure m, an index into Measures, over all
// topics: the mean, or for counts the sum.
func (e *Evaluation) Aggregate(m int) float64 { return e.aggregate(m, e.Values[m]) }

func (e *Evaluation) aggregate(m int, values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	if e.Measures[m].Counts() || len(values) == 0 {
		return sum
	}
	return sum / float64(len(values))
}

// Seeds returns the value of measure m over all topics for each run by itself,
// in the order in which the runs were given to Average.
func (e *Evaluation) Seeds(m int) []float64 {
	seeds := make([]float64, len(e.runs))
	for i, values := range e.runs {
		seeds[i] = e.aggregate(m, values[m])
	}
	return seeds
}

// Deviation returns the standard deviation (n-1) of Seeds(m), 0 for one run.
func (e *Evaluation) Deviation(m int) float64 { return math.Sqrt(variance(e.Seeds(m))) }

// table returns rows of zeros that share one array.
func table(rows, columns int) [][]float64 {
	all := make([]float64, rows*columns)
	t := make([][]float64, rows)
	for i := range t {
		t[i] = all[i*columns : (i+1)*columns : (i+1)*columns]
	}
	return t
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// variance is the unbiased sample variance, 0 for fewer than two values.
func variance(values []float64) float64 {
	if len(values) < 2 {
		return 0
	}
	sum, centre := 0.0, mean(values)
	for _, v := range values {
		sum += (v - centre) * (v - centre)
	}
	return sum / float64(len(values)-1)
}
