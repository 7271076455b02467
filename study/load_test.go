package study

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"parley/collection"
	"parley/encoder"
	"parley/index"
)

// TestMainTableFromTheFilesAlone computes every number of the main table again,
// from the saved runs, queries and judgements, with nothing of this module: each
// measure as trec_eval defines it, written plainly.
func TestMainTableFromTheFilesAlone(t *testing.T) {
	dir := testStudy(t)
	r, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	numbers := 0
	check := func(what string, got, want float64) {
		numbers++
		if math.Abs(got-want) > 1e-12*max(1, math.Abs(want)) {
			t.Errorf("%s: %v, computed again %v", what, got, want)
		}
	}
	for i, test := range r.Tests {
		qrels := plainQrels(t, filepath.Join(dir, "tests", test.Plan.Name, "qrels.txt"))
		df := plainTerms(t, filepath.Join(dir, "tests", test.Plan.Name, "terms.tsv.zst"))
		for _, s := range r.all() {
			m := s.Measured[i]
			if m == nil {
				continue
			}
			var values [][]float64 // [seed][measure]
			var costs [][]float64
			for _, trial := range m.Trials {
				at := filepath.Join(dir, "trials", trial.Key)
				run := plainRun(t, filepath.Join(at, "runs", test.Plan.Name+".run.zst"))
				values = append(values, plainMeasures(qrels, run))
				costs = append(costs, plainCosts(t, filepath.Join(at, "queries", test.Plan.Name+".jsonl.zst"), df, test.Passages))
			}
			where := s.Experiment + "/" + s.Name + " on " + test.Plan.Name + ": "
			for j, measure := range r.Measures {
				mean, deviation := plainSpread(values, j)
				check(where+measure.String(), m.Evaluation.Aggregate(j), mean)
				check(where+measure.String()+", deviation", m.Evaluation.Deviation(j), deviation)
			}
			for j, cost := range []Spread{m.L0, m.FLOPS, m.Postings} {
				mean, deviation := plainSpread(costs, j)
				check(fmt.Sprint(where, "cost ", j), cost.Mean, mean)
				check(fmt.Sprint(where, "cost ", j, ", deviation"), cost.Deviation, deviation)
			}
		}
	}
	if numbers < 200 {
		t.Errorf("only %d numbers were compared", numbers)
	}
}

func plainLines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".zst") {
		z, err := zstd.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for in := bufio.NewScanner(bytes.NewReader(data)); in.Scan(); {
		lines = append(lines, in.Text())
	}
	return lines
}

func plainQrels(t *testing.T, path string) map[string]map[string]int {
	qrels := map[string]map[string]int{}
	for _, line := range plainLines(t, path) {
		f := strings.Fields(line)
		if qrels[f[0]] == nil {
			qrels[f[0]] = map[string]int{}
		}
		qrels[f[0]][f[2]], _ = strconv.Atoi(f[3])
	}
	return qrels
}

// plainRun returns the passages of each topic as trec_eval orders them: by
// descending score, then by descending id.
func plainRun(t *testing.T, path string) map[string][]string {
	scores := map[string]map[string]float64{}
	for _, line := range plainLines(t, path) {
		f := strings.Fields(line)
		if scores[f[0]] == nil {
			scores[f[0]] = map[string]float64{}
		}
		scores[f[0]][f[2]], _ = strconv.ParseFloat(f[4], 64)
	}
	run := map[string][]string{}
	for topic, of := range scores {
		for passage := range of {
			run[topic] = append(run[topic], passage)
		}
		sort.Slice(run[topic], func(i, j int) bool {
			a, b := run[topic][i], run[topic][j]
			return of[a] > of[b] || of[a] == of[b] && a > b
		})
	}
	return run
}

// plainMeasures returns R@10, RR and nDCG@3 over all judged topics; one that is
// missing from the run counts 0.
func plainMeasures(qrels map[string]map[string]int, run map[string][]string) []float64 {
	recall, reciprocal, gain := 0.0, 0.0, 0.0
	topics := make([]string, 0, len(qrels))
	for topic := range qrels {
		topics = append(topics, topic)
	}
	sort.Strings(topics)
	for _, topic := range topics {
		relevant, grades := 0, []int{}
		for _, grade := range qrels[topic] {
			if grade > 0 {
				relevant++
				grades = append(grades, grade)
			}
		}
		sort.Sort(sort.Reverse(sort.IntSlice(grades)))
		found, first, dcg, ideal := 0, 0.0, 0.0, 0.0
		for i, passage := range run[topic] {
			grade := qrels[topic][passage]
			if grade <= 0 {
				continue
			}
			if i < 10 {
				found++
			}
			if first == 0 {
				first = 1 / float64(i+1)
			}
			if i < 3 {
				dcg += float64(grade) / math.Log2(float64(i+2))
			}
		}
		for i := 0; i < 3 && i < len(grades); i++ {
			ideal += float64(grades[i]) / math.Log2(float64(i+2))
		}
		if relevant > 0 {
			recall += float64(found) / float64(relevant)
			gain += dcg / ideal
		}
		reciprocal += first
	}
	n := float64(len(topics))
	return []float64{recall / n, reciprocal / n, gain / n}
}

func plainTerms(t *testing.T, path string) []int {
	var df []int
	for _, line := range plainLines(t, path) {
		n, err := strconv.Atoi(line[strings.LastIndexByte(line, '\t')+1:])
		if err != nil {
			t.Fatal(err)
		}
		df = append(df, n)
	}
	return df
}

// plainCosts returns L0, FLOPS and postings of a query.
func plainCosts(t *testing.T, path string, df []int, passages int) []float64 {
	terms, postings, queries := 0, 0, 0
	for _, line := range plainLines(t, path) {
		var q struct{ Terms []int }
		if err := json.Unmarshal([]byte(line), &q); err != nil {
			t.Fatal(err)
		}
		queries++
		terms += len(q.Terms)
		for _, term := range q.Terms {
			postings += df[term]
		}
	}
	n := float64(queries)
	return []float64{float64(terms) / n, float64(postings) / n / float64(passages), float64(postings) / n}
}

// plainSpread returns mean and deviation over the seeds of one column.
func plainSpread(values [][]float64, column int) (mean, deviation float64) {
	n := float64(len(values))
	for _, row := range values {
		mean += row[column] / n
	}
	if n < 2 {
		return mean, 0
	}
	for _, row := range values {
		deviation += (row[column] - mean) * (row[column] - mean)
	}
	return mean, math.Sqrt(deviation / (n - 1))
}

func TestLoad(t *testing.T) {
	r, err := Load(testStudy(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Missing != 0 || len(r.Trials) != 19 || len(r.Tests) != 2 || len(r.Baselines) != 4 || len(r.Experiments) != 4 {
		t.Fatalf("%d missing, %d trials, %d tests, %d baselines, %d experiments", r.Missing, len(r.Trials), len(r.Tests), len(r.Baselines), len(r.Experiments))
	}
	kld, wild := r.System("objective/kld"), r.System("objective/wild")
	if len(kld.Trials) != 2 || kld.Seeds != 2 || kld.Measured[0] == nil || kld.Measured[1] == nil {
		t.Errorf("objective/kld: %+v", kld)
	}
	if len(wild.Trials) != 2 || wild.Trials[0].Failed == "" || wild.Measured[0] != nil {
		t.Errorf("objective/wild should have failed: %+v", wild)
	}
	if s := r.System("baseline/rewrite:nobody"); s == nil || s.Measured[0] != nil {
		t.Errorf("a baseline that no turn has a text for: %+v", s)
	}
	if s := r.System("sweep/df_l1.weight=0.1 kld.temperature=5"); s.Trials[0] != kld.Trials[0] || s.Measured[1] == nil {
		t.Error("two experiments want one training: it should be one trial, put to the tests of both")
	}
	if base := r.Experiments[1].Base(); base.Name != "df_l1.weight=0.5 kld.temperature=1" {
		t.Errorf("sweep compares with %s", base.Name)
	}
	chosen := r.Experiments[3].Systems[0]
	if want := r.Experiments[2].Selection.Chosen.Settings[0].Value; fmt.Sprint(chosen.Plan.Objective.KLD.Temperature) != fmt.Sprint(want) || chosen.Trials[0].Seed != 7 {
		t.Errorf("the chosen temperature is %v, that of the system %v", want, chosen.Plan.Objective.KLD.Temperature)
	}
	m := kld.Measured[0]
	if s := m.Scores[0]; s == nil || s.Turns == 0 || s.Pairs < s.Turns || len(s.ByRank) == 0 || s.Teacher.Mean <= 0 || s.Student.Mean <= 0 {
		t.Errorf("scores: %+v", s)
	}
	turns := 0
	for _, n := range m.Numbers() {
		turns += n.Turns
		for i, v := range n.Values {
			if !(n.Low[i] <= v && v <= n.High[i]) {
				t.Errorf("turn number %d: %v is not within %v and %v", n.Number, v, n.Low[i], n.High[i])
			}
		}
	}
	if turns != len(m.Test.Turns) {
		t.Errorf("%d turns by number, %d in all", turns, len(m.Test.Turns))
	}
	if len(r.Collections) != 4 || r.Collections[1].Of != "one" || !r.Collections[1].Trained || r.Collections[2].Tested[0] != "half" {
		t.Errorf("collections: %+v", r.Collections)
	}
	var warned bool
	for _, w := range r.Warnings {
		warned = warned || strings.Contains(w.String(), "objective/wild, seed 1: the training diverged")
	}
	if !warned {
		t.Errorf("no warning of the failed trials: %v", r.Warnings)
	}
}

// TestDamageIsFound: a file of a trial or of a test that is not what was written
// is refused by name.
func TestDamageIsFound(t *testing.T) {
	r, err := Load(testStudy(t))
	if err != nil {
		t.Fatal(err)
	}
	key := r.System("objective/kld").Trials[0].Key
	for _, name := range []string{
		"trials/" + key + "/runs/half.run.zst", "trials/" + key + "/queries/half.jsonl.zst", "trials/" + key + "/scores/half.json",
		"trials/" + key + "/plan.yaml", "tests/half/qrels.txt", "tests/half/turns.jsonl.zst", "tests/alone/terms.tsv.zst",
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "study")
			if err := os.CopyFS(dir, os.DirFS(testStudy(t))); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, filepath.FromSlash(name))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 1
			if err := os.WriteFile(path, data, 0o666); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), filepath.Base(path)+" is damaged") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestSavedModels: a student that is kept encodes as it did in its trial.
func TestSavedModels(t *testing.T) {
	text := replaced(t, small[:strings.Index(small, "  - name: sweep")], "seeds: [1, 2]", "save_models: true\nseeds: [1]")
	dir := filepath.Join(t.TempDir(), "study")
	mustRun(t, text, dir, testOptions(t))
	r, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	trial := r.System("objective/kld").Trials[0]
	ix, err := index.Open(filepath.Join(dir, "indexes", "one"))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	student, err := encoder.Open(trial.Model, ix)
	if err != nil {
		t.Fatal(err)
	}
	half, err := collection.Open(filepath.Join(dir, "collections", "one-b"))
	if err != nil {
		t.Fatal(err)
	}
	queries, err := trial.Queries("half")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for c, err := range half.Conversations() {
		if err != nil {
			t.Fatal(err)
		}
		for i, turn := range c.Turns {
			if want, asked := queries[turn.ID]; asked {
				compared++
				if got := student.Query(c.History(i)).Quantise(); !reflect.DeepEqual(got, want) {
					t.Errorf("turn %s: %v, in the trial %v", turn.ID, got, want)
				}
			}
		}
	}
	if compared != len(queries) || compared == 0 {
		t.Errorf("compared %d of %d queries", compared, len(queries))
	}
	if wild := r.System("objective/wild").Trials[0]; wild.Model != "" {
		t.Errorf("a training that failed left the student %s", wild.Model)
	}
}
