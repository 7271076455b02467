package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"parley/dialog"
	"parley/encoder"
)

// encoding says what is encoded, and how.
type encoding struct {
	collections []string
	encoder     string
	queries     string // the query mode; "": passages are encoded
	shard       string
	format      string
	scale       float64 // of the weights in JSON lines; 0: as they are
	side        sideFlags
	workers     int
	restart     bool
	output      string

	part part
}

// sideFlags are the settings of the side that is encoded.
type sideFlags struct {
	pruneFlags
	length int
}

// bind adds the flags, their names begun with prefix, for texts of the given name.
func (s *sideFlags) bind(cmd *cobra.Command, prefix, texts string) {
	cmd.Flags().IntVar(&s.length, prefix+"max-length", 0, "splade: most tokens that are read of "+texts+" (default: as the model says)")
	s.pruneFlags.bind(cmd, prefix, texts)
}

func (s *sideFlags) check() error {
	if s.length < 0 || s.length == 1 || s.length == 2 {
		return usagef("--%smax-length %d: it must be 3 or more, for [CLS] and [SEP] are counted", s.prefix, s.length)
	}
	return s.pruneFlags.check()
}

func (s *sideFlags) side() encoder.Side {
	side := s.pruneFlags.side()
	side.Tokens = s.length
	return side
}

// part is one of several equal parts of a piece of work.
type part struct{ number, of int }

// parsePart reads i/n, with i from 1 to n; empty means the whole.
func parsePart(s string) (part, error) {
	if s == "" {
		return part{1, 1}, nil
	}
	i, n, ok := strings.Cut(s, "/")
	number, err := strconv.Atoi(i)
	of, err2 := strconv.Atoi(n)
	if !ok || err != nil || err2 != nil || number < 1 || number > of {
		return part{}, usagef("--shard %s: write i/n with i from 1 to n, such as 1/4", s)
	}
	return part{number, of}, nil
}

// span returns which of total items are the part's: from first up to last.
func (p part) span(total int) (first, last int) {
	at := func(i int) int { return total/p.of*i + total%p.of*i/p.of }
	return at(p.number - 1), at(p.number)
}

func newEncodeCommand(io streams) *cobra.Command {
	var o encoding
	cmd := &cobra.Command{
		Use:   "encode --collection DIR[,DIR...] --encoder MODEL -o FILE",
		Short: "Encode passages or queries as sparse vectors",
		Long: `Encodes the passages of one or more collections, or the turns of their
conversations (--queries MODE), as sparse vectors. MODEL is the folder of a
model, or an index, whose encoder is taken: a Hugging Face checkpoint with a
masked-language-model head, a model that Parley trained, or a BM25 encoder.

FILE is in Parley's own format, which parley index --vectors reads, or with
--format jsonl one JSON object a line, {"id": "p1", "vector": {"term": weight}},
as other tools of the field read them (those that need whole numbers: --scale 100). If FILE is a folder, the file in it is
named by what it holds.

A run that was interrupted, even killed, is taken up by the same command from
FILE.partial and ends with the same bytes. --shard i/n encodes the i-th of n
equal parts, so that n machines or jobs of a scheduler share the work; parley
index --vectors takes the files together. A file that is there already, whole
and of the same encoder and texts, is left as it is.`,
		Example: `  parley encode --collection data/mine --encoder splade -o mine.vectors
  parley encode --collection data/mine --encoder splade --shard 2/8 -o shards/
  parley encode --collection data/mine --encoder splade --top-k 128 --format jsonl --scale 100 -o mine.jsonl
  parley encode --collection data/mine --encoder student --queries history -o queries.vectors`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			mode, err := o.check()
			if err != nil {
				return err
			}
			return o.run(cmd.Context(), io, mode)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&o.collections, "collection", nil, "folders of collections, which are encoded in this order")
	flags.StringVar(&o.encoder, "encoder", "", "folder of the model, or of an index, or OWNER/NAME of a fetched model")
	flags.StringVar(&o.queries, "queries", "", "encode turns: last, questions, history, rewrite or rewrite:NAME (default: encode passages)")
	flags.StringVar(&o.shard, "shard", "", "encode a part only: i/n is the i-th of n")
	flags.StringVar(&o.format, "format", formatBinary, "binary, or jsonl for other programs")
	flags.Float64Var(&o.scale, "scale", 0, "jsonl: multiply weights by this and round to whole numbers, as impact indexes need (100 is usual)")
	o.side.bind(cmd, "", "a text")
	flags.IntVar(&o.workers, "workers", 0, "texts are encoded by so many at once; it changes no vector (default: one for each processor)")
	flags.BoolVar(&o.restart, "restart", false, "drop what an interrupted run left")
	flags.StringVarP(&o.output, "output", "o", "", "file of the vectors, or folder for it")
	for _, required := range []string{"collection", "encoder", "output"} {
		_ = cmd.MarkFlagRequired(required)
	}
	return cmd
}

// The formats of vectors.
const (
	formatBinary = "binary"
	formatJSONL  = "jsonl"
)

func (o *encoding) check() (mode dialog.Mode, err error) {
	if err := o.side.check(); err != nil {
		return mode, err
	}
	if o.part, err = parsePart(o.shard); err != nil {
		return mode, err
	}
	if o.queries == "" && o.side.rule.ValuePerCost != 0 {
		return mode, usagef("--value-per-cost is for --queries: what a term costs is known once the passages are indexed")
	}
	if o.queries != "" {
		if mode, err = dialog.ParseMode(o.queries); err != nil {
			return mode, usagef("--queries: %w", err)
		}
	}
	switch {
	case o.format != formatBinary && o.format != formatJSONL:
		return mode, usagef("--format %s: use binary or jsonl", o.format)
	case !(o.scale >= 0) || math.IsInf(o.scale, 0):
		return mode, usagef("--scale %v: it must be positive", o.scale)
	case o.scale > 0 && o.format != formatJSONL:
		return mode, usagef("--scale is for --format jsonl: the binary format has the weights themselves")
	case o.workers < 0:
		return mode, usagef("--workers %d: it cannot be negative", o.workers)
	case o.workers == 0:
		o.workers = runtime.GOMAXPROCS(0)
	}
	return mode, nil
}

// run encodes into a file of vectors, which is the output or, where another
// format is asked for, beside it until that is written.
func (o *encoding) run(ctx context.Context, io streams, mode dialog.Mode) error {
	if err := resolveModels(&o.encoder); err != nil {
		return err
	}
	texts, err := o.texts(ctx, io, mode)
	if err != nil {
		return err
	}
	enc, err := o.open(io)
	if err != nil {
		return err
	}
	job := encodingJob{
		texts: texts, header: texts.header(enc, enc.identity, o.part), encode: enc.encode,
		workers: o.workers, restart: o.restart, path: o.file(texts.of),
	}
	if o.format == formatBinary {
		return job.file(ctx, io)
	}
	output := job.path
	if job.path += ".vectors"; isDevice(output) { // nothing can be put beside it, nor taken up later
		dir, err := os.MkdirTemp("", "parley")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		job.path = filepath.Join(dir, "vectors")
	}
	w, err := job.run(ctx, io)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := writeJSONL(ctx, output, w.All(), enc.Vocabulary(), o.scale); err != nil {
		return err
	}
	w.Discard()
	return nil
}

// isDevice tells whether path is there and is a device or a pipe.
func isDevice(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// file returns the path of the output: in a folder, a name that tells what the
// file holds, in the order of the shards.
func (o *encoding) file(of string) string {
	info, err := os.Stat(o.output)
	if !(err == nil && info.IsDir()) && !strings.HasSuffix(o.output, "/") && !strings.HasSuffix(o.output, string(filepath.Separator)) {
		return o.output
	}
	name := strings.NewReplacer(" ", "-", ":", "-", string(filepath.Separator), "-").Replace(of)
	if o.part.of > 1 {
		width := len(strconv.Itoa(o.part.of))
		name += fmt.Sprintf("-%0*d-of-%d", width, o.part.number, o.part.of)
	}
	return filepath.Join(o.output, name+map[string]string{formatBinary: ".vectors", formatJSONL: ".jsonl"}[o.format])
}
