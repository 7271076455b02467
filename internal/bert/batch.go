package bert

import "fmt"

// Batch is a number of sequences, one after the other without padding.
type Batch struct {
	IDs   []uint32 // [ΣL] term ids
	Ends  []int    // [B] where each sequence ends in IDs
	Types []uint8  // [ΣL] token types, nil for all 0
}

// Len returns B, the number of sequences.
func (b Batch) Len() int { return len(b.Ends) }

// Add appends a sequence of tokens of type 0.
func (b *Batch) Add(ids []uint32) {
	b.IDs = append(b.IDs, ids...)
	b.Ends = append(b.Ends, len(b.IDs))
}

// Reset makes b empty and keeps its memory.
func (b *Batch) Reset() { b.IDs, b.Ends, b.Types = b.IDs[:0], b.Ends[:0], nil }

// start returns where sequence i begins.
func (b Batch) start(i int) int {
	if i == 0 {
		return 0
	}
	return b.Ends[i-1]
}

// Check reports why a network of c cannot read b.
func (c Config) Check(b Batch) error {
	if b.Types != nil && len(b.Types) != len(b.IDs) {
		return fmt.Errorf("a batch of %d tokens with %d token types", len(b.IDs), len(b.Types))
	}
	at := 0
	for i, end := range b.Ends {
		switch length := end - at; {
		case end > len(b.IDs):
			return fmt.Errorf("sequence %d of the batch ends at token %d of %d", i, end, len(b.IDs))
		case length < 1:
			return fmt.Errorf("sequence %d of the batch is empty", i)
		case length > c.Positions:
			return fmt.Errorf("sequence %d of the batch has %d tokens, more than the network's %d positions", i, length, c.Positions)
		}
		for ; at < end; at++ {
			if uint64(b.IDs[at]) >= uint64(c.Vocabulary) {
				return fmt.Errorf("sequence %d of the batch has term %d, outside the vocabulary of %d", i, b.IDs[at], c.Vocabulary)
			}
			if b.Types != nil && int(b.Types[at]) >= max(c.Types, 1) {
				return fmt.Errorf("sequence %d of the batch has a token of type %d, the network knows %d", i, b.Types[at], c.Types)
			}
		}
	}
	if at != len(b.IDs) {
		return fmt.Errorf("%d tokens follow the last sequence of the batch", len(b.IDs)-at)
	}
	return nil
}
