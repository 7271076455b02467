package main

import (
	"bufio"
	"context"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"strings"

	"parley/internal/durable"
	"parley/internal/vectors"
	"parley/internal/wordpiece"
)

// writeJSONL writes vectors as JSON lines, the terms in the order of their ids:
// {"id": "p1", "vector": {"term": weight}}. Where scale is not 0, weights are
// multiplied by it and rounded to whole numbers, and zeros are left out.
func writeJSONL(ctx context.Context, path string, records iter.Seq2[vectors.Record, error], vocabulary *wordpiece.Vocabulary, scale float64) error {
	to, err := durable.Create(path)
	if err != nil {
		return err
	}
	defer to.Discard()
	out, quoted := bufio.NewWriterSize(to, 1<<16), quoteTokens(vocabulary)
	for r, err := range records {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = writeVector(out, r, quoted, scale)
		}
		if err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return to.Commit()
}

// writeVector writes a line.
func writeVector(out *bufio.Writer, r vectors.Record, quoted []string, scale float64) error {
	out.WriteString(`{"id":`)
	out.WriteString(quote(r.ID))
	out.WriteString(`,"vector":{`)
	separator := ""
	for i, term := range r.Vector.Terms {
		weight, bits := float64(r.Vector.Weights[i]), 32
		if scale != 0 {
			if weight, bits = math.Round(weight*scale), 64; weight == 0 {
				continue
			}
		}
		out.WriteString(separator)
		out.WriteString(quoted[term])
		out.WriteByte(':')
		out.Write(strconv.AppendFloat(out.AvailableBuffer(), weight, 'f', -1, bits))
		separator = ","
	}
	_, err := out.WriteString("}}\n")
	return err
}

// quote writes s as a JSON string.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always can be
	return strings.TrimSuffix(b.String(), "\n")
}
