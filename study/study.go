// Package study chooses the settings of trainings: of a space of plans it tries
// points, and keeps the one that a measure on held-out conversations finds best.
//
// Its guarantee: a choice depends on its plan and on the values of the points
// alone, and asks for them in the same order each time, so that it can be taken
// up from what was evaluated before.
//
// It trains nothing itself, and looks at no test collection.
package study
