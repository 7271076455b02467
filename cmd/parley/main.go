// Command parley distils, indexes, searches and measures conversational
// search with learned sparse vectors. Run parley --help.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
