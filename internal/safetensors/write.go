package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// Write writes tensors, in the given order, and metadata to w, straight from
// their memory.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	header := map[string]any{}
	if len(metadata) > 0 {
		header[metadataKey] = metadata
	}
	offset := uint64(0)
	for _, t := range tensors {
		size := uint64(4 * max(len(t.F32), len(t.I32)))
		if n, ok := elements(t.Shape); !ok || 4*n != size || t.F32 != nil && t.I32 != nil {
			return fmt.Errorf("tensor %q: shape %v does not fit its data", t.Name, t.Shape)
		}
		if _, taken := header[t.Name]; taken || t.Name == metadataKey {
			return fmt.Errorf("tensor %q: the name is taken", t.Name)
		}
		dtype := F32
		if t.I32 != nil {
			dtype = I32
		}
		header[t.Name] = description{DType: dtype, Shape: append([]int{}, t.Shape...), Offsets: [2]uint64{offset, offset + size}}
		offset += size
	}
	if err := writeHeader(w, header); err != nil {
		return err
	}
	for _, t := range tensors {
		data := raw(t.F32)
		if t.I32 != nil {
			data = raw(t.I32)
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	return nil
}

func writeHeader(w io.Writer, header map[string]any) error {
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	text = append(text, bytes.Repeat([]byte(" "), -len(text)&7)...) // so that the data are aligned
	if err := binary.Write(w, binary.LittleEndian, uint64(len(text))); err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
