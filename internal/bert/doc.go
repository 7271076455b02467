// Package bert holds the transformers that read text and weigh terms: BERT and
// DistilBERT, with the masked-language-model head of SPLADE or with a lexical
// head. Forward and backward stand side by side.
//
// Its guarantee: the vector of a sequence depends on the sequence and the
// weights only: not on the batch around it, not on the number of workers, and
// it is the same in training, without dropout, as in inference.
//
// It knows no text, no files and no objective. A batch has no padding: the
// tokens of all sequences are the rows of one matrix [ΣL×H], and attention runs
// sequence by sequence.
//
// Letters: B sequences, L tokens of a sequence, ΣL of all, H hidden size, I
// inner size, V vocabulary.
package bert
