package parley_test

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Budgets of size, in lines. They keep files and functions readable at one
// sitting; what outgrows them is two things.
const (
	maxFile        = 700
	medianFunction = 12
	ninthFunction  = 45 // the 90th percentile
)

// markdown returns the Markdown files of the module.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := walk(func(name string) error {
		if path.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(name)
		texts[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

var (
	fence = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// aPath is a folder or a file within the module, as ARCHITECTURE.md writes
	// it: with a slash or an ending, or at the head of a row of a table.
	aPath   = regexp.MustCompile("`(\\.?[\\w-]+(?:/[\\w.-]+)+|[\\w-]+\\.(?:go|md))`|(?m)^\\| `([\\w./-]+)` \\|")
	heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
)

// brokenLinks returns the relative links of a Markdown text in the folder dir
// that lead nowhere.
func brokenLinks(dir, text string) []string {
	var broken []string
	for _, match := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		target := match[1]
		if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		file, anchor, _ := strings.Cut(target, "#")
		where := text
		if file != "" {
			data, err := os.ReadFile(filepath.Join(dir, file))
			if info, statErr := os.Stat(filepath.Join(dir, file)); err != nil && (statErr != nil || !info.IsDir()) {
				broken = append(broken, target)
				continue
			}
			where = string(data)
		}
		if anchor != "" && !slices.Contains(anchors(where), anchor) {
			broken = append(broken, target)
		}
	}
	return broken
}

// anchors returns the names that a Markdown page gives its headings.
func anchors(text string) []string {
	var names []string
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(match[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

func TestLinks(t *testing.T) {
	for name, text := range markdown(t) {
		for _, target := range brokenLinks(path.Dir(name), text) {
			t.Errorf("%s: the link to %s leads nowhere", name, target)
		}
	}
}

// TestBrokenLinks makes sure that a link can be broken.
func TestBrokenLinks(t *testing.T) {
	text := "# A *good* page\n[a](go.mod) [b](gone.md) [c](#a-good-page) [d](#gone) [e](https://example.org/x) [f](cmd)\n```\n[g](gone)\n```\n"
	if got := strings.Join(brokenLinks(".", text), " "); got != "gone.md #gone" {
		t.Errorf("broken: %s", got)
	}
}

// TestArchitecture asks that the paths which ARCHITECTURE.md names exist, and
// that it names each package.
func TestArchitecture(t *testing.T) {
	data, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, match := range aPath.FindAllStringSubmatch(fence.ReplaceAllString(string(data), ""), -1) {
		name := match[1] + match[2]
		named[strings.TrimSuffix(name, "/")] = true
		if _, err := os.Stat(name); err != nil {
			t.Errorf("ARCHITECTURE.md names %s, which is not there", name)
		}
	}
	for _, s := range mustSources(t) {
		if s.pkg != "." && !named[s.pkg] {
			t.Errorf("ARCHITECTURE.md says nothing of the package %s", s.pkg)
			named[s.pkg] = true
		}
	}
}

func TestSizes(t *testing.T) {
	var lengths []int
	for _, s := range mustSources(t) {
		if n := strings.Count(s.text, "\n"); n > maxFile && !ast.IsGenerated(s.file) {
			t.Errorf("%s has %d lines, more than %d", s.path, n, maxFile)
		}
		if s.isTest() {
			continue
		}
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				lengths = append(lengths, files.Position(f.End()).Line-files.Position(f.Pos()).Line+1)
			}
		}
	}
	slices.Sort(lengths)
	median, ninth := lengths[len(lengths)/2], lengths[len(lengths)*9/10]
	t.Logf("%d functions: median %d lines, 90th percentile %d, longest %d", len(lengths), median, ninth, lengths[len(lengths)-1])
	if median > medianFunction {
		t.Errorf("the median function has %d lines, more than %d", median, medianFunction)
	}
	if ninth > ninthFunction {
		t.Errorf("the 90th percentile of functions has %d lines, more than %d", ninth, ninthFunction)
	}
}
