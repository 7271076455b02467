//go:build unix

package main

import (
	"cmp"
	"encoding/binary"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"parley/internal/bert"
	"parley/sparse"
)

// batches cuts sequences into batches, in the order that they come in.
func batches(ids [][]uint32, size int) []bert.Batch {
	var all []bert.Batch
	for from := 0; from < len(ids); from += size {
		var b bert.Batch
		for _, sequence := range ids[from:min(from+size, len(ids))] {
			b.Add(sequence)
		}
		all = append(all, b)
	}
	return all
}

// encode times the encoding of a file of sequences, a session a thread. The
// longest batches come first, so that no thread waits long for another at the end.
func (s *state) encode(r request) (answer, error) {
	t, err := readTexts(r.Texts)
	if err != nil {
		return answer{}, err
	}
	if r.Count > 0 {
		t.IDs = t.IDs[:min(r.Count, len(t.IDs))]
	}
	all := batches(t.IDs, r.Batch)
	slices.SortStableFunc(all, func(a, b bert.Batch) int { return cmp.Compare(len(b.IDs), len(a.IDs)) })
	var terms atomic.Int64
	begin, cpu := time.Now(), cpuSeconds()
	s.each(all, func(_ int, vectors []sparse.Vector) {
		for _, v := range vectors {
			terms.Add(int64(v.Len()))
		}
	})
	return answer{Encode: seconds(begin), CPU: cpuSeconds() - cpu, Terms: float64(terms.Load()) / float64(len(t.IDs))}, nil
}

// each encodes batches, each by the session that is free, and hands the vectors
// to use, which must not keep them.
func (s *state) each(all []bert.Batch, use func(batch int, vectors []sparse.Vector)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for _, session := range s.sessions {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				use(i, session.Encode(all[i]))
			}
		})
	}
	wait.Wait()
}

// vectors writes the first vectors of a file of sequences as a matrix [count×V].
func (s *state) vectors(r request) (answer, error) {
	t, err := readTexts(r.Texts)
	if err != nil {
		return answer{}, err
	}
	v := s.inference.Config().Vocabulary
	dense := make([]float32, r.Count*v)
	s.each(batches(t.IDs[:r.Count], r.Batch), func(batch int, vectors []sparse.Vector) {
		for i, vector := range vectors {
			row := dense[(batch*r.Batch+i)*v:]
			for j, term := range vector.Terms {
				row[term] = vector.Weights[j]
			}
		}
	})
	data, err := binary.Append(nil, binary.LittleEndian, dense)
	if err != nil {
		return answer{}, err
	}
	return answer{}, os.WriteFile(r.To, data, 0o666)
}
