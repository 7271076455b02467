package trec

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
)

// RunWriter writes a run, topic by topic. Create one with NewRunWriter, and
// call Flush after the last topic.
type RunWriter struct {
	out    *bufio.Writer
	tag    string
	topics map[string]bool // written so far
	seen   map[string]bool // passages of the current topic
	line   []byte
}

// NewRunWriter returns a writer of a run to w under the given tag, which names
// the system.
func NewRunWriter(w io.Writer, tag string) (*RunWriter, error) {
	if err := CheckID(tag); err != nil {
		return nil, fmt.Errorf("tag: %w", err)
	}
	return &RunWriter{
		out: bufio.NewWriterSize(w, 1<<16), tag: tag,
		topics: make(map[string]bool), seen: make(map[string]bool),
	}, nil
}

// WriteTopic writes the hits of a topic with ranks from 1. Scores are written
// with as many digits as tell each double from every other. The hits must come
// in descending order of score, each passage once, and each topic once; without
// hits nothing is written. A topic that is refused has written none of its
// lines.
func (w *RunWriter) WriteTopic(topic string, hits []Hit) error {
	if err := w.check(topic, hits); err != nil {
		return err
	}
	w.topics[topic] = true
	for i, h := range hits {
		b := append(w.line[:0], topic...)
		b = append(b, " Q0 "...)
		b = append(b, h.Passage...)
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(i+1), 10)
		b = append(b, ' ')
		b = strconv.AppendFloat(b, h.Score, 'g', -1, 64)
		b = append(b, ' ')
		b = append(b, w.tag...)
		w.line = append(b, '\n')
		if _, err := w.out.Write(w.line); err != nil {
			return err
		}
	}
	return nil
}

func (w *RunWriter) check(topic string, hits []Hit) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	if w.topics[topic] {
		return fmt.Errorf("topic %q is written twice", topic)
	}
	clear(w.seen)
	for i, h := range hits {
		if err := w.checkHit(h); err != nil {
			return fmt.Errorf("topic %q, rank %d: %w", topic, i+1, err)
		}
		if i > 0 && h.Score > hits[i-1].Score {
			return fmt.Errorf("topic %q, rank %d: score %g is above that of the rank before: sort the hits first",
				topic, i+1, h.Score)
		}
	}
	return nil
}

func (w *RunWriter) checkHit(h Hit) error {
	if err := CheckID(h.Passage); err != nil {
		return err
	}
	if w.seen[h.Passage] {
		return fmt.Errorf("passage %q is given twice", h.Passage)
	}
	w.seen[h.Passage] = true
	if math.IsNaN(h.Score) || math.IsInf(h.Score, 0) {
		return fmt.Errorf("passage %q has the score %g, which is not a finite number", h.Passage, h.Score)
	}
	return nil
}

// Flush writes what is still held back.
func (w *RunWriter) Flush() error { return w.out.Flush() }

// WriteRun writes the run with its topics in ascending order, and each topic's
// hits as WriteTopic wants them.
func WriteRun(w io.Writer, run Run, tag string) error {
	out, err := NewRunWriter(w, tag)
	if err != nil {
		return err
	}
	for _, topic := range run.Topics() {
		if err := out.WriteTopic(topic, run[topic]); err != nil {
			return err
		}
	}
	return out.Flush()
}
