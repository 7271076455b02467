package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	maxStem  = 200 // bytes of a path's name that its staged name repeats, of the 255 that file systems allow
	attempts = 100
)

// stagedName matches what follows the stem in a staged name.
var stagedName = regexp.MustCompile(`^[0-9a-f]{16}\.partial$`)

// stagedFolder matches the staged name of a folder in the path of what is in it.
var stagedFolder = regexp.MustCompile(`(^|[/\\])\.([^/\\]+)\.[0-9a-f]{16}\.partial([/\\])`)

// stem returns how the staged names of path's content begin.
func stem(path string) string {
	base := filepath.Base(path)
	return "." + base[:min(len(base), maxStem)] + "."
}

// stageFile makes a locked, empty file beside path.
func stageFile(path string) (*os.File, error) {
	return stage(path, func(name string) (*os.File, error) {
		return os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	})
}

// stageDir makes a locked, empty folder beside path.
func stageDir(path string) (*os.File, error) {
	return stage(path, func(name string) (*os.File, error) {
		if err := os.Mkdir(name, 0o777); err != nil {
			return nil, err
		}
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) { // taken for left over
			err = fs.ErrExist
		}
		return f, err
	})
}

// stage removes what dead writers of path left, and makes a place for a new one
// with create, which answers fs.ErrExist for a name that it cannot have. Another
// writer may take the new place for left over in the moment before it is locked:
// then the next name is tried.
func stage(path string, create func(name string) (*os.File, error)) (*os.File, error) {
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, err
	}
	removeStale(path)
	for range attempts {
		name := filepath.Join(parent, fmt.Sprintf("%s%016x.partial", stem(path), rand.Uint64()))
		f, err := create(name)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if lock(f) != errLocked && isAt(f, name) {
			return f, nil
		}
		_ = f.Close()
	}
	return nil, errors.New("the folder is in too much use")
}

// isAt tells whether name is still a name of f.
func isAt(f *os.File, name string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(name)
	return err == nil && os.SameFile(opened, named)
}

// removeStale removes the staged content of path whose writers are dead, as
// far as it may.
func removeStale(path string) {
	parent := filepath.Dir(path)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, entry := range entries {
		rest, ok := strings.CutPrefix(entry.Name(), stem(path))
		if !ok || !stagedName.MatchString(rest) || entry.Type()&fs.ModeSymlink != 0 {
			continue
		}
		name := filepath.Join(parent, entry.Name())
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		if lock(f) == nil {
			_ = os.RemoveAll(name)
		}
		_ = f.Close()
	}
}

// follow returns where path leads through symbolic links, the last of which may
// point to nothing yet.
func follow(path string) (string, error) {
	for range attempts {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		link, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(link) {
			// Not by words: .. counts from where the folder really is.
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err
			}
			link = filepath.Join(dir, link)
		}
		path = link
	}
	return "", errors.New("too many symbolic links")
}
