package main

import (
	"fmt"

	"parley/collection"
	"parley/dialog"
	"parley/internal/questions"
)

// ask returns the turns that are searched, and tells how many lack the rewrite
// that is asked for.
func (o *searching) ask(io streams, mode dialog.Mode) (*questions.List, error) {
	c, err := collection.Open(o.collection)
	if err != nil {
		return nil, err
	}
	qrels, err := c.Qrels()
	if err != nil {
		return nil, err
	}
	if o.turns == "judged" && len(qrels) == 0 {
		return nil, fmt.Errorf("%s has no judgements: search its turns with --turns all", o.collection)
	}
	if o.turns == "all" || len(qrels) == 0 {
		o.turns = "all"
	}
	asked := &questions.List{}
	for conversation, err := range c.Conversations() {
		if err != nil {
			return nil, err
		}
		asked.Add(conversation, mode, qrels, func(_ dialog.Turn, judged bool) bool { return judged || o.turns == "all" })
	}
	n, lacking := len(asked.Questions), len(asked.Lacking)
	if lacking > 0 {
		fmt.Fprintf(io.err, "left out %d of %d turns: they have no %s\n", lacking, lacking+n, mode)
	}
	switch {
	case n > 0:
		return asked, nil
	case lacking == 0 && o.turns != "all":
		return nil, fmt.Errorf("%s has judgements for %d turns, but has none of these turns: check it with parley collection check, or search with --turns all",
			o.collection, len(qrels))
	case lacking > 0:
		return nil, fmt.Errorf("%s has no turn to search by %s: parley collection check lists the rewriters that it has", o.collection, mode)
	}
	return nil, fmt.Errorf("%s has no turn to search by %s", o.collection, mode)
}
