package index

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/zeebo/xxh3"

	"parley/internal/mapping"
)

// format is the manifest's word for what it describes.
const format = "parley index"

// blockSize is the size of the blocks that have a checksum each: damage is
// located to a block.
const blockSize = 1 << 24

// manifest describes what was built so far.
func (b *Builder) manifest(scale float32) manifest {
	return manifest{
		Format: format, Version: Version,
		Passages: b.N(), Vocabulary: b.options.Vocabulary,
		Postings: int(b.forwardEnds[b.N()]), TextBytes: int(b.textEnds[3*b.N()]),
		Scale: scale, Fingerprint: b.options.Fingerprint, Encoder: b.options.Encoder,
	}
}

// seal writes m as the manifest of the files in dir, which stay as they are
// from then on.
func (m manifest) seal(dir string) error {
	files, err := listFiles(dir)
	if err != nil {
		return err
	}
	m.Files = files
	if m.Checksum, err = m.checksum(); err != nil {
		return err
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, manifestFile), append(data, '\n'), 0o666)
}

// checksum returns the checksum of the manifest without the one it has.
func (m manifest) checksum() (string, error) {
	m.Checksum = ""
	data, err := json.Marshal(m)
	return checksum(data), err
}

func checksum(block []byte) string { return fmt.Sprintf("%016x", xxh3.Hash(block)) }

// listFiles returns the files below dir but the manifest, by path, with their
// checksums.
func listFiles(dir string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == manifestFile {
			return err
		}
		m, err := mapping.Open(path)
		if err != nil {
			return err
		}
		f := file{Path: filepath.ToSlash(name), Bytes: int64(len(m.Data))}
		for block := range blocks(m.Data) {
			f.Checksums = append(f.Checksums, checksum(block))
		}
		files = append(files, f)
		return m.Close()
	})
	return files, err
}

// blocks cuts data into blocks of blockSize bytes, the last one shorter.
func blocks(data []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			block := data[:min(len(data), blockSize)]
			if !yield(block) {
				return
			}
			data = data[len(block):]
		}
	}
}

// readManifest reads and checks the manifest of the index in dir.
func readManifest(dir string) (manifest, error) {
	path := filepath.Join(dir, manifestFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return manifest{}, fmt.Errorf("%s is no index: it has no %s; build one with parley index", dir, manifestFile)
	} else if err != nil {
		return manifest{}, err
	}
	var version struct {
		Format  string
		Version int
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return manifest{}, corrupt(path, jsonOffset(err, data), "not valid JSON: %v", err)
	}
	if version.Format != format {
		return manifest{}, corrupt(path, 0, "it describes a %s, not a %s", strconv.Quote(version.Format), format)
	}
	if version.Version != Version {
		return manifest{}, fmt.Errorf("%s: the index has format version %d, this program reads version %d: build the index again with this program",
			path, version.Version, Version)
	}
	return parseManifest(path, data)
}

func parseManifest(path string, data []byte) (m manifest, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return m, corrupt(path, jsonOffset(err, data), "%v", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return m, corrupt(path, decoder.InputOffset(), "more follows after its end")
	}
	sum, err := m.checksum()
	switch {
	case err != nil:
		return m, corrupt(path, 0, "%v", err)
	case sum != m.Checksum:
		return m, corrupt(path, 0, "its content has checksum %s, not the recorded %s", sum, m.Checksum)
	case !m.plausible():
		return m, corrupt(path, 0, "its counts are out of bounds")
	case !(m.Scale > 0) || math.IsInf(float64(m.Scale), 0):
		return m, corrupt(path, 0, "the scale %v is not positive and finite", m.Scale)
	}
	return m, nil
}

// jsonOffset returns where in data a decoding error lies.
func jsonOffset(err error, data []byte) int64 {
	if e := new(json.SyntaxError); errors.As(err, &e) {
		return e.Offset
	}
	if e := new(json.UnmarshalTypeError); errors.As(err, &e) {
		return e.Offset
	}
	return int64(len(data))
}
