//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// errLocked says that another writer holds the lock.
var errLocked = errors.New("locked")

// lock takes the lock of f until f is closed or its process dies. File systems
// without locks give another error: there nothing is known to be stale.
func lock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errLocked
	}
	return err
}
