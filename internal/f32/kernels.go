package f32

import (
	"fmt"
	"strings"
)

//go:generate go run -C gen . ..

// set holds the kernels for one kind of processor.
type set struct {
	name       string
	rows, cols int // of the tile that stays in registers

	// tile does a job.
	tile func(*job)
	// interleave packs rows side by side, as the function of this name.
	interleave func(dst []float32, x operand, count, k, width int)
}

// sets are the kernels that this processor can run, the fastest first.
var sets = append(accelerated(), &generic)

// active are the kernels in use. Only Use changes it.
var active = sets[0]

// Kernels returns the names of the sets of kernels that this processor can
// run, the fastest first, and which is in use.
func Kernels() (available []string, inUse string) {
	for _, s := range sets {
		available = append(available, s.name)
	}
	return available, active.name
}

// Use chooses a set of kernels by its name. It is for the start of a program,
// before anything is computed: what was packed for one set must not be
// multiplied with another at the same time.
func Use(name string) error {
	for _, s := range sets {
		if s.name == name {
			active = s
			return nil
		}
	}
	available, _ := Kernels()
	return fmt.Errorf("there are no kernels %q for this processor; there are %s", name, strings.Join(available, ", "))
}
