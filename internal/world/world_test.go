package world

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestDeterminism pins a small world byte for byte. Every figure that was
// measured on the made-up collection depends on it: a change of this hash is a
// change of all those figures.
func TestDeterminism(t *testing.T) {
	const want = "ef07d284e1dc52224c6a8e78397d398c3768d68c33d4ac14c29031ff09974f89"
	h := sha256.New()
	out := json.NewEncoder(h)
	w := New(1, 200)
	for i := range 200 {
		if err := out.Encode(w.Passage(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		c, judgements := w.Conversation(i)
		if err := out.Encode(c); err != nil {
			t.Fatal(err)
		}
		if err := out.Encode(judgements); err != nil {
			t.Fatal(err)
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("the world has changed: SHA-256 %s, want %s", got, want)
	}
}

func TestSeedsDiffer(t *testing.T) {
	if New(1, 200).Passage(7) == New(2, 200).Passage(7) {
		t.Error("two seeds give the same passage")
	}
}

// TestFewFillers makes a passage that draws almost the same filler each time,
// as one in ten million does.
func TestFewFillers(t *testing.T) {
	const i = 11_014_316
	if p := New(1, i+1).Passage(i); len(strings.Fields(p.Text)) < minWords {
		t.Errorf("passage %q is too short", p.Text)
	}
}

// TestGrammar checks that every fact can be stated and asked, that every value
// and every entity that a text refers to exists, and that no gap stays open.
func TestGrammar(t *testing.T) {
	w := New(3, 3*clusterPassages)
	for slot, k := range kinds {
		e := entity{1, slot}
		for f := range k.facts {
			fact := &k.facts[f]
			if len(fact.states) < 3 || len(fact.asks) < 3 || len(fact.cut) == 0 {
				t.Errorf("%s.%s: %d sentences, %d questions", slotNames[slot], fact.name, len(fact.states), len(fact.asks))
			}
			if fact.mutual && fact.value.form != "ref" {
				t.Errorf("%s.%s is mutual, but its value is nobody", slotNames[slot], fact.name)
			}
			if w.value(e, f) == "" {
				t.Errorf("%s.%s has no value", slotNames[slot], fact.name)
			}
		}
		for tmpl := range k.templates() {
			checkTemplate(t, w, e, tmpl)
		}
	}
	for _, tmpl := range fillers {
		checkTemplate(t, w, entity{1, town}, tmpl)
	}
}

func checkTemplate(t *testing.T, w *World, e entity, tmpl template) {
	t.Helper()
	p := w.writer(e, w.random(domainPassage, 0, 0, 0))
	p.write(tmpl, byFullName)
	s := string(p.buf)
	if s == "" || strings.ContainsAny(s, "{}^#*|") || strings.Contains(s, "  ") || s[0] >= 'a' && s[0] <= 'z' {
		t.Errorf("%s: %q", slotNames[e.slot], s)
	}
}

func TestPassages(t *testing.T) {
	w := New(1, 3000)
	words, texts := 0, make(map[string]int)
	for i := range 3000 {
		p := w.Passage(i)
		n := len(strings.Fields(p.Text))
		words += n
		if n < 20 || n > 150 {
			t.Errorf("%s has %d words", p.ID, n)
		}
		if j, twice := texts[p.Text]; twice {
			t.Errorf("passages %d and %d have the same text", i, j)
		}
		texts[p.Text] = i
		if p.Title == "" || !strings.Contains(strings.ToLower(p.Text), strings.ToLower(p.Title)) {
			t.Errorf("%s does not name its subject %q", p.ID, p.Title)
		}
	}
	if mean := float64(words) / 3000; mean < 60 || mean > 100 {
		t.Errorf("passages have %.1f words on average", mean)
	}
}

// TestAnswersAgreeWithPassages checks that what a conversation says is what the
// passages say: the passage judged with grade 2 holds the answer, and so does
// the value that the answer may have been cut to.
func TestAnswersAgreeWithPassages(t *testing.T) {
	w := New(1, 2000)
	for i := range 300 {
		c, judgements := w.Conversation(i)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		text := make(map[string]string)
		for _, j := range judgements {
			if j.Grade == 2 {
				text[j.Turn] = w.Passage(index(t, j.Passage)).Text
			}
		}
		for _, turn := range c.Turns {
			if turn.Question == "" || turn.Rewrite == "" || turn.Answer == "" {
				t.Errorf("%s has an empty text", turn.ID)
			}
			passage, judged := text[turn.ID]
			answer := strings.ToLower(strings.TrimSuffix(turn.Answer, "."))
			if judged && !strings.Contains(strings.ToLower(passage), answer) {
				t.Errorf("%s: %q is not in %q", turn.ID, turn.Answer, passage)
			}
		}
	}
}

// index returns the number of the passage with an id.
func index(t *testing.T, id string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(id, "p%d", &n); err != nil {
		t.Fatal(err)
	}
	return n - 1
}

// TestMutualFacts checks that the passage judged with grade 1 names both sides.
func TestMutualFacts(t *testing.T) {
	w := New(1, 2000)
	n := 0
	for i := range 300 {
		c, judgements := w.Conversation(i)
		for _, j := range judgements {
			if j.Grade != 1 {
				continue
			}
			n++
			p := w.Passage(index(t, j.Passage))
			e, _ := w.section(index(t, j.Passage))
			main := w.Passage(index(t, mainPassage(judgements, j.Turn)))
			name := main.Title
			if !strings.Contains(p.Text, name) {
				t.Errorf("%s (%s) of %s does not name %q: %s", p.ID, slotNames[e.slot], c.ID, name, p.Text)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d judgements of grade 1", n)
	}
}

func mainPassage(judgements []Judgement, turn string) string {
	for _, j := range judgements {
		if j.Turn == turn && j.Grade == 2 {
			return j.Passage
		}
	}
	return ""
}

// TestSmallWorlds checks that conversations stay within the passages there are.
func TestSmallWorlds(t *testing.T) {
	for _, n := range []int{MinPassages, 17, clusterPassages, clusterPassages + 3} {
		w := New(5, n)
		for i := range 40 {
			_, judgements := w.Conversation(i)
			for _, j := range judgements {
				if j.Passage > PassageID(n-1) {
					t.Errorf("%d passages: %s is judged for %s", n, j.Passage, j.Turn)
				}
			}
		}
	}
}
