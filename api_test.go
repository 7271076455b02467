package parley_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// documented returns the packages of the module as their readers see them, by
// folder. It parses them anew, since package doc cuts off what is not exported.
func documented(t *testing.T) map[string]*doc.Package {
	t.Helper()
	parsed := map[string][]*ast.File{}
	for _, s := range mustSources(t) {
		if s.isTest() {
			continue
		}
		file, err := parser.ParseFile(files, s.path, s.text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		parsed[s.pkg] = append(parsed[s.pkg], file)
	}
	packages := map[string]*doc.Package{}
	for pkg, parts := range parsed {
		p, err := doc.NewFromFiles(files, parts, path.Join("parley", pkg))
		if err != nil {
			t.Fatal(err)
		}
		packages[pkg] = p
	}
	return packages
}

func isPublic(pkg string) bool {
	return !strings.HasPrefix(pkg, "internal/") && !isCommand(pkg)
}

// TestAPI compares the public surface with testdata/api.txt, so that a change
// of it is seen in review. To accept one: go test -run TestAPI -update .
func TestAPI(t *testing.T) {
	const golden = "testdata/api.txt"
	var b bytes.Buffer
	packages := documented(t)
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		if isPublic(pkg) {
			writeAPI(&b, packages[pkg])
		}
	}
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("the public surface has changed; if that is meant, run go test -run TestAPI -update .\n-want +got:\n%s", diff)
	}
}

// writeAPI writes the exported declarations of a package without comments.
func writeAPI(b *bytes.Buffer, p *doc.Package) {
	fmt.Fprintf(b, "package %s\n\n", p.ImportPath)
	writeValues(b, p.Consts, p.Vars)
	writeFuncs(b, p.Funcs)
	for _, typ := range p.Types {
		writeDecl(b, typ.Decl)
		writeValues(b, typ.Consts, typ.Vars)
		writeFuncs(b, typ.Funcs)
		writeFuncs(b, typ.Methods)
	}
	b.WriteString("\n")
}

func writeValues(b *bytes.Buffer, groups ...[]*doc.Value) {
	for _, value := range slices.Concat(groups...) {
		writeDecl(b, value.Decl)
	}
}

func writeFuncs(b *bytes.Buffer, funcs []*doc.Func) {
	for _, f := range funcs {
		bare := *f.Decl
		bare.Body = nil
		writeDecl(b, &bare)
	}
}

// writeDecl prints a declaration without comments and empty lines.
func writeDecl(b *bytes.Buffer, decl ast.Node) {
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			n.Doc = nil
		case *ast.FuncDecl:
			n.Doc = nil
		case *ast.TypeSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.ValueSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.Field:
			n.Doc, n.Comment = nil, nil
		}
		return true
	})
	var text bytes.Buffer
	if err := (&printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}).Fprint(&text, files, decl); err != nil {
		panic(err) // it was parsed
	}
	for line := range strings.Lines(text.String() + "\n") {
		if strings.TrimSpace(line) != "" {
			b.WriteString(line)
		}
	}
}

// TestEverythingIsDocumented asks for a comment on each package, which says
// what it guarantees, and on each exported name.
func TestEverythingIsDocumented(t *testing.T) {
	for pkg, p := range documented(t) {
		if words := len(strings.Fields(p.Doc)); words < 10 {
			t.Errorf("%s: the package comment has %d words, too few to say what it is", pkg, words)
		}
		if pkg != "cmd/parley" && !strings.Contains(strings.ToLower(p.Doc), "guarantee") {
			t.Errorf("%s: the package comment names no guarantee", pkg)
		}
		undocumentedValues(t, slices.Concat(p.Consts, p.Vars))
		undocumentedFuncs(t, p.Funcs)
		for _, typ := range p.Types {
			if typ.Doc == "" {
				t.Errorf("%s: type %s has no comment", files.Position(typ.Decl.Pos()), typ.Name)
			}
			undocumentedValues(t, slices.Concat(typ.Consts, typ.Vars))
			undocumentedFuncs(t, slices.Concat(typ.Funcs, typ.Methods))
		}
	}
}

func undocumentedFuncs(t *testing.T, funcs []*doc.Func) {
	t.Helper()
	for _, f := range funcs {
		if f.Doc == "" {
			t.Errorf("%s: %s has no comment", files.Position(f.Decl.Pos()), f.Name)
		}
	}
}

// undocumentedValues accepts a comment on the group for its members.
func undocumentedValues(t *testing.T, values []*doc.Value) {
	t.Helper()
	for _, value := range values {
		for _, spec := range value.Decl.Specs {
			spec := spec.(*ast.ValueSpec)
			exported := slices.ContainsFunc(spec.Names, func(name *ast.Ident) bool { return token.IsExported(name.Name) })
			if exported && value.Doc == "" && spec.Doc == nil && spec.Comment == nil {
				t.Errorf("%s: %s has no comment", files.Position(spec.Pos()), spec.Names[0].Name)
			}
		}
	}
}
