package collection

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// The files of a collection's folder. Each may instead be compressed, and then
// has one of the suffixes as well.
const (
	corpusFile = "corpus.jsonl"
	turnsFile  = "turns.jsonl"
	qrelsFile  = "qrels.txt"
)

var suffixes = []string{"", ".gz", ".zst"}

// find returns the path of the file name of the folder dir, plain or
// compressed; "" where there is none.
func find(dir, name string) (path string, err error) {
	for _, suffix := range suffixes {
		candidate := filepath.Join(dir, name+suffix)
		switch info, err := os.Stat(candidate); {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", err
		case info.IsDir():
			return "", fmt.Errorf("%s is a folder: a file is due", candidate)
		}
		if path != "" {
			return "", fmt.Errorf("%s and %s: keep only one of them", path, filepath.Base(candidate))
		}
		path = candidate
	}
	return path, nil
}

// openFile opens a plain or compressed file, as its suffix says.
func openFile(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := decompress(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: cannot decompress: %w", path, err)
	}
	return r, nil
}

func decompress(f *os.File) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(f.Name(), ".gz"):
		z, err := gzip.NewReader(f)
		if err == io.EOF { // an empty file is an empty collection, compressed or not
			return f, nil
		}
		return stacked{z, func() { z.Close() }, f}, err
	case strings.HasSuffix(f.Name(), ".zst"):
		z, err := zstd.NewReader(f)
		if err != nil {
			return nil, err
		}
		return stacked{z, z.Close, f}, nil
	}
	return f, nil
}

// stacked reads through a decompressor, and closes it and the file beneath.
type stacked struct {
	io.Reader
	closeReader func()
	under       io.Closer
}

func (s stacked) Close() error {
	s.closeReader()
	return s.under.Close()
}
