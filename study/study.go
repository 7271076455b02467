// Package study runs a plan of many trainings and measures them: systems that
// differ in what a plan varies, each from several seeds, searched for on several
// tests. Its folder is a ledger: a trial is there whole or not at all, so that a
// study goes on where it was stopped, and several processes can share one.
//
// Its guarantee: every number is computed from what the folder holds, and what it
// holds depends on the plan, the data and the version of the code alone: not on
// how many trials ran at once, how often the study was killed, or the clock.
// Times are kept apart.
//
// It draws nothing and prints nothing.
package study

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"path/filepath"

	"parley/internal/durable"
	"parley/measure"
)

// The files and folders of a study's folder.
const (
	signFile       = "study.json" // says that the folder is a study's
	PlanFile       = "plan.yaml"  // as it was given
	dataFile       = "data.json"  // what the data were
	collectionsDir = "collections"
	indexesDir     = "indexes"
	testsDir       = "tests"
	trialsDir      = "trials"
	prepareLock    = "prepare.lock"
)

// format is a part of every trial's key. It changes when trials of before can no
// longer stand for those of now.
const format = "parley study 2"

// sum returns the checksum of data.
func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// running is a checksum under way.
type running struct{ hash.Hash }

func newSum() running { return running{sha256.New()} }

func (r running) hex() string { return hex.EncodeToString(r.Sum(nil)) }

// writeJSON writes v as a file, whole or not at all.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(data, '\n'))
}

// readJSON reads what writeJSON wrote.
func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}

// Warning is something that a reader of a study's results should know.
type Warning struct {
	Where string              `json:"where"`          // what it is about: "test canard-dev"
	Text  string              `json:"text"`           // a sentence without its full stop
	Kind  measure.WarningKind `json:"kind,omitempty"` // of one about a run
}

// within returns the path of a file in a study's folder.
func within(dir string, names ...string) string {
	return filepath.Join(append([]string{dir}, names...)...)
}
