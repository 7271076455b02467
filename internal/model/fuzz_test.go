package model

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// FuzzParseConfig reads any config.json, as it stands and with the checksum that
// it should have: what is taken can be written, and reads back the same.
func FuzzParseConfig(f *testing.F) {
	dir := f.TempDir()
	write(f, dir, &mlp)
	config, err := os.ReadFile(filepath.Join(dir, ConfigFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(config)
	f.Add([]byte(`{"parley_model": 1, "kind": "bm25", "bm25": {"k1": 0.9, "b": -1e308}, "passages": 1}`))
	f.Add([]byte(`{"parley_model": 1, "kind": "lexical", "lexical": {"dim": -1}, "passages": 1}`))
	f.Add([]byte(`{"parley_model": 1, "tokenizer": {"accents": "none"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, resealed(data)} {
			c, err := parseConfig(data, "config.json")
			if err != nil {
				continue
			}
			if err := c.check(); err != nil {
				t.Errorf("taken, and %v", err)
			}
			text, err := c.sealed()
			if err != nil {
				t.Fatalf("what was read cannot be written: %v", err)
			}
			if again, err := parseConfig(text, "config.json"); err != nil || !reflect.DeepEqual(again, c) {
				t.Errorf("read %+v, then %+v (%v)", c, again, err)
			}
		}
	})
}

// resealed returns the configuration in data with its checksum put right, and
// data itself where it holds none.
func resealed(data []byte) []byte {
	var c Config
	if json.Unmarshal(data, &c) != nil {
		return data
	}
	text, err := c.sealed()
	if err != nil {
		return data
	}
	return text
}
