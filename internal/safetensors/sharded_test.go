package safetensors

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeShards writes two files of a tensor each into dir.
func writeShards(t testing.TB, dir string) {
	t.Helper()
	for name, tensor := range map[string]Tensor{
		"1.safetensors": {Name: "a", Shape: []int{1}, F32: []float32{1.5}},
		"2.safetensors": {Name: "b", Shape: []int{1}, F32: []float32{-2}},
	} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(Write(f, []Tensor{tensor}, nil), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func openIndex(t *testing.T, text string) (*File, error) {
	t.Helper()
	dir := t.TempDir()
	writeShards(t, dir)
	path := filepath.Join(dir, "index.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := OpenSharded(path)
	if err == nil {
		t.Cleanup(func() { f.Close() })
	}
	return f, err
}

func TestOpenSharded(t *testing.T) {
	for _, metadata := range []string{"", `"metadata":{},`, `"metadata":{"total_size":8},`, `"metadata":{"total_size":8.0,"total_parameters":2},`} {
		f, err := openIndex(t, `{`+metadata+`"weight_map":{"b":"2.safetensors","a":"1.safetensors"}}`)
		if err != nil {
			t.Errorf("%s: %v", metadata, err)
			continue
		}
		if x, err := f.F32("b", 1); err != nil || x.F32[0] != -2 || strings.Join(f.Names(), " ") != "a b" {
			t.Errorf("%s: b = %v, %v of %v", metadata, x, err, f.Names())
		}
		if _, err := f.F32("b", 2); err == nil || !strings.Contains(err.Error(), "2.safetensors is not") {
			t.Errorf("%s: an error that names not the shard: %v", metadata, err)
		}
	}
	if _, err := OpenSharded(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no index: %v", err)
	}
}

func TestOpenShardedRefuses(t *testing.T) {
	for _, test := range []struct{ index, want string }{
		{``, "index.json is no index of weight files: it is no JSON object"},
		{`[]`, "it is no JSON object"},
		{`{}`, "its weight_map is no JSON object"},
		{`{"weight_map":{}}`, "its weight_map is empty"},
		{`{"weight_map":{"a":"1.safetensors","a":"1.safetensors"}}`, `has the name "a" twice`},
		{`{"weight_map":{"a":1}}`, `puts tensor "a" into 1, where a file beside the index is due`},
		{`{"weight_map":{"a":"../1.safetensors"}}`, "a file beside the index is due"},
		{`{"weight_map":{"a":"/etc/passwd"}}`, "a file beside the index is due"},
		{`{"weight_map":{"a":"x\\1"}}`, "a file beside the index is due"},
		{`{"weight_map":{"a":"."}}`, "a file beside the index is due"},
		{`{"weight_map":{"a":"3.safetensors"}}`, `3.safetensors is missing, where`},
		{`{"weight_map":{"b":"1.safetensors"}}`, `1.safetensors lacks the tensor "b", which index.json looks for in it`},
		{`{"weight_map":{"a":"1.safetensors","b":"1.safetensors"}}`, `1.safetensors lacks the tensor "b"`},
		{`{"metadata":{"total_size":9},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`, "says that the tensors have 9 bytes, and they have 8"},
		{`{"metadata":{"total_size":-1},"weight_map":{"a":"1.safetensors"}}`, "its total_size is -1"},
		{`{"metadata":{"total_size":"4"},"weight_map":{"a":"1.safetensors"}}`, "its total_size is \"4\""},
		{`{"metadata":7,"weight_map":{"a":"1.safetensors"}}`, "its metadata is no JSON object"},
		{`{"weight_map":{"a":"index.json"}}`, "index.json is not a whole weight file"},
	} {
		if _, err := openIndex(t, test.index); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s:\n got %v\nwant %s", test.index, err, test.want)
		}
	}
	dir := t.TempDir()
	writeShards(t, dir)
	both, err := os.Create(filepath.Join(dir, "both"))
	if err != nil {
		t.Fatal(err)
	}
	x := Tensor{Name: "a", Shape: []int{1}, F32: []float32{1}}
	y := Tensor{Name: "c", Shape: []int{1}, F32: []float32{1}}
	path := filepath.Join(dir, "index.json")
	if err := errors.Join(Write(both, []Tensor{x, y}, nil), both.Close(), os.WriteFile(path, []byte(`{"weight_map":{"a":"both"}}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSharded(path); err == nil || !strings.Contains(err.Error(), `both has the tensor "c", which index.json does not look for in it`) {
		t.Errorf("a tensor that no index lists: %v", err)
	}
}
