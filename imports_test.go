package parley_test

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// lattice says who may know whom: the packages left of an arrow may import of
// ours what stands right of it, and nothing else. Each package has one line;
// one that is not there yet may have it already. What knows nothing of ours
// comes first.
//
// Test files may import more, but only commands may be known to none: nothing
// imports cmd or bench.
const lattice = `
sparse dialog trec                                                →
internal/f32 internal/wordpiece internal/mapping                  →
internal/durable internal/table internal/chart internal/strictjson →
internal/hub internal/hub/hubtest distill/sample                  →

measure             → trec sparse
internal/prune      → sparse
internal/world      → dialog
collection          → dialog trec internal/world
internal/importer   → collection dialog trec
internal/vectors    → sparse
index               → sparse internal/mapping
internal/safetensors → internal/f32 internal/mapping internal/strictjson
search              → sparse index
internal/input      → dialog internal/wordpiece
internal/lexical    → sparse internal/f32 internal/safetensors internal/input
internal/bert       → sparse internal/f32
internal/checkpoint → internal/f32 internal/bert internal/wordpiece internal/safetensors internal/mapping internal/strictjson
internal/model      → dialog internal/prune internal/wordpiece internal/safetensors internal/input internal/lexical internal/bert internal/checkpoint
encoder             → dialog sparse internal/prune internal/wordpiece internal/input internal/lexical internal/bert internal/checkpoint internal/model
distill/objective   → sparse internal/f32
distill             → distill/objective distill/sample dialog sparse trec measure internal/prune internal/f32 internal/wordpiece internal/safetensors internal/input internal/lexical internal/bert internal/checkpoint internal/model
rewrite             → dialog
.                   → dialog sparse trec encoder index search
internal/serve      → . dialog trec
internal/questions  → dialog trec index
study               → collection dialog sparse trec measure encoder index search distill internal/wordpiece internal/questions
internal/report     → study measure sparse distill collection internal/table internal/chart
cmd/parley          → *
bench/encoders      → *
`

// forAll is what any package may import: whoever writes files writes them whole.
const forAll = "internal/durable"

// commandsOnly are the packages for flags, terminals, signals and processes.
var commandsOnly = []string{
	"flag", "os/exec", "os/signal",
	"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/schollz/progressbar/v3", "golang.org/x/term",
}

// processOnly are the names of package os that only commands may use: the
// environment, the arguments, the streams and the end of the process.
var processOnly = []string{
	"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Args", "Exit", "Stdin", "Stdout", "Stderr", "Getwd", "UserHomeDir", "UserCacheDir",
}

// parseLattice returns for each package what it may import of ours.
func parseLattice(t *testing.T) map[string][]string {
	t.Helper()
	allowed := map[string][]string{}
	for line := range strings.Lines(lattice) {
		left, right, ok := strings.Cut(line, "→")
		if !ok {
			continue
		}
		for _, pkg := range strings.Fields(left) {
			if _, twice := allowed[pkg]; twice {
				t.Fatalf("the lattice has two lines for %s", pkg)
			}
			allowed[pkg] = strings.Fields(right)
		}
	}
	for pkg, imports := range allowed {
		for _, name := range imports {
			if _, known := allowed[name]; !known && name != "*" {
				t.Errorf("the lattice lets %s import %s, which has no line", pkg, name)
			}
		}
	}
	return allowed
}

// violations returns what is wrong with the imports of a file in pkg.
func violations(allowed map[string][]string, pkg string, imports []string, isTest bool) []string {
	may, known := allowed[pkg]
	if !known {
		return []string{pkg + " has no line in the lattice"}
	}
	var wrong []string
	for _, name := range imports {
		ours, isOurs := folder(name)
		switch {
		case name == "C":
			wrong = append(wrong, pkg+" uses cgo")
		case isOurs && isCommand(ours):
			wrong = append(wrong, pkg+" imports the command "+ours)
		case isTest || isCommand(pkg):
		case isOurs && ours != forAll && !slices.Contains(may, ours):
			wrong = append(wrong, pkg+" must not import "+ours)
		case slices.Contains(commandsOnly, name):
			wrong = append(wrong, pkg+" must not import "+name+": only commands know flags, terminals, signals and processes")
		}
	}
	return wrong
}

// isCommand tells whether a package is a program: the product's, or one that
// measures it.
func isCommand(pkg string) bool {
	return strings.HasPrefix(pkg, "cmd/") || strings.HasPrefix(pkg, "bench/")
}

// folder returns the folder of an import path of this module.
func folder(importPath string) (string, bool) {
	if importPath == "parley" {
		return ".", true
	}
	return strings.CutPrefix(importPath, "parley/")
}

func imports(file *ast.File) []string {
	var paths []string
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // it was parsed
		}
		paths = append(paths, name)
	}
	return paths
}

func TestImports(t *testing.T) {
	allowed := parseLattice(t)
	for _, s := range mustSources(t) {
		for _, wrong := range violations(allowed, s.pkg, imports(s.file), s.isTest()) {
			t.Errorf("%s: %s", s.path, wrong)
		}
	}
}

// TestOnlyCommandsKnowTheProcess looks for the environment, the arguments and
// the streams of the process outside cmd.
func TestOnlyCommandsKnowTheProcess(t *testing.T) {
	for _, s := range mustSources(t) {
		if s.isTest() || isCommand(s.pkg) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := selector.X.(*ast.Ident); ok && x.Name == "os" && slices.Contains(processOnly, selector.Sel.Name) {
					t.Errorf("%s: os.%s is for commands only", files.Position(n.Pos()), selector.Sel.Name)
				}
			}
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING && strings.Contains(literal.Value, "../shared") {
				t.Errorf("%s: the product reads nothing outside itself", files.Position(n.Pos()))
			}
			return true
		})
	}
}

// TestViolations makes sure that the lattice can be broken.
func TestViolations(t *testing.T) {
	allowed := parseLattice(t)
	for _, c := range []struct {
		pkg, imports string
		isTest       bool
		wrong        int
	}{
		{"search", "parley/index parley/sparse parley/internal/durable os", false, 0},
		{"index", "parley/search", false, 1},
		{"index", "parley/search flag os/exec", true, 0},
		{"sparse", "parley/dialog flag C", false, 3},
		{"sparse", "parley/cmd/parley C", true, 2},
		{"encoder", "parley/bench/encoders", false, 1},
		{"internal/serve", "parley", false, 0},
		{"measure", "parley", false, 1},
		{"internal/util", "fmt", false, 1},
		{"cmd/parley", "flag os/signal parley/internal/table", false, 0},
	} {
		got := violations(allowed, c.pkg, strings.Fields(c.imports), c.isTest)
		if len(got) != c.wrong {
			t.Errorf("%s importing %s: %q, want %d violations", c.pkg, c.imports, got, c.wrong)
		}
	}
}
