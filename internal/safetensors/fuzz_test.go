package safetensors

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
)

// allocated returns the bytes that do allocates.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzParse demands that what can be read is written the same, and that to read
// allocates no more than a small multiple of the file.
func FuzzParse(f *testing.F) {
	f.Add([]byte(golden))
	f.Add(file("{}", ""))
	f.Add(file(`{"a":{"dtype":"F32","shape":[1099511627776,16777216],"data_offsets":[0,0]}}`, ""))
	f.Add(file(`{"a":{"dtype":"BF16","shape":[2],"data_offsets":[2,6]},"b":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}`, "\x00\x3c\x80\x3f\x00\x00"))
	f.Add(file(`{"p":{"dtype":"I64","shape":[1,1],"data_offsets":[0,8]}}`, "\x01\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var tensors []Tensor
		var file *File
		var err error
		took := allocated(func() {
			if file, err = Parse(data, "fuzz"); err == nil {
				tensors = readAll(file)
			}
		})
		if limit := uint64(1<<20 + 32*len(data)); took > limit {
			t.Errorf("%d bytes allocated for a file of %d", took, len(data))
		}
		if err == nil {
			checkAgain(t, tensors, file.Metadata)
		}
	})
}

// readAll returns the tensors of f that are of a type that is read.
func readAll(f *File) []Tensor {
	var tensors []Tensor
	for _, info := range f.Tensors() {
		if tensor, err := f.F32(info.Name, info.Shape...); err == nil {
			tensors = append(tensors, tensor)
		} else if tensor, err := f.I32(info.Name, info.Shape...); err == nil {
			tensors = append(tensors, tensor)
		}
	}
	return tensors
}

func checkAgain(t *testing.T, tensors []Tensor, metadata map[string]string) {
	t.Helper()
	var written bytes.Buffer
	if err := Write(&written, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	file, err := Parse(written.Bytes(), "again")
	if err != nil {
		t.Fatal(err)
	}
	back := readAll(file)
	if len(back) != len(tensors) {
		t.Fatalf("%d tensors became %d", len(tensors), len(back))
	}
	for i, tensor := range tensors {
		n, ok := elements(tensor.Shape)
		if !ok || n != uint64(max(len(tensor.F32), len(tensor.I32))) {
			t.Errorf("tensor %q of shape %v has %d values", tensor.Name, tensor.Shape, n)
		}
		if !bytes.Equal(raw(tensor.F32), raw(back[i].F32)) || !reflect.DeepEqual(tensor.I32, back[i].I32) || tensor.Name != back[i].Name {
			t.Errorf("tensor %q is read back as another", tensor.Name)
		}
	}
}

// FuzzOpenSharded reads an index beside two shards.
func FuzzOpenSharded(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":8},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"1.safetensors"}}`))
	f.Add([]byte(`{"metadata":{"total_size":8.0},"weight_map":{"b":"../2.safetensors"}}`))
	dir := f.TempDir()
	writeShards(f, dir)
	path := filepath.Join(dir, "index.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		took := allocated(func() {
			file, err := OpenSharded(path)
			if err != nil {
				return
			}
			for _, name := range file.Names() {
				if x, err := file.F32(name, 1); err != nil || x.F32[0] == 0 {
					t.Errorf("tensor %q: %v, %v", name, x, err)
				}
			}
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		})
		if limit := uint64(1<<20 + 64*len(text)); took > limit {
			t.Errorf("%d bytes allocated for an index of %d", took, len(text))
		}
	})
}
