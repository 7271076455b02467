package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Resumable is a file whose writing may take long. It grows at its path with
// PartialSuffix behind it, where a killed writer leaves what it has written, and
// takes its name on Commit. What is left after a crash is a beginning of what was
// written, its end perhaps torn: who resumes it has to tell what of it is whole.
type Resumable struct {
	path   string // as the user named it
	target string // path with its links followed
	file   *os.File
	done   bool
}

// PartialSuffix is behind the name of a file that is not finished.
const PartialSuffix = ".partial"

// Resume opens what an interrupted writer of path left, or begins an empty file.
// A second writer is refused while the first lives, where the system has locks.
func Resume(path string) (*Resumable, error) {
	r, err := resume(path)
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", shown(path), cause(err))
	}
	return r, nil
}

func resume(path string) (*Resumable, error) {
	switch info, err := os.Stat(path); {
	case path == "":
		return nil, errors.New("its path is empty")
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file, and only such a one can be resumed")
	case info.Mode().Perm()&0o222 == 0:
		return nil, errors.New("it is write-protected")
	}
	target, err := follow(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
		return nil, err
	}
	file, err := openPartial(target + PartialSuffix)
	if err != nil {
		return nil, err
	}
	return &Resumable{path: path, target: target, file: file}, nil
}

// openPartial opens and locks the partial file name. A writer that ended between
// the two steps may have given the file another name: then the next is opened.
func openPartial(name string) (*os.File, error) {
	for range attempts {
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() { // to open a pipe is to wait for its reader
			return nil, fmt.Errorf("%s is not a regular file", filepath.Base(name))
		}
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		if lock(file) == errLocked {
			_ = file.Close()
			return nil, errors.New("another process is writing it")
		}
		if isAt(file, name) {
			return file, nil
		}
		_ = file.Close()
	}
	return nil, errors.New("the folder is in too much use")
}

// Partial returns the path at which the file grows.
func (r *Resumable) Partial() string { return r.target + PartialSuffix }

// Size returns the number of bytes written so far, those of an interrupted
// writer included.
func (r *Resumable) Size() (int64, error) {
	info, err := r.file.Stat()
	if err != nil {
		return 0, r.fail(err)
	}
	return info.Size(), nil
}

// ReadAt reads what was written.
func (r *Resumable) ReadAt(p []byte, off int64) (int, error) { return r.file.ReadAt(p, off) }

// Keep drops all but the first n bytes; Write goes on behind them.
func (r *Resumable) Keep(n int64) error {
	if err := r.file.Truncate(n); err != nil {
		return r.fail(err)
	}
	if _, err := r.file.Seek(n, io.SeekStart); err != nil {
		return r.fail(err)
	}
	return nil
}

// Write adds p to the file, at once: a killed process leaves what it wrote.
func (r *Resumable) Write(p []byte) (int, error) {
	n, err := r.file.Write(p)
	if err != nil {
		err = r.fail(err)
	}
	return n, err
}

func (r *Resumable) fail(err error) error {
	return fmt.Errorf("cannot write %s: %w", shown(r.path), cause(err))
}

// Commit syncs the file and gives it its name. It works once; after an error
// the partial file is still there.
func (r *Resumable) Commit() error {
	if r.done {
		return r.fail(fs.ErrClosed)
	}
	defer r.Close()
	if err := r.file.Sync(); err != nil {
		return r.fail(err)
	}
	if renamesClosed {
		_ = r.file.Close()
	}
	if err := os.Rename(r.target+PartialSuffix, r.target); err != nil {
		return r.fail(err)
	}
	if err := syncDir(filepath.Dir(r.target)); err != nil {
		return r.fail(err)
	}
	return nil
}

// Close leaves the partial file for later, unless it was committed. It may be
// deferred.
func (r *Resumable) Close() {
	if !r.done {
		r.done = true
		_ = r.file.Close()
	}
}

// Discard removes the partial file, unless it was committed.
func (r *Resumable) Discard() {
	if !r.done {
		_ = os.Remove(r.target + PartialSuffix)
		r.Close()
	}
}
