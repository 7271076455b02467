package main

import (
	"errors"
	"testing"
)

// TestParts says that the parts of a whole follow each other and that none is
// larger than another by more than one.
func TestParts(t *testing.T) {
	for _, of := range []int{1, 2, 3, 7, 64} {
		for _, total := range []int{0, 1, 2, 63, 64, 65, 1000, 25_700_592} {
			next := 0
			for number := 1; number <= of; number++ {
				first, last := part{number, of}.span(total)
				if size := last - first; first != next || size < total/of || size > (total+of-1)/of {
					t.Fatalf("part %d of %d has %d to %d of %d, and the one before ends at %d", number, of, first, last, total, next)
				}
				next = last
			}
			if next != total {
				t.Fatalf("%d parts have %d of %d", of, next, total)
			}
		}
	}
}

func TestParsePart(t *testing.T) {
	for text, want := range map[string]part{"": {1, 1}, "1/1": {1, 1}, "3/12": {3, 12}} {
		if got, err := parsePart(text); err != nil || got != want {
			t.Errorf("%q is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"1", "/", "0/2", "3/2", "-1/2", "a/2", "1/b", "1/2/3", " 1/2"} {
		if _, err := parsePart(text); !errors.As(err, new(usageError)) {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
