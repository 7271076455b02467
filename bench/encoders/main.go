//go:build unix

// Command encoders is Parley's side of the comparison with other encoders, see
// compare.py beside it: it does what a line of JSON on its standard input asks,
// one after the other, and answers each with a line.
//
// Its guarantee: what is timed is what the product runs, on the sequences and
// the weights that the peers get. It measures and compares nothing itself.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"parley/internal/bert"
	"parley/internal/checkpoint"
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "encoders:", err)
		os.Exit(1)
	}
}

// request is one thing to do.
type request struct {
	Do        string `json:"do"` // load, threads, encode, vectors, train, step or memory
	Model     string `json:"model"`
	Threads   int    `json:"threads"`
	Texts     string `json:"texts"`
	Batch     int    `json:"batch"`
	Count     int    `json:"count"` // of the first sequences; 0: all
	To        string `json:"to"`
	Data      string `json:"data"`
	Queries   int    `json:"queries"`
	Candidate int    `json:"candidates"`
	Dropout   bool   `json:"dropout"`
}

// answer is what came of it. Times are in seconds.
type answer struct {
	Encode    float64 `json:"encode,omitempty"`
	CPU       float64 `json:"cpu,omitempty"` // of all threads
	Queries   float64 `json:"queries,omitempty"`
	Optimiser float64 `json:"optimiser,omitempty"`
	Loss      float64 `json:"loss,omitempty"`
	Peak      int64   `json:"peak,omitempty"` // bytes of memory at the most
	Terms     float64 `json:"terms,omitempty"`
}

// state is what requests leave for later ones.
type state struct {
	folder    *checkpoint.Folder
	inference *bert.Inference
	sessions  []*bert.Session
	trainer   *trainer
}

func serve(in io.Reader, out io.Writer) error {
	var s state
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return err
		}
		a, err := s.do(r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Do, err)
		}
		if err := json.NewEncoder(out).Encode(a); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (s *state) do(r request) (answer, error) {
	switch r.Do {
	case "load":
		return answer{}, s.load(r)
	case "threads":
		return answer{}, s.setThreads(r.Threads)
	case "encode":
		return s.encode(r)
	case "vectors":
		return s.vectors(r)
	case "train":
		return answer{}, s.train(r)
	case "step":
		return s.trainer.step(r)
	case "memory":
		peak, err := peakMemory()
		return answer{Peak: peak}, err
	}
	return answer{}, fmt.Errorf("nobody knows how to %q", r.Do)
}

// load opens a model for inference.
func (s *state) load(r request) error {
	folder, err := checkpoint.Open(r.Model)
	if err != nil {
		return err
	}
	s.folder = folder
	s.inference, err = bert.NewInference(folder.Passage.Config, folder.Passage.Source())
	if err != nil {
		return err
	}
	return s.setThreads(r.Threads)
}

func (s *state) setThreads(n int) error {
	runtime.GOMAXPROCS(n)
	s.sessions = nil
	for range n {
		s.sessions = append(s.sessions, s.inference.Session())
	}
	return nil
}

// texts is a file of sequences.
type texts struct {
	IDs [][]uint32 `json:"ids"`
}

func readTexts(path string) (texts, error) {
	var t texts
	data, err := os.ReadFile(path)
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(data, &t)
}

// cpuSeconds returns how long processors have worked for the process.
func cpuSeconds() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err) // it knows no failure but wrong arguments
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func seconds(since time.Time) float64 { return time.Since(since).Seconds() }

// peakMemory returns the most memory that the process has had.
func peakMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kB int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kB); n == 1 {
			return kB << 10, nil
		}
	}
	return 0, fmt.Errorf("/proc/self/status does not tell VmHWM")
}
