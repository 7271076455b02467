// Package durable writes files and folders whole or not at all.
//
// Its guarantee: after any crash, a path that was written through this package
// holds either all of the old content or all of the new, never a part. New
// content is synced to disk before it takes the path's name.
//
// It does not lock: of two writers of one path the last to commit wins.
package durable

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file being written. It appears under its path on Commit.
type File struct {
	path string
	temp *os.File
	buf  *bufio.Writer
	done bool
}

// Create starts to write the file at path. Missing parent folders are made.
func Create(path string) (*File, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("cannot write %s: it is a folder", path)
	}
	temp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.partial")
	if err != nil {
		return nil, err
	}
	return &File{path: path, temp: temp, buf: bufio.NewWriterSize(temp, 1<<16)}, nil
}

// Write adds p to the file.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.buf.Write(p)
	if err != nil {
		err = fmt.Errorf("cannot write %s: %w", f.path, err)
	}
	return n, err
}

// Commit syncs the file and gives it its name. After an error the path holds
// what it held before.
func (f *File) Commit() error {
	if f.done {
		return nil
	}
	err := errors.Join(f.buf.Flush(), f.temp.Chmod(0o644), f.temp.Sync())
	if err == nil {
		f.done = true
		err = errors.Join(f.temp.Close(), os.Rename(f.temp.Name(), f.path), syncDir(filepath.Dir(f.path)))
	}
	if err != nil {
		f.Discard()
		return fmt.Errorf("cannot write %s: %w", f.path, err)
	}
	return nil
}

// Discard drops what was written, unless it was committed. It may be deferred.
func (f *File) Discard() {
	if f.done {
		return
	}
	f.done = true
	_ = f.temp.Close()
	_ = os.Remove(f.temp.Name())
}

// WriteFile writes data as the whole content of path.
func WriteFile(path string, data []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}

// syncDir makes renames within dir outlast a crash. File systems that cannot
// sync a folder order renames themselves.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}
