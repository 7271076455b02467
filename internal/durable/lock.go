package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Lock is held by one process at a time, until it lets go or dies.
type Lock struct {
	path string
	file *os.File
}

// TryLock takes the lock that the file path stands for, making the file and its
// folder where they are missing; ok is false while somebody else holds it. Where
// the file system has no locks, everybody gets it.
func TryLock(path string) (l *Lock, ok bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, false, fmt.Errorf("cannot lock %s: %w", path, cause(err))
	}
	for range attempts {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, false, fmt.Errorf("cannot lock %s: %w", path, cause(err))
		}
		if lock(file) == errLocked {
			return nil, false, file.Close()
		}
		if isAt(file, path) {
			return &Lock{path, file}, true, nil
		}
		_ = file.Close() // the one who held it removed it: the next file is another lock
	}
	return nil, false, fmt.Errorf("cannot lock %s: the folder is in too much use", path)
}

// Locked tells whether somebody holds the lock that the file path stands for.
func Locked(path string) (bool, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot look at the lock %s: %w", path, cause(err))
	}
	held := lock(file) == errLocked
	return held, file.Close()
}

// Unlock lets go and removes the file.
func (l *Lock) Unlock() error {
	if renamesClosed { // nor does such a system remove what is open
		err := l.file.Close()
		_ = os.Remove(l.path)
		return err
	}
	err := os.Remove(l.path) // while it is held, so that nobody can hold what is removed
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.file.Close())
}
