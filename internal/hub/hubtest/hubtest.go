// Package hubtest is a model hub within the process, for tests: it speaks enough
// of the protocol of huggingface.co for internal/hub and for the hub's own
// tools, sends large files from a second host as real hubs do, and misbehaves
// where a test asks it to.
//
// Its guarantee: what it sends has the lengths and the checksums that it states,
// unless a test misbehaves in its place.
//
// It does not know uploads, nor any kind of repository but models.
package hubtest

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Repo is a model.
type Repo struct {
	Files    map[string][]byte
	Large    []string // names of the files that the second host sends
	Private  bool     // for those with the token only
	Gated    bool     // for nobody
	Branches []string // names of its one commit besides main
}

// Request is what a hub was asked.
type Request struct {
	Method, Host, Path, Authorization, Range, IfRange string
}

// Hub is a hub with a second host for large files. Its fields may be set before
// the first request.
type Hub struct {
	URL    string // of the hub
	CDN    string // of the second host
	Token  string // what opens private models
	Repos  map[string]*Repo
	NoMeta bool // the listing says nothing of sizes and checksums, as mirrors do

	servers []*httptest.Server
	mu      sync.Mutex
	asked   []Request
	instead func(w http.ResponseWriter, r *http.Request) bool
}

// New starts a hub. The caller closes it.
func New(repos map[string]*Repo) *Hub {
	h := &Hub{Repos: repos}
	hub := httptest.NewServer(h.logged(h.hub))
	cdn := httptest.NewServer(h.logged(h.cdn))
	h.servers = []*httptest.Server{hub, cdn}
	h.URL, h.CDN = hub.URL, cdn.URL
	return h
}

// Close stops the hub, answers that are under way too.
func (h *Hub) Close() {
	for _, s := range h.servers {
		s.CloseClientConnections()
		s.Close()
	}
}

// Misbehave lets a function answer requests in the hub's place from now on; it
// returns whether it did. Nil ends that.
func (h *Hub) Misbehave(instead func(w http.ResponseWriter, r *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.instead = instead
}

// Asked returns the requests so far.
func (h *Hub) Asked() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.asked)
}

// Forget empties the list of requests.
func (h *Hub) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = nil
}

func (h *Hub) logged(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked = append(h.asked, Request{
			r.Method, "http://" + r.Host, r.URL.Path,
			r.Header.Get("Authorization"), r.Header.Get("Range"), r.Header.Get("If-Range"),
		})
		instead := h.instead
		h.mu.Unlock()
		if instead == nil || !instead(w, r) {
			serve(w, r)
		}
	})
}

// Commit returns the commit of a model: of its content alone.
func (r *Repo) Commit() string {
	sum := sha1.New()
	for _, name := range r.names() {
		fmt.Fprintf(sum, "%s %s\n", name, SHA1(r.Files[name]))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (r *Repo) names() []string {
	var names []string
	for name := range r.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (r *Repo) isLarge(name string) bool { return slices.Contains(r.Large, name) }

// SHA1 returns git's checksum of a blob, which names small files.
func SHA1(data []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
	return hex.EncodeToString(sum[:])
}

// SHA256 returns the checksum that names large files.
func SHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// ETag returns the checksum that names a file of the model.
func (r *Repo) ETag(name string) string {
	if r.isLarge(name) {
		return SHA256(r.Files[name])
	}
	return SHA1(r.Files[name])
}

func (h *Hub) hub(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	api := len(parts) > 2 && parts[0] == "api" && parts[1] == "models"
	if api {
		parts = parts[2:]
	}
	if len(parts) < 2 {
		http.NotFound(w, r)
		return
	}
	repo := h.Repos[parts[0]+"/"+parts[1]]
	if !h.admits(w, r, repo) {
		return
	}
	rest := parts[2:]
	if len(rest) > 1 {
		rev, err := url.PathUnescape(rest[1])
		if err != nil || rev != "main" && rev != repo.Commit() && !slices.Contains(repo.Branches, rev) {
			refuse(w, http.StatusNotFound, "RevisionNotFound")
			return
		}
	}
	switch {
	case api && (len(rest) == 0 || rest[0] == "revision"):
		h.describe(w, r, parts[0]+"/"+parts[1], repo)
	case api && rest[0] == "tree":
		h.tree(w, repo)
	case !api && len(rest) > 2 && rest[0] == "resolve":
		name, err := url.PathUnescape(strings.Join(rest[2:], "/"))
		if err != nil {
			name = ""
		}
		h.file(w, r, repo, name)
	default:
		http.NotFound(w, r)
	}
}

// admits answers for models that are not there or not for the caller.
func (h *Hub) admits(w http.ResponseWriter, r *http.Request, repo *Repo) bool {
	authorization := r.Header.Get("Authorization")
	switch {
	case authorization != "" && authorization != "Bearer "+h.Token:
		w.Header().Set("X-Error-Message", "Invalid credentials in Authorization header")
		refuse(w, http.StatusUnauthorized, "")
	case (repo == nil || repo.Private) && authorization == "":
		refuse(w, http.StatusUnauthorized, "RepoNotFound")
	case repo == nil:
		refuse(w, http.StatusNotFound, "RepoNotFound")
	case repo.Gated && !strings.HasPrefix(r.URL.Path, "/api/"):
		refuse(w, http.StatusForbidden, "GatedRepo")
	default:
		return true
	}
	return false
}

func refuse(w http.ResponseWriter, code int, kind string) {
	if kind != "" {
		w.Header().Set("X-Error-Code", kind)
	}
	http.Error(w, kind, code)
}

func (h *Hub) describe(w http.ResponseWriter, r *http.Request, id string, repo *Repo) {
	var siblings []map[string]any
	for _, name := range repo.names() {
		s := map[string]any{"rfilename": name}
		if r.URL.Query().Get("blobs") != "" && !h.NoMeta {
			s["size"], s["blobId"] = len(repo.Files[name]), SHA1(repo.Files[name])
			if repo.isLarge(name) {
				s["lfs"] = map[string]any{"sha256": SHA256(repo.Files[name]), "size": len(repo.Files[name]), "pointerSize": 134}
			}
		}
		siblings = append(siblings, s)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "modelId": id, "sha": repo.Commit(), "private": repo.Private, "siblings": siblings})
}

func (h *Hub) tree(w http.ResponseWriter, repo *Repo) {
	var entries []map[string]any
	for _, name := range repo.names() {
		e := map[string]any{"type": "file", "path": name, "size": len(repo.Files[name]), "oid": SHA1(repo.Files[name])}
		if repo.isLarge(name) {
			e["lfs"] = map[string]any{"oid": SHA256(repo.Files[name]), "size": len(repo.Files[name]), "pointerSize": 134}
		}
		entries = append(entries, e)
	}
	_ = json.NewEncoder(w).Encode(entries)
}

func (h *Hub) file(w http.ResponseWriter, r *http.Request, repo *Repo, name string) {
	data, there := repo.Files[name]
	w.Header().Set("X-Repo-Commit", repo.Commit())
	switch {
	case !there:
		refuse(w, http.StatusNotFound, "EntryNotFound")
	case repo.isLarge(name):
		w.Header().Set("X-Linked-Etag", `"`+SHA256(data)+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(data)))
		w.Header().Set("Location", h.CDN+"/"+SHA256(data)+"?signature=secret")
		w.WriteHeader(http.StatusFound)
	default:
		w.Header().Set("ETag", `"`+SHA1(data)+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

// cdn sends large files by checksum. Its validators are its own.
func (h *Hub) cdn(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		http.Error(w, "only one way of authentication is allowed", http.StatusBadRequest)
		return
	}
	for _, repo := range h.Repos {
		for _, name := range repo.Large {
			if r.URL.Path == "/"+SHA256(repo.Files[name]) && r.URL.Query().Get("signature") == "secret" {
				w.Header().Set("ETag", `"of-the-second-host"`)
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(repo.Files[name]))
				return
			}
		}
	}
	http.NotFound(w, r)
}
