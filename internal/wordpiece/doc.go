// Package wordpiece cuts text into WordPieces: the entries of a vocabulary that
// a word is covered with, longest first.
//
// The guarantee: for every valid UTF-8 text the ids equal those of the
// reference implementation, Hugging Face tokenizers (its BertNormalizer,
// BertPreTokenizer and WordPiece model, without a post-processor), down to the
// version of Unicode that the reference froze. The package also trains
// vocabularies, deterministically.
//
// It adds no special tokens of its own accord, truncates nothing and turns no
// ids back into text. A byte that is not part of valid UTF-8, which the
// reference has no way to receive, counts as U+FFFD.
package wordpiece
