package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"parley/internal/table"
)

// costReport says what the queries of a system cost: means over turns, or the
// median for the time, and means over the runs of the system.
type costReport struct {
	L0       float64 `json:"l0"`       // terms of a query
	FLOPS    float64 `json:"flops"`    // Σ df/N over its terms
	Postings float64 `json:"postings"` // Σ df over its terms
	P50      float64 `json:"p50_us"`   // microseconds to encode and search
}

// openCosts reads what parley search wrote beside a run.
func openCosts(run string) (*costs, error) {
	path := strings.TrimSuffix(strings.TrimSuffix(run, ".gz"), ".zst") + ".cost.json"
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: --costs shows what parley search writes beside a run", err)
	}
	c := new(costs)
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(c); err != nil || len(c.Turns) == 0 {
		return nil, fmt.Errorf("%s: not the costs of a run, or only a part of them: search again to have them written", path)
	}
	return c, nil
}

// over returns the costs of those turns alone that keep wants; false where
// there are none.
func (c *costs) over(keep func(turn string) bool) (costReport, bool) {
	var r costReport
	var times []int64
	all := 0.0
	for _, t := range c.Turns {
		all += float64(t.Postings)
		if !keep(t.ID) {
			continue
		}
		times = append(times, t.Microseconds)
		r.L0 += float64(t.L0)
		r.Postings += float64(t.Postings)
	}
	if len(times) == 0 {
		return costReport{}, false
	}
	n := float64(len(times))
	r.L0 /= n
	r.Postings /= n
	if all > 0 {
		// The number of passages is not in the file, but it is the mean
		// number of postings over FLOPS.
		r.FLOPS = r.Postings * c.FLOPS / (all / float64(len(c.Turns)))
	}
	slices.Sort(times)
	r.P50 = float64(percentile(times, .50))
	return r, true
}

// costsOver returns the mean costs of a system's runs over the turns that keep
// wants; nil where they are not asked for, or a run has no such turn.
func (s evalSystem) costsOver(keep func(turn string) bool) *costReport {
	if len(s.costs) == 0 {
		return nil
	}
	var mean costReport
	runs := float64(len(s.costs))
	for _, c := range s.costs {
		r, any := c.over(keep)
		if !any {
			return nil
		}
		mean.L0 += r.L0 / runs
		mean.FLOPS += r.FLOPS / runs
		mean.Postings += r.Postings / runs
		mean.P50 += r.P50 / runs
	}
	return &mean
}

var costColumns = []string{"L0", "FLOPS", "postings", "ms"}

// cells shows the costs under costColumns.
func (r *costReport) cells() []table.Cell {
	if r == nil {
		return slices.Repeat([]table.Cell{table.Missing()}, len(costColumns))
	}
	return []table.Cell{
		table.Float(r.L0, 1), table.Float(r.FLOPS, 3), table.Int(int(math.Round(r.Postings))), table.Float(r.P50/1000, 2),
	}
}
