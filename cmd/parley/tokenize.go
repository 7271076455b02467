package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"parley/internal/wordpiece"
)

// tokenization is the command line of tokenize.
type tokenization struct {
	vocabulary     string
	cased, special bool
}

func newTokenizeCommand(io streams) *cobra.Command {
	var t tokenization
	cmd := &cobra.Command{
		Use:   "tokenize --vocab FILE",
		Short: "Cut texts into the tokens of a vocabulary",
		Long: `Tokenize reads JSON lines {"text": "..."} from standard input and writes, for
each, a line {"ids": [...], "tokens": [...]} to standard output. The ids are
those that Hugging Face tokenizers gives with BERT's normalizer and
pre-tokenizer; special tokens such as [SEP] are found where the text has them.

A vocab.txt is taken to be of lower-case tokens without accents unless --cased
is given; a tokenizer.json, an index or a model says itself. Fields beside
"text" are ignored.`,
		Example: `  echo '{"text": "Who wrote it?"}' | parley tokenize --vocab vocab.txt
  parley tokenize --vocab vocab.txt --special < corpus.jsonl > ids.jsonl
  parley tokenize --vocab cased.txt --cased < corpus.jsonl > ids.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return t.run(cmd.Context(), io) },
	}
	flags := cmd.Flags()
	flags.StringVar(&t.vocabulary, "vocab", "", "a vocab.txt or tokenizer.json, a folder with one of them, an index or a model")
	flags.BoolVar(&t.cased, "cased", false, "keep capital letters and accents")
	flags.BoolVar(&t.special, "special", false, "begin with [CLS] and end with [SEP]")
	_ = cmd.MarkFlagRequired("vocab") // fails only if there is no such flag
	return cmd
}

func (t *tokenization) run(ctx context.Context, io streams) error {
	vocabulary, err := openVocabulary(t.vocabulary, t.cased)
	if err != nil {
		return err
	}
	first, last, err := t.around(vocabulary)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(io.out, 1<<16)
	defer out.Flush()
	tokenizer := wordpiece.New(vocabulary)
	quoted := quoteTokens(vocabulary)
	var ids []uint32
	number := 0
	for line, err := range textLines(io.in, "standard input") {
		if number++; err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		text, err := parseText(line)
		if err != nil {
			return fmt.Errorf("standard input:%d: %w", number, err)
		}
		ids = append(tokenizer.Append(append(ids[:0], first...), text), last...)
		if err := writeTokens(out, ids, quoted); err != nil {
			return err
		}
	}
	return out.Flush()
}

// quoteTokens returns the tokens of v as JSON strings, by their ids.
func quoteTokens(v *wordpiece.Vocabulary) []string {
	quoted := make([]string, v.Len())
	for id := range quoted {
		quoted[id] = quote(v.Token(uint32(id)))
	}
	return quoted
}

// writeTokens writes a line piece by piece: that of a long text is longer than
// the text by far.
func writeTokens(out *bufio.Writer, ids []uint32, quoted []string) error {
	out.WriteString(`{"ids":[`)
	for i, id := range ids {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(strconv.AppendUint(out.AvailableBuffer(), uint64(id), 10))
	}
	out.WriteString(`],"tokens":[`)
	for i, id := range ids {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(quoted[id])
	}
	_, err := out.WriteString("]}\n")
	return err
}

// around returns the special tokens that go before and after a text.
func (t *tokenization) around(v *wordpiece.Vocabulary) (first, last []uint32, err error) {
	if !t.special {
		return nil, nil, nil
	}
	start, hasStart := v.ID(wordpiece.Start)
	separator, hasSeparator := v.ID(wordpiece.Separator)
	if !hasStart || !hasSeparator {
		return nil, nil, fmt.Errorf("%s: --special needs the tokens %s and %s: use a vocabulary that has them", t.vocabulary, wordpiece.Start, wordpiece.Separator)
	}
	return []uint32{start}, []uint32{separator}, nil
}

// parseText returns the field "text" of a JSON object.
func parseText(line []byte) (string, error) {
	var object struct{ Text *string }
	err := json.Unmarshal(line, &object)
	if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) {
		if wrong.Field == "" {
			return "", fmt.Errorf(`a JSON %s where an object is due: write {"text": "..."}`, wrong.Value)
		}
		return "", fmt.Errorf(`a JSON %s where a string is due: write {"text": "..."}`, wrong.Value)
	}
	if err != nil {
		return "", fmt.Errorf(`not a JSON object on one line: %w`, err)
	}
	if object.Text == nil {
		return "", errors.New(`field "text" is missing: write {"text": "..."}`)
	}
	return *object.Text, nil
}
