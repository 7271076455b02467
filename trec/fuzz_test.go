package trec

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzLoadQrels: whatever is read survives being written and read again.
func FuzzLoadQrels(f *testing.F) {
	for _, c := range bad {
		f.Add([]byte(c.text))
	}
	f.Add([]byte("q1 0 p1 2\n\n#note 0 p 1\nq1\tx p2 -1\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		qrels, err := LoadQrels(bytes.NewReader(data), "f")
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteQrels(&out, qrels); err != nil {
			t.Fatal(err)
		}
		again, err := LoadQrels(&out, "f")
		if d := cmp.Diff(qrels, again); d != "" || err != nil {
			t.Fatal(err, d)
		}
	})
}

// FuzzLoadRun: whatever is read survives being sorted, written and read again.
func FuzzLoadRun(f *testing.F) {
	for _, c := range bad {
		f.Add([]byte(c.text))
	}
	f.Add([]byte("q1 Q0 p1 1 2.5 t\nq2 Q0 p1 1 -0 t\nq1 Q0 p2 2 1e-300 t\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		run, err := LoadRun(bytes.NewReader(data), "f")
		if err != nil {
			return
		}
		for _, hits := range run {
			SortHits(hits)
		}
		var out bytes.Buffer
		if err := WriteRun(&out, run, "t"); err != nil {
			t.Fatal(err)
		}
		again, err := LoadRun(&out, "f")
		if d := cmp.Diff(run, again); d != "" || err != nil {
			t.Fatal(err, d)
		}
	})
}
