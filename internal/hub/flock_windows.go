package hub

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// flock takes the lock of f, its first byte as the hub's own tools do, until f
// is closed or its process dies.
func flock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}
