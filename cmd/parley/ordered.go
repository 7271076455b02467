package main

import (
	"iter"
	"sync"
)

// chunk is a run of items that one goroutine works on.
type chunk[A, B any] struct {
	in   []A
	err  error // follows in
	out  []B
	done chan struct{} // closed when out is complete
}

// ordered yields do(worker, a) for every a of seq, in the order of seq, while
// that many workers do size items each at a time. Calls with one worker's
// number, from 0, never overlap. An error of seq is yielded in its place and
// ends the work.
func ordered[A, B any](seq iter.Seq2[A, error], workers, size int, do func(worker int, a A) B) iter.Seq2[B, error] {
	return func(yield func(B, error) bool) {
		var wg sync.WaitGroup
		stop := make(chan struct{})
		defer wg.Wait()
		defer close(stop)
		queue := make(chan *chunk[A, B], 2*workers) // in order
		work := make(chan *chunk[A, B], 2*workers)  // the same, for the workers
		wg.Go(func() {
			defer close(queue)
			defer close(work)
			for c := range chunks[A, B](seq, size) {
				select {
				case queue <- c:
					work <- c // has room: it holds no more than queue
				case <-stop:
					return
				}
			}
		})
		for worker := range workers {
			wg.Go(func() {
				for c := range work {
					for _, a := range c.in {
						c.out = append(c.out, do(worker, a))
					}
					close(c.done)
				}
			})
		}
		drain(queue, yield)
	}
}

// chunks cuts seq into chunks of size items.
func chunks[A, B any](seq iter.Seq2[A, error], size int) iter.Seq[*chunk[A, B]] {
	fresh := func() *chunk[A, B] { return &chunk[A, B]{done: make(chan struct{})} }
	return func(yield func(*chunk[A, B]) bool) {
		c := fresh()
		for a, err := range seq {
			if err != nil {
				c.err = err
				break
			}
			if c.in = append(c.in, a); len(c.in) == size {
				if !yield(c) {
					return
				}
				c = fresh()
			}
		}
		yield(c)
	}
}

// drain yields what the workers made of the queued chunks.
func drain[A, B any](queue <-chan *chunk[A, B], yield func(B, error) bool) {
	for c := range queue {
		<-c.done
		for _, b := range c.out {
			if !yield(b, nil) {
				return
			}
		}
		if c.err != nil {
			yield(*new(B), c.err)
			return
		}
	}
}
