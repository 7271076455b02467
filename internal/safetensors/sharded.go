package safetensors

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"parley/internal/mapping"
	"parley/internal/strictjson"
)

// OpenSharded maps the shards that the index file at path lists, which lie
// beside it: a JSON object with a weight_map from the names of tensors to those
// of files, and metadata that may say their total_size in bytes. Each shard must
// have the tensors that the index looks for in it, and no others.
func OpenSharded(path string) (*File, error) {
	x, err := readIndex(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path}
	if err := f.addShards(x); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// shards is the content of an index file.
type shards struct {
	path    string
	names   []string            // of the files, sorted
	tensors map[string][]string // by file: the names of its tensors, sorted
	size    *uint64
}

func readIndex(path string) (*shards, error) {
	m, err := mapping.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	x, err := parseIndex(m.Data, path)
	return x, errors.Join(err, m.Close())
}

// parseIndex reads the content of the index file at path.
func parseIndex(text []byte, path string) (*shards, error) {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%s is no index of weight files: %s", path, fmt.Sprintf(format, args...))
	}
	members, err := strictjson.Object(text)
	if err != nil {
		return nil, wrong("it %v", err)
	}
	places, err := readPlaces(members["weight_map"])
	if err != nil {
		return nil, wrong("its weight_map %v", err)
	}
	x := &shards{path: path, tensors: map[string][]string{}}
	for _, p := range places {
		x.tensors[p.file] = append(x.tensors[p.file], p.tensor)
	}
	x.names = slices.Sorted(maps.Keys(x.tensors))
	if x.size, err = readTotal(members["metadata"]); err != nil {
		return nil, wrong("%v", err)
	}
	return x, nil
}

// placed says which file holds a tensor.
type placed struct{ tensor, file string }

// readPlaces reads a weight_map, in the order of the tensors' names.
func readPlaces(text []byte) ([]placed, error) {
	var places []placed
	err := strictjson.Each(text, func(tensor string, value []byte) error {
		var file string
		if json.Unmarshal(value, &file) != nil || !isBare(file) {
			return fmt.Errorf("puts tensor %q into %s, where a file beside the index is due", tensor, shorten(value))
		}
		places = append(places, placed{tensor, file})
		return nil
	})
	if err == nil && len(places) == 0 {
		err = errors.New("is empty")
	}
	slices.SortFunc(places, func(a, b placed) int { return cmp.Compare(a.tensor, b.tensor) })
	for i := 1; i < len(places) && err == nil; i++ {
		if places[i].tensor == places[i-1].tensor {
			err = fmt.Errorf("has the name %q twice", places[i].tensor)
		}
	}
	return places, err
}

// isBare tells whether name is that of a file in the same folder.
func isBare(name string) bool {
	return name != "" && name != "." && name != ".." && filepath.IsLocal(name) && !strings.ContainsAny(name, `/\`)
}

// shorten returns text, but for what makes an error unreadable.
func shorten(text []byte) string {
	if len(text) > 60 {
		return string(text[:60]) + "…"
	}
	return string(text)
}

// readTotal returns the total_size in the metadata of an index, nil for none.
func readTotal(text []byte) (*uint64, error) {
	if text == nil {
		return nil, nil
	}
	members, err := strictjson.Object(text)
	if err != nil {
		return nil, fmt.Errorf("its metadata %w", err)
	}
	total, ok := members["total_size"]
	if !ok {
		return nil, nil
	}
	var size float64 // some writers divide
	if err := json.Unmarshal(total, &size); err != nil || size < 0 || size > float64(maxElements) || size != float64(uint64(size)) {
		return nil, fmt.Errorf("its total_size is %s, where a number of bytes is due", shorten(total))
	}
	bytes := uint64(size)
	return &bytes, nil
}

// addShards maps the shards of x into f.
func (f *File) addShards(x *shards) error {
	total := uint64(0)
	for _, name := range x.names {
		path := filepath.Join(filepath.Dir(x.path), name)
		shard, err := Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is missing, where %s looks for %q and others: fetch it too", path, x.path, x.tensors[name][0])
		}
		if err != nil {
			return err
		}
		f.mapped = append(f.mapped, shard.mapped...)
		if err := sameNames(x, path, shard.Names(), x.tensors[name]); err != nil {
			return err
		}
		for _, e := range shard.entries {
			total += uint64(len(e.data))
			f.entries = append(f.entries, e)
		}
	}
	slices.SortFunc(f.entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	if x.size != nil && *x.size != total {
		return fmt.Errorf("%s says that the tensors have %d bytes, and they have %d: its shards are of another checkpoint", x.path, *x.size, total)
	}
	return nil
}

// sameNames checks that the shard at path has the tensors that the index looks
// for in it.
func sameNames(x *shards, path string, has, want []string) error {
	for _, name := range want {
		if _, ok := slices.BinarySearch(has, name); !ok {
			return fmt.Errorf("%s lacks the tensor %q, which %s looks for in it", path, name, filepath.Base(x.path))
		}
	}
	for i, name := range has {
		if i >= len(want) || want[i] != name {
			return fmt.Errorf("%s has the tensor %q, which %s does not look for in it", path, name, filepath.Base(x.path))
		}
	}
	return nil
}
