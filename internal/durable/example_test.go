package durable_test

import (
	"fmt"
	"os"
	"path/filepath"

	"parley/internal/durable"
)

func Example() {
	dir, err := os.MkdirTemp("", "durable")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	// A file: readers see the old content until Commit, then the new.
	path := filepath.Join(dir, "run.txt")
	write := func() error {
		f, err := durable.Create(path)
		if err != nil {
			return err
		}
		defer f.Discard() // does nothing after Commit
		if _, err := fmt.Fprintln(f, "q1 Q0 p7 1 12.5 parley"); err != nil {
			return err
		}
		_, err = os.Stat(path)
		fmt.Println("before Commit, missing:", os.IsNotExist(err))
		return f.Commit()
	}
	if err := write(); err != nil {
		panic(err)
	}
	data, _ := os.ReadFile(path)
	fmt.Print(string(data))

	// A folder is never replaced by mistake.
	_, err = durable.CreateDir(dir, "index.json")
	fmt.Println("refused:", err != nil)
	// Output:
	// before Commit, missing: true
	// q1 Q0 p7 1 12.5 parley
	// refused: true
}
