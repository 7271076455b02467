package table

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"flag"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jedib0t/go-pretty/v6/text"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

var formats = map[string]Format{"plain": Plain, "boxed": Boxed, "markdown": Markdown, "csv": CSV}

func sample() *Table {
	t := New("Three systems, 878 turns", "system", "nDCG@3", "R@100", "L0", "note")
	t.Row(Text("last question"), Share(.274, 3), Share(.4931, 3).Marked("▼"), Float(7, 1), Text(""))
	t.Row(Text("student, 学生 | small"), Share(.743, 3).Marked("▲▲"), Share(.969, 3), Float(25.25, 1), Text("trained 60 s,\nno \x1b[31mdownload"))
	t.Row(Text("rewrite"), Share(1, 3), Missing(), Int(11), Text(`the "ceiling"`))
	t.Note("▲ ▼: significantly above or below the last question")
	t.Note("paired t-test, Bonferroni")
	return t
}

func render(t *testing.T, tab *Table, f Format) string {
	t.Helper()
	var b bytes.Buffer
	if err := tab.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// written are all formats: those that can be asked for by name, and parts of pages.
func written() map[string]Format {
	all := maps.Clone(formats)
	all["html"], all["latex"] = HTML, LaTeX
	return all
}

// seeds is a table as a study has them, of names that mean harm.
func seeds() *Table {
	t := New(`50 % of <b>"R_1"</b> & more`, "system", "R@100", "L0", "terms")
	t.Row(Text(`a|b*c_d[e](f)$g$ {h} ~i^ \j #k`), Share(.84312, 3).Spread(Share(.0021, 3)).Marked("▲").Strong(), Float(20, 1).Strong(), Text("[first] `x`"))
	t.Row(Text("</td><script>alert('1')</script>"), Share(.8, 3).Spread(Share(.01, 3)), Float(31.5, 1), Text("&amp;"))
	t.Row(Text("none"), Missing(), Missing(), Text(""))
	t.Note("± over 3 seeds; λ_q ≥ 1e-4")
	return t
}

func TestGolden(t *testing.T) {
	for name, f := range written() {
		for kind, tab := range map[string]*Table{
			"sample": sample(), "empty": New("", "system", "RR"), "seeds": seeds(),
		} {
			got := render(t, tab, f)
			path := filepath.Join("testdata", kind+"."+name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		}
	}
}

func TestShare(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{
		{.612, 3, ".612"},
		{-.05, 2, "-.05"},
		{0, 3, ".000"},
		{1, 3, "1.000"},
		{.9999, 3, "1.000"},
		{10.5, 1, "10.5"},
		{0, 0, "0"},
		{math.NaN(), 2, "NaN"},
	} {
		if got := Share(c.v, c.digits).text; got != c.want {
			t.Errorf("Share(%v, %d) = %q, want %q", c.v, c.digits, got, c.want)
		}
	}
}

func TestParseFormat(t *testing.T) {
	for name, want := range formats {
		if got, err := ParseFormat(name); err != nil || got != want {
			t.Errorf("ParseFormat(%q) = %v, %v", name, got, err)
		}
	}
	if _, err := ParseFormat("html"); err == nil || !strings.Contains(err.Error(), `"html"`) {
		t.Errorf("ParseFormat(html): %v, want an error that names it", err)
	}
}

func TestRowOfWrongLength(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a row with a cell too few was taken")
		}
	}()
	New("", "a", "b").Row(Text("x"))
}

// TestAnyText holds for any text in any cell: the lines of a boxed table are
// equally wide, a plain table has one line a row, and CSV reads back equal.
func TestAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.String(), 4, 4).Draw(t, "texts")
		tab := New("", "name", "value")
		tab.Row(Text(texts[0]), Number("1").Marked(texts[1]))
		tab.Row(Text(texts[2]), Number("22").Marked(texts[3]))
		var boxed, plain, comma bytes.Buffer
		for b, f := range map[*bytes.Buffer]Format{&boxed: Boxed, &plain: Plain, &comma: CSV} {
			if err := tab.Write(b, f); err != nil {
				t.Fatal(err)
			}
		}
		lines := strings.Split(strings.TrimSuffix(boxed.String(), "\n"), "\n")
		for _, line := range lines {
			if text.StringWidthWithoutEscSequences(line) != text.StringWidthWithoutEscSequences(lines[0]) {
				t.Fatalf("uneven lines:\n%s", boxed.String())
			}
		}
		if n := strings.Count(plain.String(), "\n"); n != 4 {
			t.Fatalf("%d lines, want header, rule and 2 rows:\n%s", n, plain.String())
		}
		checkPages(t, tab, texts)
		records, err := csv.NewReader(&comma).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(records) != 3 || records[1][0] != clean(texts[0]) || records[2][0] != clean(texts[2]) {
			t.Fatalf("CSV reads back as %q", records)
		}
	})
}

// checkPages asks that texts stay what they are as parts of pages: HTML reads
// back equal, LaTeX has as many cells a row and no special sign that acts.
func checkPages(t *rapid.T, tab *Table, texts []string) {
	var page, tex bytes.Buffer
	if err := errors.Join(tab.Write(&page, HTML), tab.Write(&tex, LaTeX)); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Names []string `xml:"div>table>tbody>tr>th"`
		Marks []string `xml:"div>table>tbody>tr>td>i"`
	}
	if err := xml.Unmarshal(page.Bytes(), &read); err != nil {
		t.Fatalf("%v in\n%s", err, page.String())
	}
	same := func(got, want string) bool { return strings.TrimSpace(got) == clean(want) }
	if !same(read.Names[0], texts[0]) || !same(read.Names[1], texts[2]) || len(read.Marks) > 0 && !(same(read.Marks[0], texts[1]) && same(read.Marks[1], texts[3])) {
		t.Fatalf("%q reads back as %q in\n%s", texts, read, page.String())
	}
	_, body, _ := strings.Cut(tex.String(), "\\midrule\n")
	body, _, _ = strings.Cut(body, "\\bottomrule")
	for row := range strings.Lines(body) {
		plain := regexp.MustCompile(`\\[a-z]+\{?\}?|\\.`).ReplaceAllString(strings.TrimSuffix(row, " \\\\\n"), "")
		plain = regexp.MustCompile(`\$(\\[a-z]+|-)?\$`).ReplaceAllString(plain, "")
		if strings.Count(plain, "&") != 1 || strings.ContainsAny(plain, `#_%~^"<>|`) {
			t.Fatalf("%q in LaTeX: %s", texts, row)
		}
	}
}

func TestWriteError(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	for name, f := range written() {
		if err := sample().Write(w, f); err == nil {
			t.Errorf("%s: a failed write went unnoticed", name)
		}
	}
}
