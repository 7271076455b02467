package trec

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkLoadRun reads a run of 1,000 hits for each of 250 topics; a whole
// test set is ten times that.
func BenchmarkLoadRun(b *testing.B) {
	var text bytes.Buffer
	for topic := range 250 {
		for rank := range 1000 {
			fmt.Fprintf(&text, "conversation-%d_7 Q0 doc%d 1 %d.%d system\n", topic, (topic*7919+rank*104729)%25_000_000, 4000-rank, topic)
		}
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if _, err := LoadRun(bytes.NewReader(text.Bytes()), "bench"); err != nil {
			b.Fatal(err)
		}
	}
}
