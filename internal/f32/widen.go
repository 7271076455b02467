package f32

import (
	"encoding/binary"
	"math"
)

// WidenBF16 sets dst to the numbers of half a float32, its upper bytes, that
// src holds in little-endian order, two bytes each.
func WidenBF16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

// WidenF16 sets dst to the IEEE 754 half-precision numbers that src holds in
// little-endian order, two bytes each.
func WidenF16(dst []float32, src []byte) {
	src = src[:2*len(dst)]
	for i := range dst {
		dst[i] = widenHalf(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// widenHalf returns a half-precision number, which every float32 but a NaN's
// quiet bit can hold exactly.
func widenHalf(h uint16) float32 {
	sign, magnitude := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	switch {
	case magnitude < 0x0400: // a subnormal: units of 2⁻²⁴
		return math.Float32frombits(sign | math.Float32bits(float32(magnitude)*0x1p-24))
	case magnitude < 0x7c00:
		return math.Float32frombits(sign | (magnitude<<13 + (127-15)<<23))
	case magnitude > 0x7c00: // NaN, quiet
		magnitude |= 0x0200
	}
	return math.Float32frombits(sign | 0x7f800000 | magnitude&0x03ff<<13)
}
