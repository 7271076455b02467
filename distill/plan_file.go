package distill

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// readPlan reads a plan file, YAML over the values that base gives for the
// file's content, and returns what resolved makes of that. Unknown keys are
// refused, after those that base refuses; errors have the place in the file that name names.
func readPlan[P any](r io.Reader, name string, base func(content any) (P, error), resolved func(plan P, content any) (P, error)) (plan P, err error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return plan, fmt.Errorf("cannot read the plan %s: %w", name, err)
	}
	if !utf8.Valid(data) || bytes.HasPrefix(data, []byte("\ufeff")) {
		return plan, fmt.Errorf("the plan %s is not plain UTF-8: save it as UTF-8 without a byte order mark", name)
	}
	if err := untagged(data); err != nil {
		return plan, fmt.Errorf("the plan %s is not valid: %w", name, err)
	}
	var content any
	err = yaml.Unmarshal(data, &content)
	read, refused := base(content)
	if refused != nil {
		return plan, fmt.Errorf("the plan %s is not valid: %w", name, refused)
	}
	if err == nil && content != nil { // a plan without content would be read as zeroes
		decoder := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
		if err = decoder.Decode(&read); err == nil && decoder.Decode(new(any)) != io.EOF {
			return plan, fmt.Errorf("the plan %s is not valid: a second document follows the first", name)
		}
	}
	if err != nil {
		return plan, fmt.Errorf("the plan %s is not valid: %s", name, yaml.FormatError(err, false, false))
	}
	if read, err = resolved(read, content); err != nil {
		return plan, fmt.Errorf("the plan %s is not valid: %w", name, err)
	}
	return read, nil
}

// untagged refuses tags, at some of which the decoder panics. What cannot be
// parsed is left to it.
func untagged(data []byte) error {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil
	}
	var found tags
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(&found, doc.Body)
		}
	}
	if len(found) == 0 {
		return nil
	}
	at := found[0].Position
	return fmt.Errorf("[%d:%d] a tag is no part of a plan: leave %s out", at.Line, at.Column, found[0].Value)
}

// tags collects the tags of a file.
type tags []*token.Token

func (t *tags) Visit(node ast.Node) ast.Visitor {
	if tag, ok := node.(*ast.TagNode); ok {
		*t = append(*t, tag.Start)
	}
	return t
}

// writePlan writes a plan as a plan file, every value named.
func writePlan(w io.Writer, plan any) error {
	data, err := yaml.Marshal(plan)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
