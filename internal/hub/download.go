package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"syscall"
)

// fetcher brings files of one commit into a cache.
type fetcher struct {
	client  *client
	store   store
	commit  string
	options Options

	mu          sync.Mutex
	done, total int64 // bytes
}

// fetchAll brings those of files into the cache that are not there.
func (f *fetcher) fetchAll(ctx context.Context, files []file) error {
	var missing []file
	for _, one := range files {
		if !f.store.has(f.commit, one) {
			missing = append(missing, one)
		}
	}
	err := each(ctx, len(missing), f.options.Jobs, func(ctx context.Context, i int) (err error) {
		missing[i], err = f.client.describe(ctx, f.commit, missing[i])
		return err
	})
	if err != nil {
		return err
	}
	var toCome int64
	for _, one := range missing {
		if have := size(partial(f.store.blob(one.etag))); have <= one.size {
			toCome += one.size - have
		} else {
			toCome += one.size
		}
	}
	f.advance(0, toCome)
	return each(ctx, len(missing), f.options.Jobs, func(ctx context.Context, i int) error {
		return f.fetch(ctx, missing[i])
	})
}

// advance counts bytes that came, and bytes that are to come: those that an
// earlier run left are neither.
func (f *fetcher) advance(done, total int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done += done
	f.total += total
	f.options.Progress(f.done, f.total)
}

// fetch brings one described file into the cache.
func (f *fetcher) fetch(ctx context.Context, one file) error {
	unlock, err := f.lock(ctx, one)
	if err != nil {
		return err
	}
	defer unlock()
	blob := f.store.blob(one.etag)
	if isFile(blob, one.size) {
		f.advance(one.size, 0)
	} else if err := f.download(ctx, one, blob); err != nil {
		return err
	}
	return f.store.point(f.commit, one)
}

// download brings the bytes of a file to path. Those that were left by an
// earlier run are taken up; if that makes the whole wrong, once without them.
func (f *fetcher) download(ctx context.Context, one file, path string) error {
	partial := partial(path)
	for resumed := size(partial) > 0; ; resumed = false {
		err := f.client.persist(ctx, one.name, func() (int64, error) { return f.receive(ctx, one, partial) })
		if err != nil {
			return f.client.explain(err, one.name)
		}
		err = verify(partial, one)
		if err == nil {
			return settle(partial, path)
		}
		if !errors.Is(err, errChecksum) {
			return err
		}
		if removeErr := os.Remove(partial); removeErr != nil {
			return removeErr
		}
		if !resumed {
			return fmt.Errorf("%s: %w: deleted; try again, and if that does not help, tell whoever runs %s", one.name, err, f.client.endpoint.Host)
		}
		f.options.Note(one.name + ": the part that an earlier run left is damaged: from the start again")
		f.advance(0, one.size)
	}
}

// partial returns where the bytes of path are until all are there.
func partial(path string) string { return path + ".incomplete" }

// size returns how long a file is, 0 where there is none.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// receive adds to partial what is missing of a file, and returns how many bytes
// came.
func (f *fetcher) receive(ctx context.Context, one file, partial string) (n int64, err error) {
	out, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return 0, err
	}
	defer func() { err = full(errors.Join(err, out.Close())) }()
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if have > one.size {
		if have, err = 0, restart(out); err != nil {
			return 0, err
		}
	}
	if have == one.size {
		return 0, nil
	}
	resp, err := f.client.do(ctx, http.MethodGet, f.client.resolve(f.commit, one.name), rangeFrom(have, one))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && have > 0 {
		return 0, errors.Join(fmt.Errorf("%s does not resume", resp.Request.URL.Host), restart(out))
	}
	from, err := begins(resp, have, one)
	if err != nil {
		return 0, err
	}
	if from < have {
		if err := restart(out); err != nil {
			return 0, err
		}
		f.advance(0, have)
	}
	n, err = f.pour(out, resp.Body, one.size-from)
	if errors.As(err, new(refusal)) {
		err = refuse("%s sends more bytes of %s than the %d that it stated: deleted; try again later", resp.Request.URL.Host, one.name, one.size)
		_ = os.Remove(partial)
	}
	return n, err
}

// rangeFrom asks for what follows the first have bytes of a file. If-Range makes
// a hub whose file has changed send it whole.
func rangeFrom(have int64, one file) http.Header {
	h := http.Header{}
	if have > 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-", have))
		h.Set("If-Range", `"`+one.etag+`"`)
	}
	return h
}

// restart empties a partial file.
func restart(out *os.File) error {
	if err := out.Truncate(0); err != nil {
		return err
	}
	_, err := out.Seek(0, io.SeekStart)
	return err
}

// begins returns at which byte of the file the body of a response begins, and
// refuses answers that cannot be right.
func begins(resp *http.Response, have int64, one file) (int64, error) {
	host, from := resp.Request.URL.Host, int64(0)
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusPartialContent:
		var first, last int64
		var whole string
		if _, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%s", &first, &last, &whole); err != nil ||
			have == 0 || first != have || last != one.size-1 || whole != "*" && whole != fmt.Sprint(one.size) {
			return 0, refuse("%s sends the range %.80q of %s where the bytes from %d to the end, at %d, were asked for: try again later",
				host, resp.Header.Get("Content-Range"), one.name, have, one.size)
		}
		from = have
	default:
		return 0, newStatusError(resp)
	}
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return 0, refuse("%s sends %s in the encoding %.40q, which was not asked for: something between it and here changes files", host, one.name, encoding)
	}
	if resp.ContentLength >= 0 && resp.ContentLength != one.size-from {
		return 0, refuse("%s announces %d bytes of %s where %d remain by what it stated before: try again later", host, resp.ContentLength, one.name, one.size-from)
	}
	return from, nil
}

// pour writes what comes, which must be rest bytes, and returns how many came.
// More are a refusal, fewer an io.ErrUnexpectedEOF.
func (f *fetcher) pour(out io.Writer, body io.Reader, rest int64) (int64, error) {
	buf := make([]byte, 128<<10)
	var n int64
	for {
		k, err := body.Read(buf)
		if n+int64(k) > rest {
			return n, refusal{errors.New("too many bytes")}
		}
		if _, writeErr := out.Write(buf[:k]); writeErr != nil {
			return n, writeErr
		}
		n += int64(k)
		f.advance(int64(k), 0)
		if err == io.EOF && n == rest {
			return n, nil
		}
		if err == io.EOF {
			return n, fmt.Errorf("ended after %d of %d bytes: %w", n, rest, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return n, err
		}
	}
}

// errChecksum says that bytes are not those that the hub describes.
var errChecksum = errors.New("the bytes do not have the checksum that the hub states")

// verify holds the bytes of path against a file's checksum: SHA-256 of the
// bytes, or SHA-1 of git's blob, which is the length and the bytes.
func verify(path string, one file) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	var sum hash.Hash
	if hexSHA256.MatchString(one.etag) {
		sum = sha256.New()
	} else {
		sum = sha1.New()
		fmt.Fprintf(sum, "blob %d\x00", one.size)
	}
	n, err := io.Copy(sum, in)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != one.size || got != one.etag {
		return fmt.Errorf("%w (%s, not %s)", errChecksum, got, one.etag)
	}
	return nil
}

// settle gives a complete file its name once it is on disk.
func settle(partial, path string) error {
	f, err := os.OpenFile(partial, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return full(err)
	}
	return os.Rename(partial, path)
}

// isOurs tells whether an error is of this machine's files, not of the network.
func isOurs(err error) bool {
	return errors.As(err, new(*fs.PathError)) || errors.As(err, new(*os.LinkError))
}

// full says what to do about a full disk.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%w: make room, and run it again; what has come is kept", err)
	}
	return err
}

// each calls do for 0 to n-1, jobs at once, and returns the first error that is
// not the consequence of another.
func each(ctx context.Context, n, jobs int, do func(ctx context.Context, i int) error) error {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var wait sync.WaitGroup
	errs := make([]error, n)
	free := make(chan struct{}, jobs)
	for i := range n {
		free <- struct{}{}
		if inner.Err() != nil {
			break
		}
		wait.Go(func() {
			defer func() { <-free }()
			if errs[i] = do(inner, i); errs[i] != nil {
				cancel()
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return nil
}
