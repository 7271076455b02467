// Package distill trains a student query encoder to rank passages as a teacher
// ranks them, so that at query time no teacher is needed; and, for who has no
// encoder yet, a whole one of queries and passages from pairs of them.
//
// Its guarantee: the weights that a training ends with depend on its plan and
// its data only: not on the number of workers, and not on how often it was
// killed and taken up again.
//
// It knows passages by their vectors and rankings by a function; it needs no
// index.
package distill

import "parley/sparse"

// Passages are the encoded passages that student and teacher are compared on.
// An index has them, with the impacts that search uses.
type Passages interface {
	N() int             // passages
	DF(term uint32) int // passages that have term
	// Vector returns the vector of passage i. It may use buf's storage.
	Vector(i int, buf sparse.Vector) sparse.Vector
}
