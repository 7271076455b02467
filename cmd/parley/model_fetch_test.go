package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"parley/internal/hub/hubtest"
)

// testModel is a model of a hub, small and with all of its kinds of files.
func testModel() *hubtest.Repo {
	return &hubtest.Repo{
		Files: map[string][]byte{
			"config.json":       []byte(`{"model_type": "bert"}` + "\n"),
			"vocab.txt":         []byte("[PAD]\n"),
			"notes.txt":         []byte("not read\n"),
			"model.safetensors": []byte(strings.Repeat("weights ", 300_000)),
		},
		Large:    []string{"model.safetensors"},
		Branches: []string{"v2"},
	}
}

// startHub starts a hub for the rest of a script: open/model for everyone,
// closed/model for those with the token "sesame". $HF_ENDPOINT is its address.
func startHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: hub")
	}
	closed := testModel()
	closed.Private = true
	h := hubtest.New(map[string]*hubtest.Repo{"open/model": testModel(), "closed/model": closed})
	h.Token = "sesame"
	ts.Defer(h.Close)
	ts.Setenv("HF_ENDPOINT", h.URL)
	ts.Setenv("COMMIT", testModel().Commit())
}

// TestResolveModels: a model is named by a folder, or as it is named on its hub.
func TestResolveModels(t *testing.T) {
	t.Chdir(t.TempDir())
	h := hubtest.New(map[string]*hubtest.Repo{"open/model": testModel()})
	defer h.Close()
	for key, value := range map[string]string{"HF_ENDPOINT": h.URL, "HF_HUB_CACHE": "cache", "HF_TOKEN": "", "HF_TOKEN_PATH": "none", "HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": ""} {
		t.Setenv(key, value)
	}
	resolve := func(arg string) (string, error) {
		err := resolveModels(&arg)
		return arg, err
	}
	_, err := resolve("open/model")
	if err == nil || !strings.Contains(err.Error(), "there is no folder open/model: name a model's folder, or run parley model fetch open/model") {
		t.Errorf("before it was fetched: %v", err)
	}
	var out strings.Builder
	if code := run(t.Context(), []string{"model", "fetch", "open/model", "-q"}, nil, &out, os.Stderr); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	if dir, err := resolve("open/model"); err != nil || dir != strings.TrimSpace(out.String()) {
		t.Errorf("%s, %v, want what fetch printed: %s", dir, err, out.String())
	}
	if err := os.MkdirAll(filepath.Join("open", "model"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"", "open/model", "../none", "cache/CACHEDIR.TAG", "a/b/c"} {
		if dir, err := resolve(arg); err != nil || dir != arg {
			t.Errorf("%q became %q, %v", arg, dir, err)
		}
	}
}
