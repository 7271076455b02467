package parley_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// source is a Go file of this module.
type source struct {
	path string // slash-separated, from the root
	pkg  string // its folder: "." is the root
	text string
	file *ast.File
}

// isTest tells whether the file takes part in tests only.
func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// files are the positions of all sources.
var files = token.NewFileSet()

// sources reads every Go file of the module, whatever system it is for.
var sources = sync.OnceValues(func() ([]source, error) {
	var all []source
	err := walk(func(name string) error {
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(files, name, text, parser.ParseComments|parser.SkipObjectResolution)
		all = append(all, source{name, path.Dir(name), string(text), file})
		return err
	})
	return all, err
})

func mustSources(t *testing.T) []source {
	t.Helper()
	all, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("found %d Go files: the walk has lost its way", len(all))
	}
	return all
}

// walk calls visit for the files of the module, except those in testdata, in
// hidden folders and in modules of their own.
func walk(visit func(name string) error) error {
	return filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			return visit(filepath.ToSlash(name))
		case name == ".":
			return nil
		case entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
			return filepath.SkipDir
		}
		return nil
	})
}
