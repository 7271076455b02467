package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxRedirects = 10
	maxPause     = 30 * time.Second
	maxWait      = 5 * time.Minute // that a server may ask for
	forward      = 1 << 20         // bytes that count as coming further: failures are counted anew
)

// client asks one hub for one model.
type client struct {
	name     Name
	endpoint *url.URL
	options  Options
}

func newClient(n Name, o Options) (*client, error) {
	endpoint, err := parseEndpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the token has spaces or signs that no token has: copy it anew into HF_TOKEN")
	}
	return &client{n, endpoint, o}, nil
}

// api returns the address that describes a revision, with sizes and checksums.
func (c *client) api() string {
	return c.endpoint.String() + "/api/models/" + c.name.Repo() + "/revision/" + url.PathEscape(c.name.Revision) + "?blobs=true"
}

// resolve returns the address of a file at a commit.
func (c *client) resolve(commit, file string) string {
	parts := strings.Split(file, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return c.endpoint.String() + "/" + c.name.Repo() + "/resolve/" + commit + "/" + strings.Join(parts, "/")
}

// page is the place for hints to people.
func (c *client) page() string { return c.endpoint.String() + "/" + c.name.Repo() }

// errStalled says that a server sent nothing for too long.
var errStalled = errors.New("the server sends nothing")

// refusal is an error that no further attempt would change.
type refusal struct{ error }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

func (r refusal) Unwrap() error { return r.error }

// do sends one request, following redirects, and watches that its answer does
// not stall. The caller closes the body. The token goes no further than the
// endpoint's own origin, and neither does If-Range: other hosts have validators
// of their own. A HEAD is answered by the last response of the hub itself, which
// describes the file that it redirects to.
func (c *client) do(ctx context.Context, method, address string, header http.Header) (*http.Response, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, refuse("%q is no address: %w", address, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watch := time.AfterFunc(c.options.Stall, func() { cancel(errStalled) })
	resp, err := c.follow(ctx, method, at, header.Clone())
	if err != nil {
		watch.Stop()
		err = causeOf(ctx, err)
		cancel(nil)
		return nil, err
	}
	resp.Body = &watchedBody{resp.Body, ctx, cancel, watch, c.options.Stall}
	return resp, nil
}

func (c *client) follow(ctx context.Context, method string, at *url.URL, header http.Header) (*http.Response, error) {
	home := sameOrigin(at, c.endpoint)
	for range maxRedirects + 1 {
		req, err := http.NewRequestWithContext(ctx, method, at.String(), nil)
		if err != nil {
			return nil, refusal{err}
		}
		req.Header = header.Clone()
		req.Header.Set("User-Agent", "parley")
		req.Header.Set("Accept-Encoding", "identity") // lengths and ranges are those of the file
		if home && c.options.Token != "" {
			req.Header.Set("Authorization", "Bearer "+c.options.Token)
		}
		resp, err := c.options.Transport.RoundTrip(req)
		if err != nil {
			return nil, fmt.Errorf("%s does not answer: %w", at.Host, err) // no more of the address: a signed one is a secret
		}
		next, err := redirect(resp, at)
		leaves := next != nil && !sameOrigin(at, next)
		if err == nil && (next == nil || leaves && method == http.MethodHead) {
			return resp, nil
		}
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
		if leaves {
			home = false
			header.Del("If-Range")
		}
		at = next
	}
	return nil, refuse("%s redirects more than %d times: the hub is set up wrong, or something between it and here is", at.Host, maxRedirects)
}

// redirect returns where a response leads, nil if nowhere.
func redirect(resp *http.Response, at *url.URL) (*url.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	next, err := at.Parse(resp.Header.Get("Location"))
	switch {
	case err != nil || resp.Header.Get("Location") == "":
		return nil, refuse("%s redirects to no address: the hub is set up wrong, or something between it and here is", at.Host)
	case next.Scheme != "https" && next.Scheme != "http" || next.Host == "":
		return nil, refuse("%s redirects to an address of the kind %q, which is not followed", at.Host, next.Scheme)
	case at.Scheme == "https" && next.Scheme != "https":
		return nil, refuse("%s redirects from https to plain http, which is not followed: anyone on the way could change the files", at.Host)
	}
	next.User = nil
	return next, nil
}

// sameOrigin tells whether two addresses have one scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// causeOf returns why ctx ended, if it did, else err.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// watchedBody fails when its server sends nothing for too long.
type watchedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	watch  *time.Timer
	stall  time.Duration
}

func (w *watchedBody) Read(p []byte) (int, error) {
	w.watch.Reset(w.stall)
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = causeOf(w.ctx, err)
	}
	return n, err
}

func (w *watchedBody) Close() error {
	w.watch.Stop()
	defer w.cancel(nil)
	return w.ReadCloser.Close()
}

// persist calls try until it succeeds, fails for good, or has failed often
// enough without coming further, of which it returns by how many bytes.
func (c *client) persist(ctx context.Context, what string, try func() (int64, error)) error {
	var far int64
	for failed := 0; ; {
		n, err := try()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil || !transient(err) {
			return err
		}
		if far += n; far >= forward {
			far, failed = 0, 0
		}
		if failed++; failed >= c.options.Attempts {
			return fmt.Errorf("%s: %w, after %d attempts: try again later", what, err, failed)
		}
		pause, waitErr := c.pauseAfter(err, failed)
		if waitErr != nil {
			return fmt.Errorf("%s: %w", what, waitErr)
		}
		c.options.Note(fmt.Sprintf("%s: %v: next attempt in %v", what, err, pause.Round(100*time.Millisecond)))
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// pauseAfter returns how long to wait after the failed-th failure in a row.
func (c *client) pauseAfter(err error, failed int) (time.Duration, error) {
	var status *statusError
	if errors.As(err, &status) && status.retryAfter > 0 {
		if status.retryAfter > maxWait {
			return 0, fmt.Errorf("%w, and wants to be left alone for %v: try again after that", err, status.retryAfter)
		}
		return status.retryAfter, nil
	}
	pause := min(c.options.Pause<<min(failed-1, 20), maxPause)
	return pause + rand.N(pause/4+1), nil // not all at once where many fail together
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// transient tells whether another attempt may succeed.
func transient(err error) bool {
	var status *statusError
	if errors.As(err, &status) {
		return status.transient()
	}
	if errors.As(err, new(refusal)) || errors.As(err, new(*tls.CertificateVerificationError)) {
		return false
	}
	var unknown *net.DNSError
	if errors.As(err, &unknown) && unknown.IsNotFound {
		return false
	}
	return !isOurs(err)
}

// statusError is an answer other than success.
type statusError struct {
	code       int
	kind       string // the hub's word for it: RepoNotFound, GatedRepo, …
	host       string
	retryAfter time.Duration
}

func newStatusError(resp *http.Response) *statusError {
	return &statusError{
		code: resp.StatusCode, kind: resp.Header.Get("X-Error-Code"), host: resp.Request.URL.Host,
		retryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s answers %d %s", e.host, e.code, http.StatusText(e.code)))
}

func (e *statusError) transient() bool {
	switch e.code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads how long a server wants to be left alone: seconds or a date.
func retryAfter(s string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// explain says what a user can do about an answer on the model or one of its
// files (empty: the model itself).
func (c *client) explain(err error, file string) error {
	var status *statusError
	if !errors.As(err, &status) || status.transient() {
		return err
	}
	what := c.name.String()
	if file != "" {
		what = file + " of " + what
	}
	token := c.options.Token != ""
	switch {
	case status.kind == "GatedRepo":
		return fmt.Errorf("%s is gated: accept its conditions on %s, and set HF_TOKEN to a token of that account", what, c.page())
	case status.kind == "RevisionNotFound":
		return fmt.Errorf("%s has no revision %q: see which there are on %s", c.name.Repo(), c.name.Revision, c.page())
	case status.code == http.StatusUnauthorized && token && status.kind != "RepoNotFound":
		return fmt.Errorf("%s does not accept the token (%s): set HF_TOKEN to one that is valid, or unset it", status.host, what)
	case (status.code == http.StatusUnauthorized || status.code == http.StatusNotFound) && file == "" && token:
		return fmt.Errorf("%s knows no model %s that the token may see: check the name, or use a token of an account that may", status.host, what)
	case (status.code == http.StatusUnauthorized || status.code == http.StatusNotFound) && file == "":
		return fmt.Errorf("%s knows no model %s, or keeps it private: check the name; for a private model set HF_TOKEN", status.host, what)
	case status.code == http.StatusForbidden && token:
		return fmt.Errorf("%s forbids %s to the account of the token: ask for access on %s, or use a token that may read it", status.host, what, c.page())
	case status.code == http.StatusForbidden || status.code == http.StatusUnauthorized:
		return fmt.Errorf("%s gives %s only to those it knows: set HF_TOKEN", status.host, what)
	}
	return fmt.Errorf("%s: %w", what, err)
}
