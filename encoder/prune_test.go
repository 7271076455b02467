package encoder_test

import (
	"reflect"
	"strings"
	"testing"

	"parley/encoder"
	"parley/internal/model"
	"parley/internal/prune"
	"parley/sparse"
)

// costly are statistics under which later terms are in more passages.
type costly struct{}

func (costly) N() int             { return 200 }
func (costly) DF(term uint32) int { return 10 * int(term) }
func (costly) rule() prune.Rule   { return prune.Rule{ValuePerCost: .35, Mass: .95} }
func (costly) options() (o encoder.Options) {
	o.Query.ValuePerCost, o.Query.Mass = .35, .95
	return o
}

// TestPrunedQueries says that every kind of encoder prunes queries by the rule of
// its folder or of the options, asks the searched index, and explains what stays.
func TestPrunedQueries(t *testing.T) {
	var stats costly
	folders := map[string]string{
		"features": student(t, networks["features"]), "mlp": student(t, networks["mlp"]), "splade": spladeFolder(t), "bm25": t.TempDir(),
	}
	if err := bm25(t, encoder.BM25Options{}).Save(folders["bm25"]); err != nil {
		t.Fatal(err)
	}
	for kind, dir := range folders {
		whole, pruned := openWith(t, dir, encoder.Options{}), openWith(t, dir, stats.options())
		less := 0
		for _, c := range contexts(30) {
			want := stats.rule().Apply(whole.Query(c), stats)
			got, explained := pruned.Query(c), pruned.ExplainQuery(c)
			if !equal(got, want) || !equal(explained.Vector, want) {
				t.Fatalf("%s: %v and, explained, %v, want %v", kind, got, explained.Vector, want)
			}
			all := whole.ExplainQuery(c)
			for i, term := range explained.Vector.Terms {
				for j, other := range all.Vector.Terms {
					if other == term && explained.Places[i] != all.Places[j] {
						t.Fatalf("%s: term %d is from place %d, pruned from %d", kind, term, all.Places[j], explained.Places[i])
					}
				}
			}
			less += whole.Query(c).Len() - got.Len()
		}
		if less == 0 {
			t.Errorf("%s: nothing was pruned", kind)
		}
		if whole.Identity() == pruned.Identity() {
			t.Errorf("%s: pruned queries go by the same identity", kind)
		}
	}
}

// TestPrunedFolder says that a folder keeps its rule, and that options lift it.
func TestPrunedFolder(t *testing.T) {
	var stats costly
	dir, to := student(t, networks["mlp"]), t.TempDir()
	folder, err := model.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.Copy(to, stats.rule()); err != nil {
		t.Fatal(err)
	}
	whole, kept := openWith(t, dir, encoder.Options{}), openWith(t, to, encoder.Options{})
	lifted := openWith(t, to, encoder.Options{Query: encoder.Side{ValuePerCost: -1, Mass: -1}})
	for _, c := range contexts(20) {
		all := whole.Query(c)
		if got, want := kept.Query(c), stats.rule().Apply(all, stats); !equal(got, want) || !equal(lifted.Query(c), all) {
			t.Fatalf("%v, want %v; lifted %v, want %v", got, want, lifted.Query(c), all)
		}
	}
	if kept.Identity() == lifted.Identity() || !strings.Contains(kept.Describe(), "value_per_cost=0.35") {
		t.Errorf("%s: identities %s and %s", kept.Describe(), kept.Identity(), lifted.Identity())
	}
	if err := folder.Copy(t.TempDir(), prune.Rule{Mass: 2}); err == nil {
		t.Error("an impossible rule was written")
	}
	again := t.TempDir()
	if err := folder.Copy(again, prune.Rule{}); err != nil {
		t.Fatal(err)
	}
	if a, b := openWith(t, again, encoder.Options{}), whole; a.Identity() != b.Identity() {
		t.Error("no rule is another identity than none")
	}
}

// TestPruneWithoutIndex says that what costs are unknown prunes nothing silently.
func TestPruneWithoutIndex(t *testing.T) {
	if _, err := encoder.OpenWith(spladeFolder(t), nil, costly{}.options()); err == nil || !strings.Contains(err.Error(), "name an index") {
		t.Error(err)
	}
}

func spladeFolder(t *testing.T) string {
	t.Helper()
	return checkpoint(t, moved(tiny(64), 5))
}

func openWith(t *testing.T, dir string, o encoder.Options) encoder.Encoder {
	t.Helper()
	e, err := encoder.OpenWith(dir, costly{}, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func equal(a, b sparse.Vector) bool {
	return a.Len() == b.Len() && (a.Len() == 0 || reflect.DeepEqual(a, b))
}
