package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"parley/collection"
	"parley/trec"
)

// turnPlace is where a turn stands.
type turnPlace struct {
	conversation string
	number       int
}

// openQrels reads the judgements of a qrels file or of a collection's folder.
// Without any there is nothing to evaluate.
func openQrels(path string) (trec.Qrels, error) {
	var qrels trec.Qrels
	folder, err := isFolder(path)
	switch {
	case err != nil:
		return nil, err
	case folder:
		c, err := collection.Open(path)
		if err != nil {
			return nil, err
		}
		qrels, err = c.Qrels()
		if err != nil {
			return nil, err
		}
	default:
		if qrels, err = trec.OpenQrels(path); err != nil {
			return nil, err
		}
	}
	if len(qrels) == 0 {
		return nil, fmt.Errorf("%s: there are no qrels: nothing can be measured without judgements", path)
	}
	return qrels, nil
}

// only returns the judgements of those topics that the lines of a file begin
// with, or all where no file is given.
func (e *eval) only(qrels trec.Qrels) (trec.Qrels, error) {
	lines, err := readIDs(e.topics)
	if err != nil || lines == nil {
		return qrels, err
	}
	chosen := make(trec.Qrels)
	for line := range lines {
		topic := strings.Fields(line)[0]
		if judgements, ok := qrels[topic]; ok {
			chosen[topic] = judgements
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%s names no topic that %s judges: each line must begin with one", e.topics, e.qrels)
	}
	return chosen, nil
}

func isFolder(path string) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	return info.IsDir(), nil
}

// openTurns returns where each judged topic stands in its conversation; nil
// where nobody asks.
func (e *eval) openTurns(qrels trec.Qrels) (map[string]turnPlace, error) {
	if e.by != "turn" && e.cluster != "conversation" {
		return nil, nil
	}
	if e.turnsFromIDs {
		return turnsFromIDs(qrels)
	}
	dir := e.turns
	if dir == "" {
		folder, err := isFolder(e.qrels)
		if err != nil {
			return nil, err
		}
		if !folder {
			return nil, usagef("turn numbers are not in a qrels file: name the collection with --turns DIR, or say --turns-from-ids if the ids end in them")
		}
		dir = e.qrels
	}
	if strings.HasPrefix(filepath.Base(dir), "turns.jsonl") {
		dir = filepath.Dir(dir) // the file was named, plain or compressed
	}
	return turnsOf(dir, qrels)
}

// turnsFromIDs takes the conversation and the turn number from ids such as
// C_12_3, as they are usual in collections that have been published.
func turnsFromIDs(qrels trec.Qrels) (map[string]turnPlace, error) {
	turns := make(map[string]turnPlace, len(qrels))
	for _, topic := range qrels.Topics() {
		at := strings.LastIndexByte(topic, '_')
		number, err := strconv.Atoi(topic[at+1:])
		if at < 1 || err != nil || number < 1 {
			return nil, fmt.Errorf("topic %q does not end in a turn number, as in conversation_3: name the collection with --turns instead", topic)
		}
		turns[topic] = turnPlace{topic[:at], number}
	}
	return turns, nil
}

// turnsOf looks the judged topics up in a collection.
func turnsOf(dir string, qrels trec.Qrels) (map[string]turnPlace, error) {
	c, err := collection.Open(dir)
	if err != nil {
		return nil, err
	}
	turns := make(map[string]turnPlace, len(qrels))
	for conversation, err := range c.Conversations() {
		if err != nil {
			return nil, err
		}
		for _, t := range conversation.Turns {
			turns[t.ID] = turnPlace{t.Conversation, t.Number}
		}
	}
	for _, topic := range qrels.Topics() {
		if _, known := turns[topic]; !known {
			return nil, fmt.Errorf("topic %q of the qrels is no turn of %s: name the collection that the qrels are of", topic, dir)
		}
	}
	return turns, nil
}
