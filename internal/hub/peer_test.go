package hub_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/hub"
	"parley/internal/hub/hubtest"
)

// python returns a command of the hub's own library, by default of python3, in
// an environment with one hub and one cache. Tests that need it are skipped
// where it is not installed.
func python(t *testing.T, o hub.Options, script string, env ...string) *exec.Cmd {
	t.Helper()
	program := os.Getenv("PARLEY_PYTHON")
	if program == "" {
		program = "python3"
	}
	if err := exec.Command(program, "-c", "import huggingface_hub").Run(); err != nil {
		t.Skip("no Python with huggingface_hub here (PARLEY_PYTHON names one)")
	}
	cmd := exec.Command(program, "-c", script)
	cmd.Env = append(os.Environ(), "HF_ENDPOINT="+o.Endpoint, "HF_HUB_CACHE="+o.Cache, "HF_HUB_DISABLE_PROGRESS_BARS=1", "HF_HUB_DISABLE_XET=1")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestTheirsFindsOurs: what Parley fetched, the hub's own library finds, asking
// no hub and asking one.
func TestTheirsFindsOurs(t *testing.T) {
	repo := splade()
	h, o := start(t, repo)
	s := mustFetch(t, "o/m", o)
	h.Forget()
	offline := python(t, o, `
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache
print(snapshot_download("o/m"))
print(snapshot_download("o/m", local_files_only=True))
print(hf_hub_download("o/m", "1_SpladePooling/config.json"))
print(try_to_load_from_cache("o/m", "model.safetensors"))
info = scan_cache_dir()
print(len(info.warnings), len(info.repos), *[sorted(f.file_name for f in r.files) for repo in info.repos for r in repo.revisions])
`, "HF_HUB_OFFLINE=1")
	out, err := offline.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		s.Path, s.Path, filepath.Join(s.Path, "1_SpladePooling", "config.json"), filepath.Join(s.Path, "model.safetensors"),
		"0 1 ['README.md', 'config.json', 'config.json', 'model.safetensors', 'modules.json', 'tokenizer_config.json', 'vocab.txt']",
	}
	if got := strings.Split(strings.TrimSpace(string(out)), "\n"); !slices.Equal(got, want) {
		t.Errorf("the library found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	online := python(t, o, `
from huggingface_hub import hf_hub_download, snapshot_download
print(hf_hub_download("o/m", "model.safetensors"))
print(snapshot_download("o/m", allow_patterns=["*.json", "model.safetensors"]))
`)
	out, err = online.Output()
	if err != nil || string(out) != filepath.Join(s.Path, "model.safetensors")+"\n"+s.Path+"\n" {
		t.Errorf("asking the hub it found %s: %v", out, err)
	}
	for _, r := range h.Asked() {
		if r.Host == h.CDN {
			t.Errorf("it fetched again: %+v", r)
		}
	}
}

// TestOursFindsTheirs: what the hub's own library fetched, Parley finds.
func TestOursFindsTheirs(t *testing.T) {
	repo := splade()
	h, o := start(t, repo)
	fetch := python(t, o, `
from huggingface_hub import snapshot_download
print(snapshot_download("o/m"))
print(snapshot_download("o/m", revision="refs/pr/1"))
`)
	out, err := fetch.Output()
	if err != nil {
		t.Fatal(err)
	}
	dir, _, _ := strings.Cut(string(out), "\n")
	for _, name := range []string{"o/m", "o/m@refs/pr/1"} {
		s, err := hub.Cached(mustName(t, name), o)
		if err != nil || s.Path != dir || !slices.Equal(s.Files, parleyReads) {
			t.Errorf("%s: %+v, %v, want what is in %s", name, s, err, dir)
		}
	}
	h.Forget()
	if s := mustFetch(t, "o/m", o); s.Path != dir || len(h.Asked()) != 1 {
		t.Errorf("fetched again what is in %s: %+v", dir, h.Asked())
	}
}

// TestOneLock: while the hub's own library holds the lock of a file, Parley
// waits.
func TestOneLock(t *testing.T) {
	repo := splade()
	_, o := start(t, repo)
	told := make(chan string, 100)
	o.Note = func(s string) { told <- s }
	held := filepath.Join(t.TempDir(), "held")
	lock := filepath.Join(o.Cache, ".locks", "models--o--m", hubtest.SHA256(repo.Files["model.safetensors"])+".lock")
	cmd := python(t, o, `
import os, time
from huggingface_hub.utils import WeakFileLock
lock, held, go = os.environ["LOCK"], os.environ["HELD"], os.environ["HELD"] + ".go"
os.makedirs(os.path.dirname(lock), exist_ok=True)
with WeakFileLock(lock):
    open(held, "w").close()
    while not os.path.exists(go):
        time.sleep(.01)
`, "LOCK="+lock, "HELD="+held)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 3000 {
		if _, err := os.Stat(held); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	go func() {
		<-told
		_ = os.WriteFile(held+".go", nil, 0o666)
		_ = cmd.Wait()
		told <- "released"
	}()
	wantFiles(t, mustFetch(t, "o/m", o).Path, repo, parleyReads...)
	select {
	case s := <-told:
		if s != "released" {
			t.Errorf("told %q", s)
		}
	case <-time.After(30 * time.Second):
		t.Error("Parley did not wait")
		_ = cmd.Process.Kill()
	}
}
