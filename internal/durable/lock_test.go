package durable

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// TestLockIsHeldByOne: of many who ask at once one holds it, and when it lets go
// another can; the file goes with the last.
func TestLockIsHeldByOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "lock")
	var held, taken atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				l, ok, err := TryLock(path)
				if err != nil {
					t.Error(err)
					return
				}
				if !ok {
					continue
				}
				if n := held.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				taken.Add(1)
				held.Add(-1)
				if err := l.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() == 0 {
		t.Error("nobody got the lock")
	}
	if exists(path) {
		t.Error("the file of the lock is left")
	}
	l, ok, err := TryLock(path)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, again, err := TryLock(path); again || err != nil {
		t.Error("a lock that is held was given away", err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, filepath.Dir(path))
}
