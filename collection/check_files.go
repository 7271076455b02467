package collection

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"parley/dialog"
	"parley/trec"
)

// qrels reads the judgements. They come first, so that the corpus, which may
// be large, need not be remembered.
func (k *checker) qrels(ctx context.Context) error {
	k.topics, k.passages = make(map[string]*topic), make(map[string]*mention)
	file := k.collection.qrels
	if file == "" {
		return nil
	}
	f, err := openFile(file)
	if err != nil {
		return err
	}
	defer f.Close()
	for q, err := range trec.ReadQrels(f, file) {
		if err != nil {
			k.note(badLine, qrelsError(file, err))
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		k.qrel(q)
	}
	return nil
}

// qrelsError makes a mistake that package trec found, and that starts with
// "file:line: ", one of ours.
func qrelsError(file string, err error) *Error {
	message := strings.TrimPrefix(err.Error(), file+":")
	number, rest, _ := strings.Cut(message, ": ")
	line, notNumber := strconv.Atoi(number)
	if notNumber == nil {
		message = rest
	}
	return &Error{file, line, message + " (the rest of the file was not read)"}
}

func (k *checker) qrel(q trec.Qrel) {
	t := k.topics[q.Topic]
	if t == nil {
		t = &topic{line: q.Line, lineOf: make(map[string]int)}
		k.topics[q.Topic] = t
	}
	if first, twice := t.lineOf[q.Passage]; twice {
		k.find(duplicateJudgment, k.collection.qrels, q.Line, "passage %q is judged twice for turn %q (first on line %d): keep one of the lines", q.Passage, q.Topic, first)
		return
	}
	t.lineOf[q.Passage] = q.Line
	if k.passages[q.Passage] == nil {
		k.passages[q.Passage] = &mention{line: q.Line}
	}
	if q.Grade > 0 {
		t.relevant++
	}
	k.tally.grades[q.Grade]++
}

// turns reads the turns.
func (k *checker) turns(ctx context.Context) error {
	file := k.collection.turns
	lineOf, last := make(map[string]int), make(map[string]int)
	for l, err := range readLines(file, decodeTurn) {
		if stop := k.goOn(ctx, err); stop != nil {
			return stop
		}
		if err != nil {
			continue
		}
		t := l.record
		if first, twice := lineOf[t.ID]; twice {
			k.note(duplicateTurn, duplicateTurnError(file, l.number, t, first))
			continue
		}
		lineOf[t.ID] = l.number
		if due := last[t.Conversation] + 1; t.Number != due {
			k.note(turnOutOfOrder, turnOrderError(file, l.number, t, due))
		}
		last[t.Conversation] = t.Number
		k.turn(t, l.number)
	}
	return nil
}

func (k *checker) turn(t dialog.Turn, line int) {
	file := k.collection.turns
	if topic := k.topics[t.ID]; topic != nil {
		topic.found = true
		k.tally.turn(t, true, topic.relevant)
	} else {
		k.tally.turn(t, false, 0)
	}
	if isBlank(t.Question) {
		k.find(emptyQuestion, file, line, "turn %q has no question: remove the turn, or write its question", t.ID)
	}
	texts := []string{t.Question, t.Answer, t.Rewrite}
	if t.Rewrite != "" && isBlank(t.Rewrite) {
		k.find(blankRewrite, file, line, "turn %q has a rewrite of blanks: write null if there is none", t.ID)
	}
	for name, text := range t.Rewrites {
		texts = append(texts, text)
		if isBlank(text) {
			k.find(blankRewrite, file, line, "turn %q has a rewrite of blanks by %q: leave it out if there is none", t.ID, name)
		}
	}
	k.replaced(file, line, texts...)
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// replaced looks for U+FFFD, which stands where a character was lost.
func (k *checker) replaced(file string, line int, texts ...string) {
	for _, text := range texts {
		if strings.ContainsRune(text, utf8.RuneError) {
			k.find(replacementRune, file, line, "a text holds U+FFFD, where characters were lost in an earlier conversion: convert it anew from its source")
			return
		}
	}
}

// corpus reads the passages.
func (k *checker) corpus(ctx context.Context) error {
	file := k.collection.corpus
	var ids, texts []print
	for l, err := range readLines(file, decodePassage) {
		if stop := k.goOn(ctx, err); stop != nil {
			return stop
		}
		if err != nil {
			continue
		}
		p := l.record
		k.tally.passages.add(p.Text)
		if m := k.passages[p.ID]; m != nil {
			m.found = true
		}
		ids = append(ids, print{xxh3.HashString(p.ID), l.number})
		if isBlank(p.Text) {
			k.find(emptyPassage, file, l.number, "passage %q has no text: remove the passage, or write its text", p.ID)
		} else {
			texts = append(texts, print{xxh3.HashString(p.Text), l.number})
		}
		k.replaced(file, l.number, p.Title, p.Text)
	}
	return errors.Join(
		k.twice(ctx, ids, func(p Passage) string { return p.ID }, func(p, first Passage, line, firstLine int) {
			k.find(duplicatePassage, file, line, "duplicate passage id %q (first on line %d): give each passage its own id", p.ID, firstLine)
		}),
		k.twice(ctx, texts, func(p Passage) string { return p.Text }, func(p, first Passage, line, firstLine int) {
			k.find(sameText, file, line, "passage %q has the text of passage %q (line %d): a search that finds the one finds the other", p.ID, first.ID, firstLine)
		}))
}

// print is the hash of a text and the line it is on.
type print struct {
	hash uint64
	line int
}

// twice reports the passages that have the same text, by what text returns, as
// an earlier one. Equal hashes are only a suspicion: where there are any, the
// corpus is read once more, and the suspects compared.
func (k *checker) twice(ctx context.Context, prints []print, text func(Passage) string, report func(p, first Passage, line, firstLine int)) error {
	suspects := suspects(prints)
	if len(suspects) == 0 {
		return nil
	}
	type seen struct {
		passage Passage
		line    int
	}
	first := make(map[string]seen)
	for l, err := range readLines(k.collection.corpus, decodePassage) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || !suspects[l.number] {
			continue // bad lines were reported when they were read first
		}
		switch s, known := first[text(l.record)]; {
		case known:
			report(l.record, s.passage, l.number, s.line)
		default:
			first[text(l.record)] = seen{l.record, l.number}
		}
	}
	return nil
}

// suspects returns the lines whose hash is not theirs alone.
func suspects(prints []print) map[int]bool {
	slices.SortFunc(prints, func(a, b print) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.line, b.line)) })
	lines := make(map[int]bool)
	for i := 1; i < len(prints); i++ {
		if prints[i].hash == prints[i-1].hash {
			lines[prints[i-1].line], lines[prints[i].line] = true, true
		}
	}
	return lines
}
