//go:build !linux

package durable

import "os"

// swapIn gives temp the name path. An existing folder at path is left under
// temp's name.
func swapIn(temp, path string) error {
	if !exists(path) {
		return os.Rename(temp, path)
	}
	return renameAside(temp, path)
}
