package encoder

import (
	"parley/dialog"
	"parley/internal/input"
	"parley/internal/lexical"
	"parley/internal/model"
	"parley/internal/wordpiece"
	"parley/sparse"
)

// student is the encoder of a trained lexical network: it weighs the terms of
// the context.
type student struct {
	reader *input.Reader
	stats  Statistics
	net    *lexical.Inference
	sum    string // checksum of the model folder
}

func openLexical(f *model.Folder, reader *input.Reader, stats Statistics) (Encoder, error) {
	net, err := lexical.Load(f.Weights, *f.Config.Lexical, f.Vocabulary.Len())
	if err != nil {
		return nil, err
	}
	return &student{reader: reader, stats: stats, net: net, sum: f.Config.ConfigSum}, nil
}

func (s *student) Kind() string { return model.KindLexical }

func (s *student) Describe() string { return "lexical student" }

func (s *student) Identity() string { return s.sum }

func (s *student) Vocabulary() *wordpiece.Vocabulary { return s.reader.Tokenizer().Vocabulary() }

func (s *student) Query(c dialog.Context) sparse.Vector {
	in := s.reader.Context(c)
	return s.net.Weigh(lexical.Input{Context: in, Terms: s.reader.Terms(in, s.stats)})
}
