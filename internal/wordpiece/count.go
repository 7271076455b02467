package wordpiece

import (
	"iter"
	"runtime"
	"sync"
)

// countWords returns how often each word occurs in texts, but for those that
// are unknown for their length.
func countWords(texts iter.Seq2[string, error], f *folding) (map[string]int, error) {
	batches := make(chan []string)
	counters := make([]counter, runtime.GOMAXPROCS(0))
	var workers sync.WaitGroup
	for i := range counters {
		counters[i] = counter{}
		workers.Go(func() {
			for batch := range batches {
				for _, text := range batch {
					counters[i].add(words{folding: f, text: text})
				}
			}
		})
	}
	err := sendBatches(batches, texts)
	close(batches)
	workers.Wait()
	if err != nil {
		return nil, err
	}
	all := make(map[string]int, len(counters[0]))
	for _, c := range counters {
		for word, n := range c {
			all[word] += *n
		}
	}
	return all, nil
}

// sendBatches sends texts, many at a time, until they end or fail.
func sendBatches(batches chan<- []string, texts iter.Seq2[string, error]) error {
	const enough = 256
	var batch []string
	for text, err := range texts {
		if err != nil {
			return err
		}
		if batch = append(batch, text); len(batch) == enough {
			batches <- batch
			batch = nil
		}
	}
	batches <- batch
	return nil
}

// counter counts words, in places that a known word reaches without its string
// being made anew.
type counter map[string]*int

func (c counter) add(w words) {
	for word := w.next(); word != nil; word = w.next() {
		if w.runes > longest {
			continue
		}
		n := c[string(word)]
		if n == nil {
			n = new(int)
			c[string(word)] = n
		}
		*n++
	}
}
