package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func mustWrite(t *testing.T, path, data string) {
	t.Helper()
	if err := WriteFile(path, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %q, want %q", path, got, want)
	}
}

// wantOnly fails unless dir holds exactly the named entries: no staged rest.
func wantOnly(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("%s holds %q, want %q", dir, got, names)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), ".partial") {
		t.Errorf("error %q is not one line in the user's words", err)
	}
}

func TestFileAppearsOnCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "made", "run.txt")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytes.Repeat([]byte("x"), 1<<17)); err != nil {
		t.Fatal(err)
	}
	if exists(path) {
		t.Error("the file is there before it is whole")
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, strings.Repeat("x", 1<<17))
	wantOnly(t, filepath.Dir(path), "run.txt")
	if err := f.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a second commit: %v, want %v", err, fs.ErrClosed)
	}
	f.Discard()
	wantOnly(t, filepath.Dir(path), "run.txt")
}

func TestDiscardLeavesTheOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.txt")
	mustWrite(t, path, "old")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	f.Discard()
	wantFile(t, path, "old")
	wantOnly(t, dir, "run.txt")
	if err := f.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("commit after discard: %v, want %v", err, fs.ErrClosed)
	}
}

// TestFailedCommit takes the staged file away, so that the rename must fail.
func TestFailedCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.txt")
	mustWrite(t, path, "old")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(f.file.Name()); err != nil {
		t.Fatal(err)
	}
	wantError(t, f.Commit(), "cannot write "+path+": ", "no such file")
	wantFile(t, path, "old")
	wantOnly(t, dir, "run.txt")
}

func TestRefusedFiles(t *testing.T) {
	dir := t.TempDir()
	locked, plain := filepath.Join(dir, "locked"), filepath.Join(dir, "plain")
	mustWrite(t, locked, "x")
	mustWrite(t, plain, "x")
	if err := os.Chmod(locked, 0o444); err != nil {
		t.Fatal(err)
	}
	for path, why := range map[string]string{
		"":                             "its path is empty",
		dir:                            "it is a folder",
		locked:                         "write-protected",
		filepath.Join(plain, "run"):    "not a directory",
		filepath.Join(dir, "\x00", ""): "invalid argument",
	} {
		_, err := Create(path)
		wantError(t, err, "cannot write "+path, why)
	}
	wantOnly(t, dir, "locked", "plain")
}

func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	kept, fresh := filepath.Join(dir, "kept"), filepath.Join(dir, "fresh")
	mustWrite(t, kept, "old")
	if err := os.Chmod(kept, 0o640); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, kept, "new")
	mustWrite(t, fresh, "new")
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := mode(t, kept); got != 0o640 {
		t.Errorf("a replaced file has mode %v, want the old one's 0640", got)
	}
	if got, want := mode(t, fresh), mode(t, plain); got != want {
		t.Errorf("a new file has mode %v, want %v as the umask gives", got, want)
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestLinksAreFollowed(t *testing.T) {
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	if err := os.Mkdir(disk, 0o777); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(disk, "run"), "old")
	for name, link := range map[string]string{
		"absolute": filepath.Join(disk, "run"), "relative": "disk/run", "chain": "relative", "dangling": "disk/later",
		"tree": "disk",
	} {
		if err := os.Symlink(link, filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	// Up from where disk/up really is: tree/up leads to dir/top, not dir/tree/top.
	if err := os.Symlink("../top", filepath.Join(disk, "up")); err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string]string{
		"absolute": "disk/run", "relative": "disk/run", "chain": "disk/run", "dangling": "disk/later", "tree/up": "top",
	} {
		mustWrite(t, filepath.Join(dir, name), "by "+name)
		wantFile(t, filepath.Join(dir, place), "by "+name)
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is a link no more", name)
		}
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	_, err := Create(loop)
	wantError(t, err, loop, "symbolic links")
}

func TestDevicesAreWrittenThrough(t *testing.T) {
	if _, err := os.Stat(os.DevNull); err != nil {
		t.Skip(err)
	}
	mustWrite(t, os.DevNull, "x")
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Fatalf("the null device became a file: %v, %v", info, err)
	}
}

// TestStaleRests: content of a dead writer goes, that of a live one and what
// only looks alike stay.
func TestStaleRests(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run")
	dead := filepath.Join(dir, stem(path)+"00000000000000ff.partial")
	deadDir := filepath.Join(dir, stem(path)+"0123456789abcdef.partial")
	alike := filepath.Join(dir, ".run.mine.partial")
	other := filepath.Join(dir, ".ruin.00000000000000ff.partial")
	for _, name := range []string{dead, alike, other} {
		if err := os.WriteFile(name, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(deadDir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	live, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if lock(live.file) != nil {
		t.Skip("no locks here")
	}
	if exists(dead) || exists(deadDir) {
		t.Error("what dead writers left is still there")
	}
	mustWrite(t, path, "second")
	if !exists(live.file.Name()) || !exists(alike) || !exists(other) {
		t.Error("removed what was not left over")
	}
	if err := live.Commit(); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "")
}

// TestManyWriters of one path: all succeed, and one content wins whole.
func TestManyWriters(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 10 {
				if err := WriteFile(path, bytes.Repeat([]byte{'a' + byte(i)}, 1000)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1000 || strings.Trim(string(got), string(got[:1])) != "" {
		t.Errorf("a mix of contents won: %q", got)
	}
	wantOnly(t, dir, "run")
}

func TestLongName(t *testing.T) {
	dir := t.TempDir()
	name := strings.Repeat("n", 255)
	mustWrite(t, filepath.Join(dir, name), "x")
	wantOnly(t, dir, name)
}

func TestFullDisk(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("needs a device that is always full:", err)
	}
	err := WriteFile(full, []byte("x"))
	wantError(t, err, "cannot write "+full+": no space left on device")
}
