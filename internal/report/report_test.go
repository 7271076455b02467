package report

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"html"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"parley/measure"
	"parley/study"
)

var update = flag.Bool("update", false, "write the golden files anew")

func allFiles(t *testing.T, r *Report) map[string][]byte {
	t.Helper()
	files, err := r.files(Formats())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestGolden(t *testing.T) {
	files := allFiles(t, newFixture(t).report(true))
	for _, name := range []string{MarkdownFile, LaTeXFile, "tables/main-test-a.csv", "tables/frontier-test-b.tex", "svg/frontier-frontier-test-a.svg", "figures/weight-r-10-test.svg"} {
		if len(files[name]) == 0 {
			t.Fatalf("there is no %s", name)
		}
		path := filepath.Join("testdata", filepath.Base(name))
		if *update {
			if err := os.WriteFile(path, files[name], 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(string(want), string(files[name])); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// records reads a table of CSV as columns by name.
func records(t *testing.T, data []byte) []map[string]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for _, row := range rows[1:] {
		r := map[string]string{}
		for j, name := range rows[0] {
			r[name] = row[j]
		}
		all = append(all, r)
	}
	return all
}

// rounded fails unless the text is the number to as many digits as it has.
func rounded(t *testing.T, what, text string, want float64) {
	t.Helper()
	got, err := strconv.ParseFloat(text, 64)
	_, decimals, _ := strings.Cut(text, ".")
	if err != nil || math.Abs(got-want) > .5*math.Pow10(-len(decimals))+1e-12 {
		t.Errorf("%s is shown as %q, and was measured as %v", what, text, want)
	}
}

// TestNumbers reads the tables back and holds each number to the study's own
// results, not to the report's: they may differ by rounding only.
func TestNumbers(t *testing.T) {
	f := newFixture(t)
	files := allFiles(t, f.report(false))
	check := func(file string, test int, systems []*study.System) {
		rows := records(t, files["tables/"+file+".csv"])
		if len(rows) != len(systems) {
			t.Fatalf("%s has %d rows for %d systems", file, len(rows), len(systems))
		}
		for i, s := range systems {
			m := s.Measured[test]
			for j, name := range f.results.Measures {
				what := fmt.Sprintf("%s, %s, %v", file, s.Name, name)
				rounded(t, what, rows[i][name.String()], m.Evaluation.Aggregate(j))
				if s.Baseline == "" {
					rounded(t, what+" deviation", rows[i][name.String()+" ±"], m.Evaluation.Deviation(j))
				}
			}
			for name, spread := range map[string]study.Spread{"L0": m.L0, "FLOPS": m.FLOPS, "postings": m.Postings} {
				rounded(t, file+", "+s.Name+", "+name, rows[i][name], spread.Mean)
				if s.Baseline == "" {
					rounded(t, file+", "+s.Name+", "+name+" deviation", rows[i][name+" ±"], spread.Deviation)
				}
			}
		}
	}
	for test, name := range []string{"test-a", "test-b"} {
		check("main-"+name, test, append(slices.Clone(f.results.Baselines), f.results.Experiments[0].Systems...))
		for _, e := range f.results.Experiments {
			check(slug(e.Plan.Name)+"-"+name, test, e.Systems)
		}
		checkMarks(t, f.results.Experiments[2], test, records(t, files["tables/frontier-"+name+".csv"]))
		for i, row := range records(t, files["tables/turns-"+name+".csv"]) {
			n := f.results.Baselines[1].Measured[test].Numbers()[i]
			rounded(t, "L0 of a turn", row["history, L0"], n.L0)
			rounded(t, "R@10 of a turn", row["history, R@10"], n.Values[0])
		}
	}
}

// checkMarks computes the marks of a table anew: a t-test for each pair of means
// over turns, and Holm's steps down the sorted p-values.
func checkMarks(t *testing.T, e *study.Experiment, test int, rows []map[string]string) {
	t.Helper()
	base := e.Base().Measured[test].Evaluation
	marked := 0
	for j, name := range base.Measures {
		type tested struct {
			row int
			p   float64
			up  bool
		}
		var all []tested
		for i, s := range e.Systems {
			if s == e.Base() {
				continue
			}
			var d []float64
			for turn, v := range s.Measured[test].Evaluation.Values[j] {
				d = append(d, v-base.Values[j][turn])
			}
			value, p := measure.TTest(d)
			all = append(all, tested{i, p, value > 0})
		}
		slices.SortFunc(all, func(a, b tested) int { return cmp.Compare(a.p, b.p) })
		want := make([]string, len(rows))
		for rank, x := range all {
			if x.p*float64(len(all)-rank) >= .05 {
				break
			}
			want[x.row] = "▼"
			if x.up {
				want[x.row] = "▲"
			}
			marked++
		}
		for i, row := range rows {
			if got := row[name.String()+" mark"]; got != want[i] {
				t.Errorf("%s, %v is marked %q, want %q", e.Systems[i].Name, name, got, want[i])
			}
		}
	}
	if marked == 0 {
		t.Error("nothing is significant: the marks are not tested")
	}
}

// cellsOf returns the cells of all tables of the page.
func cellsOf(page []byte) (tables [][]string) {
	tag := regexp.MustCompile(`<[^>]*>`)
	for _, table := range regexp.MustCompile(`(?s)<tbody>.*?</tbody>`).FindAllString(string(page), -1) {
		var cells []string
		for _, cell := range regexp.MustCompile(`(?s)<t[hd][^>]*>(.*?)</t[hd]>`).FindAllStringSubmatch(table, -1) {
			cells = append(cells, html.UnescapeString(tag.ReplaceAllString(cell[1], "")))
		}
		tables = append(tables, cells)
	}
	return tables
}

// TestPageShowsTables asks that the page has the numbers of the CSV files, each
// in its place.
func TestPageShowsTables(t *testing.T) {
	r := newFixture(t).report(true)
	files, d := allFiles(t, r), r.document()
	shown := cellsOf(files[PageFile])
	if len(shown) != len(d.tables()) {
		t.Fatalf("the page has %d tables of %d", len(shown), len(d.tables()))
	}
	for i, table := range d.tables() {
		rows, err := csv.NewReader(bytes.NewReader(files["tables/"+table.id+".csv"])).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, row := range rows[1:] {
			for j, text := range row {
				switch header := rows[0][j]; {
				case strings.HasSuffix(header, " ±"):
					if text != "" {
						want[len(want)-1] += " ± " + text
					}
				case strings.HasSuffix(header, " mark"):
					want[len(want)-1] += text
				default:
					want = append(want, text)
				}
			}
		}
		for j, cell := range shown[i] {
			if want[j] == "" {
				cell = strings.TrimPrefix(cell, "–")
			}
			if cell != want[j] {
				t.Errorf("%s: the page says %q where CSV says %q", table.id, cell, want[j])
			}
		}
	}
}

// TestSame asks that a report depends on the results alone, and without times
// not even on those.
func TestSame(t *testing.T) {
	first, other := newFixture(t), newFixture(t)
	for _, trial := range other.results.Trials {
		trial.Seconds *= 2
	}
	for _, s := range other.results.Baselines {
		s.Measured[0].Micros.P50 *= 3
	}
	if !maps.EqualFunc(allFiles(t, first.report(false)), allFiles(t, other.report(false)), bytes.Equal) {
		t.Error("reports of the same numbers differ")
	}
	if maps.EqualFunc(allFiles(t, first.report(true)), allFiles(t, other.report(true)), bytes.Equal) {
		t.Error("times are not shown")
	}
}

// TestJSON asks that the data hold what was measured, bit for bit.
func TestJSON(t *testing.T) {
	f := newFixture(t)
	data, err := f.report(true).JSON()
	if err != nil {
		t.Fatal(err)
	}
	var read Report
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	for i, s := range f.results.Experiments[0].Systems {
		got, want := read.Experiments[0].Tests[1].Rows[i], s.Measured[1]
		if got.Scores[0].Mean != want.Evaluation.Aggregate(0) || got.FLOPS.Mean != want.FLOPS.Mean || *got.L0.Deviation != want.L0.Deviation {
			t.Errorf("%s reads back as %+v", s.Name, got)
		}
	}
}

const evil = "</td></text></title><script>alert(1)</script><img src=x onerror=alert(1)> `|` **b** [l](http://x) \\input{x} $x$ & \"'\n\x00#_%~^\u2028\xff"

// spoil gives everything that has a name or a text a hostile one.
func (f *fixture) spoil() {
	r := f.results
	r.Plan.Name, r.CodeVersion = evil, evil
	r.Warnings[0] = study.Warning{Where: evil, Text: evil}
	for i, t := range r.Tests {
		t.Plan.Name, t.Plan.Title, t.Plan.Passages, t.Plan.Subset = evil+strconv.Itoa(i), evil, evil, evil
		for j := range t.Turns {
			t.Turns[j].Question, t.Turns[j].Rewrite, t.Turns[j].Context = evil, evil, evil
		}
	}
	for i := range r.Collections {
		r.Collections[i].Name, r.Collections[i].Of = evil, evil
		r.Collections[i].Statistics.Rewrites[0].Rewriter = evil
	}
	for i, e := range r.Experiments {
		e.Plan.Name, e.Plan.Title, e.Plan.Note = evil+strconv.Itoa(i), evil, "1. "+evil
		for j, s := range e.Systems {
			s.Name, s.Title = evil+strconv.Itoa(j), evil
			for k := range s.Settings {
				s.Settings[k].Path = evil + "." + s.Settings[k].Path
			}
		}
	}
}

// TestHostile asks that texts stay texts in each format, and names of files
// within their folders.
func TestHostile(t *testing.T) {
	f := newFixture(t)
	f.spoil()
	r, err := newReport(f.results, true, "``````\n"+evil, f.anyQueries)
	if err != nil {
		t.Fatal(err)
	}
	files := allFiles(t, r)
	for name := range files {
		if !regexp.MustCompile(`^((figures|svg|tables)/[a-z0-9-]+\.(svg|csv|tex)|report\.(html|md|tex|json))$`).MatchString(name) {
			t.Errorf("a file is called %q", name)
		}
	}
	checkPage(t, files[PageFile])
	text := unfenced(string(files[MarkdownFile]))
	if at := regexp.MustCompile(`<[A-Za-z/!?]|\*\*b|[^\\]\]\(http`).FindStringIndex(text); at != nil {
		t.Errorf("Markdown acts: %q", text[max(0, at[0]-40):at[1]+40])
	}
	for name, data := range files {
		if strings.HasSuffix(name, ".tex") && regexp.MustCompile(`[^\\]\$x\$|\\input\{x`).Match(data) {
			t.Errorf("%s: a text acts in LaTeX", name)
		}
	}
}

// unfenced returns a text of Markdown without its blocks of code.
func unfenced(text string) string {
	var b strings.Builder
	fence := ""
	for line := range strings.Lines(text) {
		bare := strings.TrimRight(line, "\n")
		ticks := bare != "" && strings.Trim(bare, "`") == ""
		switch {
		case fence == "" && ticks && len(bare) >= 3:
			fence = bare
		case fence != "" && ticks && len(bare) >= len(fence):
			fence = ""
		case fence == "":
			b.WriteString(line)
		}
	}
	return b.String()
}

// checkPage reads the page as a browser would and looks for what is not ours.
func checkPage(t *testing.T, page []byte) {
	t.Helper()
	script := regexp.MustCompile(`(?s)(<script>|<style>).*?(</script>|</style>)`)
	if n := len(script.FindAll(page, -1)); n != 2 {
		t.Errorf("the page has %d scripts and styles, want one of each", n)
	}
	in := xml.NewDecoder(bytes.NewReader(script.ReplaceAll(page, nil)))
	in.Strict, in.AutoClose, in.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := in.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if slices.Contains([]string{"script", "img", "iframe", "link", "object"}, e.Name.Local) {
			t.Errorf("the page has an element %s", e.Name.Local)
		}
		for _, a := range e.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "src" || a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#") {
				t.Errorf("the page has the attribute %s=%q", a.Name.Local, a.Value)
			}
		}
	}
}

// TestOffline asks that neither page nor figures name anything outside.
func TestOffline(t *testing.T) {
	for name, data := range allFiles(t, newFixture(t).report(true)) {
		if !strings.HasSuffix(name, ".html") && !strings.HasSuffix(name, ".svg") {
			continue
		}
		text := strings.ReplaceAll(string(data), `xmlns="http://www.w3.org/2000/svg"`, "")
		if at := regexp.MustCompile(`https?:|url\(|@import|//[a-z]`).FindStringIndex(text); at != nil {
			t.Errorf("%s names something outside: %q", name, text[at[0]:min(at[1]+30, len(text))])
		}
	}
	checkPage(t, allFiles(t, newFixture(t).report(true))[PageFile])
}
