package study

import (
	"encoding/binary"
	"math"
	"sync"

	"github.com/zeebo/xxh3"

	"parley/dialog"
	"parley/sparse"
)

// memoBound is how many bytes a memo remembers at least before it forgets what
// was not asked for again; it holds twice as many at most.
const memoBound = 256 << 20

// memo remembers answers by what was asked. It keeps two generations: when the
// younger is full, the older is forgotten, so that what all trials ask for stays
// and what only one asked for goes. It is safe for concurrent use; two who ask
// the same at once both work.
type memo[V any] struct {
	size  func(V) int // in bytes
	bound int

	mu         sync.Mutex
	young, old map[xxh3.Uint128]V
	bytes      int // of the younger
}

func newMemo[V any](bound int, size func(V) int) *memo[V] {
	return &memo[V]{size: size, bound: bound, young: map[xxh3.Uint128]V{}}
}

// get returns what is remembered.
func (m *memo[V]) get(key xxh3.Uint128) (v V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok = m.young[key]; ok {
		return v, true
	}
	if v, ok = m.old[key]; ok {
		m.add(key, v)
	}
	return v, ok
}

// put remembers v.
func (m *memo[V]) put(key xxh3.Uint128, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(key, v)
}

func (m *memo[V]) add(key xxh3.Uint128, v V) {
	const overhead = 64 // of an entry of a map, about
	m.bytes += m.size(v) + overhead
	if m.bytes > m.bound {
		m.old, m.young, m.bytes = m.young, map[xxh3.Uint128]V{}, m.size(v)+overhead
	}
	m.young[key] = v
}

// rankings remembers the best passages for query vectors: of a vector the
// longest ranking that was asked for, whose heads are the shorter ones.
type rankings struct {
	memo *memo[ranking]
	rank func(q sparse.Vector, k int) []uint32
}

type ranking struct {
	passages []uint32
	k        int // that was asked for
}

func newRankings(bound int, rank func(q sparse.Vector, k int) []uint32) *rankings {
	return &rankings{memo: newMemo(bound, func(r ranking) int { return 4 * len(r.passages) }), rank: rank}
}

// Rank returns the k best passages for q, best first.
func (r *rankings) Rank(q sparse.Vector, k int) []uint32 {
	key := keyOfVector(q)
	known, ok := r.memo.get(key)
	if !ok || known.k < k {
		known = ranking{r.rank(q, k), k}
		r.memo.put(key, known)
	}
	n := min(k, len(known.passages))
	return known.passages[:n:n]
}

func keyOfVector(q sparse.Vector) xxh3.Uint128 {
	buffer := make([]byte, 0, 8*len(q.Terms))
	for i, term := range q.Terms {
		buffer = binary.LittleEndian.AppendUint32(buffer, term)
		buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(q.Weights[i]))
	}
	return xxh3.Hash128(buffer)
}

// encodings remembers the vectors of contexts.
type encodings struct {
	memo   *memo[sparse.Vector]
	encode func(dialog.Context) sparse.Vector
}

func newEncodings(bound int, encode func(dialog.Context) sparse.Vector) *encodings {
	return &encodings{memo: newMemo(bound, func(v sparse.Vector) int { return 8 * len(v.Terms) }), encode: encode}
}

// Encode returns the vector of c, which nobody may change.
func (e *encodings) Encode(c dialog.Context) sparse.Vector {
	key := keyOfContext(c)
	v, ok := e.memo.get(key)
	if !ok {
		v = e.encode(c)
		e.memo.put(key, v)
	}
	return v
}

func keyOfContext(c dialog.Context) xxh3.Uint128 {
	var buffer []byte
	for _, u := range c {
		buffer = append(buffer, byte(u.Role))
		buffer = binary.AppendUvarint(buffer, uint64(u.Distance))
		buffer = binary.AppendUvarint(buffer, uint64(len(u.Text)))
		buffer = append(buffer, u.Text...)
	}
	return xxh3.Hash128(buffer)
}
