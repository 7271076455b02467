package report

import (
	"fmt"

	"parley/internal/table"
	"parley/study"
)

// Selection is a setting that was searched for on held-out conversations.
type Selection struct {
	Measure string  `json:"measure"`
	Within  float64 `json:"within,omitempty"` // of the best value, the cheapest was chosen
	Cost    string  `json:"cost,omitempty"`   // by which it was
	Chosen  string  `json:"chosen"`
	Value   float64 `json:"value"`
	Tried   []Tried `json:"tried"` // rung by rung
}

// Tried is a setting with what it was found to be worth.
type Tried struct {
	Setting string   `json:"setting"`
	Rung    int      `json:"rung"`            // from 1
	Budget  float64  `json:"budget"`          // share of the epochs
	Value   *float64 `json:"value,omitempty"` // nil: no training of it ended with a student
	FLOPS   float64  `json:"flops"`           // of the held-out queries
	L0      float64  `json:"l0"`
	Chosen  bool     `json:"chosen"`
}

func selectionOf(s *study.Selection) *Selection {
	if s == nil {
		return nil
	}
	found := &Selection{Measure: s.Measure, Within: s.Within, Cost: s.Cost, Chosen: pointText(s.Chosen), Value: s.Value}
	for _, t := range s.Tried {
		tried := Tried{Setting: pointText(t.Point), Rung: t.Rung + 1, Budget: t.Budget, FLOPS: t.FLOPS, L0: t.L0, Chosen: t.Point.Index == s.Chosen.Index}
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
	how := "by " + s.Measure
	if s.Within > 0 {
		how = fmt.Sprintf("as that of the least %s whose %s is within %s of the best", costName(s.Cost), s.Measure, percent(s.Within))
	}
	return fmt.Sprintf("of %s tried, %s was chosen %s (%s) on held-out conversations.", count(s.points(), "setting"), s.Chosen, how, digits(s.Value, 4))
}

// costName returns the name of a cost for people.
func costName(cost string) string {
	return map[string]string{study.CostFLOPS: "FLOPS", study.CostL0: "L0"}[cost]
}

func (s *Selection) table() *table.Table {
	t := table.New("Settings tried", "setting", "rung", "share of the epochs", s.Measure, "FLOPS", "L0")
	for _, tried := range s.Tried {
		value, flops, l0 := table.Missing(), table.Missing(), table.Missing()
		if tried.Value != nil {
			value, flops, l0 = table.Float(*tried.Value, 4), table.Float(tried.FLOPS, 3), table.Float(tried.L0, 1)
		}
		if tried.Chosen {
			value = value.Strong()
		}
		t.Row(table.Text(tried.Setting), table.Int(tried.Rung), table.Float(tried.Budget, 3), value, flops, l0)
	}
	t.Note("Bold: chosen. All values are on conversations held out of training; no test collection was looked at.")
	return t
}
