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
	path   string // as the user named it
	target string // path with its links followed
	marker string
	staged *os.File // the staged folder, open for its lock
	done   bool
}

// CreateDir starts to write the folder at path. An existing folder is replaced
// on Commit only if it is empty or holds a file named marker, the sign that it
// is of the same kind; anything else is refused at once, so that a mistyped
// path costs nobody their files. Missing parent folders are made, a symbolic
// link is followed, and a folder that is already there keeps its permissions.
func CreateDir(path, marker string) (*Dir, error) {
	path = filepath.Clean(path)
	target, err := follow(path)
	if err != nil {
		return nil, fmt.Errorf("cannot write the folder %s: %w", path, cause(err))
	}
	if err := replaceable(target, marker); err != nil {
		return nil, fmt.Errorf("cannot replace the folder %s: %w", path, cause(err))
	}
	d, err := createDir(path, target, marker)
	if err != nil {
		return nil, fmt.Errorf("cannot write the folder %s: %w", path, cause(err))
	}
	return d, nil
}

func createDir(path, target, marker string) (*Dir, error) {
	staged, err := stageDir(target)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, target: target, marker: marker, staged: staged}
	if info, err := os.Stat(target); err == nil {
		if err := os.Chmod(d.Path(), info.Mode()&(fs.ModePerm|fs.ModeSetgid)); err != nil {
			d.Discard()
			return nil, err
		}
	}
	return d, nil
}

// replaceable tells why the folder at path must not be replaced.
func replaceable(path, marker string) error {
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case isCurrent(path):
		return errors.New("it is the current folder; name another")
	case len(entries) == 0:
		return nil
	}
	if _, err := os.Stat(filepath.Join(path, marker)); err != nil {
		return fmt.Errorf("it is not empty and has no %s; name another folder", marker)
	}
	return nil
}

// isCurrent tells whether path is the folder that relative paths start from,
// which cannot be swapped under a running shell.
func isCurrent(path string) bool {
	here, err := os.Stat(".")
	if err != nil {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && os.SameFile(here, info)
}

// Path returns where to write the folder's files until Commit.
func (d *Dir) Path() string { return d.staged.Name() }

// Commit syncs the files and gives the folder its name. It works once. After an
// error the path holds what it held before, or, if only the sync of the new
// name failed, the new content; whole in either case.
func (d *Dir) Commit() error {
	if d.done {
		return fmt.Errorf("cannot write the folder %s: %w", d.path, fs.ErrClosed)
	}
	if err := d.commit(); err != nil {
		d.Discard()
		return fmt.Errorf("cannot write the folder %s: %w", d.path, cause(err))
	}
	return nil
}

func (d *Dir) commit() error {
	if err := replaceable(d.target, d.marker); err != nil { // it may have changed since
		return err
	}
	if err := syncTree(d.Path()); err != nil {
		return err
	}
	if renamesClosed {
		_ = d.staged.Close()
	}
	if err := swapIn(d.Path(), d.target); err != nil {
		return err
	}
	d.done = true
	_ = d.staged.Close()
	// The old folder may go only once the swap is on disk.
	if err := syncDir(filepath.Dir(d.target)); err != nil {
		return err
	}
	_ = os.RemoveAll(d.Path())
	return nil
}

// Discard drops what was written, unless it was committed. It may be deferred.
func (d *Dir) Discard() {
	if d.done {
		return
	}
	d.done = true
	_ = os.RemoveAll(d.Path())
	_ = d.staged.Close()
}
