package encoder_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/encoder"
)

// TestExplanations says of the encoders that weigh the terms of a text that an
// explanation has the vector itself, and that a term comes from an occurrence of
// itself.
func TestExplanations(t *testing.T) {
	b := bm25(t, encoder.BM25Options{})
	encoders := []encoder.Encoder{b}
	for _, network := range networks {
		encoders = append(encoders, open(t, student(t, network), nil))
	}
	for _, e := range encoders {
		for _, c := range contexts(30) {
			x := e.ExplainQuery(c)
			if diff := cmp.Diff(e.Query(c), x.Vector); diff != "" {
				t.Fatalf("%s: %s", e.Describe(), diff)
			}
			checkPlaces(t, x)
		}
	}
	for _, p := range corpus {
		x := b.ExplainPassage(p.title, p.text)
		if diff := cmp.Diff(b.Passage(p.title, p.text), x.Vector); diff != "" {
			t.Fatal(diff)
		}
		checkPlaces(t, x)
	}
}

func checkPlaces(t *testing.T, x encoder.Explanation) {
	t.Helper()
	if len(x.Places) != x.Vector.Len() {
		t.Fatalf("%d places of %d terms", len(x.Places), x.Vector.Len())
	}
	for i, term := range x.Vector.Terms {
		if got := x.Tokens[x.Places[i]]; got != term {
			t.Errorf("term %d comes from token %d", term, got)
		}
	}
}

// TestIdentities says that what encodes differently has another identity, and
// what encodes alike the same.
func TestIdentities(t *testing.T) {
	b := bm25(t, encoder.BM25Options{})
	dir := t.TempDir()
	if err := b.Save(dir); err != nil {
		t.Fatal(err)
	}
	back := open(t, dir, nil)
	if back.Identity() != b.Identity() || b.PassageIdentity() != b.Identity() {
		t.Error("opened again, BM25 has another identity")
	}
	if bm25(t, encoder.BM25Options{K1: 1.2}).Identity() == b.Identity() {
		t.Error("other parameters have the same identity")
	}
	folder := student(t, networks["mlp"])
	if a, b := open(t, folder, nil), open(t, folder, rare{3}); a.Identity() != b.Identity() || a.Identity() == back.Identity() {
		t.Error("the identity of a student is not that of its folder")
	}
}
