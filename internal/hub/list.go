package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits on what is read into memory; the largest of real hubs stay far below.
const (
	maxListing = 32 << 20
	maxGuide   = 16 << 20
	maxName    = 1000 // bytes of a file's name
)

var (
	hexCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)
	hexSHA1   = hexCommit
	hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// file is a file of a repository as the hub describes it.
type file struct {
	name string // slash-separated
	size int64  // below 0: not known yet
	etag string // hex SHA-256, or git's SHA-1 of a small one; empty: not known yet
}

// listing is a revision: its commit and its files by name.
type listing struct {
	commit string
	files  []file
}

// list asks what a revision is made of.
func (c *client) list(ctx context.Context) (*listing, error) {
	var data []byte
	err := c.persist(ctx, c.name.String(), func() (int64, error) {
		resp, err := c.do(ctx, http.MethodGet, c.api(), http.Header{})
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return 0, newStatusError(resp)
		}
		data, err = io.ReadAll(io.LimitReader(resp.Body, maxListing+1))
		if len(data) > maxListing {
			return 0, refuse("the description of %s at %s is longer than %d MB: it is none of a model", c.name, c.endpoint.Host, maxListing>>20)
		}
		return 0, err
	})
	if err != nil {
		return nil, c.explain(err, "")
	}
	l, err := parseListing(data)
	if err != nil {
		return nil, fmt.Errorf("%s describes %s as no hub does: %w: check the endpoint", c.endpoint.Host, c.name, err)
	}
	return l, nil
}

// parseListing reads the answer of the hub's API about a revision.
func parseListing(data []byte) (*listing, error) {
	var answer struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name string `json:"rfilename"`
			Size *int64 `json:"size"`
			Blob string `json:"blobId"`
			LFS  *struct {
				SHA256 string `json:"sha256"`
				Size   *int64 `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("not the JSON of a model: %w", err)
	}
	if !hexCommit.MatchString(answer.SHA) {
		return nil, fmt.Errorf("the commit %.60q is none", answer.SHA)
	}
	l := &listing{commit: answer.SHA}
	for _, s := range answer.Siblings {
		f := file{name: s.Name, size: -1, etag: s.Blob}
		if s.Size != nil {
			f.size = *s.Size
		}
		if s.LFS != nil {
			f.etag = s.LFS.SHA256
			if s.LFS.Size != nil {
				f.size = *s.LFS.Size
			}
		}
		if err := f.check(); err != nil {
			return nil, err
		}
		l.files = append(l.files, f)
	}
	slices.SortFunc(l.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(l.files); i++ {
		if l.files[i].name == l.files[i-1].name {
			return nil, fmt.Errorf("it has the file %q twice", l.files[i].name)
		}
	}
	return l, nil
}

// check refuses names that lead out of a folder, and impossible descriptions.
func (f file) check() error {
	if err := checkFileName(f.name); err != nil {
		return err
	}
	if f.etag != "" && !hexSHA1.MatchString(f.etag) && !hexSHA256.MatchString(f.etag) {
		return fmt.Errorf("the checksum %.80q of %s is neither SHA-256 nor git's SHA-1", f.etag, f.name)
	}
	if f.size < -1 {
		return fmt.Errorf("the size of %s is %d", f.name, f.size)
	}
	return nil
}

// checkFileName refuses names that some system reads as a way out of a folder.
func checkFileName(name string) error {
	bad := name == "" || len(name) > maxName || strings.ContainsAny(name, "\\:\x00") || path.IsAbs(name)
	for part := range strings.SplitSeq(name, "/") {
		bad = bad || part == "" || part == "." || part == ".."
	}
	for _, r := range name {
		bad = bad || r < ' '
	}
	if bad {
		return fmt.Errorf("the file name %.100q leads out of the model's folder or is none: refused", name)
	}
	return nil
}

// describe asks the hub for the size and the checksum of a file at a commit,
// and holds them against what the listing said.
func (c *client) describe(ctx context.Context, commit string, f file) (file, error) {
	var told file
	err := c.persist(ctx, f.name, func() (int64, error) {
		resp, err := c.do(ctx, http.MethodHead, c.resolve(commit, f.name), http.Header{})
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		if resp.StatusCode >= 400 {
			return 0, newStatusError(resp)
		}
		told, err = described(resp, commit, f.name)
		return 0, err
	})
	if err != nil {
		return file{}, c.explain(err, f.name)
	}
	switch {
	case f.size >= 0 && told.size >= 0 && f.size != told.size:
		return file{}, fmt.Errorf("%s says that %s has %d bytes, and in its listing of the model %d: try again later", c.endpoint.Host, f.name, told.size, f.size)
	case f.etag != "" && f.etag != told.etag:
		return file{}, fmt.Errorf("%s says that %s has the checksum %s, and in its listing of the model %s: try again later", c.endpoint.Host, f.name, told.etag, f.etag)
	case f.size < 0 && told.size < 0:
		return file{}, fmt.Errorf("%s does not say how large %s is: it is no hub, or something between it and here takes headers away", c.endpoint.Host, f.name)
	}
	told.size = max(told.size, f.size)
	return told, nil
}

// described reads what the headers of a file's address say of it.
func described(resp *http.Response, commit, name string) (file, error) {
	first := func(keys ...string) string {
		for _, key := range keys {
			if v := resp.Header.Get(key); v != "" {
				return v
			}
		}
		return ""
	}
	at := first("X-Repo-Commit")
	if at == "" {
		return file{}, refuse("%s does not say which commit %s belongs to: it is no hub, or something between it and here takes headers away", resp.Request.URL.Host, name)
	}
	if at != commit {
		return file{}, refuse("%s gives %s of the commit %.60q where %s was asked for: try again later", resp.Request.URL.Host, name, at, commit)
	}
	f := file{name: name, size: -1, etag: strings.Trim(strings.TrimPrefix(first("X-Linked-Etag", "Etag"), "W/"), `"`)}
	sizes := []string{"X-Linked-Size"}
	if resp.StatusCode == http.StatusOK {
		sizes = append(sizes, "Content-Length")
	}
	if s := first(sizes...); s != "" {
		size, err := strconv.ParseInt(s, 10, 64)
		if err != nil || size < 0 {
			return file{}, refuse("%s says that %s has %.60q bytes", resp.Request.URL.Host, name, s)
		}
		f.size = size
	}
	if f.etag == "" {
		return file{}, refuse("%s states no checksum of %s: it is no hub, or something between it and here takes headers away", resp.Request.URL.Host, name)
	}
	if err := f.check(); err != nil {
		return file{}, refusal{err}
	}
	return f, nil
}
