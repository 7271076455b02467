package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"parley/internal/bert"
	"parley/internal/safetensors"
	"parley/internal/strictjson"
	"parley/internal/wordpiece"
)

// object returns the members of the JSON object text.
func object(text []byte) (map[string]json.RawMessage, error) { return strictjson.Object(text) }

// openSide opens the transformer in the folder dir, whose head h is as modules
// say; nil where none say anything of it.
func openSide(dir string, h *bert.Head) (_ *Side, err error) {
	s := &Side{Path: dir}
	if s.Config, err = readConfig(dir); err != nil {
		return nil, err
	}
	if h != nil {
		s.Config.Head = *h
	}
	t, err := readTokenizer(dir)
	if err != nil {
		return nil, err
	}
	s.Vocabulary, s.notes, s.files = t.vocabulary, t.notes, append(t.files, filepath.Join(dir, ConfigFile))
	if err := s.readLengths(dir, t.most); err != nil {
		return nil, err
	}
	file, err := openWeights(dir)
	if err != nil {
		return nil, err
	}
	if err := s.readWeights(dir, file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return s, nil
}

// readWeights finds the weights of the side in file.
func (s *Side) readWeights(dir string, file *safetensors.File) error {
	w, notes, err := newWeights(&s.Config, file)
	if err != nil {
		return err
	}
	s.addWeightFiles(file)
	s.weights, s.HasHead = w, !w.madeUp
	s.notes = append(s.notes, notes...)
	rows, tokens := s.Config.Vocabulary, s.Vocabulary.Len()
	if tokens > rows {
		return fmt.Errorf("%s has a vocabulary of %d tokens, where %s says %d: the tokenizer is that of another model", dir, tokens, ConfigFile, rows)
	}
	if tokens < rows {
		s.notes = append(s.notes, fmt.Sprintf("the last %d of %d terms are left out: the vocabulary has no tokens for them", rows-tokens, rows))
		s.Config.Vocabulary, w.config.Vocabulary = tokens, tokens
	}
	w.special = specialTerms(s.Vocabulary)
	if s.Config.Head.Kind == bert.Lexical && s.Config.Head.Skip == nil {
		s.Config.Head.Skip, w.config.Head.Skip = w.special, w.special
	}
	if err := s.Config.Validate(); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, ConfigFile), err)
	}
	return nil
}

// addWeightFiles notes the files that file is made of.
func (s *Side) addWeightFiles(file *safetensors.File) {
	s.files = append(s.files, file.Path())
	for _, info := range file.Tensors() {
		if info.Path != s.files[len(s.files)-1] {
			s.files = append(s.files, info.Path)
		}
	}
}

// specialTerms returns the ids of the special tokens, which a lexical head gives
// no weight.
func specialTerms(v *wordpiece.Vocabulary) []uint32 {
	var ids []uint32
	for _, special := range specialTokens() {
		if id, ok := v.ID(special[1]); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// sentenceFiles are the names under which sentence-transformers kept the settings
// of a transformer, newest first.
func sentenceFiles() []string {
	return []string{"sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json"}
}

// readLengths sets the lengths of the longest inputs, most being the tokenizer's,
// and heeds what else sentence-transformers says of the transformer.
func (s *Side) readLengths(dir string, most int) error {
	var settings *settings
	for _, name := range sentenceFiles() {
		var err error
		if settings, err = readSettings(filepath.Join(dir, name)); err != nil {
			return err
		}
		if settings.members != nil {
			s.files = append(s.files, settings.path)
			break
		}
	}
	if settings.has("max_seq_length") { // it is set over the tokenizer's, not under it
		most = settings.least(s.Config.Positions, "max_seq_length")
	}
	most = min(most, s.Config.Positions)
	s.MaxQuery, s.MaxPassage = most, most
	if settings.has("query_length") {
		s.MaxQuery = settings.least(most, "query_length")
	}
	if settings.has("document_length") {
		s.MaxPassage = settings.least(most, "document_length")
	}
	settings.refuse("query_expansion", "queries cannot be expanded")
	if settings.bool(false, "do_lower_case") {
		o := s.Vocabulary.Options()
		if o.Cased && o.Accents == wordpiece.AccentsByCase {
			o.Accents = wordpiece.AccentsKept // it strips nothing
		}
		o.Cased = false
		s.Vocabulary = s.Vocabulary.With(o)
	}
	return settings.err
}

// openStatic opens the SparseStaticEmbedding in the folder dir: a weight for each
// term of its tokenizer.
func openStatic(dir string) (*Side, error) {
	settings, err := readSettings(filepath.Join(dir, ConfigFile))
	if err != nil {
		return nil, err
	}
	t, err := readTokenizer(dir)
	if err != nil {
		return nil, err
	}
	s := &Side{Path: dir, Vocabulary: t.vocabulary, HasHead: true, MaxQuery: t.most, MaxPassage: t.most, notes: t.notes}
	s.files = append(t.files, present(settings.path)...)
	if path := settings.text("", "path"); settings.err == nil && filepath.Ext(path) == ".json" {
		err = s.readIDF(dir, filepath.Base(filepath.FromSlash(path)))
	} else {
		err = s.readStatic(dir)
	}
	return s, errors.Join(settings.err, err)
}

// readStatic reads the tensor weight of the folder dir.
func (s *Side) readStatic(dir string) (err error) {
	file, err := openWeights(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if names := file.Names(); !slices.Equal(names, []string{"weight"}) {
		return fmt.Errorf("%s has the tensors %q, where one of the name weight is due", file.Path(), names)
	}
	s.addWeightFiles(file)
	t, err := file.F32("weight", s.Vocabulary.Len())
	s.Static = slices.Clone(t.F32)
	return err
}

// readIDF reads the weights of tokens in a JSON file of the folder dir.
func (s *Side) readIDF(dir, name string) error {
	path := filepath.Join(dir, name)
	if !isFile(path) {
		path = filepath.Join(dir, "idf.json")
	}
	members, err := readObject(path)
	if err != nil {
		return err
	}
	weights := make([]float32, s.Vocabulary.Len())
	for _, token := range slices.Sorted(maps.Keys(members)) {
		id, ok := s.Vocabulary.ID(token)
		if !ok {
			return fmt.Errorf("%s weighs %q, which is no token of the vocabulary: it is that of another model", path, token)
		}
		var weight *float32
		if err := json.Unmarshal(members[token], &weight); err != nil || weight == nil {
			return fmt.Errorf("%s: the weight of %q is %s, where a number is due", path, token, shown(members[token]))
		}
		weights[id] = *weight
	}
	s.Static, s.files = weights, append(s.files, path)
	return nil
}
