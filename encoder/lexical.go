package encoder

import (
	"parley/dialog"
	"parley/internal/input"
	"parley/internal/lexical"
	"parley/internal/model"
	"parley/internal/prune"
	"parley/internal/wordpiece"
	"parley/sparse"
)

// student is the encoder of a trained lexical network: it weighs the terms of
// the context.
type student struct {
	reader *input.Reader
	stats  Statistics
	keep   prune.Rule
	net    *lexical.Inference
	sum    string // checksum of the model folder
}

func openLexical(f *model.Folder, reader *input.Reader, stats Statistics, keep prune.Rule) (Encoder, error) {
	net, err := lexical.Load(f.Weights, *f.Config.Lexical, f.Vocabulary.Len())
	if err != nil {
		return nil, err
	}
	s := &student{reader: reader, stats: stats, keep: keep, net: net, sum: f.Config.ConfigSum}
	if own := f.Config.Prune; own == nil && keep != (prune.Rule{}) || own != nil && keep != *own {
		s.sum = identity(keep, []string{s.sum})
	}
	return s, nil
}

func (s *student) Kind() string { return model.KindLexical }

func (s *student) Describe() string {
	if s.keep != (prune.Rule{}) {
		return "lexical student " + s.keep.String()
	}
	return "lexical student"
}

func (s *student) Identity() string { return s.sum }

func (s *student) Vocabulary() *wordpiece.Vocabulary { return s.reader.Tokenizer().Vocabulary() }

func (s *student) Query(c dialog.Context) sparse.Vector {
	in := s.reader.Context(c)
	return s.keep.Apply(s.net.Weigh(lexical.Input{Context: in, Terms: s.reader.Terms(in, s.stats)}), s.stats)
}
