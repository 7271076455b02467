package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/internal/hub"
	"parley/internal/hub/hubtest"
)

// noise returns n bytes that are always the same.
func noise(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// splade is a model as sentence-transformers publishes them, with files that
// Parley has no use for.
func splade() *hubtest.Repo {
	return &hubtest.Repo{
		Files: map[string][]byte{
			"config.json":                    []byte(`{"model_type": "bert"}`),
			"vocab.txt":                      []byte("[PAD]\n[UNK]\n"),
			"tokenizer_config.json":          []byte("{}"),
			"README.md":                      []byte("# A model\n"),
			"modules.json":                   []byte(`[{"path": ""}, {"path": "1_SpladePooling"}]`),
			"1_SpladePooling/config.json":    []byte(`{"pooling_strategy": "max"}`),
			"1_SpladePooling/notes with #%?": []byte("odd"),
			"model.safetensors":              noise(300_000, 1),
			"pytorch_model.bin":              noise(100, 2),
			"onnx/model.onnx":                noise(200, 3),
			"empty.txt":                      {},
		},
		Large:    []string{"model.safetensors", "pytorch_model.bin", "onnx/model.onnx"},
		Branches: []string{"v1.0", "refs/pr/1"},
	}
}

// start starts a hub with one model, o/m.
func start(t *testing.T, repo *hubtest.Repo) (*hubtest.Hub, hub.Options) {
	t.Helper()
	h := hubtest.New(map[string]*hubtest.Repo{"o/m": repo})
	t.Cleanup(h.Close)
	return h, hub.Options{
		Cache: filepath.Join(t.TempDir(), "hub"), Endpoint: h.URL,
		Pause: time.Millisecond, Stall: 5 * time.Second, Note: func(s string) { t.Log(s) },
	}
}

func mustName(t *testing.T, s string) hub.Name {
	t.Helper()
	n, err := hub.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mustFetch(t *testing.T, name string, o hub.Options) *hub.Snapshot {
	t.Helper()
	s, err := hub.Fetch(t.Context(), mustName(t, name), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q, want %q in it", err, part)
		}
	}
}

// wantFiles holds a folder against the files of a model.
func wantFiles(t *testing.T, dir string, repo *hubtest.Repo, names ...string) {
	t.Helper()
	var got []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			name, _ := filepath.Rel(dir, path)
			got = append(got, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, names) {
		t.Errorf("files %q, want %q", got, names)
	}
	for _, name := range got {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(data, repo.Files[name]) {
			t.Errorf("%s: %d bytes, want the %d of the hub: %v", name, len(data), len(repo.Files[name]), err)
		}
	}
}

var parleyReads = []string{
	"1_SpladePooling/config.json", "README.md", "config.json", "model.safetensors", "modules.json", "tokenizer_config.json", "vocab.txt",
}

func TestFetch(t *testing.T) {
	repo := splade()
	h, o := start(t, repo)
	s := mustFetch(t, "o/m", o)
	wantFiles(t, s.Path, repo, parleyReads...)
	if !slices.Equal(s.Files, parleyReads) || s.Commit != repo.Commit() {
		t.Errorf("snapshot %+v", s)
	}
	if s.Path != filepath.Join(o.Cache, "models--o--m", "snapshots", repo.Commit()) {
		t.Errorf("path %s", s.Path)
	}
	ref, err := os.ReadFile(filepath.Join(o.Cache, "models--o--m", "refs", "main"))
	if err != nil || string(ref) != repo.Commit() {
		t.Errorf("ref %q: %v", ref, err)
	}
	if link, err := os.Readlink(filepath.Join(s.Path, "1_SpladePooling", "config.json")); runtime.GOOS != "windows" &&
		(err != nil || link != filepath.Join("..", "..", "..", "blobs", repo.ETag("1_SpladePooling/config.json"))) {
		t.Errorf("link %q: %v", link, err)
	}

	h.Forget()
	again := mustFetch(t, "o/m", o)
	if again.Path != s.Path || len(h.Asked()) != 1 {
		t.Errorf("fetched again what was there: %+v", h.Asked())
	}
	h.Forget()
	offline, err := hub.Cached(mustName(t, "o/m"), o)
	if err != nil || offline.Path != s.Path || !slices.Equal(offline.Files, s.Files) || len(h.Asked()) != 0 {
		t.Errorf("offline %+v: %v", offline, err)
	}
}

func TestRevisions(t *testing.T) {
	repo := splade()
	_, o := start(t, repo)
	for _, rev := range []string{"v1.0", "refs/pr/1", repo.Commit()} {
		name := "o/m@" + rev
		if s := mustFetch(t, name, o); s.Commit != repo.Commit() {
			t.Errorf("%s: %+v", name, s)
		}
		if _, err := hub.Cached(mustName(t, name), o); err != nil {
			t.Errorf("%s offline: %v", name, err)
		}
	}
	_, err := hub.Cached(mustName(t, "o/m"), o)
	if !errors.Is(err, hub.ErrNotCached) {
		t.Errorf("main was not fetched: %v", err)
	}
	_, err = hub.Fetch(t.Context(), mustName(t, "o/m@v2"), o)
	wantError(t, err, `o/m has no revision "v2": see which there are on http`)
}

func TestPatterns(t *testing.T) {
	repo := splade()
	_, o := start(t, repo)
	o.Files = []string{"*.txt", "onnx/*", "notes*"}
	s := mustFetch(t, "o/m", o)
	want := slices.Sorted(slices.Values(append(slices.Clone(parleyReads), "empty.txt", "onnx/model.onnx", "1_SpladePooling/notes with #%?")))
	wantFiles(t, s.Path, repo, want...)
	o.Files = []string{"*.gguf"}
	_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), o)
	wantError(t, err, `o/m: no file matches the pattern "*.gguf"`)
}

func TestShards(t *testing.T) {
	repo := splade()
	delete(repo.Files, "model.safetensors")
	repo.Files["model.safetensors.index.json"] = []byte(`{"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}}`)
	repo.Files["model-1.safetensors"] = noise(1000, 4)
	repo.Files["model-2.safetensors"] = noise(2000, 5)
	repo.Files["model-3.safetensors"] = noise(3000, 6)
	repo.Large = []string{"model-1.safetensors", "model-2.safetensors"}
	_, o := start(t, repo)
	s := mustFetch(t, "o/m", o)
	if got := strings.Join(s.Files, " "); !strings.Contains(got, "model-1.safetensors model-2.safetensors model.safetensors.index.json") {
		t.Errorf("files %s", got)
	}
	if err := os.Remove(filepath.Join(s.Path, "model-2.safetensors")); err != nil {
		t.Fatal(err)
	}
	_, err := hub.Cached(mustName(t, "o/m"), o)
	wantError(t, err, "not whole in the cache", `"model-2.safetensors", which is not there`, "fetch it first")
	if _, err := hub.Fetch(t.Context(), mustName(t, "o/m"), o); err != nil {
		t.Error(err)
	}
	if _, err := hub.Cached(mustName(t, "o/m"), o); err != nil {
		t.Error(err)
	}
}

// TestRouter: a model with two sides has a folder for each.
func TestRouter(t *testing.T) {
	repo := splade()
	repo.Files["router_config.json"] = []byte(`{"types": {"query_0_SparseStaticEmbedding": "x", "document_0_MLMTransformer": "y"}}`)
	for _, name := range []string{"query_0_SparseStaticEmbedding/config.json", "query_0_SparseStaticEmbedding/model.safetensors", "document_0_MLMTransformer/model.safetensors"} {
		repo.Files[name] = noise(10, 7)
	}
	delete(repo.Files, "model.safetensors")
	_, o := start(t, repo)
	s := mustFetch(t, "o/m", o)
	for _, name := range []string{"query_0_SparseStaticEmbedding/config.json", "query_0_SparseStaticEmbedding/model.safetensors", "document_0_MLMTransformer/model.safetensors"} {
		if !slices.Contains(s.Files, name) {
			t.Errorf("%s was not fetched", name)
		}
	}
}

func TestModelsWithoutUse(t *testing.T) {
	pickled := splade()
	delete(pickled.Files, "model.safetensors")
	_, o := start(t, pickled)
	_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), o)
	wantError(t, err, "o/m: its weights are only in pytorch_model.bin", "refs/pr/N")
	delete(pickled.Files, "pytorch_model.bin")
	_, err = hub.Fetch(t.Context(), mustName(t, "o/m"), o)
	wantError(t, err, "there is no model.safetensors")
	delete(pickled.Files, "config.json")
	_, err = hub.Fetch(t.Context(), mustName(t, "o/m"), o)
	wantError(t, err, "there is no config.json")
}

// TestToken: the token goes to the hub, and to nobody whom it redirects to.
func TestToken(t *testing.T) {
	repo := splade()
	repo.Private = true
	h, o := start(t, repo)
	h.Token = "secret"
	o.Token = "secret"
	mustFetch(t, "o/m", o)
	elsewhere := 0
	for _, r := range h.Asked() {
		switch {
		case r.Host == h.URL && r.Authorization != "Bearer secret":
			t.Errorf("the hub was asked without the token: %+v", r)
		case r.Host == h.CDN:
			elsewhere++
			if r.Authorization != "" {
				t.Errorf("the second host got the token: %+v", r)
			}
		}
	}
	if elsewhere == 0 {
		t.Error("the second host was never asked")
	}
}

func TestRefusals(t *testing.T) {
	repo := splade()
	h, o := start(t, repo)
	h.Token = "good"
	for _, c := range []struct {
		name, token    string
		private, gated bool
		want           []string
	}{
		{"o/other", "", false, false, []string{"knows no model o/other, or keeps it private: check the name; for a private model set HF_TOKEN"}},
		{"o/m", "", true, false, []string{"knows no model o/m, or keeps it private"}},
		{"o/other", "good", false, false, []string{"knows no model o/other that the token may see"}},
		{"o/m", "bad", false, false, []string{"does not accept the token", "set HF_TOKEN to one that is valid"}},
		{"o/m", "", false, true, []string{"of o/m is gated: accept its conditions on " + h.URL + "/o/m, and set HF_TOKEN"}},
	} {
		repo.Private, repo.Gated, o.Token = c.private, c.gated, c.token
		_, err := hub.Fetch(t.Context(), mustName(t, c.name), o)
		wantError(t, err, c.want...)
		if err != nil && strings.Contains(err.Error(), "bad") {
			t.Errorf("the token is told: %v", err)
		}
	}
	repo.Private, repo.Gated, o.Token = false, false, ""
	h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodHead {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	_, err := hub.Fetch(t.Context(), mustName(t, "o/m"), o)
	wantError(t, err, "only to those it knows: set HF_TOKEN")
}

// TestMirror: a mirror whose listing tells only names, and which answers as the
// hub does, is as good.
func TestMirror(t *testing.T) {
	repo := splade()
	h, o := start(t, repo)
	h.NoMeta = true
	wantFiles(t, mustFetch(t, "o/m", o).Path, repo, parleyReads...)
}

// TestSameOriginRedirects: a renamed model is followed to its new name, with the
// token.
func TestSameOriginRedirects(t *testing.T) {
	repo := splade()
	repo.Private = true
	h, o := start(t, repo)
	h.Token, o.Token = "secret", "secret"
	h.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "old/name") {
			return false
		}
		to := strings.Replace(r.URL.EscapedPath(), "old/name", "o/m", 1) + "?" + r.URL.RawQuery
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	})
	s := mustFetch(t, "old/name", o)
	wantFiles(t, s.Path, repo, parleyReads...)
}

func TestCopy(t *testing.T) {
	repo := splade()
	_, o := start(t, repo)
	s := mustFetch(t, "o/m", o)
	dir := filepath.Join(t.TempDir(), "plain")
	for range 2 { // made, then replaced
		if err := s.Copy(dir); err != nil {
			t.Fatal(err)
		}
		wantFiles(t, dir, repo, parleyReads...)
	}
	if info, err := os.Lstat(filepath.Join(dir, "model.safetensors")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the copy is no plain file: %v", err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.Copy(foreign), "not empty and has no config.json")
}

// TestTogether fetches one model from several goroutines at once into one cache.
func TestTogether(t *testing.T) {
	repo := splade()
	repo.Files["twin.txt"] = repo.Files["vocab.txt"] // two names of the same bytes
	h, o := start(t, repo)
	o.Files = []string{"twin.txt"}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, err := hub.Fetch(context.Background(), hub.Name{Owner: "o", Model: "m", Revision: "main"}, o); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	s := mustFetch(t, "o/m", o)
	wantFiles(t, s.Path, repo, slices.Sorted(slices.Values(append(slices.Clone(parleyReads), "twin.txt")))...)
	if runtime.GOOS == "linux" {
		got := map[string]int{}
		for _, r := range h.Asked() {
			if r.Method == http.MethodGet && r.Host == h.CDN {
				got[r.Path]++
			}
		}
		for path, n := range got {
			if n != 1 {
				t.Errorf("%s was fetched %d times", path, n)
			}
		}
	}
}

func TestParseName(t *testing.T) {
	for s, want := range map[string]hub.Name{
		"naver/splade-v3":       {Owner: "naver", Model: "splade-v3", Revision: "main"},
		"a/b@refs/pr/2":         {Owner: "a", Model: "b", Revision: "refs/pr/2"},
		"A_1/b.c@v1.0+x":        {Owner: "A_1", Model: "b.c", Revision: "v1.0+x"},
		"a/" + letters(96) + "": {Owner: "a", Model: letters(96), Revision: "main"},
	} {
		if got, err := hub.ParseName(s); got != want || err != nil {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", "bert", "a/b/c", "/a", "a/", "../a", "a/..", "a/b@", "a/b@../x", "a/b@x..y", "a/b@/x", "a/b@x/", "a/b@-x", "a/b@.x", "a/b@a//b",
		"a/b c", "a--b/c", "a/b@x y", "a/b@x\\y", "~/a", "a/.b", "a/b.", "a/" + letters(97), "a/b@x:y", "C:/b",
	} {
		if n, err := hub.ParseName(s); err == nil {
			t.Errorf("%q reads as %+v", s, n)
		}
	}
}

func letters(n int) string { return strings.Repeat("x", n) }

func TestEndpoints(t *testing.T) {
	for _, endpoint := range []string{"huggingface.co", "ftp://x", "http://", "https://user:pass@x", "https://x?y", ":"} {
		_, err := hub.Fetch(t.Context(), hub.Name{Owner: "o", Model: "m", Revision: "main"}, hub.Options{Cache: t.TempDir(), Endpoint: endpoint})
		wantError(t, err, "the endpoint")
		if strings.Contains(err.Error(), "pass@") {
			t.Errorf("the password is told: %v", err)
		}
	}
}

func Example() {
	h := hubtest.New(map[string]*hubtest.Repo{"o/m": splade()})
	defer h.Close()
	cache, err := os.MkdirTemp("", "hub")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(cache)

	name, err := hub.ParseName("o/m@v1.0")
	if err != nil {
		panic(err)
	}
	s, err := hub.Fetch(context.Background(), name, hub.Options{Cache: cache, Endpoint: h.URL})
	if err != nil {
		panic(err)
	}
	fmt.Println(s.Files)
	// Output: [1_SpladePooling/config.json README.md config.json model.safetensors modules.json tokenizer_config.json vocab.txt]
}

// listingServer answers everything with one body.
func listingServer(t *testing.T, body string) hub.Options {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
	t.Cleanup(s.Close)
	return hub.Options{Cache: t.TempDir(), Endpoint: s.URL, Pause: time.Millisecond}
}
