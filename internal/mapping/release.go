//go:build linux || darwin

package mapping

import "golang.org/x/sys/unix"

// release gives whole pages back. It is advice: that it is not taken does no
// harm.
func release(pages []byte) { _ = unix.Madvise(pages, unix.MADV_DONTNEED) }
