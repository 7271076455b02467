package study

import (
	"slices"

	"parley/internal/durable"
)

// Status is where a study stands.
type Status struct {
	Name        string             `json:"name"`
	Experiments []ExperimentStatus `json:"experiments"` // the baselines first
	Trials      Counted            `json:"trials"`      // each once
	Failed      []FailedTrial      `json:"failed"`
}

// ExperimentStatus is where an experiment stands.
type ExperimentStatus struct {
	Name string `json:"name"`
	Counted
	Chosen string `json:"chosen,omitempty"` // of a selection
}

// Counted counts trials.
type Counted struct {
	Total   int     `json:"total"`   // wanted, and about how many more selections will want
	Done    int     `json:"done"`    // those that failed included
	Failed  int     `json:"failed"`  //
	Running int     `json:"running"` // by some process, now
	Seconds float64 `json:"seconds"` // that those took which are done
}

// FailedTrial is a trial that ended without a student.
type FailedTrial struct {
	Key    string `json:"key"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Look tells where the study in a folder stands. It measures and verifies
// nothing.
func Look(dir string) (*Status, error) {
	p, f, err := open(dir)
	if err != nil {
		return nil, err
	}
	l := newLedger(dir)
	d, err := newDesign(p, f, l.get)
	if err != nil {
		return nil, err
	}
	s := &Status{Name: p.Name, Failed: []FailedTrial{}}
	counts := map[string]Counted{} // by key, of one trial
	for _, w := range d.trials {
		c, err := count(dir, l, w)
		if err != nil {
			return nil, err
		}
		counts[w.Key] = c
		s.Trials.add(c)
		if c.Failed > 0 {
			s.Failed = append(s.Failed, FailedTrial{w.Key, w.name, l.known(w.Key).Failed})
		}
	}
	s.Trials.Total += d.missing()
	row := func(name string, systems []designed) *ExperimentStatus {
		s.Experiments = append(s.Experiments, ExperimentStatus{Name: name})
		at := &s.Experiments[len(s.Experiments)-1]
		seen := map[string]bool{}
		for _, system := range systems {
			for _, w := range system.trials {
				if !seen[w.Key] {
					at.add(counts[w.Key])
				}
				seen[w.Key] = true
			}
		}
		return at
	}
	if len(d.baselines) > 0 {
		row(KindBaseline, d.baselines)
	}
	for i, e := range p.Experiments {
		at := row(e.Name, d.experiments[i])
		at.later(p, d, i, counts)
	}
	return s, nil
}

// later adds what is not among the systems of an experiment: the trials of a
// selection, and those of an experiment that waits for one.
func (s *ExperimentStatus) later(p *Plan, d *design, i int, counts map[string]Counted) {
	e := p.Experiments[i]
	switch {
	case e.Select != nil:
		for _, w := range d.trials {
			if w.Kind == KindSelection && slices.Contains(w.experiments, i) {
				s.add(counts[w.Key])
			}
		}
		s.Total = max(s.Total, d.expected[i])
		if chosen := d.selections[i]; chosen != nil {
			s.Total = s.Done
			s.Chosen = chosen.Chosen.String()
		}
	case d.experiments[i] == nil:
		s.Total = d.expected[i]
	}
}

// count looks at one trial.
func count(dir string, l *ledger, w *wanted) (Counted, error) {
	c := Counted{Total: 1}
	record, err := l.get(w.Key)
	if err != nil {
		return c, err
	}
	if record == nil {
		held, err := durable.Locked(within(dir, trialsDir, w.Key+".lock"))
		if held {
			c.Running = 1
		}
		return c, err
	}
	c.Done = 1
	if record.Failed != "" {
		c.Failed = 1
	}
	took, _ := readTiming(dir, w.Key)
	c.Seconds = took.All
	return c, nil
}

func (c *Counted) add(o Counted) {
	c.Total += o.Total
	c.Done += o.Done
	c.Failed += o.Failed
	c.Running += o.Running
	c.Seconds += o.Seconds
}
