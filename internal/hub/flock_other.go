//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package hub

import (
	"errors"
	"os"
)

// flock knows no locks here.
func flock(*os.File) error { return errors.ErrUnsupported }
