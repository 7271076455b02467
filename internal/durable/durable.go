// Package durable writes files and folders whole or not at all.
//
// Its guarantee: after any crash, a path that was written through this package
// holds either all of the old content or all of the new, never a part. New
// content is synced to disk before it takes the path's name. (Where the system
// cannot swap two folders in one step, a crash in the middle of the swap leaves
// the old folder beside the path, whole, with .old behind its name.)
//
// Content is staged beside the path, in hidden names that end in .partial. What
// a killed process left there is removed by the next writer of the same path;
// what a live one is writing is locked, and left alone.
//
// It does not lock paths: of two writers of one path the last to commit wins.
// Devices and pipes, such as /dev/stdout, are written straight through.
package durable

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// File is a file being written. It appears under its path on Commit.
type File struct {
	path   string   // as the user named it
	target string   // path with its links followed; empty: written straight through
	file   *os.File // the staged file
	buf    *bufio.Writer
	done   bool
}

// Create starts to write the file at path. Missing parent folders are made, a
// symbolic link is followed. A file that is already there keeps its permissions,
// and is refused at once if they forbid everyone to write it.
func Create(path string) (*File, error) {
	f, err := create(path)
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", shown(path), cause(err))
	}
	f.buf = bufio.NewWriterSize(f.file, 1<<16)
	return f, nil
}

func create(path string) (*File, error) {
	info, err := os.Stat(path)
	switch {
	case path == "":
		return nil, errors.New("its path is empty")
	case errors.Is(err, fs.ErrNotExist):
		info = nil
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a folder")
	case !info.Mode().IsRegular():
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		return &File{path: path, file: file}, err
	case info.Mode().Perm()&0o222 == 0:
		return nil, errors.New("it is write-protected")
	}
	target, err := follow(path)
	if err != nil {
		return nil, err
	}
	file, err := stageFile(target)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, target: target, file: file}
	if info != nil {
		if err := file.Chmod(info.Mode().Perm()); err != nil {
			f.Discard()
			return nil, err
		}
	}
	return f, nil
}

// Write adds p to the file.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.buf.Write(p)
	if err != nil {
		err = fmt.Errorf("cannot write %s: %w", shown(f.path), cause(err))
	}
	return n, err
}

// Commit syncs the file and gives it its name. It works once. After an error
// the path holds what it held before, or, if only the sync of the new name
// failed, the new content; whole in either case.
func (f *File) Commit() error {
	if f.done {
		return fmt.Errorf("cannot write %s: %w", shown(f.path), fs.ErrClosed)
	}
	defer f.Discard()
	if err := f.commit(); err != nil {
		return fmt.Errorf("cannot write %s: %w", shown(f.path), cause(err))
	}
	return nil
}

func (f *File) commit() error {
	if err := f.buf.Flush(); err != nil {
		return err
	}
	if f.target == "" {
		f.done = true
		return f.file.Close()
	}
	if err := f.file.Sync(); err != nil {
		return err
	}
	if renamesClosed {
		_ = f.file.Close()
	}
	if err := os.Rename(f.file.Name(), f.target); err != nil {
		return err
	}
	f.done = true
	_ = f.file.Close() // with the lock, which had to cover the rename; Sync has told all errors
	return syncDir(filepath.Dir(f.target))
}

// renamesClosed tells whether the system renames only what is not open.
const renamesClosed = runtime.GOOS == "windows"

// Discard drops what was written, unless it was committed. It may be deferred.
func (f *File) Discard() {
	if f.done {
		return
	}
	f.done = true
	_ = f.file.Close()
	if f.target != "" {
		_ = os.Remove(f.file.Name())
	}
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

// shown returns path as the user knows it: a folder of it that is staged goes by
// the name that it will have.
func shown(path string) string { return stagedFolder.ReplaceAllString(path, "$1$2$3") }

// cause returns what went wrong without the staged names, which say nothing to
// the user: "no space left on device".
func cause(err error) error {
	if path := new(fs.PathError); errors.As(err, &path) {
		return path.Err
	}
	if link := new(os.LinkError); errors.As(err, &link) {
		return link.Err
	}
	return err
}
