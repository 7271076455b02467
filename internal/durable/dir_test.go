package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// writeDir commits a folder with a marker and one file.
func writeDir(path, data string) error {
	d, err := CreateDir(path, "marker")
	if err != nil {
		return err
	}
	defer d.Discard()
	for _, name := range []string{"marker", filepath.Join("sub", "data")} {
		file := filepath.Join(d.Path(), name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(data), 0o666); err != nil {
			return err
		}
	}
	return d.Commit()
}

func TestDirAppearsOnCommit(t *testing.T) {
	parent := t.TempDir()
	path := filepath.Join(parent, "index")
	for _, data := range []string{"first", "second"} { // made, then replaced
		if err := writeDir(path, data); err != nil {
			t.Fatal(err)
		}
		wantFile(t, filepath.Join(path, "marker"), data)
		wantFile(t, filepath.Join(path, "sub", "data"), data)
		wantOnly(t, path, "marker", "sub")
		wantOnly(t, parent, "index")
	}
}

func TestDirDiscardLeavesTheOld(t *testing.T) {
	parent := t.TempDir()
	path := filepath.Join(parent, "index")
	if err := writeDir(path, "old"); err != nil {
		t.Fatal(err)
	}
	d, err := CreateDir(path, "marker")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Path(), "half"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	d.Discard()
	if err := d.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("commit after discard: %v, want %v", err, fs.ErrClosed)
	}
	wantFile(t, filepath.Join(path, "marker"), "old")
	wantOnly(t, parent, "index")
}

func TestForeignFoldersAreRefused(t *testing.T) {
	parent := t.TempDir()
	path := filepath.Join(parent, "thesis")
	mustWrite(t, filepath.Join(path, "chapter.txt"), "years of work")
	_, err := CreateDir(path, "marker")
	wantError(t, err, path, "not empty and has no marker")
	_, err = CreateDir(filepath.Join(path, "chapter.txt"), "marker")
	wantError(t, err, "chapter.txt: not a directory")
	wantFile(t, filepath.Join(path, "chapter.txt"), "years of work")
	wantOnly(t, parent, "thesis")

	t.Chdir(t.TempDir())
	_, err = CreateDir(".", "marker")
	wantError(t, err, "current folder")
}

// TestFilesOfStagedFolders: what goes wrong with a file of a folder is told in
// the user's words, not those of the moment.
func TestFilesOfStagedFolders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model")
	d, err := CreateDir(path, "marker")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Discard()
	mustWrite(t, filepath.Join(d.Path(), "weights"), "x")
	err = WriteFile(filepath.Join(d.Path(), "weights", "first"), nil)
	wantError(t, err, "cannot write "+filepath.Join(path, "weights", "first")+": not a directory")
}

// TestFolderFilledMeanwhile: what came into an empty folder while its
// replacement was written is not lost.
func TestFolderFilledMeanwhile(t *testing.T) {
	path := t.TempDir()
	d, err := CreateDir(path, "marker")
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(path, "letter"), "dear")
	wantError(t, d.Commit(), path, "not empty")
	wantFile(t, filepath.Join(path, "letter"), "dear")
	if exists(d.Path()) {
		t.Error("the refused folder was left staged")
	}
}

func TestDirThroughLink(t *testing.T) {
	parent := t.TempDir()
	real, link := filepath.Join(parent, "disk", "index"), filepath.Join(parent, "index")
	if err := writeDir(real, "old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := writeDir(link, "new"); err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(real, "marker"), "new")
	wantOnly(t, parent, "disk", "index")
	wantOnly(t, filepath.Dir(real), "index")
}

func TestDirPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders have no modes here")
	}
	path := filepath.Join(t.TempDir(), "index")
	if err := writeDir(path, "old"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := writeDir(path, "new"); err != nil {
		t.Fatal(err)
	}
	if got := mode(t, path); got != 0o750 {
		t.Errorf("a replaced folder has mode %v, want the old one's 0750", got)
	}
}

// TestSwaps holds for the swap of this system and for the one in three renames.
func TestSwaps(t *testing.T) {
	for name, swap := range map[string]func(temp, path string) error{"system": swapIn, "aside": renameAside} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			temp, path := filepath.Join(parent, "temp"), filepath.Join(parent, "path")
			mustWrite(t, filepath.Join(temp, "data"), "new")
			mustWrite(t, filepath.Join(path, "data"), "old")
			mustWrite(t, path+".old", "of an earlier crash")
			if err := swap(temp, path); err != nil {
				t.Fatal(err)
			}
			wantFile(t, filepath.Join(path, "data"), "new")
			wantFile(t, filepath.Join(temp, "data"), "old")
			wantFile(t, path+".old", "of an earlier crash")
			wantOnly(t, parent, "path", "path.old", "temp")

			err := swap(filepath.Join(parent, "nothing"), path)
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("swap with nothing: %v, want %v", err, fs.ErrNotExist)
			}
			wantFile(t, filepath.Join(path, "data"), "new")
			wantOnly(t, parent, "path", "path.old", "temp")
		})
	}
}
