package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func mustResume(t *testing.T, path string, keep int64) *Resumable {
	t.Helper()
	r, err := Resume(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Keep(keep); err != nil {
		t.Fatal(err)
	}
	return r
}

func mustAdd(t *testing.T, r *Resumable, data string) {
	t.Helper()
	if _, err := r.Write([]byte(data)); err != nil {
		t.Fatal(err)
	}
}

// TestResume writes a file in three goes, the last of which drops a torn end.
func TestResume(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "made", "vectors")
	first := mustResume(t, path, 0)
	mustAdd(t, first, "whole torn")
	if exists(path) {
		t.Error("the file is there before it is whole")
	}
	if _, err := Resume(path); lock(first.file) == nil {
		wantError(t, err, "cannot write "+path+": another process is writing it")
	}
	first.Close()
	second, err := Resume(path)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := second.Size(); n != 10 || err != nil {
		t.Errorf("%d bytes were left (%v), want 10", n, err)
	}
	read := make([]byte, 5)
	if _, err := second.ReadAt(read, 0); string(read) != "whole" || err != nil {
		t.Errorf("read %q (%v)", read, err)
	}
	if err := second.Keep(5); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, second, " again")
	if err := second.Commit(); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "whole again")
	wantOnly(t, filepath.Dir(path), "vectors")
	if err := second.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a second Commit gives %v", err)
	}
	second.Discard()
	wantFile(t, path, "whole again")
}

func TestResumeDiscard(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vectors")
	mustWrite(t, path, "before")
	r := mustResume(t, path, 0)
	mustAdd(t, r, "after")
	r.Discard()
	wantFile(t, path, "before")
	wantOnly(t, dir, "vectors")
}

func TestResumeRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "other"+PartialSuffix), 0o777); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(dir, "locked")
	mustWrite(t, locked, "x")
	if err := os.Chmod(locked, 0o444); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                          "its path is empty",
		dir:                         "it is not a regular file, and only such a one can be resumed",
		locked:                      "it is write-protected",
		filepath.Join(dir, "other"): "is not a regular file",
	} {
		_, err := Resume(path)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot write ") || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", path, err, want)
		}
	}
}
