package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a time that only the test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time       { return c.t }
func (c *clock) pass(d time.Duration) { c.t = c.t.Add(d) }
func newClock() *clock                { return &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }
func lines(b *bytes.Buffer) []string {
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func wantLines(t *testing.T, b *bytes.Buffer, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, lines(b)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestProgressLines(t *testing.T) {
	var b bytes.Buffer
	c := newClock()
	p := newProgress(&b, c.now, "training", 1000, "turns")
	for range 10 {
		c.pass(time.Second)
		p.Add(40)
		p.Note("loss 1.23")
	}
	c.pass(110 * time.Second)
	p.Add(600)
	p.Done()
	p.Done()
	p.Add(1)
	wantLines(t, &b,
		"training: 200 of 1000 turns, 40.0/s, 20s left: loss 1.23",
		"training: 400 of 1000 turns, 40.0/s, 15s left: loss 1.23",
		"training: 1000 of 1000 turns, 8.33/s, 0.0s left: loss 1.23",
		"training: 1000 turns in 2m0s (8.33/s): loss 1.23")
}

// TestProgressThatKnowsBetter: work that was begun before, of a total that grows,
// whose time left is said by who does it.
func TestProgressThatKnowsBetter(t *testing.T) {
	var b bytes.Buffer
	c := newClock()
	p := newProgress(&b, c.now, "study", 10, "trials")
	p.Known(4)
	c.pass(time.Minute)
	p.Stand(4, 10, -1)
	c.pass(time.Minute)
	p.Stand(5, 12, 7*time.Minute)
	c.pass(time.Minute)
	p.Stand(12, 12, 0)
	p.Done()
	wantLines(t, &b,
		"study: 4 of 10 trials, 0.00/s, time left unknown",
		"study: 5 of 12 trials, 0.50/min, 7m0s left",
		"study: 12 of 12 trials, 2.67/min, 0.0s left",
		"study: 12 trials in 3m0s (2.67/min)")
}

func TestProgressOfUnknownTotal(t *testing.T) {
	var b bytes.Buffer
	c := newClock()
	p := newProgress(&b, c.now, "indexing", -1, "passages")
	c.pass(progressLines)
	p.Add(2_000_000)
	c.pass(progressLines)
	p.Done()
	wantLines(t, &b,
		"indexing: 2000000 passages, 400000/s",
		"indexing: 2000000 passages in 10s (200000/s)")
}

func TestProgressOfWorkCutShort(t *testing.T) {
	var b bytes.Buffer
	c := newClock()
	p := newProgress(&b, c.now, "searching", 10, "turns")
	c.pass(6 * time.Second)
	p.Note("starting")
	p.Add(3)
	p.Done()
	wantLines(t, &b,
		"searching: 0 of 10 turns, 0.00/s, time left unknown: starting",
		"searching: stopped after 3 of 10 turns in 6.0s (0.50/s): starting")
}

func TestProgressQuiet(t *testing.T) {
	var b bytes.Buffer
	quiet := true
	p := streams{err: &b, quiet: &quiet}.progress("training", 1, "turns")
	p.Add(1)
	p.Note("loss 1.23")
	p.Done()
	if b.Len() != 0 {
		t.Errorf("wrote %q though quiet", b.String())
	}
}

// TestProgressBar cannot see the clock of the library, so it looks for what
// does not depend on it.
func TestProgressBar(t *testing.T) {
	for _, total := range []int64{100, 0, -1} {
		var b bytes.Buffer
		p := newProgress(&b, newClock().now, "training", total, "turns")
		p.bar, p.columns = newBar(&b, "training", total, "turns"), func() int { return 80 }
		p.Add(50)
		p.Note("loss 1.23")
		p.Add(50)
		p.Done()
		got := b.String()
		if !strings.Contains(got, "\r") || !strings.HasSuffix(got, "training: 100 turns in 0.0s (–/s): loss 1.23\n") {
			t.Errorf("total %d: %q is no bar that ends in a line of its own", total, got)
		}
		if n := strings.Count(got, "\n"); n != 1 {
			t.Errorf("total %d: %d lines remain of the bar, want 1: %q", total, n, got)
		}
	}
}

// TestProgressBarFits: a note that a narrow terminal has no room for is cut in
// the bar, and whole in the last line.
func TestProgressBarFits(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, newClock().now, "training", 100, "turns")
	p.bar, p.columns = newBar(&b, "training", 100, "turns"), func() int { return barFigures + 14 }
	p.Note("loss 1.23 L0 14.1")
	if got := b.String(); !strings.Contains(got, "training: loss") || strings.Contains(got, "1.23") {
		t.Errorf("the bar %q is not cut to its line", got)
	}
	p.Done()
	if got := b.String(); !strings.HasSuffix(got, ": loss 1.23 L0 14.1\n") {
		t.Errorf("the last line of %q is not whole", got)
	}
}

func TestProgressConcurrent(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, newClock().now, "training", 800, "turns")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				p.Add(1)
				p.Note("loss")
			}
		})
	}
	wg.Wait()
	p.Done()
	wantLines(t, &b, "training: 800 turns in 0.0s (–/s): loss")
}

func TestShort(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{400 * time.Millisecond, "0.4s"},
		{12 * time.Second, "12s"},
		{151 * time.Second, "2m31s"},
		{59*time.Minute + 59*time.Second + 600*time.Millisecond, "60m0s"},
		{185 * time.Minute, "3h5m"},
	} {
		if got := short(c.d); got != c.want {
			t.Errorf("short(%v) = %q, want %q", c.d, got, c.want)
		}
	}
}
