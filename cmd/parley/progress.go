package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// How often progress shows: lines in a log far apart, a bar smoothly.
const (
	progressLines = 5 * time.Second
	progressBar   = 100 * time.Millisecond
)

// progress tells how far a long piece of work has come: a bar on a terminal,
// elsewhere a line every few seconds, and at its end one line in both. A nil
// progress tells nothing. It is safe for concurrent use.
type progress struct {
	title, unit string
	total       int64 // below 0: unknown
	out         io.Writer
	bar         *progressbar.ProgressBar // nil: lines
	columns     func() int               // of the terminal that has the bar
	now         func() time.Time
	start       time.Time

	mu   sync.Mutex
	n    int64
	old  int64         // of n: done before
	left time.Duration // that is said, where it is known better than by the rate; 0: it is not
	note string
	last time.Time // of the last line
	done bool
}

// progress starts to report the work named title, of total units ("turns"); a
// total below 0 is unknown. It returns nil where the user wants quiet.
func (io streams) progress(title string, total int64, unit string) *progress {
	if io.quiet != nil && *io.quiet {
		return nil
	}
	return io.newProgress(title, total, unit)
}

// estimated is progress of work that knows better than its rate how long the rest
// takes: it says so with Stand.
func (io streams) estimated(title string, total int64, unit string) *progress {
	if io.quiet != nil && *io.quiet {
		return nil
	}
	return io.newProgress(title, total, unit, progressbar.OptionSetPredictTime(false))
}

func (io streams) newProgress(title string, total int64, unit string, o ...progressbar.Option) *progress {
	p := newProgress(io.err, time.Now, title, total, unit)
	if isTerminal(io.err) {
		p.bar = newBar(io.err, title, total, unit, o...)
		p.columns = func() int { return columns(io.err) }
	}
	return p
}

func newProgress(out io.Writer, now func() time.Time, title string, total int64, unit string) *progress {
	start := now()
	return &progress{title: title, unit: unit, total: total, out: out, now: now, start: start, last: start}
}

func newBar(out io.Writer, title string, total int64, unit string, o ...progressbar.Option) *progressbar.ProgressBar {
	return progressbar.NewOptions64(max(total, -1), append([]progressbar.Option{
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetDescription(title),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetWidth(24),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(unit),
		progressbar.OptionThrottle(progressBar),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionSetSpinnerChangeInterval(0), // turns with the work, needs no goroutine
	}, o...)...)
}

// barFigures is about how many columns the figures beside a bar take.
const barFigures = 52

// describe writes the title and the note behind the bar, cut to what fits: a
// bar that runs over its line cannot be drawn over.
func (p *progress) describe() {
	text := p.title + ": "
	if p.left > 0 {
		text += short(p.left) + " left, "
	}
	words := []rune(text + p.note)
	room := max(len([]rune(p.title)), p.columns()-barFigures)
	p.bar.Describe(string(words[:min(len(words), room)]))
}

// Add counts n more units as done.
func (p *progress) Add(n int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n += int64(n)
	if p.bar != nil && !p.done {
		_ = p.bar.Add(n) // a terminal that went away stops no work
	}
	p.show()
}

// Known says that so many units were done before this work began.
func (p *progress) Known(n int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n, p.old = n, n
}

// Stand says how many units are done, of how many, and how long the rest takes;
// below 0 where that is not known.
func (p *progress) Stand(n, total int64, left time.Duration) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n, p.total, p.left = n, total, left
	if p.bar != nil && !p.done {
		p.bar.ChangeMax64(max(total, 1))
		_ = p.bar.Set64(n)
	}
	p.show()
}

// Note replaces the words behind the figures: "loss 1.23 L0 14.1".
func (p *progress) Note(note string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note = note
	if p.bar != nil && !p.done {
		p.describe()
	}
	p.show()
}

// Done ends the report with a line that sums it up. It may be deferred: of
// work that stopped early it says so.
func (p *progress) Done() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return
	}
	p.done = true
	if p.bar != nil {
		_ = p.bar.Exit()
		_ = p.bar.Clear()
	}
	elapsed := p.now().Sub(p.start)
	count := fmt.Sprintf("%d %s", p.n, p.unit)
	if p.n < p.total {
		count = fmt.Sprintf("stopped after %d of %d %s", p.n, p.total, p.unit)
	}
	p.line(fmt.Sprintf("%s in %s (%s)", count, short(elapsed), rate(p.n-p.old, elapsed)))
}

// show writes a line when the last one is long enough ago.
func (p *progress) show() {
	now := p.now()
	if p.bar != nil || p.done || now.Sub(p.last) < progressLines {
		return
	}
	p.last = now
	elapsed := now.Sub(p.start)
	if p.total <= 0 {
		p.line(fmt.Sprintf("%d %s, %s", p.n, p.unit, rate(p.n, elapsed)))
		return
	}
	left := "time left unknown"
	switch {
	case p.left > 0:
		left = short(p.left) + " left"
	case p.left < 0:
	case p.n > 0:
		left = short(time.Duration(float64(elapsed)/float64(p.n)*float64(max(0, p.total-p.n)))) + " left"
	}
	p.line(fmt.Sprintf("%d of %d %s, %s, %s", p.n, p.total, p.unit, rate(p.n-p.old, elapsed), left))
}

func (p *progress) line(s string) {
	if p.note != "" {
		s += ": " + p.note
	}
	fmt.Fprintf(p.out, "%s: %s\n", p.title, s)
}

// rate writes n per elapsed time with about three digits: a second's, or where
// that is little a minute's.
func rate(n int64, elapsed time.Duration) string {
	if elapsed <= 0 {
		return "–/s"
	}
	r := float64(n) / elapsed.Seconds()
	switch {
	case r >= 100:
		return fmt.Sprintf("%.0f/s", r)
	case r >= 10:
		return fmt.Sprintf("%.1f/s", r)
	case r < .1 && n > 0:
		return fmt.Sprintf("%.2f/min", 60*r)
	}
	return fmt.Sprintf("%.2f/s", r)
}

// short writes d as people say it: 0.4s, 12s, 2m31s, 3h5m.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
}
