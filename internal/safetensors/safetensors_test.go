package safetensors

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
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
		"empty":         func(string) string { return "" },
		"header cut":    func(s string) string { return s[:20] },
		"data cut":      func(s string) string { return s[:len(s)-1] },
		"data added":    func(s string) string { return s + "x" },
		"huge header":   func(s string) string { return "\xff\xff\xff\xff\xff\xff\xff\xff" + s[8:] },
		"unknown type":  func(s string) string { return strings.Replace(s, "F32", "F16", 1) },
		"wrong shape":   func(s string) string { return strings.Replace(s, "[1]", "[2]", 1) },
		"outside":       func(s string) string { return strings.Replace(s, "[0,4]", "[4,8]", 1) },
		"no JSON":       func(s string) string { return strings.Replace(s, `{"a"`, `["a"`, 1) },
		"shape a float": func(s string) string { return strings.Replace(s, "[1]", "1.0", 1) },
	} {
		if _, err := Parse([]byte(change(golden)), "f"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := Write(&bytes.Buffer{}, []Tensor{{Name: "x", Shape: []int{3}, F32: make([]float32, 2)}}, nil); err == nil {
		t.Error("a shape that does not fit its data was written")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(golden))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data, "fuzz")
		if err != nil {
			return
		}
		var tensors []Tensor
		for _, name := range file.Names() {
			tensors = append(tensors, file.tensors[name])
		}
		var again bytes.Buffer
		if err := Write(&again, tensors, file.Metadata); err != nil {
			t.Fatal(err)
		}
		back, err := Parse(again.Bytes(), "again")
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(back.Names(), file.Names()) {
			t.Fatalf("names %v became %v", file.Names(), back.Names())
		}
	})
}
