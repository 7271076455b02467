package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// swapIn gives temp the name path. An existing folder at path is exchanged
// with it in one step and is left under temp's name.
func swapIn(temp, path string) error {
	if !exists(path) {
		return os.Rename(temp, path)
	}
	err := unix.Renameat2(unix.AT_FDCWD, temp, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, errors.ErrUnsupported) { // a file system without the exchange
		return renameAside(temp, path)
	}
	return err
}
