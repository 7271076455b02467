//go:build !linux

package durable

import (
	"errors"
	"io/fs"
	"os"
)

// swapIn gives temp the name path. An existing folder at path is left under
// temp's name.
func swapIn(temp, path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(temp, path)
	}
	return renameAside(temp, path)
}
