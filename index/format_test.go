package index

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/sparse"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestFormat holds the bytes of an index against testdata/format.txt. A
// difference means a new format: raise Version.
func TestFormat(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	b, err := Create(dir, Options{Vocabulary: 4, Fingerprint: "f00d", Encoder: "by hand"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Discard()
	for _, err := range []error{
		b.Add("p2", "Robin", "sings", sparse.Vector{Terms: []uint32{1, 3}, Weights: []float32{1, 2.55}}),
		b.Add("p10", "", "silent", sparse.Vector{}),
		b.Add("p1", "", "wren", sparse.Vector{Terms: []uint32{3}, Weights: []float32{.001}}),
		os.WriteFile(filepath.Join(b.Dir(), EncoderDir, "vocab.txt"), []byte("[UNK]\n"), 0o666),
		b.Commit(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	const golden = "testdata/format.txt"
	got := dump(t, dir)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the format changed (-golden +written):\n%s", diff)
	}
}

// dump writes the files of an index as annotated bytes.
func dump(t *testing.T, dir string) string {
	t.Helper()
	m, err := readManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	names := map[string][]string{
		postingsFile: {"begin", "passages", "impacts"},
		forwardFile:  {"terms, padding", "begin", "impacts"},
		passagesFile: {"bytes, padding", "begin", "by id"},
	}
	for _, file := range []string{postingsFile, forwardFile, passagesFile, manifestFile} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "--- %s, %d bytes\n", file, len(data))
		if file == manifestFile {
			out.Write(data)
			continue
		}
		fmt.Fprintf(&out, "header\n%s", hex.Dump(data[:headerSize]))
		at := m.layout()[file]
		for i, name := range names[file] {
			fmt.Fprintf(&out, "%s, from %d\n%s", name, at[i], hex.Dump(data[at[i]:at[i+1]]))
		}
	}
	return out.String()
}
