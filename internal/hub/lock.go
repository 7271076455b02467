package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// errLocked says that somebody else holds a lock.
var errLocked = errors.New("locked")

// lock keeps others, the hub's own tools among them, from downloading the same
// bytes, until the function that it returns is called. Where the system has no
// locks the checksum alone keeps the cache right.
func (f *fetcher) lock(ctx context.Context, one file) (func(), error) {
	path := filepath.Join(f.store.cache, ".locks", f.store.folder(), one.etag+".lock")
	for waited := false; ; waited = true {
		held, err := tryLock(path)
		if err == nil {
			return func() { _ = held.Close() }, nil
		}
		if !errors.Is(err, errLocked) {
			return nil, err
		}
		if !waited {
			f.options.Note(one.name + ": waiting for another download of it to end")
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// tryLock opens the file of a lock and takes it. Closing gives it back.
func tryLock(path string) (*os.File, error) {
	held, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o664)
	if err != nil {
		return nil, err
	}
	if err := flock(held); errors.Is(err, errLocked) {
		_ = held.Close()
		return nil, err
	}
	opened, err := held.Stat()
	if err == nil {
		named, namedErr := os.Stat(path)
		if namedErr == nil && os.SameFile(opened, named) {
			return held, nil
		}
		err = errLocked // its holder took the file away with the lock
	}
	_ = held.Close()
	return nil, err
}
