//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package durable

import (
	"errors"
	"os"
)

// errLocked says that another writer holds the lock.
var errLocked = errors.New("locked")

// lock knows no locks here: nothing is known to be stale.
func lock(*os.File) error { return errors.ErrUnsupported }
