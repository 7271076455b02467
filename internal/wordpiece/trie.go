package wordpiece

import (
	"slices"
	"strings"
)

// trie finds the longest token at the beginning of a word. It is a double array
// (Aoe 1989): the child of node n by byte b is n.base + b, if that node names n
// as its parent.
type trie []node

type node struct {
	base   int32
	parent int32
	token  int32 // the token that ends here, or none
}

const (
	root = 0
	none = -1
	free = -2 // the parent of a place that holds no node
)

// child returns the node that b leads to from n, or none.
func (t trie) child(n int32, b byte) int32 {
	c := t[n].base + int32(b)
	if t[c].parent != n {
		return none
	}
	return c
}

// walk returns the node that s leads to, or none.
func (t trie) walk(s string) int32 {
	n := int32(root)
	for i := 0; i < len(s) && n != none; i++ {
		n = t.child(n, s[i])
	}
	return n
}

// longest returns the longest token, read from the node n, that s begins with,
// and its number of bytes from there.
func (t trie) longest(n int32, s []byte) (token int32, size int) {
	if token = none; n == none {
		return
	}
	for i, b := range s {
		if n = t.child(n, b); n == none {
			break
		}
		if t[n].token != none {
			token, size = t[n].token, i+1
		}
	}
	return token, size
}

// newTrie returns the trie of distinct tokens that are not empty.
func newTrie(tokens []string) trie {
	order := make([]int32, len(tokens))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return strings.Compare(tokens[a], tokens[b]) })
	b := builder{tokens: tokens, open: root + 1}
	b.grow(root + 1)
	b.trie[root].parent = none
	b.place(root, order, 0)
	b.grow(len(b.trie) + 256) // child looks up to 255 places beyond a base
	return slices.Clip(b.trie)
}

type builder struct {
	tokens []string
	trie   trie
	open   int // the first place that is worth looking at
}

// grow makes the trie at least n places long.
func (b *builder) grow(n int) {
	for len(b.trie) < n {
		b.trie = append(b.trie, node{parent: free, token: none})
	}
}

// place gives n its children: order holds the tokens, sorted, that share the
// depth bytes leading to n.
func (b *builder) place(n int32, order []int32, depth int) {
	if len(b.tokens[order[0]]) == depth {
		b.trie[n].token = order[0]
		order = order[1:]
	}
	var bytes []byte
	var starts []int
	for i, token := range order {
		if c := b.tokens[token][depth]; i == 0 || c != bytes[len(bytes)-1] {
			bytes = append(bytes, c)
			starts = append(starts, i)
		}
	}
	if len(bytes) == 0 {
		return
	}
	base := b.fit(bytes)
	b.trie[n].base = base
	for _, c := range bytes {
		b.trie[base+int32(c)].parent = n
	}
	starts = append(starts, len(order))
	for i, c := range bytes {
		b.place(base+int32(c), order[starts[i]:starts[i+1]], depth+1)
	}
}

// fit returns a base, at least 1, at which each of bytes, which increase, has a
// free place.
func (b *builder) fit(bytes []byte) int32 {
	first, taken := int(bytes[0]), 0
	for at := max(b.open, first+1); ; at++ {
		base := at - first
		b.grow(base + 256)
		if b.trie[at].parent != free {
			taken++
		} else if !slices.ContainsFunc(bytes, func(c byte) bool { return b.trie[base+int(c)].parent != free }) {
			if taken*2 > at-b.open {
				b.open = at // most of what lies before is taken
			}
			return int32(base)
		}
	}
}
