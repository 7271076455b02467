// Package hub fetches published models: the files of a repository on a model
// hub that speaks the protocol of huggingface.co, into the cache that the hub's
// own tools use, so that what either fetches the other finds.
//
// Its guarantee: a file appears in the cache only when its bytes have the
// checksum that the hub states (SHA-256 of large files, git's SHA-1 of small
// ones), and a revision gets its name only when all of its files are there. What
// was interrupted is kept aside and resumed.
//
// It does not publish, does not convert, and deletes nothing but its own partial
// downloads. The token goes to the endpoint alone, never to the hosts that it
// redirects to.
package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// DefaultEndpoint is the hub that is asked where no other is named.
const DefaultEndpoint = "https://huggingface.co"

// DefaultRevision is the branch that stands for a model where no revision is
// named.
const DefaultRevision = "main"

// Name is a model on a hub.
type Name struct {
	Owner, Model string
	Revision     string // a branch, a tag or a commit
}

var (
	namePart = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$`)
	revision = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$`)
)

// ParseName reads OWNER/NAME or OWNER/NAME@REVISION.
func ParseName(s string) (Name, error) {
	repo, rev, named := strings.Cut(s, "@")
	owner, model, _ := strings.Cut(repo, "/")
	n := Name{Owner: owner, Model: model, Revision: DefaultRevision}
	for _, part := range []string{owner, model} {
		if !namePart.MatchString(part) || strings.Contains(part, "--") || strings.Contains(part, "..") {
			return Name{}, fmt.Errorf("%q names no model of a hub: write OWNER/NAME or OWNER/NAME@REVISION", s)
		}
	}
	if named {
		return n.At(rev)
	}
	return n, nil
}

// At returns the same model at another revision.
func (n Name) At(rev string) (Name, error) {
	if !revision.MatchString(rev) || strings.Contains(rev, "..") || len(rev) > 200 {
		return Name{}, fmt.Errorf("%q names no revision of %s: write a branch, a tag or a commit", rev, n.Repo())
	}
	n.Revision = rev
	return n, nil
}

// Repo returns OWNER/NAME.
func (n Name) Repo() string { return n.Owner + "/" + n.Model }

// String returns OWNER/NAME, and @REVISION where it is not the default.
func (n Name) String() string {
	if n.Revision == DefaultRevision {
		return n.Repo()
	}
	return n.Repo() + "@" + n.Revision
}

// Options say where from and where to a model is fetched, and how patiently.
type Options struct {
	Cache     string                  // folder of the cache
	Endpoint  string                  // the hub; empty: DefaultEndpoint
	Token     string                  // who asks; empty: nobody
	Files     []string                // patterns (as path.Match has them) of files to fetch beyond those that Parley reads
	Jobs      int                     // files at once; 0: 4
	Stall     time.Duration           // how long a server may send nothing; 0: 30 s
	Attempts  int                     // how often in a row a request may fail; 0: 6
	Pause     time.Duration           // before the second attempt, doubled before each further one; 0: 1 s
	Transport http.RoundTripper       // nil: the standard library's
	Progress  func(done, total int64) // told how many bytes came, of how many that are to come; one call at a time
	Note      func(string)            // told of attempts that failed and of waiting; one call at a time
}

func (o Options) withDefaults() Options {
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	if o.Jobs == 0 {
		o.Jobs = 4
	}
	if o.Stall == 0 {
		o.Stall = 30 * time.Second
	}
	if o.Attempts == 0 {
		o.Attempts = 6
	}
	if o.Pause == 0 {
		o.Pause = time.Second
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	var mu sync.Mutex
	note := o.Note
	o.Note = func(s string) {
		mu.Lock()
		defer mu.Unlock()
		if note != nil {
			note(s)
		}
	}
	return o
}

// Snapshot is a model in the cache.
type Snapshot struct {
	Path   string   // folder of its files
	Commit string   // what the revision stands for
	Files  []string // those that Parley reads or that were asked for, relative to Path, in order
}

// Fetch brings the files of a model that are not in the cache yet into it.
func Fetch(ctx context.Context, n Name, o Options) (*Snapshot, error) {
	o = o.withDefaults()
	c, err := newClient(n, o)
	if err != nil {
		return nil, err
	}
	listed, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	f := &fetcher{client: c, store: store{o.Cache, n}, commit: listed.commit, options: o}
	if err := f.store.prepare(); err != nil {
		return nil, err
	}
	chosen, err := f.choose(ctx, listed.files)
	if err != nil {
		return nil, err
	}
	if err := f.fetchAll(ctx, chosen); err != nil {
		return nil, err
	}
	if err := f.store.setRef(n.Revision, listed.commit); err != nil {
		return nil, err
	}
	s := &Snapshot{Path: f.store.snapshot(listed.commit), Commit: listed.commit}
	for _, file := range chosen {
		s.Files = append(s.Files, file.name)
	}
	return s, nil
}

// parseEndpoint reads the address of a hub.
func parseEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the endpoint %q is no address of a hub: write it as %s", s, DefaultEndpoint)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("the endpoint has a query, a fragment or a user: write the address alone, and give the token apart")
	}
	return u, nil
}
