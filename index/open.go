package index

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"parley/internal/mapping"
)

// CorruptError is damage to an index, found by Open.
type CorruptError struct {
	Path    string // of the damaged file
	Offset  int64  // of the damage, or of the first byte of the block that holds it
	Problem string // what is wrong there
}

// Error says what is damaged where, and what to do.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: damaged at byte %d: %s: build the index again or restore it from a copy", e.Path, e.Offset, e.Problem)
}

func corrupt(path string, offset int64, problem string, args ...any) error {
	return &CorruptError{Path: path, Offset: offset, Problem: fmt.Sprintf(problem, args...)}
}

// Open opens the index in the folder path and checks all of it: it reads every
// byte once. Damage is reported as a *CorruptError. Where the system allows it
// the files are mapped, not read into memory; they must not change while the
// index is open.
func Open(path string) (*Index, error) {
	m, err := readManifest(path)
	if err != nil {
		return nil, err
	}
	x := &Index{path: path, manifest: m}
	if err := x.load(); err != nil {
		_ = x.Close()
		return nil, err
	}
	return x, nil
}

// load maps and checks all files.
func (x *Index) load() error {
	layout := x.manifest.layout()
	data := map[string][]byte{}
	for _, f := range x.manifest.Files {
		content, err := x.loadFile(f)
		if err != nil {
			return err
		}
		data[f.Path] = content
	}
	for _, name := range []string{postingsFile, forwardFile, passagesFile} {
		at, path := layout[name], filepath.Join(x.path, name)
		if size := int64(len(data[name])); size != at[3] {
			return corrupt(path, size, "it has %d bytes, not the %d that the manifest's counts ask for", size, at[3])
		}
	}
	x.slice(layout, data)
	return x.check(layout)
}

// loadFile maps a file and compares it with what the manifest says of it.
// Encoder files are only compared.
func (x *Index) loadFile(f file) ([]byte, error) {
	path := filepath.Join(x.path, filepath.FromSlash(f.Path))
	if !filepath.IsLocal(filepath.FromSlash(f.Path)) {
		return nil, corrupt(filepath.Join(x.path, manifestFile), 0, "it lists the file %q outside the index", f.Path)
	}
	m, err := mapping.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, corrupt(path, 0, "the file is missing")
	case errors.Is(err, mapping.ErrNotRegular):
		return nil, corrupt(path, 0, "%v", err)
	case err != nil:
		return nil, fmt.Errorf("cannot read the index %s: %w", x.path, err)
	}
	name, ours := magic[f.Path]
	if !ours {
		return nil, cmp.Or(compare(path, m.Data, f), m.Close())
	}
	x.mapped = append(x.mapped, m)
	if err := checkHeader(path, m.Data, name); err != nil {
		return nil, err
	}
	return m.Data, compare(path, m.Data, f)
}

func checkHeader(path string, data []byte, name string) error {
	if len(data) < headerSize {
		return corrupt(path, int64(len(data)), "it ends within its header")
	}
	if got := string(data[:8]); got != name {
		return corrupt(path, 0, "it begins with %q, not with %q", got, name)
	}
	if version := binary.LittleEndian.Uint32(data[8:]); version != Version {
		return corrupt(path, 8, "it has format version %d, not %d as the manifest says", version, Version)
	}
	return nil
}

// compare checks size and checksums.
func compare(path string, data []byte, f file) error {
	if int64(len(data)) != f.Bytes {
		return corrupt(path, min(int64(len(data)), f.Bytes), "it has %d bytes, not the recorded %d", len(data), f.Bytes)
	}
	i := 0
	for block := range blocks(data) {
		if i >= len(f.Checksums) || checksum(block) != f.Checksums[i] {
			at := int64(i) * blockSize
			return corrupt(path, at, "the %d bytes from there do not have the recorded checksum", len(block))
		}
		i++
	}
	return nil
}

// slice cuts the files, which have the sizes of the layout, into their arrays.
func (x *Index) slice(layout map[string]sections, data map[string][]byte) {
	n, p, b := int64(x.manifest.Passages), int64(x.manifest.Postings), int64(x.manifest.TextBytes)
	d, at := data[postingsFile], layout[postingsFile]
	x.postingEnds, x.postings, x.impacts = view[uint64](d[at[0]:at[1]]), view[uint32](d[at[1]:at[2]]), d[at[2]:at[3]]
	d, at = data[forwardFile], layout[forwardFile]
	x.forwardTerms, x.forwardEnds, x.forwardImpacts = view[uint32](d[at[0]:at[0]+4*p]), view[uint64](d[at[1]:at[2]]), d[at[2]:at[3]]
	d, at = data[passagesFile], layout[passagesFile]
	x.text, x.textEnds, x.byID = d[at[0]:at[0]+b], view[uint64](d[at[1]:at[2]]), view[uint32](d[at[2]:at[2]+4*n])
}

// check proves every bound that the methods of Index rely on.
func (x *Index) check(layout map[string]sections) error {
	n, v := x.manifest.Passages, x.manifest.Vocabulary
	postings := checker{filepath.Join(x.path, postingsFile), layout[postingsFile]}
	forward := checker{filepath.Join(x.path, forwardFile), layout[forwardFile]}
	passages := checker{filepath.Join(x.path, passagesFile), layout[passagesFile]}
	for _, check := range []func() error{
		func() error { return postings.ends(postings.at[0], x.postingEnds, uint64(x.manifest.Postings)) },
		func() error { return postings.lists(postings.at[1], x.postingEnds, x.postings, "passage", n) },
		func() error { return postings.positive(postings.at[2], x.impacts) },
		func() error { return forward.ends(forward.at[1], x.forwardEnds, uint64(x.manifest.Postings)) },
		func() error { return forward.lists(forward.at[0], x.forwardEnds, x.forwardTerms, "term", v) },
		func() error { return forward.positive(forward.at[2], x.forwardImpacts) },
		func() error { return passages.ends(passages.at[1], x.textEnds, uint64(x.manifest.TextBytes)) },
		func() error { return x.checkIDs(passages) },
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkIDs proves that byID lists every passage, in the order of distinct ids.
func (x *Index) checkIDs(c checker) error {
	for at, i := range x.byID {
		offset := c.at[2] + 4*int64(at)
		if int64(i) >= int64(x.N()) {
			return corrupt(c.path, offset, "passage %d is listed by its id, of %d passages", i, x.N())
		}
		if at > 0 && string(x.part(int(x.byID[at-1]), 0)) >= string(x.part(int(i), 0)) {
			return corrupt(c.path, offset, "the ids of passages %d and %d are not in order", x.byID[at-1], i)
		}
	}
	return nil
}

// checker checks the arrays of one file, whose sections begin at at.
type checker struct {
	path string
	at   sections
}

// ends proves that ends run from 0 to total without falling.
func (c checker) ends(offset int64, ends []uint64, total uint64) error {
	for i, end := range ends {
		if i == 0 && end != 0 || i > 0 && end < ends[i-1] || i == len(ends)-1 && end != total {
			return corrupt(c.path, offset+8*int64(i), "a list begins or ends at %d of %d, out of order", end, total)
		}
	}
	return nil
}

// lists proves that the values of every list increase and stay below bound.
func (c checker) lists(offset int64, ends []uint64, values []uint32, what string, bound int) error {
	for i := range len(ends) - 1 {
		next := int64(0)
		for j := ends[i]; j < ends[i+1]; j++ {
			if value := int64(values[j]); value < next || value >= int64(bound) {
				return corrupt(c.path, offset+4*int64(j), "%s %d is out of order or not below %d", what, value, bound)
			}
			next = int64(values[j]) + 1
		}
	}
	return nil
}

// positive proves that no impact is 0.
func (c checker) positive(offset int64, impacts []uint8) error {
	for i, impact := range impacts {
		if impact == 0 {
			return corrupt(c.path, offset+int64(i), "an impact is 0")
		}
	}
	return nil
}
