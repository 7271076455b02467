package vectors

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/internal/durable"
	"parley/sparse"
)

var update = flag.Bool("update", false, "write golden files anew")

// made returns made-up records over a vocabulary, the first with all its lowest
// and highest terms, some without any.
func made(n, vocabulary int) []Record {
	rng := rand.New(rand.NewPCG(1, uint64(vocabulary)))
	records := make([]Record, n)
	for i := range records {
		weights := map[uint32]float32{}
		for range rng.IntN(20) {
			weights[rng.Uint32N(uint32(vocabulary))] = rng.Float32()
		}
		if i == 0 {
			weights[0], weights[uint32(vocabulary-1)] = math.MaxFloat32, math.SmallestNonzeroFloat32
		}
		records[i] = Record{fmt.Sprint("p", i), rng.Uint64(), sparse.FromMap(weights)}
	}
	return records
}

func header(n, vocabulary int) Header {
	return Header{Of: Passages, Vocabulary: vocabulary, Fingerprint: "f00d", Encoder: "by hand", Identity: "1d", First: 2, Count: n, Total: n + 3}
}

func mustCreate(t testing.TB, path string, h Header) *Writer {
	t.Helper()
	w, err := Create(path, h)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func mustAdd(t testing.TB, w *Writer, records []Record) {
	t.Helper()
	for _, r := range records {
		if err := w.Add(r); err != nil {
			t.Fatal(err)
		}
	}
}

// write writes a file of records in one go and returns its path.
func write(t testing.TB, records []Record, h Header) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vectors")
	w := mustCreate(t, path, h)
	defer w.Close()
	mustAdd(t, w, records)
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return path
}

// read reads all records of a file at path, which need not be there.
func read(data []byte, path string) (records []Record, h Header, err error) {
	f, err := open(bytes.NewReader(data), int64(len(data)), path)
	if err != nil {
		return nil, h, err
	}
	for r, err := range f.All() {
		if err != nil {
			return records, f.Header(), err
		}
		records = append(records, r)
	}
	return records, f.Header(), nil
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRoundTrip covers both widths of term ids on both sides of their border,
// and numbers of records on both sides of blocks.
func TestRoundTrip(t *testing.T) {
	for _, vocabulary := range []int{3, 1 << 16, 1<<16 + 1, 120_000} {
		for _, n := range []int{0, 1, blockRecords - 1, blockRecords, blockRecords + 1, 3 * blockRecords} {
			want := made(n, vocabulary)
			got, h, err := read(mustRead(t, write(t, want, header(n, vocabulary))), "")
			if err != nil || len(got) != n || h != header(n, vocabulary) {
				t.Fatalf("%d records of %d terms: read %d of %+v: %v", n, vocabulary, len(got), h, err)
			}
			for i := range want {
				if diff := cmp.Diff(want[i], got[i]); diff != "" {
					t.Fatalf("record %d of %d terms: %s", i, vocabulary, diff)
				}
			}
		}
	}
}

// TestFormat holds the bytes of a file against testdata/format.txt. A difference
// means a new format: raise Version.
func TestFormat(t *testing.T) {
	records := []Record{
		{"p2", Source("Robin", "sings"), sparse.Vector{Terms: []uint32{1, 3}, Weights: []float32{1, 2.5}}},
		{"p10", Source("", "silent"), sparse.Vector{}},
	}
	var out strings.Builder
	for _, vocabulary := range []int{4, 1<<16 + 1} {
		data := mustRead(t, write(t, records, header(2, vocabulary)))
		fmt.Fprintf(&out, "--- a vocabulary of %d terms\n%s", vocabulary, hex.Dump(data))
	}
	const golden = "testdata/format.txt"
	if *update {
		if err := durable.WriteFile(golden, []byte(out.String())); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(mustRead(t, golden)), out.String()); diff != "" {
		t.Errorf("the format changed (-golden +written):\n%s", diff)
	}
}

// TestWhole cuts a partial file off at every byte, or damages it there: what is
// found whole are the blocks before.
func TestWhole(t *testing.T) {
	const n = 2*blockRecords + 3
	data := mustRead(t, write(t, made(n, 40), header(n, 40)))
	f, err := open(bytes.NewReader(data), int64(len(data)), "")
	if err != nil {
		t.Fatal(err)
	}
	b := blocks{file: f, at: place{at: f.body}}
	ends := []int64{f.body}
	for _, left := range []int{n, blockRecords + 3, 3} {
		if _, err := b.next(left); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, b.at.at)
	}
	check := func(data []byte, whole int, what string) {
		t.Helper()
		partial := *f
		partial.from, partial.size = bytes.NewReader(data), int64(len(data))
		records, end, err := partial.whole()
		if err != nil || records != min(n, whole*blockRecords) || end != ends[whole] {
			t.Fatalf("%s: %d records up to %d are whole (%v), want %d blocks", what, records, end, err, whole)
		}
	}
	for at := f.body; at < f.size; at++ {
		whole := 0
		for ends[whole+1] <= at {
			whole++
		}
		check(data[:at], whole, fmt.Sprintf("cut off at %d", at))
		damaged := bytes.Clone(data)
		damaged[at] ^= 16
		check(damaged, whole, fmt.Sprintf("damaged at %d", at))
	}
	check(append(bytes.Clone(data), 7), 3, "a byte more")
}

// TestResume takes up partial files: the file ends with the same bytes.
func TestResume(t *testing.T) {
	const n = 2*blockRecords + 3
	records, h := made(n, 40), header(n, 40)
	whole := mustRead(t, write(t, records, h))
	path := filepath.Join(t.TempDir(), "vectors")
	partials := [][]byte{append(bytes.Clone(whole), 7)}
	for _, size := range []int{0, 1, 20, 150, 200, len(whole) / 2, len(whole) * 4 / 5, len(whole) - 1, len(whole)} {
		partials = append(partials, whole[:size])
	}
	for _, partial := range partials {
		if err := os.WriteFile(path+durable.PartialSuffix, partial, 0o666); err != nil {
			t.Fatal(err)
		}
		w := mustCreate(t, path, h)
		defer w.Close()
		kept := 0
		for r, err := range w.Kept(w.N()) {
			if err != nil || cmp.Diff(records[kept], r) != "" {
				t.Fatalf("%d bytes: record %d was kept as %v: %v", len(partial), kept, r, err)
			}
			kept++
		}
		if kept != w.N() {
			t.Fatalf("%d bytes: %d records are there, and %d were kept", len(partial), w.N(), kept)
		}
		mustAdd(t, w, records[kept:])
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(mustRead(t, path), whole) {
			t.Fatalf("resumed from %d bytes, behind %d records, the file has other bytes", len(partial), kept)
		}
	}
}

// TestAll reads the records of a file that is not committed, those that were kept
// and those added.
func TestAll(t *testing.T) {
	const n = 2*blockRecords + 3
	records, path := made(n, 40), filepath.Join(t.TempDir(), "vectors")
	first := mustCreate(t, path, header(n, 40))
	mustAdd(t, first, records[:blockRecords+9])
	for _, err := range first.All() {
		if err == nil || !strings.Contains(err.Error(), "announced") {
			t.Fatalf("an unfinished file is read: %v", err)
		}
	}
	first.Close()
	second := mustCreate(t, path, header(n, 40))
	mustAdd(t, second, records[second.N():])
	i := 0
	for r, err := range second.All() {
		if err != nil || cmp.Diff(records[i], r) != "" {
			t.Fatalf("record %d is %v (%v)", i, r, err)
		}
		i++
	}
	if i != n {
		t.Errorf("%d records of %d", i, n)
	}
	second.Discard()
	if _, err := os.Stat(second.Partial()); err == nil {
		t.Error("discarded, and still there")
	}
}

func TestResumeOfOtherVectors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vectors")
	w := mustCreate(t, path, header(5, 40))
	mustAdd(t, w, made(3, 40))
	w.Close()
	other := header(5, 40)
	other.Identity = "2e"
	if _, err := Create(path, other); !errors.Is(err, ErrOther) || !strings.Contains(err.Error(), path) {
		t.Errorf("other vectors were begun over: %v", err)
	}
	again := mustCreate(t, path, header(5, 40))
	again.Discard()
	if _, err := os.Stat(path + durable.PartialSuffix); err == nil {
		t.Error("discarded, and still there")
	}
}

// TestDamage flips a bit of every byte, and cuts the file off at every byte: no
// record is ever read that was not written.
func TestDamage(t *testing.T) {
	const n = 20
	records := made(n, 40)
	path := write(t, records, header(n, 40))
	whole := mustRead(t, path)
	check := func(data []byte, what string) {
		t.Helper()
		got, _, err := read(data, path)
		if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%s: error %v", what, err)
		}
		for i := range got {
			if cmp.Diff(records[i], got[i]) != "" {
				t.Fatalf("%s: record %d was misread", what, i)
			}
		}
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1 << (i % 8)
		check(damaged, fmt.Sprintf("bit of byte %d", i))
		check(whole[:i], fmt.Sprintf("cut off at %d", i))
	}
	check(append(bytes.Clone(whole), 0), "a byte more")
}

func TestWriterRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vectors")
	for _, h := range []Header{header(5, 0), {Vocabulary: 3, Count: 2, Total: 1}, {Vocabulary: 3, First: 1, Count: 2, Total: 2}, {Vocabulary: 3, Count: -1}} {
		if _, err := Create(path, h); err == nil {
			t.Errorf("%+v was accepted", h)
		}
	}
	w := mustCreate(t, path, header(1, 3))
	defer w.Close()
	if err := w.Commit(); err == nil || !strings.Contains(err.Error(), "it has 0 vectors of the 1 announced") {
		t.Errorf("an unfinished file was committed: %v", err)
	}
	if err := w.Add(Record{ID: "p", Vector: sparse.Vector{Terms: []uint32{3}, Weights: []float32{1}}}); err == nil {
		t.Error("a term outside of the vocabulary was accepted")
	}
	mustAdd(t, w, []Record{{ID: "p"}})
	if err := w.Add(Record{ID: "q"}); err == nil {
		t.Error("one record too many was accepted")
	}
	if err := w.Commit(); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(`{"id": "p1", "text": "no vectors"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer")
	if err := os.WriteFile(newer, []byte(magic+"\x02\x00\x00\x00\x00\x00\x00\x00"), 0o666); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		text:                        "is no file of vectors",
		empty:                       "damaged at byte 0",
		newer:                       "format version 2, this program reads version 1",
		dir:                         "it is not a regular file",
		filepath.Join(dir, "there"): "no such file",
	} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %s", path, err, want)
		}
	}
}

func TestOpenWhole(t *testing.T) {
	path := write(t, made(2, 9), header(2, 9))
	f, err := OpenWhole(path, header(2, 9))
	if err != nil || f == nil {
		t.Fatal(err)
	}
	defer f.Close()
	if other, err := OpenWhole(path, header(2, 8)); other != nil || err != nil {
		t.Errorf("a file of another header was opened: %v", err)
	}
	if none, err := OpenWhole(path+"x", header(2, 9)); none != nil || err != nil {
		t.Errorf("no file was opened: %v", err)
	}
}

func TestSource(t *testing.T) {
	if Source("ab", "c") == Source("a", "bc") || Source("ab") == Source("ab", "") || Source() == Source("") {
		t.Error("different texts have the same checksum")
	}
	if parts := []string{"ab", "c"}; Source(parts...) != Source("ab", "c") {
		t.Error("the same text has two checksums")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(mustRead(f, write(f, made(3, 40), header(3, 40))))
	f.Add(mustRead(f, write(f, made(2, 1<<17), header(2, 1<<17))))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, reseal(data)} {
			records, h, err := read(data, "vectors")
			for _, r := range records {
				if err := r.Vector.Validate(h.Vocabulary); err != nil {
					t.Fatal(err)
				}
			}
			if err == nil && len(records) != h.Count {
				t.Fatalf("%d records where %d are announced", len(records), h.Count)
			}
		}
	})
}

// reseal makes the checksums of data right, as far as it is laid out as a file of
// vectors, so that fuzzing comes past them.
func reseal(data []byte) []byte {
	if len(data) < preamble+sumBytes {
		return data
	}
	data = bytes.Clone(data)
	at := preamble + int(data[12]) + int(data[13])<<8
	if at+sumBytes > len(data) {
		return data
	}
	copy(data[at:], seal(append([]byte(nil), data[:at]...))[at:])
	h, _, err := readHeader(bytes.NewReader(data), "")
	if err != nil {
		return data
	}
	for at += sumBytes; len(data)-at > counts; {
		size, _, ok := blockSize(data[at:], h.termBytes(), int64(len(data)-at))
		if !ok {
			break
		}
		body := data[at : at+int(size)-sumBytes]
		copy(data[at+len(body):], seal(append([]byte(nil), body...))[len(body):])
		at += int(size)
	}
	return data
}

func Example() {
	dir, err := os.MkdirTemp("", "vectors")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "birds")
	w, err := Create(path, Header{Of: Passages, Vocabulary: 10, Count: 2, Total: 2})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	_ = w.Add(Record{"robin", Source("Robin", "It sings."), sparse.Vector{Terms: []uint32{2, 7}, Weights: []float32{1, 2}}})
	_ = w.Add(Record{"wren", Source("Wren", "It is small."), sparse.Vector{Terms: []uint32{7}, Weights: []float32{.5}}})
	if err := w.Commit(); err != nil {
		panic(err)
	}
	f, err := Open(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	for r, err := range f.All() {
		fmt.Println(r.ID, r.Vector, r.Source == Source("Wren", "It is small."), err)
	}
	// Output:
	// robin {[2 7] [1 2]} false <nil>
	// wren {[7] [0.5]} true <nil>
}
