package trec

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
)

// Qrel is one judgement: how well a passage answers a topic.
type Qrel struct {
	Topic, Passage string
	Grade          int // higher is better; 0 is judged not relevant, below 0 is in the pool but not judged
	Line           int // of the file, from 1; 0 where the judgement comes from no file
}

// Qrels holds the judgements of a collection: topic, then passage, to grade.
type Qrels map[string]map[string]int

// Topics returns the judged topics in ascending order of their bytes.
func (q Qrels) Topics() []string { return slices.Sorted(maps.Keys(q)) }

const qrelsForm = "topic 0 passage grade"

// ReadQrels yields the judgements of r in their order, checking each line by
// itself; name stands for the file in errors. After an error, which is yielded
// with a zero Qrel, nothing follows. LoadQrels also refuses what contradicts an
// earlier line.
func ReadQrels(r io.Reader, name string) iter.Seq2[Qrel, error] {
	return func(yield func(Qrel, error) bool) {
		l := newLines(r, name)
		var fields [4][]byte
		for {
			err := l.next(fields[:], qrelsForm)
			if err == io.EOF {
				return
			}
			var q Qrel
			if err == nil {
				q, err = l.qrel(&fields)
			}
			if !yield(q, err) || err != nil {
				return
			}
		}
	}
}

func (l *lines) qrel(fields *[4][]byte) (Qrel, error) {
	grade, err := strconv.Atoi(string(fields[3]))
	if err != nil {
		return Qrel{}, l.errorf("grade %q is not an integer: write each line as %q", fields[3], qrelsForm)
	}
	return Qrel{Topic: string(fields[0]), Passage: string(fields[2]), Grade: grade, Line: l.number}, nil
}

// LoadQrels reads all judgements of r. A passage judged twice for one topic is
// an error, even with the same grade. Without any judgement the result is
// empty, not an error.
func LoadQrels(r io.Reader, name string) (Qrels, error) {
	qrels := make(Qrels)
	for q, err := range ReadQrels(r, name) {
		if err != nil {
			return nil, err
		}
		grades := qrels[q.Topic]
		if grades == nil {
			grades = make(map[string]int)
			qrels[q.Topic] = grades
		}
		if _, twice := grades[q.Passage]; twice {
			return nil, fmt.Errorf("%s:%d: passage %q is judged twice for topic %q: keep one of the lines",
				name, q.Line, q.Passage, q.Topic)
		}
		grades[q.Passage] = q.Grade
	}
	return qrels, nil
}

// OpenQrels reads all judgements of the file at path as LoadQrels does; the
// file may be compressed with gzip or zstd.
func OpenQrels(path string) (Qrels, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return LoadQrels(f, path)
}

// WriteQrels writes the judgements in ascending order of topic, then passage.
func WriteQrels(w io.Writer, qrels Qrels) error {
	out := bufio.NewWriter(w)
	for _, topic := range qrels.Topics() {
		if err := checkTopic(topic); err != nil {
			return err
		}
		for _, passage := range slices.Sorted(maps.Keys(qrels[topic])) {
			if err := CheckID(passage); err != nil {
				return fmt.Errorf("topic %q: %w", topic, err)
			}
			fmt.Fprintf(out, "%s 0 %s %d\n", topic, passage, qrels[topic][passage])
		}
	}
	return out.Flush()
}
