package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// renameAside swaps temp and path in three renames, for systems that cannot do
// it in one: a crash between them leaves the old content beside path under the
// suffix .old, whole.
func renameAside(temp, path string) error {
	old := path + ".old"
	for n := 2; exists(old); n++ { // left by an earlier crash: not ours to remove
		old = fmt.Sprintf("%s.old%d", path, n)
	}
	if err := os.Rename(path, old); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		if os.Rename(old, path) != nil {
			return fmt.Errorf("%w; its old content is in %s", cause(err), old)
		}
		return err
	}
	return os.Rename(old, temp)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
