package f32

import (
	"sync"
	"sync/atomic"
)

// Parallel calls do(i) for every i below n from at most workers goroutines.
// Calls must write to separate places; then the result does not depend on the
// number of workers. Work is claimed piece by piece, so that one slow core does
// not hold up the rest.
func Parallel(n, workers int, do func(i int)) {
	workers = min(workers, n)
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
}
