package collection

import (
	"bytes"
	"io"
)

// OpenIDs reads a file of ids, one a line, blank lines aside. Files whose names
// end in .gz or .zst are decompressed.
func OpenIDs(path string) (map[string]bool, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ids := map[string]bool{}
	lines := newLineReader(f, path)
	for {
		line, err := lines.next()
		if err == io.EOF {
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
		ids[string(bytes.TrimSpace(line))] = true
	}
}
