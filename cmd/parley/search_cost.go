package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"parley/internal/durable"
)

// turnCost is what one turn's search cost.
type turnCost struct {
	ID           string `json:"id"`
	L0           int    `json:"l0"`           // terms of the query
	Postings     int    `json:"postings"`     // Σ df over those terms
	Microseconds int64  `json:"microseconds"` // to encode and search, on one processor
}

// costs are the costs of a run, as written beside it.
type costs struct {
	MeanL0 float64    `json:"mean_l0"`
	FLOPS  float64    `json:"flops"` // Σ_j p_q(j)·df_j/N, with p_q(j) the share of queries that have term j
	P50    int64      `json:"p50_us"`
	P95    int64      `json:"p95_us"`
	P99    int64      `json:"p99_us"`
	Turns  []turnCost `json:"turns"`
}

// summarise computes the figures over all turns of a search over n passages.
// Summing df/N over the terms of each query, and taking the mean, is the same
// as summing p_q(j)·df_j/N over all terms.
func (c *costs) summarise(n int) {
	var times []int64
	l0, postings := 0, 0
	for _, t := range c.Turns {
		l0 += t.L0
		postings += t.Postings
		times = append(times, t.Microseconds)
	}
	turns := float64(len(c.Turns))
	c.MeanL0, c.FLOPS = float64(l0)/turns, float64(postings)/turns/float64(n)
	slices.Sort(times)
	c.P50, c.P95, c.P99 = percentile(times, .50), percentile(times, .95), percentile(times, .99)
}

// percentile returns the least of the sorted values that a share p of them does
// not exceed (nearest rank).
func percentile(sorted []int64, p float64) int64 {
	return sorted[max(int(math.Ceil(p*float64(len(sorted))))-1, 0)]
}

// String sums up the costs in a few words.
func (c *costs) String() string {
	return fmt.Sprintf("L0 %.1f, FLOPS %.2f, p50 %d µs", c.MeanL0, c.FLOPS, c.P50)
}

// write writes the costs to path.
func (c *costs) write(path string) error {
	data, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(data, '\n'))
}
