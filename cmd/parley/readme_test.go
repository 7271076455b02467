package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReadmeRuns runs the walk through one's own data in README.md, on the tiny
// collection of the tests.
func TestReadmeRuns(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	tiny, err := filepath.Abs("../../testdata/tiny")
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.DeleteFunc(slices.Collect(commandLines(fenced(string(readme)))), func(line string) bool {
		return !strings.Contains(line, "data/") && !strings.Contains(line, ".index")
	})
	if len(lines) < 8 {
		t.Fatalf("found %d commands in README.md: the walk has moved", len(lines))
	}
	t.Chdir(t.TempDir())
	if err := os.CopyFS(filepath.Join("data", "mine"), os.DirFS(tiny)); err != nil {
		t.Fatal(err)
	}
	writeSplade(t, filepath.Join("data", "mine"))
	table := ""
	var stdout bytes.Buffer
	for _, line := range lines {
		var stderr bytes.Buffer
		stdout.Reset()
		if code := run(context.Background(), shellWords(line)[1:], strings.NewReader(""), &stdout, &stderr); code != exitOK {
			t.Fatalf("%s: exit code %d\n%s", line, code, stderr.String())
		}
		if strings.HasPrefix(line, "parley eval") {
			table = stdout.String()
		}
	}
	for _, name := range []string{"last", "history", "rewrite", "student"} {
		if !strings.Contains(table, name) {
			t.Errorf("the table lacks %s:\n%s", name, table)
		}
	}
	t.Log(table)
}
