package wordpiece

import (
	"encoding/binary"
	"math/bits"
	"strings"
)

// shortWords finds the tokens that are whole words of at most 7 bytes, which
// most words of English are, with about one look into memory where the trie
// takes one for each byte. It is a hash table with linear probing, at most half
// full.
type shortWords struct {
	entries []shortWord
	shift   int // of a hash, to the index of an entry
}

// shortWord is a token by its key, which is 0 where there is none.
type shortWord struct {
	key   uint64
	token uint32
}

// short is the number of bytes of the longest short word: a key has room for
// them and their number.
const short = 7

func newShortWords(tokens []string) shortWords {
	size := bits.Len(uint(2 * len(tokens)))
	s := shortWords{entries: make([]shortWord, 1<<size), shift: 64 - size}
	for id, token := range tokens {
		if len(token) <= short && !strings.HasPrefix(token, continuation) {
			key := shortKey(append(make([]byte, 0, 8), token...))
			*s.entry(key) = shortWord{key, uint32(id)}
		}
	}
	return s
}

// find returns the token that word is, if it is short and a token.
func (s *shortWords) find(word []byte) (token uint32, ok bool) {
	if len(word) > short {
		return 0, false
	}
	e := s.entry(shortKey(word))
	return e.token, e.key != 0
}

// shortKey returns the key of a short word that is not empty and has a capacity
// of at least 8 bytes.
func shortKey(word []byte) uint64 {
	n := len(word)
	return binary.LittleEndian.Uint64(word[:8])&(1<<(8*n)-1) | uint64(n)<<(8*short)
}

// entry returns the entry of key, or the free one that it would take.
func (s *shortWords) entry(key uint64) *shortWord {
	const golden = 0x9E3779B97F4A7C15 // 2^64 over the golden ratio: Knuth, volume 3, section 6.4
	for i := key * golden >> s.shift; ; i = (i + 1) & uint64(len(s.entries)-1) {
		if e := &s.entries[i]; e.key == key || e.key == 0 {
			return e
		}
	}
}
