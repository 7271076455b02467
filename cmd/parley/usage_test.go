package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// walk calls visit for every command of the program.
func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		walk(sub, visit)
	}
}

func newTestRoot() *cobra.Command {
	root, _ := newRootCommand(streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	return root
}

// TestEveryCommandExplainsItself asks of each command a short line that reads
// as one, an example or a long text, and a word on every flag.
func TestEveryCommandExplainsItself(t *testing.T) {
	walk(newTestRoot(), func(cmd *cobra.Command) {
		name := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") || strings.ToUpper(cmd.Short[:1]) != cmd.Short[:1] {
			t.Errorf("%s: the short help %q is no line that starts large and ends without a stop", name, cmd.Short)
		}
		if cmd.Long == "" && cmd.Example == "" {
			t.Errorf("%s: neither a long help nor an example", name)
		}
		if cmd.Run != nil {
			t.Errorf("%s: uses Run, whose errors get lost: use RunE", name)
		}
		usages := cmd.NonInheritedFlags().FlagUsages()
		for line := range strings.Lines(usages) {
			if fields := strings.Fields(line); len(fields) < 3 && strings.HasPrefix(fields[0], "-") {
				t.Errorf("%s: flag without an explanation: %s", name, line)
			}
		}
	})
}

// TestExamplesParse reads the examples in the help of every command as the
// program would: the commands exist, and so do their flags.
func TestExamplesParse(t *testing.T) {
	n := 0
	walk(newTestRoot(), func(cmd *cobra.Command) {
		for line := range commandLines(cmd.Example) {
			n++
			if err := parses(line); err != nil {
				t.Errorf("example of %s: %s: %v", cmd.CommandPath(), line, err)
			}
		}
	})
	if n == 0 {
		t.Error("found no example in any help")
	}
}

// TestDocsParse reads the command lines in the fenced sh and console blocks of
// the Markdown files likewise.
func TestDocsParse(t *testing.T) {
	n := 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "testdata" || strings.HasPrefix(name, ".") && len(name) > 2) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range commandLines(fenced(string(data))) {
			n++
			if err := parses(line); err != nil {
				t.Errorf("%s: %s: %v", path, line, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 10 {
		t.Errorf("found %d command lines in the docs: the walk has lost its way", n)
	}
}

// TestParses makes sure that the two tests above can fail.
func TestParses(t *testing.T) {
	for _, line := range []string{"parley version --verbose", `parley version -q | sort > "a b"`, "go run ./cmd/parley version", "parley"} {
		if err := parses(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{"parley nosuch", "parley version --nosuch", "parley version surplus", "go run ./cmd/parley version --nosuch"} {
		if parses(line) == nil {
			t.Errorf("%s: parses", line)
		}
	}
}

// fenced returns the lines within the fenced sh blocks of a Markdown text, and
// of its console blocks those that are typed.
func fenced(markdown string) string {
	var b strings.Builder
	kind, open := "", false
	for line := range strings.Lines(markdown) {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```"):
			kind, open = strings.TrimPrefix(trimmed, "```"), !open
		case open && kind == "sh":
			b.WriteString(line)
		case open && kind == "console" && strings.HasPrefix(trimmed, "$ "):
			b.WriteString(strings.TrimPrefix(trimmed, "$ ") + "\n")
		}
	}
	return b.String()
}

// commandLines yields the lines of a shell text that call this program,
// continued lines as one.
func commandLines(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		lines := bufio.NewScanner(strings.NewReader(strings.ReplaceAll(text, "\\\n", " ")))
		for lines.Scan() {
			line := strings.TrimSpace(lines.Text())
			if strings.HasPrefix(line+" ", "parley ") || strings.HasPrefix(line, "go run ./cmd/parley ") {
				if !yield(line) {
					return
				}
			}
		}
	}
}

// parses reads a command line up to the work itself.
func parses(line string) error {
	words := shellWords(line)
	if words[0] == "go" {
		words = words[2:]
	}
	root := newTestRoot()
	var usage bytes.Buffer
	root.SetErr(&usage)
	walk(root, func(cmd *cobra.Command) {
		cmd.RunE = func(*cobra.Command, []string) error { return nil }
	})
	root.SetArgs(words[1:])
	if err := root.ExecuteContext(context.Background()); err != nil {
		return fmt.Errorf("does not parse: %w", err)
	}
	return nil
}

// shellWords splits a simple command as a shell does, up to a pipe, a
// redirection, a comment or the end of the command.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	quote, inWord := rune(0), false
	end := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t':
			end()
		case strings.ContainsRune("|<>;&", r), r == '#' && !inWord:
			end()
			return words
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	end()
	return words
}

// TestInterrupt holds for any command: a cancelled context ends the program
// with code 1 and one word on why.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stderr bytes.Buffer
	if code := conclude(ctx, &cobra.Command{Use: "parley"}, context.Canceled, true, &stderr); code != exitError {
		t.Errorf("exit code %d, want %d", code, exitError)
	}
	if got := stderr.String(); got != "parley: interrupted\n" {
		t.Errorf("stderr %q", got)
	}
}
