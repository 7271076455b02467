package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Names of files that say which others there are.
const (
	singleWeights  = "model.safetensors"
	weightsIndex   = "model.safetensors.index.json"
	modulesFile    = "modules.json"       // of sentence-transformers: the folders of its modules
	routerFile     = "router_config.json" // of sentence-transformers: the folders of both sides
	configFile     = "config.json"
	pickledWeights = "pytorch_model.bin"
)

// known are the files that Parley reads of a model's folder, and of its modules'
// folders, besides the weights.
var known = []string{
	configFile, "tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json", "added_tokens.json",
	modulesFile, routerFile, "config_sentence_transformers.json", "sentence_bert_config.json", "parley.json", "README.md",
}

// guide reads a small file of the model, whose name is slash-separated.
type guide func(name string) ([]byte, error)

// choose returns those of a model's files that Parley reads, and those that the
// user asked for. Some name others, and are fetched to know these.
func (f *fetcher) choose(ctx context.Context, all []file) ([]file, error) {
	byName := map[string]file{}
	for _, one := range all {
		byName[one.name] = one
	}
	names, err := choose(byName, f.options.Files, func(name string) ([]byte, error) {
		if byName[name].size > maxGuide {
			return nil, fmt.Errorf("%s has %d bytes: it is none of a model", name, byName[name].size)
		}
		if err := f.fetchAll(ctx, []file{byName[name]}); err != nil {
			return nil, err
		}
		return readGuide(filepath.Join(f.store.snapshot(f.commit), filepath.FromSlash(name)))
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.client.name, err)
	}
	chosen := make([]file, len(names))
	for i, name := range names {
		chosen[i] = byName[name]
	}
	return chosen, nil
}

func readGuide(path string) ([]byte, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.Size() > maxGuide {
		return nil, fmt.Errorf("%s has %d bytes: it is none of a model", path, info.Size())
	}
	return os.ReadFile(path)
}

// choose returns in order the names out of all that make up the model, and
// those that match a pattern.
func choose[T any](all map[string]T, patterns []string, read guide) ([]string, error) {
	chosen := map[string]bool{}
	if err := chooseFolder(all, ".", chosen, read); err != nil {
		return nil, err
	}
	if !chosen[configFile] {
		return nil, fmt.Errorf("there is no %s: it is no model that Parley reads", configFile)
	}
	folders, err := modules(all, read)
	if err != nil {
		return nil, err
	}
	for _, folder := range folders {
		if err := chooseFolder(all, folder, chosen, read); err != nil {
			return nil, err
		}
	}
	if err := requireWeights(all, chosen); err != nil {
		return nil, err
	}
	for _, pattern := range patterns {
		if err := choosePattern(all, pattern, chosen); err != nil {
			return nil, err
		}
	}
	names := make([]string, 0, len(chosen))
	for name := range chosen {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// chooseFolder takes the files of one folder that Parley reads: the weights in
// one file where they are, else their shards.
func chooseFolder[T any](all map[string]T, folder string, chosen map[string]bool, guide guide) error {
	take := func(name string) bool {
		name = path.Join(folder, name)
		_, there := all[name]
		if there {
			chosen[name] = true
		}
		return there
	}
	for _, name := range known {
		take(name)
	}
	if take(singleWeights) || !take(weightsIndex) {
		return nil
	}
	shards, err := shards(path.Join(folder, weightsIndex), guide)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		if !take(shard) {
			return fmt.Errorf("%s names the shard %q, which is not there", path.Join(folder, weightsIndex), shard)
		}
	}
	return nil
}

// shards returns the files that an index of weights names.
func shards(index string, read guide) ([]string, error) {
	var answer struct {
		Weights map[string]string `json:"weight_map"`
	}
	if err := readJSON(index, read, &answer); err != nil {
		return nil, err
	}
	var names []string
	for _, name := range answer.Weights {
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		if err := checkFileName(name); err != nil {
			return nil, fmt.Errorf("%s: %w", index, err)
		}
	}
	return names, nil
}

// modules returns the folders of a sentence-transformers model besides the
// model's own: those of its modules, and of both sides where a router has two.
func modules[T any](all map[string]T, read guide) ([]string, error) {
	folders := []string{"."}
	if _, there := all[modulesFile]; there {
		var list []struct {
			Path string `json:"path"`
		}
		if err := readJSON(modulesFile, read, &list); err != nil {
			return nil, err
		}
		for _, module := range list {
			folders = append(folders, cmp.Or(module.Path, "."))
		}
	}
	for _, folder := range slices.Clone(folders) {
		config := path.Join(folder, routerFile)
		if _, there := all[config]; !there {
			continue
		}
		var router struct {
			Types map[string]string `json:"types"`
		}
		if err := readJSON(config, read, &router); err != nil {
			return nil, err
		}
		for side := range router.Types {
			folders = append(folders, path.Join(folder, side))
		}
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	for _, folder := range folders {
		if folder != "." && checkFileName(folder) != nil {
			return nil, fmt.Errorf("the folder %.100q of a module leads out of the model's folder: refused", folder)
		}
	}
	return folders, nil
}

func readJSON(name string, read guide, into any) error {
	data, err := read(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// requireWeights refuses models without weights that Parley reads.
func requireWeights[T any](all map[string]T, chosen map[string]bool) error {
	for name := range chosen {
		if base := path.Base(name); base == singleWeights || base == weightsIndex {
			return nil
		}
	}
	if _, pickled := all[pickledWeights]; pickled {
		return fmt.Errorf("its weights are only in %s, which is a program: Parley reads %s; "+
			"look for a revision that has it (often refs/pr/N), or convert it with transformers", pickledWeights, singleWeights)
	}
	return fmt.Errorf("there is no %s: it has no weights that Parley reads", singleWeights)
}

// choosePattern takes the files whose names, or last parts of names, match.
func choosePattern[T any](all map[string]T, pattern string, chosen map[string]bool) error {
	matched := false
	for name := range all {
		whole := name
		if !strings.Contains(pattern, "/") {
			whole = path.Base(name)
		}
		ok, err := path.Match(pattern, whole)
		if err != nil {
			return fmt.Errorf("the pattern %q: %w", pattern, err)
		}
		if ok {
			chosen[name], matched = true, true
		}
	}
	if !matched {
		return fmt.Errorf("no file matches the pattern %q", pattern)
	}
	return nil
}
