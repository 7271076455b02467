package trec

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Entry is one line of a run.
type Entry struct {
	Topic, Passage string
	Rank           int     // as written; measures go by Score alone
	Score          float64 // finite; higher is better
	Tag            string  // names the system
	Line           int     // of the file, from 1
}

// Hit is a passage that was returned for a topic.
type Hit struct {
	Passage string
	Score   float64 // finite; higher is better
}

// Run holds what a system returned: topic to hits, in the order of the file or
// of the search.
type Run map[string][]Hit

// Topics returns the topics of the run in ascending order of their bytes.
func (r Run) Topics() []string { return slices.Sorted(maps.Keys(r)) }

// SortHits puts hits into the order in which measures see them, that of
// trec_eval: by descending score compared as doubles, and among equal scores by
// descending bytes of the passage id.
func SortHits(hits []Hit) {
	slices.SortFunc(hits, func(a, b Hit) int {
		if a.Score != b.Score {
			return cmp.Compare(b.Score, a.Score)
		}
		return strings.Compare(b.Passage, a.Passage)
	})
}

const runForm = "topic Q0 passage rank score tag"

// ReadRun yields the entries of r in their order, checking each line by itself;
// name stands for the file in errors. After an error, which is yielded with a
// zero Entry, nothing follows. It needs no memory beyond a line; LoadRun, which
// holds the run, also refuses a passage given twice for one topic.
func ReadRun(r io.Reader, name string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l := newLines(r, name)
		var fields [6][]byte
		var last Entry
		for {
			err := l.next(fields[:], runForm)
			if err == io.EOF {
				return
			}
			e := last
			if err == nil {
				err = l.entry(&fields, &e)
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !yield(e, nil) {
				return
			}
			last = e
		}
	}
}

// entry parses a line into e, which holds the line before: topic and tag seldom
// change, so that their strings are shared.
func (l *lines) entry(fields *[6][]byte, e *Entry) error {
	rank, err := strconv.Atoi(string(fields[3]))
	if err != nil {
		return l.errorf("rank %q is not an integer: write each line as %q", fields[3], runForm)
	}
	score, err := strconv.ParseFloat(string(fields[4]), 64)
	if err != nil || math.IsNaN(score) || math.IsInf(score, 0) {
		return l.errorf("score %q is not a finite number: write each line as %q", fields[4], runForm)
	}
	e.Topic = share(e.Topic, fields[0])
	e.Passage = string(fields[2])
	e.Tag = share(e.Tag, fields[5])
	e.Rank, e.Score, e.Line = rank, score, l.number
	return nil
}

func share(old string, b []byte) string {
	if old == string(b) {
		return old
	}
	return string(b)
}

// LoadRun reads all entries of r. A passage given twice for one topic is an
// error. Without any entry the result is empty, not an error.
func LoadRun(r io.Reader, name string) (Run, error) {
	run, numbers, err := collect(ReadRun(r, name))
	if err != nil {
		return nil, err
	}
	first := make(map[string]int) // passage to its index among the topic's hits
	for _, topic := range run.Topics() {
		clear(first)
		for i, h := range run[topic] {
			if j, twice := first[h.Passage]; twice {
				return nil, fmt.Errorf("%s:%d: passage %q is given twice for topic %q (first on line %d): keep one of the lines",
					name, numbers[topic][i], h.Passage, topic, numbers[topic][j])
			}
			first[h.Passage] = i
		}
	}
	return run, nil
}

// collect gathers entries by topic, and the line of each hit.
func collect(entries iter.Seq2[Entry, error]) (Run, map[string][]int, error) {
	topics := make(map[string]*topicHits)
	name, current, block := "", (*topicHits)(nil), 0
	for e, err := range entries {
		if err != nil {
			return nil, nil, err
		}
		if current == nil || e.Topic != name {
			name, current = e.Topic, topics[e.Topic]
			if current == nil {
				// Mostly a topic has as many hits as the one before it.
				current = newTopicHits(block)
				topics[e.Topic] = current
			}
			block = 0
		}
		block++
		current.hits = append(current.hits, Hit{e.Passage, e.Score})
		current.numbers = append(current.numbers, e.Line)
	}
	run, numbers := make(Run, len(topics)), make(map[string][]int, len(topics))
	for topic, t := range topics {
		run[topic], numbers[topic] = t.hits, t.numbers
	}
	return run, numbers, nil
}

// topicHits is a topic of a run that is being read.
type topicHits struct {
	hits    []Hit
	numbers []int // their lines
}

func newTopicHits(capacity int) *topicHits {
	return &topicHits{make([]Hit, 0, capacity), make([]int, 0, capacity)}
}

// OpenRun reads all entries of the file at path as LoadRun does; the file may
// be compressed with gzip or zstd.
func OpenRun(path string) (Run, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return LoadRun(f, path)
}
