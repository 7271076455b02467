package f32

import (
	"sync"
	"sync/atomic"
)

// Task is work in pieces. Do does piece i; worker, below the team's number of
// workers, tells whose scratch space it may use. Pieces write to separate places.
type Task interface {
	Do(i, worker int)
}

// Team is a number of goroutines that share work piece by piece, so that one
// slow core does not hold up the rest. It belongs to one goroutine at a time,
// which works as worker 0, and allocates nothing once its buffers have grown.
type Team struct {
	crew    []*Multiplier // by worker
	shared  Packed        // B of the product at hand
	filling filling
	tiling  tiling

	task  Task
	count int64
	next  atomic.Int64
	wake  []chan struct{} // one for each worker but 0
	done  sync.WaitGroup
}

// NewTeam returns a team of at least one worker. Close ends it.
func NewTeam(workers int) *Team {
	t := &Team{crew: make([]*Multiplier, max(workers, 1))}
	for w := range t.crew {
		t.crew[w] = new(Multiplier)
		t.crew[w].reserveTile(active, blockM, blockK) // whoever meets the largest tile first
	}
	for w := 1; w < len(t.crew); w++ {
		wake := make(chan struct{}, 1)
		t.wake = append(t.wake, wake)
		go func() {
			for range wake {
				t.work(w)
				t.done.Done()
			}
		}()
	}
	return t
}

// Close ends the team's goroutines. The team is not used afterwards.
func (t *Team) Close() {
	for _, wake := range t.wake {
		close(wake)
	}
	t.wake = nil
}

// Workers returns the number of workers.
func (t *Team) Workers() int { return len(t.crew) }

// Multiplier returns worker's own, for use in Task.Do.
func (t *Team) Multiplier(worker int) *Multiplier { return t.crew[worker] }

// Do does the n pieces of task and returns when all are done. A task must not
// use the team that does it, but for its Multipliers.
func (t *Team) Do(n int, task Task) {
	helpers := min(len(t.wake), n-1)
	if helpers <= 0 {
		for i := range n {
			task.Do(i, 0)
		}
		return
	}
	t.task, t.count = task, int64(n)
	t.next.Store(0)
	t.done.Add(helpers)
	for _, wake := range t.wake[:helpers] {
		wake <- struct{}{}
	}
	t.work(0)
	t.done.Wait()
	t.task = nil
}

// work claims pieces until none is left.
func (t *Team) work(worker int) {
	for i := t.next.Add(1) - 1; i < t.count; i = t.next.Add(1) - 1 {
		t.task.Do(int(i), worker)
	}
}
