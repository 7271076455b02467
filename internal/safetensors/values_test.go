package safetensors

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"unsafe"
)

// TestWidens reads tensors of all types that are read and of one that is not.
func TestWidens(t *testing.T) {
	header := `{"b":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]},"h":{"dtype":"F16","shape":[1],"data_offsets":[2,4]},` +
		`"i":{"dtype":"I32","shape":[],"data_offsets":[4,8]},"p":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}`
	f, err := Parse(file(header, "\x80\x3f\x00\xc0\xff\xff\xff\xff12345678"), "f")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float32{"b": 1, "h": -2} {
		if x, err := f.F32(name, 1); err != nil || x.F32[0] != want {
			t.Errorf("%s = %v, %v, want %v", name, x.F32, err, want)
		}
	}
	if x, err := f.I32("i"); err != nil || x.I32[0] != -1 {
		t.Errorf("i = %v, %v", x, err)
	}
	for _, name := range []string{"p", "i"} {
		if _, err := f.F32(name, -1); err == nil {
			t.Errorf("%s is read as F32", name)
		}
	}
	if info := f.Tensors()[3]; info.Name != "p" || info.DType != "I64" || info.Bytes != 8 {
		t.Errorf("p is listed as %+v", info)
	}
}

// TestAlias asks that an aligned tensor is the file's own memory, and one that is
// not is read all the same.
func TestAlias(t *testing.T) {
	var written bytes.Buffer
	if err := Write(&written, []Tensor{{Name: "x", Shape: []int{2}, F32: []float32{1, 2}}}, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, written.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	x, err := f.F32("x", 2)
	if err != nil {
		t.Fatal(err)
	}
	own := unsafe.Pointer(unsafe.SliceData(x.F32)) == unsafe.Pointer(unsafe.SliceData(f.entries[0].data))
	if little := binary.NativeEndian.Uint16([]byte{1, 0}) == 1; own != little {
		t.Errorf("the tensor is the file's own memory: %t, want %t", own, little)
	}
	if err := f.Close(); err != nil || f.Close() != nil || len(f.Names()) != 0 {
		t.Errorf("closed: %v, %v", err, f.Names())
	}
	text := file(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  `, "\x00\x00\x80\x3f\x00\x00\x00\x40")
	for shift := range 4 {
		data := append(make([]byte, shift, shift+len(text)), text...)[shift:]
		f, err := Parse(data, "f")
		if err != nil {
			t.Fatal(err)
		}
		if x, err := f.F32("x", 2); err != nil || x.F32[0] != 1 || x.F32[1] != 2 {
			t.Errorf("shifted by %d: %v, %v", shift, x, err)
		}
	}
}

// TestWriteStreams asks that to write takes no second copy of the tensors.
func TestWriteStreams(t *testing.T) {
	x := Tensor{Name: "x", Shape: []int{1 << 20}, F32: make([]float32, 1<<20)}
	took := allocated(func() {
		if err := Write(discard{}, []Tensor{x, {Name: "y", Shape: x.Shape, F32: x.F32}}, nil); err != nil {
			t.Error(err)
		}
	})
	if littleEndian && took > 1<<20 {
		t.Errorf("%d bytes allocated to write 8 MiB", took)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
