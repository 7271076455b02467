package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Dir is a folder being written. It appears under its path on Commit.
type Dir struct {
	path, temp string
	done       bool
}

// CreateDir starts to write the folder at path. An existing folder is replaced
// on Commit only if it is empty or holds a file named marker, the sign that it
// is of the same kind; anything else is refused at once, so that a mistyped
// path costs nobody their files.
func CreateDir(path, marker string) (*Dir, error) {
	path = filepath.Clean(path)
	if err := replaceable(path, marker); err != nil {
		return nil, err
	}
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(path)+".*.partial")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return nil, err
	}
	return &Dir{path: path, temp: temp}, nil
}

func replaceable(path, marker string) error {
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot write the folder %s: %w", path, err)
	case len(entries) == 0:
		return nil
	}
	if _, err := os.Stat(filepath.Join(path, marker)); err != nil {
		return fmt.Errorf("cannot replace the folder %s: it is not empty and has no %s; name another folder", path, marker)
	}
	return nil
}

// Path returns where to write the folder's files until Commit.
func (d *Dir) Path() string { return d.temp }

// Commit syncs the files and gives the folder its name. After an error the
// path holds what it held before.
func (d *Dir) Commit() error {
	if d.done {
		return nil
	}
	defer d.Discard()
	if err := syncTree(d.temp); err != nil {
		return fmt.Errorf("cannot write the folder %s: %w", d.path, err)
	}
	if err := swapIn(d.temp, d.path); err != nil {
		return fmt.Errorf("cannot write the folder %s: %w", d.path, err)
	}
	return syncDir(filepath.Dir(d.path))
}

// Discard drops what was written, unless it was committed. It may be deferred.
func (d *Dir) Discard() {
	if !d.done {
		d.done = true
		_ = os.RemoveAll(d.temp) // after a swap, the old content
	}
}

func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return syncDir(path)
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}
