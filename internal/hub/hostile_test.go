package hub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/internal/hub"
	"parley/internal/hub/hubtest"
)

// weights tells whether a request is for the bytes of the large file.
func weights(h *hubtest.Hub, r *http.Request) bool {
	return "http://"+r.Host == h.CDN && r.Method == http.MethodGet
}

// blobs returns the names in the folder of blobs that end in suffix.
func blobs(t *testing.T, o hub.Options, suffix string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(o.Cache, "models--o--m", "blobs", "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// truncated answers with the length of the whole and half of the bytes.
func truncated(w http.ResponseWriter, data []byte, from int) {
	w.Header().Set("Content-Length", strconv.Itoa(len(data)-from))
	if from > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(data)-1, len(data)))
		w.WriteHeader(http.StatusPartialContent)
	}
	_, _ = w.Write(data[from : (from+len(data))/2])
}

// TestTruncation: a server that hangs up half-way is asked for the rest.
func TestTruncation(t *testing.T) {
	repo := splade()
	data := repo.Files["model.safetensors"]
	h, o := start(t, repo)
	var ranges []string
	h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if !weights(h, r) {
			return false
		}
		ranges = append(ranges, r.Header.Get("Range"))
		if len(ranges) > 3 {
			return false
		}
		from := 0
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
		truncated(w, data, from)
		return true
	})
	wantFiles(t, mustFetch(t, "o/m", o).Path, repo, parleyReads...)
	if got := strings.Join(ranges, " "); got != " bytes=150000- bytes=225000- bytes=262500-" {
		t.Errorf("ranges %q", got)
	}
	for _, r := range h.Asked() {
		if r.Host == h.CDN && r.IfRange != "" {
			t.Errorf("the second host was asked by the hub's validator: %+v", r)
		}
	}
}

// wantRange asks that the large file was asked for once, by a range.
func wantRange(t *testing.T, h *hubtest.Hub, want string) {
	t.Helper()
	var got []string
	for _, r := range h.Asked() {
		if r.Host == h.CDN {
			got = append(got, r.Range)
		}
	}
	if len(got) != 1 || got[0] != want {
		t.Errorf("asked for the ranges %q, want %q", got, want)
	}
}

// TestAlwaysTruncated: in the end it gives up, keeps what came, and the next run
// takes it up.
func TestAlwaysTruncated(t *testing.T) {
	repo := splade()
	data := repo.Files["model.safetensors"]
	h, o := start(t, repo)
	o.Attempts = 3
	h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if weights(h, r) {
			from := 0
			_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
			truncated(w, data, from)
		}
		return weights(h, r)
	})
	_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), o)
	wantError(t, err, "model.safetensors: ", "after 3 attempts")
	if _, err := hub.Cached(mustName(t, "o/m"), o); !errors.Is(err, hub.ErrNotCached) {
		t.Errorf("half a model has a name: %v", err)
	}
	parts := blobs(t, o, hubtest.SHA256(data)+".incomplete")
	if len(parts) != 1 {
		t.Fatalf("partial files: %q", parts)
	}
	h.Misbehave(nil)
	h.Forget()
	var done, total int64
	o.Progress = func(d, n int64) { done, total = d, n }
	wantFiles(t, mustFetch(t, "o/m", o).Path, repo, parleyReads...)
	wantRange(t, h, "bytes=262500-")
	if done != total || done < 37500 || done > 38000 {
		t.Errorf("progress %d of %d, want what was missing: 37500 and perhaps small files", done, total)
	}
	if parts := blobs(t, o, ".incomplete"); len(parts) != 0 {
		t.Errorf("partial files are left: %q", parts)
	}
}

// TestStalls: a server that sends nothing more, before or in the body, is left
// and asked again.
func TestStalls(t *testing.T) {
	t.Parallel()
	for _, sent := range []int{-1, 0, 100_000} { // -1: not even headers
		repo := splade()
		data := repo.Files["model.safetensors"]
		h, o := start(t, repo)
		o.Stall = 300 * time.Millisecond
		var told []string
		o.Note = func(s string) { told = append(told, s) }
		var stalled atomic.Bool
		h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
			if !weights(h, r) || stalled.Swap(true) {
				return false
			}
			if sent >= 0 {
				w.Header().Set("Content-Length", strconv.Itoa(len(data)))
				_, _ = w.Write(data[:sent])
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
			return true
		})
		wantFiles(t, mustFetch(t, "o/m", o).Path, repo, parleyReads...)
		if all := strings.Join(told, "\n"); !strings.Contains(all, "model.safetensors: the server sends nothing: next attempt in") {
			t.Errorf("after %d bytes it told %q", sent, told)
		}
	}
}

// TestSlowIsNotStalled: whoever sends a little all the time is waited for.
func TestSlowIsNotStalled(t *testing.T) {
	t.Parallel()
	repo := splade()
	data := repo.Files["model.safetensors"]
	h, o := start(t, repo)
	o.Stall, o.Attempts = time.Second, 1
	h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if !weights(h, r) {
			return false
		}
		for i := range 10 {
			_, _ = w.Write(data[i*len(data)/10 : (i+1)*len(data)/10])
			_ = http.NewResponseController(w).Flush()
			time.Sleep(150 * time.Millisecond)
		}
		return true
	})
	mustFetch(t, "o/m", o)
}

// TestLies: lengths, ranges, encodings and bytes that are not as stated are
// refused, and leave nothing in the cache under a file's name.
func TestLies(t *testing.T) {
	repo := splade()
	data := repo.Files["model.safetensors"]
	flipped := bytes.Clone(data)
	flipped[1234] ^= 1
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		have   int // bytes of an earlier run
		want   []string
	}{
		"announces less": {answer: func(w http.ResponseWriter) { _, _ = w.Write(data[:1000]) }, want: []string{"announces 1000 bytes of model.safetensors where 300000 remain"}},
		"announces more": {answer: func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "400000")
			_, _ = w.Write(append(bytes.Clone(data), data[:100_000]...))
		}, want: []string{"announces 400000 bytes"}},
		"sends more": {answer: func(w http.ResponseWriter) {
			_ = http.NewResponseController(w).Flush() // no length
			for range 10 {
				_, _ = w.Write(data)
			}
		}, want: []string{"sends more bytes of model.safetensors than the 300000 that it stated: deleted"}},
		"other bytes": {answer: func(w http.ResponseWriter) { _, _ = w.Write(flipped) }, want: []string{
			"model.safetensors: the bytes do not have the checksum that the hub states", hubtest.SHA256(flipped), "deleted; try again",
		}},
		"other range": {have: 1000, answer: func(w http.ResponseWriter) {
			w.Header().Set("Content-Range", "bytes 0-299999/300000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(data)
		}, want: []string{`sends the range "bytes 0-299999/300000" of model.safetensors where the bytes from 1000 to the end`}},
		"range unasked": {answer: func(w http.ResponseWriter) {
			w.Header().Set("Content-Range", "bytes 0-299999/300000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(data)
		}, want: []string{"sends the range"}},
		"encoding": {answer: func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(data)
		}, want: []string{"in the encoding \"gzip\", which was not asked for"}},
		"gone": {answer: func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) }, want: []string{"model.safetensors of o/m: 127.0.0.1:", "answers 410 Gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			h, o := start(t, repo)
			h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
				if weights(h, r) {
					c.answer(w)
				}
				return weights(h, r)
			})
			if c.have > 0 {
				leave(t, o, hubtest.SHA256(data), data[:c.have])
			}
			_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), o)
			wantError(t, err, c.want...)
			if err != nil && strings.Contains(err.Error(), "signature") {
				t.Errorf("the signed address is told: %v", err)
			}
			if _, err := os.Stat(filepath.Join(o.Cache, "models--o--m", "blobs", hubtest.SHA256(data))); err == nil {
				t.Error("the wrong bytes are in the cache")
			}
			if parts := blobs(t, o, hubtest.SHA256(data)+".incomplete"); strings.Contains(err.Error(), "deleted") && len(parts) > 0 {
				t.Errorf("the wrong bytes are left in %q", parts)
			}
			h.Misbehave(nil)
			wantFiles(t, mustFetch(t, "o/m", o).Path, repo, parleyReads...)
		})
	}
}

// leave makes a partial download of an earlier run.
func leave(t *testing.T, o hub.Options, etag string, data []byte) {
	t.Helper()
	path := filepath.Join(o.Cache, "models--o--m", "blobs", etag+".incomplete")
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestRests: whatever an earlier run left, the file ends whole.
func TestRests(t *testing.T) {
	repo := splade()
	data := repo.Files["model.safetensors"]
	small := repo.Files["vocab.txt"]
	damaged := bytes.Clone(data[:200_000])
	damaged[7] ^= 1
	for name, rest := range map[string][]byte{
		"nothing": {}, "a part": data[:1], "all but one": data[:len(data)-1], "all": data,
		"damaged": damaged, "too much": append(bytes.Clone(data), 1), "other": bytes.Repeat([]byte{7}, len(data)),
	} {
		t.Run(name, func(t *testing.T) {
			_, o := start(t, repo)
			leave(t, o, hubtest.SHA256(data), rest)
			leave(t, o, hubtest.SHA1(small), small[:2])
			wantFiles(t, mustFetch(t, "o/m", o).Path, repo, parleyReads...)
		})
	}
}

// TestNoRanges: a server that knows no ranges, or refuses them, sends the whole.
func TestNoRanges(t *testing.T) {
	repo := splade()
	data := repo.Files["model.safetensors"]
	for _, code := range []int{http.StatusOK, http.StatusRequestedRangeNotSatisfiable} {
		h, o := start(t, repo)
		h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
			if !weights(h, r) || r.Header.Get("Range") == "" {
				return false
			}
			w.WriteHeader(code)
			if code == http.StatusOK {
				_, _ = w.Write(data)
			}
			return true
		})
		leave(t, o, hubtest.SHA256(data), data[:100_000])
		wantFiles(t, mustFetch(t, "o/m", o).Path, repo, parleyReads...)
	}
}

// TestBusyServers: what passes is tried again, as politely as the server asks.
func TestBusyServers(t *testing.T) {
	for _, code := range []int{408, 429, 500, 502, 503, 504} {
		repo := splade()
		h, o := start(t, repo)
		var refused atomic.Int32
		h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
			if refused.Add(1) > 2 {
				return false
			}
			w.WriteHeader(code)
			return true
		})
		mustFetch(t, "o/m", o)
	}
	repo := splade()
	h, o := start(t, repo)
	times := make(chan time.Time, 100)
	h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		times <- time.Now()
		if len(times) > 1 {
			return false
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	})
	mustFetch(t, "o/m", o)
	if first, second := <-times, <-times; second.Sub(first) < 990*time.Millisecond {
		t.Errorf("asked again after %v, though the server wanted a second", second.Sub(first))
	}
	h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), o)
	wantError(t, err, "o/m: ", "answers 503 Service Unavailable, and wants to be left alone for 59m")
}

func TestRedirects(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/plain", http.StatusFound)
	}))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of who does not trust it
	secure.StartTLS()
	t.Cleanup(secure.Close)
	_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), hub.Options{Cache: t.TempDir(), Endpoint: secure.URL, Transport: secure.Client().Transport})
	wantError(t, err, "redirects from https to plain http, which is not followed")
	_, err = hub.Fetch(t.Context(), mustName(t, "o/m"), hub.Options{Cache: t.TempDir(), Endpoint: secure.URL})
	wantError(t, err, "certificate") // at once: no further attempt would help

	for location, want := range map[string]string{
		"/again": "redirects more than 10 times", "file:///etc/passwd": `an address of the kind "file"`, "": "redirects to no address", ":": "redirects to no address",
	} {
		loop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		}))
		t.Cleanup(loop.Close)
		_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), hub.Options{Cache: t.TempDir(), Endpoint: loop.URL})
		wantError(t, err, want)
	}
}

// TestListings: what is no description of a model is refused, and a file's name
// cannot lead out of the cache.
func TestListings(t *testing.T) {
	commit := strings.Repeat("a", 40)
	named := func(name string) string {
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		return `{"sha": "` + commit + `", "siblings": [{"rfilename": ` + string(quoted) + `}]}`
	}
	for body, want := range map[string]string{
		"":                               "not the JSON of a model",
		"<html>":                         "not the JSON of a model",
		"[]":                             "not the JSON of a model",
		`{"sha": "../../x"}`:             `the commit "../../x" is none`,
		`{"sha": "` + commit + `"}`:      "there is no config.json",
		named("../config.json"):          `the file name "../config.json" leads out of the model's folder`,
		named("/etc/passwd"):             "leads out",
		named("a/../../b"):               "leads out",
		named("a//b"):                    "leads out",
		named("./a"):                     "leads out",
		named("a\\b"):                    "leads out",
		named("C:a"):                     "leads out",
		named("a\nb"):                    "leads out",
		named(strings.Repeat("a/", 600)): "leads out",
		named(""):                        "leads out",
		`{"sha": "` + commit + `", "siblings": [{"rfilename": "a", "blobId": "../x"}]}`:         `the checksum "../x" of a is neither`,
		`{"sha": "` + commit + `", "siblings": [{"rfilename": "a", "size": -5}]}`:               "the size of a is -5",
		`{"sha": "` + commit + `", "siblings": [{"rfilename": "a"}, {"rfilename": "a"}]}`:       `it has the file "a" twice`,
		`{"sha": "` + commit + `", "siblings": [{"rfilename": "a", "lfs": {"sha256": "xyz"}}]}`: `the checksum "xyz" of a`,
	} {
		_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), listingServer(t, body))
		wantError(t, err, want)
	}
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		spaces := bytes.Repeat([]byte(" "), 1<<20)
		for r.Context().Err() == nil {
			if _, err := w.Write(spaces); err != nil {
				return
			}
		}
	}))
	t.Cleanup(endless.Close)
	_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), hub.Options{Cache: t.TempDir(), Endpoint: endless.URL})
	wantError(t, err, "is longer than 32 MB: it is none of a model")
}

// TestHeadersAgainstListing: two answers of a hub that contradict each other.
func TestHeadersAgainstListing(t *testing.T) {
	for header, c := range map[string]struct{ value, want string }{
		"X-Linked-Size": {"7", "says that model.safetensors has 7 bytes, and in its listing of the model 300000"},
		"X-Linked-Etag": {`"` + strings.Repeat("a", 64) + `"`, "and in its listing of the model"},
		"X-Repo-Commit": {strings.Repeat("b", 40), "where " + splade().Commit() + " was asked for"},
		"x-repo-commit": {"", "does not say which commit model.safetensors belongs to"},
		"x-linked-etag": {`"../../x"`, `the checksum "../../x" of model.safetensors is neither`},
		"x-linked-size": {"many", `has "many" bytes`},
	} {
		repo := splade()
		h, o := start(t, repo)
		h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodHead || !strings.HasSuffix(r.URL.Path, "model.safetensors") {
				return false
			}
			data := repo.Files["model.safetensors"]
			w.Header().Set("X-Repo-Commit", repo.Commit())
			w.Header().Set("X-Linked-Etag", `"`+hubtest.SHA256(data)+`"`)
			w.Header().Set("X-Linked-Size", strconv.Itoa(len(data)))
			w.Header().Set(header, c.value)
			w.Header().Set("Location", h.CDN)
			w.WriteHeader(http.StatusFound)
			return true
		})
		_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), o)
		wantError(t, err, c.want)
	}
}

// TestHostileGuides: files that name others cannot lead out of the model.
func TestHostileGuides(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"modules.json":                 {`[{"path": "../x"}]`, "leads out of the model's folder"},
		"router_config.json":           {`{"types": {"../../x": ""}}`, "leads out of the model's folder"},
		"model.safetensors.index.json": {`{"weight_map": {"a": "../x"}}`, "leads out of the model's folder"},
	} {
		repo := splade()
		delete(repo.Files, "model.safetensors")
		repo.Files["model.safetensors.index.json"] = []byte(`{"weight_map": {}}`)
		repo.Files[name] = []byte(c.body)
		_, o := start(t, repo)
		_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), o)
		wantError(t, err, "o/m: ", c.want)
		repo.Files[name] = []byte("{")
		_, err = hub.Fetch(t.Context(), mustName(t, "o/m"), o)
		wantError(t, err, "o/m: "+name+": unexpected end of JSON input")
	}
}

// TestInterrupted: what came before the interruption is kept for the next run.
func TestInterrupted(t *testing.T) {
	repo := splade()
	data := repo.Files["model.safetensors"]
	h, o := start(t, repo)
	ctx, cancel := context.WithCancel(t.Context())
	h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if !weights(h, r) {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data[:100_000])
		_ = http.NewResponseController(w).Flush()
		for size(blobs(t, o, hubtest.SHA256(data)+".incomplete")) < 100_000 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-r.Context().Done()
		return true
	})
	if _, err := hub.Fetch(ctx, mustName(t, "o/m"), o); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
	h.Misbehave(nil)
	h.Forget()
	wantFiles(t, mustFetch(t, "o/m", o).Path, repo, parleyReads...)
	wantRange(t, h, "bytes=100000-")
}

func size(paths []string) (n int64) {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			n = max(n, info.Size())
		}
	}
	return n
}

// TestFullDisk writes to the device that is always full.
func TestFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /dev/full")
	}
	repo := splade()
	_, o := start(t, repo)
	part := filepath.Join(o.Cache, "models--o--m", "blobs", hubtest.SHA256(repo.Files["model.safetensors"])+".incomplete")
	if err := os.MkdirAll(filepath.Dir(part), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", part); err != nil {
		t.Fatal(err)
	}
	_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), o)
	wantError(t, err, "no space left on device: make room, and run it again; what has come is kept")
}

// TestDamagedCache: a file whose length is wrong is fetched anew.
func TestDamagedCache(t *testing.T) {
	repo := splade()
	_, o := start(t, repo)
	s := mustFetch(t, "o/m", o)
	blob := filepath.Join(o.Cache, "models--o--m", "blobs", repo.ETag("model.safetensors"))
	if err := os.Truncate(blob, 100); err != nil {
		t.Fatal(err)
	}
	mustFetch(t, "o/m", o)
	wantFiles(t, s.Path, repo, parleyReads...)
	if err := os.WriteFile(filepath.Join(o.Cache, "models--o--m", "refs", "main"), []byte("../../.."), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := hub.Cached(mustName(t, "o/m"), o)
	wantError(t, err, "holds no commit: delete it, and fetch the model again")
}

// FuzzListing: whatever a hub describes, names stay within the model.
func FuzzListing(f *testing.F) {
	commit := strings.Repeat("a", 40)
	for _, s := range []string{
		`{"sha": "` + commit + `", "siblings": [{"rfilename": "a/b", "size": 3, "blobId": "` + commit + `"}]}`,
		`{"sha": "` + commit + `", "siblings": [{"rfilename": "../a", "lfs": {"sha256": ""}}]}`, "{}", "[", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		names, err := hub.ListedNames(data)
		if err != nil {
			return
		}
		for _, name := range names {
			if !filepath.IsLocal(filepath.FromSlash(name)) {
				t.Errorf("%q leads out", name)
			}
		}
	})
}

func TestTokenOfTwoLines(t *testing.T) {
	_, o := start(t, splade())
	o.Token = "one\ntwo"
	_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), o)
	wantError(t, err, "the token has spaces")
}
