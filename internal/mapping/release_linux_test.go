package mapping

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// resident returns how many kilobytes of the mapped file at path are in memory.
func resident(t *testing.T, path string) (kilobytes int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip("what is in memory cannot be told here: ", err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); strings.Contains(fields[0], "-") {
			inside = fields[len(fields)-1] == path
		}
		var n int
		if _, err := fmt.Sscanf(line, "Rss: %d kB", &n); inside && err == nil {
			kilobytes += n
		}
	}
	return kilobytes
}

// TestRelease says that what is released leaves the memory, and comes again.
func TestRelease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	want := bytes.Repeat([]byte("passages "), 1<<17)
	if err := os.WriteFile(path, want, 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, part := range [][]byte{f.Data, f.Data[1 : len(f.Data)-1], f.Data[7:9], f.Data[:0], f.Data[5000:9000]} {
		if !bytes.Equal(f.Data, want) {
			t.Fatal("the file reads differently")
		}
		before := resident(t, path)
		f.Release(part)
		if after, page := resident(t, path), os.Getpagesize(); after > before-(len(part)-2*page)/1024 {
			t.Errorf("%d bytes released: %d kB in memory, after %d kB", len(part), after, before)
		}
	}
}
