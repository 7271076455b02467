package main

import (
	"io"
	"os"

	"golang.org/x/term"

	"parley/internal/table"
)

// isTerminal tells whether w writes straight to a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns returns the width of the terminal w, 0 where it cannot be told.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// tableFormat returns the format of tables on w: with lines on a terminal,
// without elsewhere.
func tableFormat(w io.Writer) table.Format {
	if isTerminal(w) {
		return table.Boxed
	}
	return table.Plain
}
