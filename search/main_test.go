package search_test

import (
	"os"
	"testing"
)

// benchFolder is where the benchmarks keep their index.
var benchFolder string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if benchFolder, err = os.MkdirTemp("", "parley-bench"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(benchFolder)
	return m.Run()
}
