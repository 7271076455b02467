package durable

import "os"

// renameAside swaps temp and path in three renames, for systems that cannot do
// it in one: a crash between them leaves the old content beside path under the
// suffix .old, whole.
func renameAside(temp, path string) error {
	old := path + ".old"
	if err := os.Rename(path, old); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		_ = os.Rename(old, path)
		return err
	}
	return os.Rename(old, temp)
}
