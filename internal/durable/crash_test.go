package durable

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// crashIn names the environment variable that makes the test binary a writer
// to be killed.
const crashIn = "PARLEY_DURABLE_CRASH_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashIn); dir != "" {
		writeForever(dir)
	}
	os.Exit(m.Run())
}

// writeForever replaces a file and a folder with ever new content whose every
// line is the same number.
func writeForever(dir string) {
	for n := 0; ; n++ {
		data := bytes.Repeat(fmt.Appendf(nil, "%d\n", n), 20_000)
		if err := WriteFile(filepath.Join(dir, "file"), data); err != nil {
			panic(err)
		}
		if err := writeDir(filepath.Join(dir, "folder"), strconv.Itoa(n)); err != nil {
			panic(err)
		}
	}
}

// TestKilledWriter kills a writer at many moments: each time the file and the
// folder are whole, and nothing but at most one staged rest is beside them,
// which the next writer removes.
func TestKilledWriter(t *testing.T) {
	dir := t.TempDir()
	for round := range 15 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), crashIn+"="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+7*round) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		checkWhole(t, dir)
		rests, err := filepath.Glob(filepath.Join(dir, ".*.partial"))
		if err != nil || len(rests) > 2 {
			t.Fatalf("%d staged rests after round %d: %v", len(rests), round, err)
		}
	}
	if err := WriteFile(filepath.Join(dir, "file"), nil); err != nil {
		t.Fatal(err)
	}
	if err := writeDir(filepath.Join(dir, "folder"), "last"); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, dir, "file", "folder")
}

func checkWhole(t *testing.T, dir string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "file"))
	if err == nil {
		line, _, _ := bytes.Cut(data, []byte("\n"))
		if !bytes.Equal(data, bytes.Repeat(append(line, '\n'), 20_000)) {
			t.Fatalf("the file holds a part or a mix: %d bytes, first line %s", len(data), line)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	marker, err := os.ReadFile(filepath.Join(dir, "folder", "marker"))
	if errors.Is(err, fs.ErrNotExist) && !exists(filepath.Join(dir, "folder")) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, filepath.Join(dir, "folder", "sub", "data"), string(marker))
}
