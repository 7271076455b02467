package main

import (
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
)

// upTo yields 0 … n-1, then err if there is one.
func upTo(n int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

func TestOrdered(t *testing.T) {
	failure := errors.New("line 1000 is broken")
	for _, n := range []int{0, 1, 7, 8, 1000} {
		for workers := 1; workers <= 4; workers++ {
			for _, fail := range []error{nil, failure} {
				var busy [4]atomic.Bool
				var got []int
				var err error
				for v, e := range ordered(upTo(n, fail), workers, 8, func(worker, i int) int {
					if busy[worker].Swap(true) {
						t.Error("two calls with one worker's number overlap")
					}
					defer busy[worker].Store(false)
					return i * i
				}) {
					if err = e; e == nil {
						got = append(got, v)
					}
				}
				var want []int
				for i := range n {
					want = append(want, i*i)
				}
				if !slices.Equal(got, want) || err != fail {
					t.Errorf("%d items, %d workers: %v (%v)", n, workers, got, err)
				}
			}
		}
	}
}

func TestOrderedStops(t *testing.T) {
	var read atomic.Int64
	seq := func(yield func(int, error) bool) {
		for yield(int(read.Add(1)), nil) {
		}
	}
	for v := range ordered(seq, 3, 4, func(_, i int) int { return i }) {
		if v == 10 {
			break
		}
	}
	if n := read.Load(); n < 10 || n > 200 {
		t.Errorf("%d items were read for 10", n)
	}
}
