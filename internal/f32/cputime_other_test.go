//go:build !unix

package f32

import "time"

var started = time.Now()

// cpuTime returns the time since the start: what this process worked is not
// known here.
func cpuTime() time.Duration { return time.Since(started) }
