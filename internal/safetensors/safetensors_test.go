package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
)

func Example() {
	var file bytes.Buffer
	tensors := []Tensor{
		{Name: "weight", Shape: []int{2, 2}, F32: []float32{1, 2, 3, 4}},
		{Name: "df", Shape: []int{3}, I32: []int32{5, 0, 7}},
	}
	if err := Write(&file, tensors, map[string]string{"format": "example"}); err != nil {
		fmt.Println(err)
		return
	}
	f, err := Parse(file.Bytes(), "example.safetensors")
	if err != nil {
		fmt.Println(err)
		return
	}
	weight, _ := f.F32("weight", 2, -1)
	_, err = f.F32("weight", 4)
	fmt.Println(f.Names(), weight.F32, f.Metadata)
	fmt.Println(err)
	// Output:
	// [df weight] [1 2 3 4] map[format:example]
	// example.safetensors is not a whole weight file: tensor "weight" has shape [2 2] where [4] is due
}

// golden is a file laid out by hand from the published description of the
// format, so that reader and writer cannot err alike.
var golden = "\x48\x00\x00\x00\x00\x00\x00\x00" +
	`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{}}` +
	"\x00\x00\xc0\x3f"

func TestGolden(t *testing.T) {
	f, err := Parse([]byte(golden), "golden")
	if err != nil {
		t.Fatal(err)
	}
	a, err := f.F32("a", 1)
	if err != nil || a.F32[0] != 1.5 {
		t.Fatalf("a = %v, %v", a, err)
	}
}

func TestBitsSurvive(t *testing.T) {
	odd := []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.NaN()), math.SmallestNonzeroFloat32, math.MaxFloat32}
	var file bytes.Buffer
	if err := Write(&file, []Tensor{{Name: "x", Shape: []int{len(odd)}, F32: odd}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := Parse(file.Bytes(), "x")
	if err != nil {
		t.Fatal(err)
	}
	x, err := f.F32("x", len(odd))
	if err != nil {
		t.Fatal(err)
	}
	for i := range odd {
		if math.Float32bits(x.F32[i]) != math.Float32bits(odd[i]) {
			t.Errorf("value %d: %v became %v", i, odd[i], x.F32[i])
		}
	}
}

func TestRefuses(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"empty":        func(string) string { return "" },
		"header cut":   func(s string) string { return s[:20] },
		"data cut":     func(s string) string { return s[:len(s)-1] },
		"data added":   func(s string) string { return s + "x" },
		"huge header":  func(s string) string { return "\xff\xff\xff\xff\xff\xff\xff\xff" + s[8:] },
		"other type":   func(s string) string { return strings.Replace(s, "F32", "F16", 1) },
		"unknown type": func(s string) string { return strings.Replace(s, "F32", "F31", 1) },
		"lead space":   func(s string) string { return strings.Replace(s, `{"a"`, ` {"a"`, 1)[:len(s)] },
		"wrong shape":  func(s string) string { return strings.Replace(s, "[1]", "[2]", 1) },
		"outside":      func(s string) string { return strings.Replace(s, "[0,4]", "[4,8]", 1) },
		"no JSON":      func(s string) string { return strings.Replace(s, `{"a"`, `["a"`, 1) },
	} {
		if _, err := Parse([]byte(change(golden)), "f"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// file returns a file of the given header and data, of whatever sense.
func file(header, data string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+data...)
}

func TestRefusesHeader(t *testing.T) {
	for _, test := range []struct{ header, want string }{
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, `its header has the name "a" twice`},
		{`{"a":{"dtype":"I32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, `tensor "a" has the name "dtype" twice`},
		{`{"__metadata__":{"k":"1","k":"2"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, `its metadata has the name "k" twice`},
		{`{"__metadata__":{"k":1},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, `its metadata "k" are no text`},
		{`{"__metadata__":{"k":null},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, `its metadata "k" are no text`},
		{`{"__metadata__":{},"__metadata__":{}}`, "its metadata twice"},
		{`{"__metadata__":null,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "its metadata is no JSON object"},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}`, "not two natural numbers"},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}`, "not two natural numbers"},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[null,4]}}`, "not two natural numbers"},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}`, "not two natural numbers"},
		{`{"a":{"dtype":"F32","shape":[1]}}`, "not two natural numbers"},
		{`{"a":{"dtype":"F32","Shape":[1],"data_offsets":[0,4]}}`, `unknown key "Shape"`},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1]}}`, `unknown key "strides"`},
		{`{"a":{"dtype":"F32","shape":1.0,"data_offsets":[0,4]}}`, "no shape of natural numbers"},
		{`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, "no shape of natural numbers"},
		{`{"a":{"dtype":"F32","shape":null,"data_offsets":[0,4]}}`, "no shape of natural numbers"},
		{`{"a":{"shape":[1],"data_offsets":[0,4]}}`, "names no type"},
		{`{"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}`, `names the type "f32"`},
		{`{"a":{"dtype":"F32","shape":[` + strings.Repeat("1,", 64) + `1],"data_offsets":[0,4]}}`, "more than 64 dimensions"},
		{`{"a":` + strings.Repeat(`{"a":`, 20000) + strings.Repeat(`}`, 20001) + `}`, "its header is no JSON object"},
		{`{"a":[]}`, `tensor "a" is no JSON object`},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} {}`, "its header is no JSON object"},
		{"{\"\xff\":{}}", "its header is no JSON object"},
		{`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "leave a gap or overlap at byte 4"},
	} {
		_, err := Parse(file(test.header, "\x00\x00\xc0\x3f"), "f")
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "f is not a whole weight file: ") {
			t.Errorf("%s:\n got %v\nwant %s", test.header, err, test.want)
		}
	}
}

// TestRefusesProducts is about shapes whose product, taken in 64 bits, comes
// round to the number of values that are there.
func TestRefusesProducts(t *testing.T) {
	for _, shape := range []string{
		"[1099511627776,16777216]", "[16777216,1099511627776]", "[4294967296,4294967296]",
		"[9223372036854775807,2]", "[18446744073709551615]", "[2199023255552]",
	} {
		header := `{"a":{"dtype":"F32","shape":` + shape + `,"data_offsets":[0,0]}}`
		if _, err := Parse(file(header, ""), "f"); err == nil {
			t.Errorf("shape %s without data was accepted", shape)
		}
	}
	f, err := Parse(file(`{"a":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},"b":{"dtype":"I32","shape":[],"data_offsets":[0,4]}}`, "\x07\x00\x00\x00"), "f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.F32("a", 0, 3); err != nil {
		t.Errorf("an empty tensor: %v", err)
	}
	if b, err := f.I32("b"); err != nil || b.I32[0] != 7 {
		t.Errorf("a scalar: %v, %v", b, err)
	}
}

// TestFirstFault says that of several faults of the header the first is told, and
// of several of the data that of the first name.
func TestFirstFault(t *testing.T) {
	for header, first := range map[string]string{
		`{"c":{},"b":{},"a":{},"e":{},"d":{}}`: `tensor "c"`,
		`{"b":{"dtype":"F16","shape":[],"data_offsets":[0,0]},"c":{"dtype":"F16","shape":[],"data_offsets":[0,0]},"a":{"dtype":"F16","shape":[],"data_offsets":[0,0]}}`: `tensor "a"`,
	} {
		if _, err := Parse(file(header, ""), "f"); err == nil || !strings.Contains(err.Error(), first) {
			t.Errorf("%s: error %v, want one of %s", header, err, first)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	x := Tensor{Name: "x", Shape: []int{2}, F32: make([]float32, 2)}
	for name, tensors := range map[string][]Tensor{
		"more shape than data": {{Name: "x", Shape: []int{3}, F32: x.F32}},
		"negative shape":       {{Name: "x", Shape: []int{-1, -2}, F32: x.F32}},
		"two types":            {{Name: "x", Shape: []int{2}, F32: x.F32, I32: make([]int32, 2)}},
		"duplicate name":       {x, x},
		"reserved name":        {{Name: metadataKey, Shape: x.Shape, F32: x.F32}},
	} {
		if err := Write(&bytes.Buffer{}, tensors, nil); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}
