package safetensors

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// view returns the values that data holds in little-endian order: its own memory
// where the machine orders bytes so and data is aligned, a copy elsewhere. It is
// never nil.
func view[T float32 | int32](data []byte) []T {
	if len(data) == 0 {
		return []T{}
	}
	start := unsafe.Pointer(unsafe.SliceData(data))
	if littleEndian && uintptr(start)%4 == 0 {
		return unsafe.Slice((*T)(start), len(data)/4)
	}
	values := make([]T, len(data)/4)
	if _, err := binary.Decode(data, binary.LittleEndian, values); err != nil {
		panic(fmt.Sprintf("safetensors: %v", err)) // the length is right: it was placed
	}
	return values
}

// raw returns the bytes of values in little-endian order, their own memory where
// the machine orders bytes so, else a copy.
func raw[T float32 | int32](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	if littleEndian {
		return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))
	}
	data, err := binary.Append(make([]byte, 0, 4*len(values)), binary.LittleEndian, values)
	if err != nil {
		panic(fmt.Sprintf("safetensors: %v", err)) // numbers of a fixed size
	}
	return data
}

// widen returns the 16-bit values of data, which into turns into float32.
func widen(data []byte, into func(dst []float32, src []byte)) []float32 {
	values := make([]float32, len(data)/2)
	into(values, data)
	return values
}
