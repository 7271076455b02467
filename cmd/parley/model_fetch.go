package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"parley/internal/hub"
	"parley/internal/model"
)

// modelFetch is the command line of model fetch.
type modelFetch struct {
	revision, endpoint, cache, output string
	files                             []string
	jobs                              int
	offline                           bool
}

func newModelFetchCommand(io streams) *cobra.Command {
	var o modelFetch
	cmd := &cobra.Command{
		Use:   "fetch OWNER/NAME[@REVISION]",
		Short: "Fetch a model from a hub into the cache",
		Long: `Brings the files of a published model that Parley reads (configuration,
safetensors weights, tokenizer, the modules of sentence-transformers, README)
into the cache of the hub's own tools, and prints the folder that they are in.
What either fetches, the other finds. What is in the cache is not fetched again;
what was interrupted is resumed; every file is held against its checksum.

The environment is read as the hub's own tools read it: HF_ENDPOINT, HF_TOKEN (or
the file HF_TOKEN_PATH), HF_HUB_CACHE or HF_HOME, HF_HUB_OFFLINE. The token is
sent to the endpoint and to nobody else.`,
		Example: `  parley model fetch naver/splade-v3
  parley model fetch OWNER/NAME@v2 --file '*.txt'
  parley model fetch OWNER/NAME -o models/name
  parley model fetch OWNER/NAME --offline`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), io, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.revision, "revision", "", "branch, tag or commit (default main)")
	flags.StringVar(&o.endpoint, "endpoint", "", "address of the hub (default $HF_ENDPOINT, else "+hub.DefaultEndpoint+")")
	flags.StringVar(&o.cache, "cache", "", "folder of the cache (default $HF_HUB_CACHE, $HF_HOME/hub, else ~/.cache/huggingface/hub)")
	flags.StringSliceVar(&o.files, "file", nil, "patterns of files to fetch as well, such as '*.txt' or 'onnx/*'")
	flags.StringVarP(&o.output, "output", "o", "", "also copy the files into this folder, and print it")
	flags.IntVar(&o.jobs, "jobs", 4, "files to fetch at once")
	flags.BoolVar(&o.offline, "offline", false, "ask no hub: take what is in the cache")
	return cmd
}

func (o *modelFetch) run(ctx context.Context, io streams, arg string) error {
	name, options, err := o.resolve(arg)
	if err != nil {
		return err
	}
	if o.output != "" {
		if err := checkOutput(o.output, model.ConfigFile); err != nil {
			return err
		}
	}
	snapshot, err := o.fetch(ctx, io, name, options)
	if err != nil {
		return err
	}
	folder := snapshot.Path
	if o.output != "" {
		folder = filepath.Clean(o.output)
		if err := snapshot.Copy(folder); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(io.out, folder)
	return err
}

// resolve reads the command line and the environment.
func (o *modelFetch) resolve(arg string) (hub.Name, hub.Options, error) {
	name, err := hub.ParseName(arg)
	if err == nil && o.revision != "" {
		if strings.Contains(arg, "@") {
			return name, hub.Options{}, usagef("%s names a revision and so does --revision: name one", arg)
		}
		name, err = name.At(o.revision)
	}
	if err != nil {
		return name, hub.Options{}, usageError{err}
	}
	if o.jobs < 1 || o.jobs > 64 {
		return name, hub.Options{}, usagef("--jobs %d: it is from 1 to 64", o.jobs)
	}
	for _, pattern := range o.files {
		if _, err := filepath.Match(pattern, ""); err != nil {
			return name, hub.Options{}, usagef("--file %s: %v", pattern, err)
		}
	}
	options, err := hubOptions(o.cache)
	if err != nil {
		return name, options, err
	}
	if o.endpoint != "" {
		options.Endpoint = o.endpoint
	}
	options.Files, options.Jobs = o.files, o.jobs
	o.offline = o.offline || isTrue(os.Getenv("HF_HUB_OFFLINE")) || isTrue(os.Getenv("TRANSFORMERS_OFFLINE"))
	return name, options, nil
}

func (o *modelFetch) fetch(ctx context.Context, io streams, name hub.Name, options hub.Options) (*hub.Snapshot, error) {
	if o.offline {
		return hub.Cached(name, options)
	}
	bytes := &byteProgress{io: io, title: "fetch " + name.String()}
	options.Progress = bytes.advance
	options.Note = func(s string) { fmt.Fprintln(io.err, s) }
	snapshot, err := hub.Fetch(ctx, name, options)
	bytes.shown.Done()
	if err == nil || ctx.Err() != nil {
		return snapshot, err
	}
	if cached, cacheErr := hub.Cached(name, options); cacheErr == nil {
		return nil, fmt.Errorf("%w (the cache has it at commit %s, which --offline takes)", err, cached.Commit)
	}
	return nil, err
}

// byteProgress shows bytes in thousands. It begins with what is worth a report:
// not with the small files that say which others there are.
type byteProgress struct {
	io    streams
	title string
	shown *progress
	done  int64 // thousands that were shown
}

// worthShowing is how many bytes are to come before they are reported.
const worthShowing = 1 << 20

func (b *byteProgress) advance(done, total int64) {
	if b.shown == nil {
		if total < worthShowing {
			return
		}
		b.done = done / 1000
		b.shown = b.io.progress(b.title, (total+999)/1000-b.done, "kB")
	}
	now := done / 1000
	if done == total {
		now = (total + 999) / 1000
	}
	b.shown.Add(int(now - b.done))
	b.done = now
}

// hubOptions returns what the environment says of hubs, as the hub's own tools
// read it; cache, if not empty, is the cache's folder.
func hubOptions(cache string) (hub.Options, error) {
	home := os.Getenv("HF_HOME")
	if home == "" {
		base := os.Getenv("XDG_CACHE_HOME")
		if base == "" {
			base = filepath.Join("~", ".cache")
		}
		home = filepath.Join(base, "huggingface")
	}
	options := hub.Options{Endpoint: os.Getenv("HF_ENDPOINT"), Token: strings.TrimSpace(os.Getenv("HF_TOKEN")), Transport: hubTransport()}
	var err error
	if options.Cache, err = expand(firstOf(cache, os.Getenv("HF_HUB_CACHE"), os.Getenv("HUGGINGFACE_HUB_CACHE"), filepath.Join(home, "hub"))); err != nil {
		return options, err
	}
	if options.Token != "" || isTrue(os.Getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		return options, nil
	}
	path, err := expand(firstOf(os.Getenv("HF_TOKEN_PATH"), filepath.Join(home, "token")))
	if err != nil {
		return options, err
	}
	token, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return options, fmt.Errorf("the token cannot be read: %w: set HF_TOKEN, or mend the file", err)
	}
	options.Token = strings.TrimSpace(string(token))
	return options, nil
}

// hubTransport returns a transport that knows the proxies of the environment.
func hubTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	return t
}

func firstOf(values ...string) string {
	i := slices.IndexFunc(values, func(s string) bool { return s != "" })
	return values[i]
}

// isTrue reads a switch as the hub's own tools do.
func isTrue(s string) bool {
	return slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(s))
}

// expand replaces variables and a leading ~ in a path, as the hub's own tools do.
func expand(path string) (string, error) {
	path = os.ExpandEnv(path)
	if path != "~" && !strings.HasPrefix(path, "~/") && !strings.HasPrefix(path, `~\`) {
		return filepath.Abs(path)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("the cache's folder is not known: %w: set HF_HOME", err)
	}
	return filepath.Join(home, path[1:]), nil
}

// resolveModels replaces names of models in the hub's cache, OWNER/NAME[@REVISION],
// by their folders. A path that is there goes first; what is neither is left
// alone, for who opens it to refuse, but for a name that was not fetched.
func resolveModels(models ...*string) error {
	for _, m := range models {
		if _, err := os.Stat(*m); err == nil {
			continue
		}
		name, err := hub.ParseName(*m)
		if err != nil {
			continue
		}
		options, err := hubOptions("")
		if err != nil {
			return err
		}
		cached, err := hub.Cached(name, options)
		if errors.Is(err, hub.ErrNotCached) {
			return fmt.Errorf("%w, and there is no folder %s: name a model's folder, or run parley model fetch %s", err, *m, name)
		}
		if err != nil {
			return err
		}
		*m = cached.Path
	}
	return nil
}
