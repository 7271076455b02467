package main

import (
	"bufio"
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"parley/internal/durable"
	"parley/internal/vectors"
	"parley/internal/wordpiece"
)

// writeJSONL writes vectors as JSON lines, the terms in the order of their ids:
// {"id": "p1", "vector": {"term": weight}}.
func writeJSONL(ctx context.Context, path string, file *vectors.File, vocabulary *wordpiece.Vocabulary) error {
	to, err := durable.Create(path)
	if err != nil {
		return err
	}
	defer to.Discard()
	out, quoted := bufio.NewWriterSize(to, 1<<16), quoteTokens(vocabulary)
	for r, err := range file.All() {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = writeVector(out, r, quoted)
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
func writeVector(out *bufio.Writer, r vectors.Record, quoted []string) error {
	out.WriteString(`{"id":`)
	out.WriteString(quote(r.ID))
	out.WriteString(`,"vector":{`)
	for i, term := range r.Vector.Terms {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(quoted[term])
		out.WriteByte(':')
		out.Write(strconv.AppendFloat(out.AvailableBuffer(), float64(r.Vector.Weights[i]), 'g', -1, 32))
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
