package report

import (
	"parley/study"
)

// Timings are what took how long where the study ran. Nothing else in a report
// depends on the machine.
type Timings struct {
	Queries  []QueryTime `json:"queries"`
	Training []TrainTime `json:"training"`
	Seconds  float64     `json:"seconds"` // of all trials together
}

// QueryTime says how long a query takes to be encoded and searched by one
// thread, in milliseconds, means over seeds.
type QueryTime struct {
	Test     string  `json:"test"`
	System   string  `json:"system"`
	Name     string  `json:"name"`
	Median   float64 `json:"median_ms"`
	P95      float64 `json:"p95_ms"`
	Mean     float64 `json:"mean_ms"`
	Postings float64 `json:"postings"` // beside them, to be compared
}

// TrainTime says how long the trainings of an experiment took.
type TrainTime struct {
	Experiment string  `json:"experiment"`
	Trainings  int     `json:"trainings"` // different ones; those of an earlier experiment are not done again
	Seconds    float64 `json:"seconds"`
}

func (m *maker) timings() *Timings {
	t := &Timings{Queries: []QueryTime{}, Training: []TrainTime{}}
	for _, trial := range m.results.Trials {
		t.Seconds += trial.Seconds
	}
	systems, _ := m.mainSystems()
	shown := map[*study.System]bool{}
	for _, s := range systems {
		shown[s] = true
	}
	for _, s := range m.curveSystems() {
		if !shown[s.System] {
			systems = append(systems, s.System)
		}
	}
	for test, about := range m.report.Tests {
		for _, s := range systems {
			if found := measured(s, test); found != nil {
				const milli = 1000
				t.Queries = append(t.Queries, QueryTime{
					about.Name, s.Name, titled(s.Title, s.Name),
					found.Micros.P50 / milli, found.Micros.P95 / milli, found.Micros.Mean / milli, found.Postings.Mean,
				})
			}
		}
	}
	m.trainTimes(t)
	return t
}

// trainTimes counts each training in the first experiment that it is of.
func (m *maker) trainTimes(t *Timings) {
	counted := map[string]bool{}
	for _, e := range m.results.Experiments {
		of := TrainTime{Experiment: titled(e.Plan.Title, e.Plan.Name)}
		for _, s := range e.Systems {
			for _, trial := range s.Trials {
				if !counted[trial.Key] {
					counted[trial.Key] = true
					of.Trainings++
					of.Seconds += trial.Seconds
				}
			}
		}
		if of.Trainings > 0 {
			t.Training = append(t.Training, of)
		}
	}
}
