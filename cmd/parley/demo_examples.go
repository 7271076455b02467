package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"parley/collection"
	"parley/dialog"
	"parley/encoder"
	"parley/index"
	"parley/search"
	"parley/sparse"
	"parley/trec"
)

// demoExample is a turn with what the students made of it.
type demoExample struct {
	Turn     string        `json:"turn"`
	Earlier  []string      `json:"earlier_questions"`
	Question string        `json:"question"`
	Rewrite  string        `json:"rewrite"`
	Students []demoReading `json:"students"`

	context dialog.Context
}

// demoReading is how a student reads a turn.
type demoReading struct {
	Student string     `json:"student"`
	Terms   []demoTerm `json:"terms"` // the heaviest
	Best    string     `json:"best_passage"`
	Correct bool       `json:"correct"` // the best passage is judged relevant
}

type demoTerm struct {
	Token  string  `json:"token"`
	Weight float32 `json:"weight"`
}

// How much an example shows.
const (
	demoExamples    = 3
	demoExampleTerm = 8
)

// examples returns the third turns of the first conversations in which that
// turn cannot be understood alone. How well the students do plays no part.
func (d *demonstration) examples() ([]demoExample, error) {
	ix, err := index.Open(filepath.Join(d.dir, "index"))
	if err != nil {
		return nil, err
	}
	defer ix.Close()
	c, err := collection.Open(filepath.Join(d.dir, "test"))
	if err != nil {
		return nil, err
	}
	qrels, err := c.Qrels()
	if err != nil {
		return nil, err
	}
	var examples []demoExample
	for talk, err := range c.Conversations() {
		if err != nil {
			return nil, err
		}
		if len(talk.Turns) >= 3 && needsHistory(talk.Turns[2]) && len(qrels[talk.Turns[2].ID]) > 0 {
			if examples = append(examples, newDemoExample(talk, 2)); len(examples) == demoExamples {
				break
			}
		}
	}
	for _, name := range []string{"student", "regularised"} {
		student, err := openEncoder(filepath.Join(d.dir, name), ix)
		if err != nil {
			return nil, err
		}
		for i := range examples {
			examples[i].read(name, student, ix, qrels)
		}
	}
	return examples, nil
}

// needsHistory tells whether the rewrite says more than the question.
func needsHistory(t dialog.Turn) bool { return !strings.Contains(t.Question, t.Rewrite) }

func newDemoExample(c dialog.Conversation, i int) demoExample {
	t := c.Turns[i]
	e := demoExample{Turn: t.ID, Question: t.Question, Rewrite: t.Rewrite, context: c.History(i)}
	for _, earlier := range c.Turns[:i] {
		e.Earlier = append(e.Earlier, earlier.Question)
	}
	return e
}

// read adds how a student reads the turn, and what it finds.
func (e *demoExample) read(name string, student encoder.Encoder, ix *index.Index, qrels trec.Qrels) {
	q := student.Query(e.context)
	reading := demoReading{Student: name, Terms: heaviest(student, q)}
	if hits := search.New(ix, search.Options{}).Search(q, 1, nil); len(hits) > 0 {
		best := ix.Passage(hits[0].Passage)
		reading.Best, reading.Correct = best.Text, qrels[e.Turn][best.ID] > 0
	}
	e.Students = append(e.Students, reading)
}

func heaviest(e encoder.Encoder, q sparse.Vector) []demoTerm {
	var terms []demoTerm
	for _, entry := range q.Ranked()[:min(q.Len(), demoExampleTerm)] {
		terms = append(terms, demoTerm{e.Vocabulary().Token(entry.Term), entry.Weight})
	}
	return terms
}

// write prints the example for people.
func (e demoExample) write(w io.Writer) {
	fmt.Fprintf(w, "%s\n", e.Turn)
	for _, q := range e.Earlier {
		fmt.Fprintf(w, "  earlier      %s\n", q)
	}
	fmt.Fprintf(w, "  question     %s\n  rewrite      %s\n", e.Question, e.Rewrite)
	for _, s := range e.Students {
		var terms []string
		for _, t := range s.Terms {
			terms = append(terms, fmt.Sprintf("%s %.2f", t.Token, t.Weight))
		}
		verdict := "wrong"
		if s.Correct {
			verdict = "right"
		}
		fmt.Fprintf(w, "  %-12s %s\n  %12s %s: %s\n", s.Student, strings.Join(terms, ", "), "", verdict, shorten(s.Best, 90))
	}
}

// shorten cuts text to about n characters, at a word.
func shorten(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	cut := string(runes[:n])
	if at := strings.LastIndexByte(cut, ' '); at > 0 {
		cut = cut[:at]
	}
	return cut + " …"
}
