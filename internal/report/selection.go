package report

import (
	"fmt"

	"parley/internal/table"
	"parley/study"
)

// Selection is a setting that was searched for on held-out conversations.
type Selection struct {
	Measure string  `json:"measure"`
	Chosen  string  `json:"chosen"`
	Value   float64 `json:"value"`
	Tried   []Tried `json:"tried"` // rung by rung
}

// Tried is a setting with what it was found to be worth.
type Tried struct {
	Setting string   `json:"setting"`
	Rung    int      `json:"rung"`
	Budget  float64  `json:"budget"`          // share of the epochs
	Value   *float64 `json:"value,omitempty"` // nil: no training of it ended with a student
	Chosen  bool     `json:"chosen"`
}

func selectionOf(s *study.Selection) *Selection {
	if s == nil {
		return nil
	}
	found := &Selection{Measure: s.Measure, Chosen: pointText(s.Chosen), Value: s.Value}
	for _, t := range s.Tried {
		tried := Tried{Setting: pointText(t.Point), Rung: t.Rung, Budget: t.Budget, Chosen: t.Point.Index == s.Chosen.Index}
		if !t.Failed {
			tried.Value = &t.Value
		}
		found.Tried = append(found.Tried, tried)
	}
	return found
}

func pointText(p study.Point) string {
	if len(p.Settings) == 0 {
		return "the plan's own setting"
	}
	return settingsBut(p.Settings, nil, func(study.Setting) bool { return false })
}

// points counts the settings that were tried.
func (s *Selection) points() int {
	seen := map[string]bool{}
	for _, t := range s.Tried {
		seen[t.Setting] = true
	}
	return len(seen)
}

func (s *Selection) finding() string {
	return fmt.Sprintf("of %s tried, %s was chosen by %s (%s) on held-out conversations.", count(s.points(), "setting"), s.Chosen, s.Measure, digits(s.Value, 4))
}

func (s *Selection) table() *table.Table {
	t := table.New("Settings tried", "setting", "rung", "share of the epochs", s.Measure)
	for _, tried := range s.Tried {
		c := table.Missing()
		if tried.Value != nil {
			c = table.Float(*tried.Value, 4)
		}
		if tried.Chosen {
			c = c.Strong()
		}
		t.Row(table.Text(tried.Setting), table.Int(tried.Rung), table.Float(tried.Budget, 3), c)
	}
	t.Note("Bold: chosen. All values are on conversations held out of training; no test collection was looked at.")
	return t
}
