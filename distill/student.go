package distill

import (
	"parley/internal/f32"
	"parley/internal/input"
	"parley/internal/lexical"
	"parley/internal/model"
	"parley/internal/prune"
	"parley/sparse"
)

// Student is a trainable query encoder. Forward returns the vectors of a batch
// and keeps what Backward needs to add to the gradients of the parameters, given
// those of the loss with respect to each weight of each vector. Neither may
// depend on the number of workers.
type Student interface {
	Parameters() []*f32.Parameter
	// Forward returns vectors that are valid until it is called again.
	Forward(batch []Input) []sparse.Vector
	Backward(gradients [][]float32)
	// Close ends the student's goroutines. It can be saved still.
	Close()
	// Save writes the student as a model folder's files into dir; r is what its
	// training ended with.
	Save(dir string, r *Result) error
}

// Input is a turn's context as a student reads it.
type Input struct {
	Context input.Context
	Dropped []bool // [L] tokens hidden from the student in this step; nil for none
	Seed    uint64 // of the student's own random numbers in this step; 0 for none
}

// lexicalStudent weighs the terms of the context.
type lexicalStudent struct {
	reader  *input.Reader
	stats   input.Statistics
	net     *lexical.Network
	workers int
	batch   []lexical.Input
}

// newLexicalStudent returns the untrained student of the plan. The terms that it
// embeds are those that occur at least MinCount times in the training contexts.
func newLexicalStudent(p Plan, reader *input.Reader, stats input.Statistics, contexts []input.Context, workers int) *lexicalStudent {
	vocabulary := reader.Tokenizer().Vocabulary().Len()
	config, terms := lexical.Config{}, []uint32(nil)
	if p.Student.Kind == StudentMLP {
		config = lexical.Config{Dim: p.Student.Dim, Hidden: p.Student.Hidden}
		counts := make([]int, vocabulary)
		for _, c := range contexts {
			for _, id := range c.IDs {
				counts[id]++
			}
		}
		for id, n := range counts {
			if n >= p.Student.MinCount {
				terms = append(terms, uint32(id))
			}
		}
	}
	return &lexicalStudent{reader: reader, stats: stats, workers: workers, net: lexical.New(config, vocabulary, terms, p.Seed)}
}

func (s *lexicalStudent) Parameters() []*f32.Parameter { return s.net.Parameters() }

func (s *lexicalStudent) Forward(batch []Input) []sparse.Vector {
	s.batch = s.batch[:0]
	for _, in := range batch {
		s.batch = append(s.batch, lexical.Input{Context: in.Context, Dropped: in.Dropped})
	}
	f32.Parallel(len(batch), s.workers, func(i int) {
		s.batch[i].Terms = s.reader.Terms(batch[i].Context, s.stats)
	})
	return s.net.Forward(s.batch, s.workers)
}

func (s *lexicalStudent) Backward(gradients [][]float32) {
	s.net.Backward(gradients, s.workers)
}

// Close does nothing: the network has no goroutines of its own.
func (s *lexicalStudent) Close() {}

func (s *lexicalStudent) Save(dir string, r *Result) error {
	vocab := s.reader.Tokenizer().Vocabulary()
	counts := model.Counts{Passages: s.stats.N(), Having: make([]int32, vocab.Len())}
	for id := range counts.Having {
		counts.Having[id] = int32(s.stats.DF(uint32(id)))
	}
	network := s.net.Config()
	config := model.Config{Kind: model.KindLexical, Budget: s.reader.Budget(), Lexical: &network}
	if r.keep != (prune.Rule{}) {
		config.Prune = &r.keep
	}
	return model.Write(dir, config, vocab, counts, s.net.Tensors())
}
