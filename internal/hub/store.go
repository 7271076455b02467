package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"parley/internal/durable"
)

// store is one model's part of a cache, as the hub's own tools lay it out:
//
//	CACHEDIR.TAG
//	.locks/models--OWNER--NAME/ETAG.lock
//	models--OWNER--NAME/blobs/ETAG              the bytes of a file
//	models--OWNER--NAME/blobs/ETAG.incomplete   some of them
//	models--OWNER--NAME/refs/REVISION           a commit
//	models--OWNER--NAME/snapshots/COMMIT/FILE   a link to ../../blobs/ETAG
type store struct {
	cache string
	name  Name
}

func (s store) folder() string { return "models--" + s.name.Owner + "--" + s.name.Model }

func (s store) path(parts ...string) string {
	return filepath.Join(append([]string{s.cache, s.folder()}, parts...)...)
}

func (s store) blob(etag string) string       { return s.path("blobs", etag) }
func (s store) snapshot(commit string) string { return s.path("snapshots", commit) }
func (s store) ref(rev string) string         { return s.path("refs", filepath.FromSlash(rev)) }
func (s store) pointer(commit, name string) string {
	return filepath.Join(s.snapshot(commit), filepath.FromSlash(name))
}

// prepare makes the folders, and tells backup programs that a cache is one.
func (s store) prepare() error {
	for _, dir := range []string{s.path("blobs"), s.path("refs"), s.path("snapshots"), filepath.Join(s.cache, ".locks", s.folder())} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fmt.Errorf("the cache cannot be written: %w", err)
		}
	}
	tag, err := os.OpenFile(filepath.Join(s.cache, "CACHEDIR.TAG"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil // there already, or nobody's loss
	}
	_, err = tag.WriteString("Signature: 8a477f597d28d172789f06886806bc55\n# A cache of model files, see https://bford.info/cachedir/\n")
	return errors.Join(err, tag.Close())
}

// has tells whether a file of a commit is in the cache, of the right size where
// that is known.
func (s store) has(commit string, f file) bool {
	return isFile(s.pointer(commit, f.name), f.size)
}

// isFile tells whether path leads to a file of a size; below 0, of any.
func isFile(path string, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (size < 0 || info.Size() == size)
}

// point makes a file of a snapshot lead to its bytes: by a relative link, so
// that the cache can be moved; where the system has none, by a second name.
func (s store) point(commit string, f file) error {
	pointer, blob := s.pointer(commit, f.name), s.blob(f.etag)
	if err := os.MkdirAll(filepath.Dir(pointer), 0o777); err != nil {
		return err
	}
	target, err := filepath.Rel(filepath.Dir(pointer), blob)
	if err != nil {
		return err
	}
	if at, err := os.Readlink(pointer); err == nil && at == target {
		return nil
	}
	if err := os.Remove(pointer); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err = os.Symlink(target, pointer); err == nil {
		return nil
	}
	if linkErr := os.Link(blob, pointer); linkErr != nil {
		return fmt.Errorf("%w, nor %w: put the cache on a file system that has links", err, linkErr)
	}
	return nil
}

// setRef notes which commit a revision stands for.
func (s store) setRef(rev, commit string) error {
	if rev == commit {
		return nil
	}
	if old, err := s.commit(rev); err == nil && old == commit {
		return nil // the cache may be one that others write
	}
	return durable.WriteFile(s.ref(rev), []byte(commit))
}

// commit returns what a revision stood for when it was last fetched.
func (s store) commit(rev string) (string, error) {
	if hexCommit.MatchString(rev) {
		return rev, nil
	}
	f, err := os.Open(s.ref(rev))
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 100))
	if err != nil {
		return "", err
	}
	commit := strings.TrimSpace(string(data))
	if !hexCommit.MatchString(commit) {
		return "", fmt.Errorf("%s holds no commit: delete it, and fetch the model again", s.ref(rev))
	}
	return commit, nil
}

// Cached returns a model that is in the cache with all that Parley reads,
// without asking any hub. Of the options it uses Cache and Files.
func Cached(n Name, o Options) (*Snapshot, error) {
	s := store{o.Cache, n}
	commit, err := s.commit(n.Revision)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not in the cache %s: %w", n, o.Cache, ErrNotCached)
	}
	if err != nil {
		return nil, err
	}
	dir := s.snapshot(commit)
	all, err := filesUnder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not in the cache %s at commit %s: %w", n, o.Cache, commit, ErrNotCached)
	}
	if err != nil {
		return nil, err
	}
	names, err := choose(all, o.Files, func(name string) ([]byte, error) {
		return readGuide(filepath.Join(dir, filepath.FromSlash(name)))
	})
	if err != nil {
		return nil, fmt.Errorf("%s is not whole in the cache: %s: %w: %w", n, dir, err, ErrNotCached)
	}
	return &Snapshot{Path: dir, Commit: commit, Files: names}, nil
}

// ErrNotCached is in the errors on models that are to be fetched first.
var ErrNotCached = errors.New("fetch it first")

// filesUnder returns the slash-separated names of the files in a folder whose
// bytes are there.
func filesUnder(dir string) (map[string]bool, error) {
	all := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil && isFile(path, -1) {
			all[filepath.ToSlash(name)] = true
		}
		return err
	})
	return all, err
}

// Copy writes the files of a snapshot as a plain folder, whole. It replaces a
// folder only where that holds a model.
func (s *Snapshot) Copy(dir string) error {
	out, err := durable.CreateDir(dir, configFile)
	if err != nil {
		return err
	}
	defer out.Discard()
	for _, name := range s.Files {
		name = filepath.FromSlash(name)
		if err := copyFile(filepath.Join(out.Path(), name), filepath.Join(s.Path, name)); err != nil {
			return fmt.Errorf("cannot write the folder %s: %w", dir, full(err))
		}
	}
	return out.Commit()
}

func copyFile(to, from string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
