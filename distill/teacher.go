package distill

import (
	"fmt"
	"strings"

	"parley/dialog"
	"parley/sparse"
)

// Teacher knows how passages should be ranked for a turn. It is its query
// vectors: any passage's score is the inner product with the passage's vector.
type Teacher interface {
	// Query returns the vector of turn i (from 0) of c; ok is false where the
	// teacher has nothing to say.
	Query(c dialog.Conversation, i int) (q sparse.Vector, ok bool)
	// String names the teacher.
	String() string
}

// rewriteTeacher ranks as the rewrites of the named rewriters do. Of several it
// is the mean of their vectors, whose scores are the mean of theirs; a turn must
// have them all, so that no turn is taught by those that happened to answer.
type rewriteTeacher struct {
	rewriters []string
	encode    func(dialog.Context) sparse.Vector
}

// NewRewriteTeacher returns the teacher that ranks by the rewrites of the named
// rewriters ([dialog.Human] is the human one), encoded as queries by encode, the
// query encoder of the index.
func NewRewriteTeacher(encode func(dialog.Context) sparse.Vector, rewriters ...string) (Teacher, error) {
	if len(rewriters) == 0 {
		return nil, fmt.Errorf("a teacher needs a rewriter: name human or one of the collection's rewrites")
	}
	return &rewriteTeacher{rewriters: rewriters, encode: encode}, nil
}

func (t *rewriteTeacher) Query(c dialog.Conversation, i int) (sparse.Vector, bool) {
	vectors := make([]sparse.Vector, 0, len(t.rewriters))
	for _, name := range t.rewriters {
		ctx, ok := dialog.RewriteMode(name).Context(c, i)
		if !ok {
			return sparse.Vector{}, false
		}
		vectors = append(vectors, t.encode(ctx))
	}
	if len(vectors) == 1 {
		return vectors[0], true
	}
	return sparse.Mean(vectors...), true
}

func (t *rewriteTeacher) String() string { return strings.Join(t.rewriters, ",") }

// reachable returns what of q lies on terms, which increase: a student that
// weighs the terms of its input cannot reach the rest.
func reachable(q sparse.Vector, terms []uint32) sparse.Vector {
	var kept sparse.Vector
	j := 0
	for i, term := range q.Terms {
		for j < len(terms) && terms[j] < term {
			j++
		}
		if j < len(terms) && terms[j] == term {
			kept.Terms = append(kept.Terms, term)
			kept.Weights = append(kept.Weights, q.Weights[i])
		}
	}
	return kept
}
