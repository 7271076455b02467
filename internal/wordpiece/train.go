package wordpiece

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
)

// TrainOptions say what vocabulary is trained.
type TrainOptions struct {
	Size     int     // at most so many tokens; 0 means 30,522, as many as BERT's vocabulary has
	MinCount int     // two tokens are joined only if they meet so often; 0 means 2
	Options  Options // how text is folded
}

// Train makes a vocabulary for texts as the WordPiece trainer of Hugging Face
// tokenizers does, by byte-pair encoding (Sennrich, Haddow and Birch 2016,
// algorithm 1): words are spelled in characters, and the two tokens that meet
// most often are joined to a new one, over and over, until there are Size
// tokens or none meet MinCount times. Of pairs that meet equally often, the
// first in byte order is joined.
//
// The vocabulary begins with the special tokens and the characters, of which
// the Size/4 most frequent are taken; words with other characters are left out.
// It depends only on how often each word occurs; memory grows with the number
// of distinct words. An error from texts ends the training.
func Train(texts iter.Seq2[string, error], o TrainOptions) (*Vocabulary, error) {
	size, least := cmp.Or(o.Size, 30_522), cmp.Or(o.MinCount, 2)
	if size < SmallestSize {
		return nil, fmt.Errorf("a vocabulary of %d tokens: it takes at least %d", size, SmallestSize)
	}
	if least < 1 {
		return nil, fmt.Errorf("a least count of %d: it takes at least 1", least)
	}
	counts, err := countWords(texts, newFolding(o.Options))
	if err != nil {
		return nil, err
	}
	if len(counts) == 0 {
		return nil, errors.New("no words to train a vocabulary from: the texts are empty")
	}
	t := newTrainer(counts, size/4)
	for len(t.tokens) < size && t.join(least) {
	}
	return NewVocabulary(t.tokens, o.Options)
}

// SmallestSize is the least Size: it leaves room for the special tokens beside
// the characters.
const SmallestSize = 16
