package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"parley/internal/bert"
	"parley/internal/strictjson"
)

// module is a step of a model of sentence-transformers.
type module struct {
	class string // the last part of its type
	path  string // its folder
}

// open fills f in.
func (f *Folder) open() error {
	modules, err := readModules(f.Path)
	if err != nil {
		return err
	}
	if modules == nil { // a folder of transformers alone
		f.Passage, err = openSide(f.Path, nil)
		f.Query = f.Passage
		return f.finish(err)
	}
	if err := f.readSentences(modules); err != nil {
		return err
	}
	f.files = present(filepath.Join(f.Path, ModulesFile), filepath.Join(f.Path, SentencesFile))
	query, passage := modules, modules
	if i := slices.IndexFunc(modules, func(m module) bool { return m.class == "Router" || m.class == "Asym" }); i >= 0 {
		routes, err := readRouter(modules[i].path)
		if err != nil {
			return err
		}
		f.files = append(f.files, routes.path)
		query = slices.Concat(modules[:i], routes.query, modules[i+1:])
		passage = slices.Concat(modules[:i], routes.passage, modules[i+1:])
	}
	if f.Passage, err = openChain(f.Path, passage); err != nil {
		return err
	}
	f.Query = f.Passage
	if !slices.Equal(query, passage) {
		f.Query, err = openChain(f.Path, query)
	}
	return f.finish(err)
}

// finish checks that the two sides fit, and gathers their notes.
func (f *Folder) finish(err error) error {
	if err != nil {
		return err
	}
	if f.Passage.Static != nil && f.Query == f.Passage {
		return fmt.Errorf("%s has fixed weights for passages too, and no network: encode with bm25 instead", f.Path)
	}
	if f.Query.Vocabulary.Fingerprint() != f.Passage.Vocabulary.Fingerprint() {
		return fmt.Errorf("%s has encoders of two vocabularies, in %s and in %s: their vectors have no terms in common", f.Path, f.Query.Path, f.Passage.Path)
	}
	if f.Query == f.Passage {
		f.Notes = append(f.Notes, f.Passage.notes...)
		return nil
	}
	for _, note := range f.Query.notes {
		f.Notes = append(f.Notes, "queries: "+note)
	}
	for _, note := range f.Passage.notes {
		f.Notes = append(f.Notes, "passages: "+note)
	}
	return nil
}

// readModules reads the modules.json of the folder dir, nil where there is none.
func readModules(dir string) ([]module, error) {
	path := filepath.Join(dir, ModulesFile)
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil || len(list) == 0 {
		return nil, fmt.Errorf("%s is no list of modules, as sentence-transformers writes it", path)
	}
	modules := make([]module, len(list))
	for i, text := range list {
		members, err := strictjson.Object(text)
		if err != nil {
			return nil, fmt.Errorf("%s: module %d %w", path, i, err)
		}
		s := &settings{path: fmt.Sprintf("%s: module %d", path, i), members: members}
		modules[i], err = s.module(dir, s.text("", "type"), s.text("", "path"))
		if err != nil {
			return nil, err
		}
	}
	return modules, nil
}

// module returns the module of type kind in the folder at, relative to dir.
func (s *settings) module(dir, kind, at string) (module, error) {
	if at != "" && !filepath.IsLocal(filepath.FromSlash(at)) {
		s.fail("it lies in %q, outside the model's folder", at)
	}
	dot := strings.LastIndexByte(kind, '.')
	if !strings.HasPrefix(kind, "sentence_transformers.") {
		s.fail("its type is %q: only modules of sentence_transformers can be read", kind)
	}
	return module{class: kind[dot+1:], path: filepath.Join(dir, filepath.FromSlash(at))}, s.err
}

// routes are the modules for either side.
type routes struct {
	path           string // of the file
	query, passage []module
}

// readRouter reads the router's settings in the folder dir.
func readRouter(dir string) (r routes, err error) {
	path := filepath.Join(dir, "router_config.json")
	if !isFile(path) {
		path = filepath.Join(dir, ConfigFile) // as Router was called Asym
	}
	r.path = path
	members, err := readObject(path)
	if err != nil {
		return r, err
	}
	s := &settings{path: path, members: members}
	types, structure, parameters := s.within("types"), s.within("structure"), s.within("parameters")
	parameters.refuse("route_mappings", "only a route for queries and one for documents can be read")
	if err := errors.Join(s.err, parameters.err); err != nil {
		return r, err
	}
	for _, route := range slices.Sorted(maps.Keys(structure.members)) {
		if route != "query" && route != "document" {
			return r, fmt.Errorf("%s has the route %q: only query and document can be read", path, route)
		}
	}
	if r.query, err = readRoute(dir, types, structure, "query"); err != nil {
		return r, err
	}
	r.passage, err = readRoute(dir, types, structure, "document")
	return r, err
}

// readRoute returns the modules of a route.
func readRoute(dir string, types, structure *settings, route string) ([]module, error) {
	var ids []string
	if err := json.Unmarshal(structure.members[route], &ids); err != nil || len(ids) == 0 {
		return nil, fmt.Errorf("%s has no list of modules for the route %s", structure.path, route)
	}
	modules := make([]module, len(ids))
	for i, id := range ids {
		var err error
		if modules[i], err = types.module(dir, types.text("", id), id); err != nil {
			return nil, err
		}
	}
	return modules, nil
}

// openChain opens the encoder that is made of the modules.
func openChain(dir string, modules []module) (*Side, error) {
	classes := make([]string, len(modules))
	for i, m := range modules {
		classes[i] = m.class
	}
	switch first := modules[0]; {
	case slices.Equal(classes, []string{"SparseStaticEmbedding"}), slices.Equal(classes, []string{"IDF"}):
		return openStatic(first.path)
	case len(modules) == 2 && (classes[0] == "Transformer" || classes[0] == "MLMTransformer") && classes[1] == "SpladePooling":
		h, err := readPooling(modules[1].path)
		if err != nil {
			return nil, err
		}
		s, err := openSide(first.path, &h)
		if err == nil {
			s.files = append(s.files, filepath.Join(modules[1].path, ConfigFile))
		}
		return s, err
	case classes[0] == "Transformer" && !slices.ContainsFunc(classes[1:], func(class string) bool { return !isDense(class) }):
		s, err := openSide(first.path, nil)
		if err == nil {
			s.notes = append(s.notes, "the folder is a dense model's: of its modules only the transformer is used")
		}
		return s, err
	}
	return nil, fmt.Errorf("%s: a model of the modules %s cannot be read: Transformer and SpladePooling are due, or SparseStaticEmbedding for queries",
		filepath.Join(dir, ModulesFile), strings.Join(classes, ", "))
}

// isDense tells whether a module makes dense vectors of the transformer's output.
func isDense(class string) bool {
	return slices.Contains([]string{"Pooling", "Normalize", "Dense", "LayerNorm", "Dropout"}, class)
}

// readPooling reads the settings of the SpladePooling in the folder dir.
func readPooling(dir string) (h bert.Head, err error) {
	path := filepath.Join(dir, ConfigFile)
	members, err := readObject(path)
	if err != nil {
		return h, err
	}
	s := &settings{path: path, members: members}
	switch pooling := s.text("max", "pooling_strategy"); pooling {
	case "max":
	case "sum":
		h.Pooling = bert.Sum
	default:
		s.wrong("pooling_strategy", "max or sum is due")
	}
	switch function := s.text("relu", "activation_function"); function {
	case "relu":
	case "log1p_relu":
		h.Saturation = bert.DoubleLog
	default:
		s.wrong("activation_function", "relu or log1p_relu is due")
	}
	return h, s.err
}

// readSentences reads what sentence-transformers says of the whole model.
func (f *Folder) readSentences(modules []module) error {
	s, err := readSettings(filepath.Join(f.Path, SentencesFile))
	if err != nil {
		return err
	}
	if dense := slices.ContainsFunc(modules, func(m module) bool { return isDense(m.class) }); dense {
		return nil
	}
	f.MostTerms = s.int(0, "max_active_dims")
	if f.MostTerms < 0 {
		s.wrong("max_active_dims", "a number of terms is due")
	}
	prompts := s.within("prompts")
	for _, side := range []string{"query", "document"} {
		prompts.refuse(side, "texts that are put before others cannot be read")
	}
	s.refuse("default_prompt_name", "texts that are put before others cannot be read")
	return errors.Join(s.err, prompts.err)
}
